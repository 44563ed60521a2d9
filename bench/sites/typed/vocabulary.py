"""The typed site in the vocabulary that FastAPI and `portico.web` share: the same lines for both, imported from either.

`registered` makes a large application of the same kinds of routes, for what its start costs.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

from pydantic import BaseModel, create_model

from bench.sites.typed import MANY, Item


class Typed:
    """Builds applications from `package`, whose application class is called `application`."""

    def __init__(self, package: str, application: str) -> None:
        self.package: Any = import_module(package)
        self.application: Any = getattr(self.package, application)

    def app(self) -> Any:
        app, depends = self.application(), self.package.Depends

        @app.get("/items/{id}", response_model=None)
        async def item(id: int, q: str | None = None) -> Any:
            return {"id": id, "q": q}

        @app.post("/items", response_model=Item)
        async def create(item: Item) -> Any:
            return item

        async def page(limit: int = 10) -> int:
            return limit

        async def store(limit: Annotated[int, depends(page)]) -> list[int]:
            return [limit]

        async def service(found: Annotated[list[int], depends(store)]) -> dict[str, Any]:
            return {"found": found}

        @app.get("/chain", response_model=None)
        async def chain(answer: Annotated[dict[str, Any], depends(service)]) -> Any:
            return answer

        return app

    def many(self) -> Any:
        app = self.application()
        for number in range(MANY):
            app.get(f"/shop-{number}/items/{{id}}", response_model=None)(shop())
        return app

    def registered(self, count: int, models: list[type[BaseModel]]) -> Any:
        """Return an application with `count` routes, in ten routers."""
        app, depends = self.application(), self.package.Depends

        async def page(limit: int = 10, offset: int = 0) -> tuple[int, int]:
            return limit, offset

        for section in range(10):
            router = self.package.APIRouter(prefix=f"/section-{section}", tags=[f"section {section}"])
            for number in range(section, count, 10):
                model = models[number % len(models)]
                add(router, number, model, Annotated[tuple[int, int], depends(page)])
            app.include_router(router, prefix="/api")
        return app


def shop() -> Callable[..., Any]:
    """Return an endpoint of its own for each route."""

    async def endpoint(id: int, q: str | None = None) -> Any:
        return {"id": id, "q": q}

    return endpoint


def add(router: Any, number: int, model: type[BaseModel], page: Any) -> None:
    """Add one of four kinds of routes."""

    async def listed(page: page, q: str | None = None) -> Any:
        return []

    async def read(id: int, q: str | None = None) -> Any:
        return {"id": id, "q": q}

    async def create(item: model) -> Any:  # type: ignore[valid-type]
        return item

    async def change(id: int, item: model, page: page) -> Any:  # type: ignore[valid-type]
        return item

    kind = number % 4
    if kind == 0:
        router.get(f"/things-{number}/{{id}}", response_model=None)(read)
    elif kind == 1:
        router.get(f"/things-{number}", response_model=list[model])(listed)  # type: ignore[valid-type]
    elif kind == 2:
        router.post(f"/things-{number}", response_model=model)(create)
    else:
        router.put(f"/things-{number}/{{id}}", response_model=model)(change)


def make_models(count: int) -> list[type[BaseModel]]:
    """Return models of six fields each."""
    fields: dict[str, Any] = {
        "name": (str, ...),
        "price": (float, ...),
        "count": (int, 0),
        "description": (str | None, None),
        "tags": (list[str], []),
        "item": (Item | None, None),
    }
    return [create_model(f"Thing{number}", **fields) for number in range(count)]
