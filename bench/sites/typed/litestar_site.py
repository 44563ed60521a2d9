"""The typed site on Litestar."""

from typing import Any

from litestar import Litestar, get, post
from litestar.di import Provide

from bench.sites.typed import MANY, Item


@get("/items/{id:int}")
async def item(id: int, q: str | None = None) -> dict[str, Any]:
    return {"id": id, "q": q}


@post("/items", status_code=200)
async def create(data: Item) -> Item:
    return data


async def page(limit: int = 10) -> int:
    return limit


async def store(page: int) -> list[int]:
    return [page]


async def service(store: list[int]) -> dict[str, Any]:
    return {"found": store}


@get("/chain", dependencies={"page": Provide(page), "store": Provide(store), "service": Provide(service)})
async def chain(service: dict[str, Any]) -> dict[str, Any]:
    return service


async def shop(id: int, q: str | None = None) -> dict[str, Any]:
    return {"id": id, "q": q}


app = Litestar([item, create, chain], openapi_config=None)
many = Litestar([get(f"/shop-{number}/items/{{id:int}}")(shop) for number in range(MANY)], openapi_config=None)
