"""The site on BlackSheep."""

from typing import Any

from blacksheep import Application, Request, Response, Router, json, text

from bench.sites import FILES, MESSAGE, TEXT

app = Application(router=Router())
app.serve_files(FILES, root_path="/files", extensions={".bin"})


@app.router.get("/")
async def plaintext(request: Request) -> Response:
    return text(TEXT)


@app.router.get("/json")
async def message(request: Request) -> Response:
    return json(MESSAGE)


@app.router.get("/items/{int:id}")
async def item(request: Request, id: int) -> Response:
    return json({"id": id})


@app.router.post("/upload")
async def upload(request: Request) -> Response:
    (file,) = await request.files("file")
    return text(str(len(file.data if isinstance(file.data, bytes) else file.file.read())))


def routed(count: int) -> Any:
    many = Application(router=Router())

    async def page(request: Request) -> Response:
        return text(TEXT)

    for number in range(count):
        many.router.add_get(f"/section/page-{number}", page)
    for number in range(count):
        many.router.add_get(f"/shop-{number}/items/{{int:id}}", page)
    return many
