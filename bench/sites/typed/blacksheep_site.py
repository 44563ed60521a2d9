"""The typed site on BlackSheep; its dependencies are services of one request, which read nothing of it."""

from typing import Any

from blacksheep import Application, Content, FromJSON, Response, Router, json

from bench.sites.typed import MANY, Item

app, many = Application(router=Router()), Application(router=Router())


@app.router.get("/items/{int:id}")
async def item(id: int, q: str | None = None) -> Response:
    return json({"id": id, "q": q})


@app.router.post("/items")
async def create(data: FromJSON[Item]) -> Response:
    return Response(200, content=Content(b"application/json", data.value.model_dump_json().encode()))


class Page:
    def __init__(self) -> None:
        self.limit = 10


class Store:
    def __init__(self, page: Page) -> None:
        self.found = [page.limit]


class Service:
    def __init__(self, store: Store) -> None:
        self.answer = {"found": store.found}


for kind in (Page, Store, Service):
    app.services.add_scoped(kind)


@app.router.get("/chain")
async def chain(service: Service) -> Response:
    return json(service.answer)


async def shop(id: int, q: str | None = None) -> Any:
    return json({"id": id, "q": q})


for number in range(MANY):
    many.router.add_get(f"/shop-{number}/items/{{int:id}}", shop)
