"""The site on FastAPI."""

from typing import Any

from fastapi import FastAPI, UploadFile
from fastapi.responses import PlainTextResponse
from fastapi.staticfiles import StaticFiles

from bench.sites import FILES, MESSAGE, TEXT

app = FastAPI(openapi_url=None)
app.mount("/files", StaticFiles(directory=FILES))


@app.get("/", response_class=PlainTextResponse)
async def plaintext() -> str:
    return TEXT


@app.get("/json")
async def message() -> dict[str, str]:
    return MESSAGE


@app.get("/items/{id}")
async def item(id: int) -> dict[str, int]:
    return {"id": id}


@app.post("/upload", response_class=PlainTextResponse)
async def upload(file: UploadFile) -> str:
    return str(len(await file.read()))


def routed(count: int) -> Any:
    many = FastAPI(openapi_url=None)

    async def page() -> str:
        return TEXT

    async def shop(id: int) -> str:
        return TEXT

    for number in range(count):
        many.get(f"/section/page-{number}", response_class=PlainTextResponse)(page)
    for number in range(count):
        many.get(f"/shop-{number}/items/{{id}}", response_class=PlainTextResponse)(shop)
    return many
