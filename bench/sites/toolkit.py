"""The site in the vocabulary that Starlette and `portico.web` share: the same lines for both, imported from either."""

from importlib import import_module
from typing import Any

from bench.sites import FILES, MESSAGE, TEXT


class Site:
    """Builds applications from the modules of `package`, whose application class is called `application`."""

    def __init__(self, package: str, application: str) -> None:
        self.application: Any = getattr(import_module(f"{package}.applications"), application)
        self.responses: Any = import_module(f"{package}.responses")
        self.routing: Any = import_module(f"{package}.routing")
        self.static: Any = import_module(f"{package}.staticfiles").StaticFiles

    def app(self) -> Any:
        text, json, route = self.responses.PlainTextResponse, self.responses.JSONResponse, self.routing.Route

        async def plaintext(request: Any) -> Any:
            return text(TEXT)

        async def message(request: Any) -> Any:
            return json(MESSAGE)

        async def item(request: Any) -> Any:
            return json({"id": request.path_params["id"]})

        async def upload(request: Any) -> Any:
            async with request.form() as form:
                return text(str(len(await form["file"].read())))

        return self.application(
            routes=[
                route("/", plaintext),
                route("/json", message),
                route("/items/{id:int}", item),
                route("/upload", upload, methods=["POST"]),
                self.routing.Mount("/files", self.static(directory=FILES)),
            ]
        )

    def routed(self, count: int) -> Any:
        text, route = self.responses.PlainTextResponse, self.routing.Route

        async def endpoint(request: Any) -> Any:
            return text(TEXT)

        static = [route(f"/section/page-{number}", endpoint) for number in range(count)]
        return self.application(
            routes=[*static, *(route(f"/shop-{number}/items/{{id:int}}", endpoint) for number in range(count))]
        )
