"""The typed application: errors as JSON, decorators, the document, overrides, mounted applications."""

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import portico
from portico.asgi import Receive, Scope, Send
from portico.web import APIRouter, Depends, HTTPException, Portico, Request, WebSocket, WebSocketDisconnect
from portico.web.applications import Application
from portico.web.exceptions import PorticoDeprecationWarning, RequestValidationError
from portico.web.responses import JSONResponse, PlainTextResponse, Response
from portico.web.routing import APIRoute, Route
from portico.web.testclient import TestClient


def ping() -> str:
    return "pong"


def test_the_application_is_a_name_of_the_package() -> None:
    assert portico.Portico is Portico
    assert portico.APIRouter is APIRouter


def test_errors_are_json() -> None:
    app = Portico()

    @app.get("/items/{id}")
    def read(id: int) -> int:
        if id == 0:
            raise HTTPException(418, detail={"why": ["tea"]}, headers={"x-why": "tea"})
        return id

    client = TestClient(app)
    assert (client.get("/nowhere").status_code, client.get("/nowhere").json()) == (404, {"detail": "Not Found"})
    assert client.delete("/items/1").json() == {"detail": "Method Not Allowed"}
    teapot = client.get("/items/0")
    assert (teapot.status_code, teapot.json(), teapot.headers["x-why"]) == (418, {"detail": {"why": ["tea"]}}, "tea")
    wrong = client.get("/items/x")
    assert wrong.status_code == 422
    assert wrong.json()["detail"][0]["loc"] == ["path", "id"]


def test_a_websocket_whose_handshake_does_not_fit_is_refused() -> None:
    app = Portico()

    @app.websocket("/{id}")
    async def talk(websocket: WebSocket, id: int) -> None: ...

    with pytest.raises(WebSocketDisconnect) as refused, TestClient(app).websocket_connect("/x"):
        pass
    assert refused.value.code == 1008


def test_exception_handlers_may_replace_those_of_the_framework() -> None:
    app = Portico(exception_handlers={404: lambda request, error: PlainTextResponse("nothing", 404)})

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"problems": len(error.errors())}, 400)

    @app.exception_handler(ZeroDivisionError)
    async def divided(request: Request, error: ZeroDivisionError) -> Response:
        return PlainTextResponse("infinity")

    @app.get("/{number}")
    def divide(number: int) -> float:
        return 1 / number

    client = TestClient(app)
    assert client.get("/a/b").text == "nothing"
    assert client.get("/x").json() == {"problems": 1}
    assert client.get("/0").text == "infinity"
    assert client.get("/4").json() == 0.25


def test_a_function_may_be_middleware() -> None:
    app = Portico()

    @app.middleware("http")
    async def mark(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-mark"] = "yes"
        return response

    app.get("/")(ping)
    assert TestClient(app).get("/").headers["x-mark"] == "yes"
    with pytest.raises(ValueError, match="'http', got 'websocket'"):
        app.middleware("websocket")


def test_verbs_of_application_and_router_have_one_signature() -> None:
    for verb in ("get", "put", "post", "delete", "options", "head", "patch", "trace", "api_route", "websocket"):
        assert inspect.signature(getattr(Portico, verb)) == inspect.signature(getattr(APIRouter, verb))


def test_dependencies_of_the_application_are_called_for_every_route() -> None:
    called = []

    def note(request: Request) -> None:
        called.append(request.url.path)

    app = Portico(dependencies=[Depends(note)])
    router = APIRouter()
    router.get("/in")(ping)
    app.get("/own")(ping)
    app.include_router(router)
    client = TestClient(app)
    client.get("/own")
    client.get("/in")
    assert called == ["/own", "/in"]


def test_dependencies_may_be_overridden_in_included_routers_too() -> None:
    def number() -> int:
        return 1

    router = APIRouter()

    @router.get("/")
    def read(value: int = Depends(number)) -> int:
        return value

    app = Portico()
    app.include_router(router, prefix="/r")
    client = TestClient(app)
    assert client.get("/r/").json() == 1
    app.dependency_overrides[number] = lambda: 2
    assert client.get("/r/").json() == 2
    app.dependency_overrides.clear()
    assert client.get("/r/").json() == 1


def test_the_document_is_built_when_it_is_asked_for_and_again_after_a_change() -> None:
    app = Portico(title="T", version="7")
    app.get("/a")(ping)
    assert app.openapi_schema is None
    first = app.openapi()
    assert first["info"] == {"title": "T", "version": "7"}
    assert app.openapi() is first
    app.get("/b")(ping)
    assert list(app.openapi()["paths"]) == ["/a", "/b"]
    app.webhooks.post("event")(ping)
    assert list(app.openapi()["webhooks"]) == ["event"]


def test_a_document_that_the_program_has_set_is_left_alone() -> None:
    app = Portico()
    app.openapi_schema = {"openapi": "mine"}
    app.get("/a")(ping)
    assert app.openapi() == {"openapi": "mine"}
    assert TestClient(app).get("/openapi.json").json() == {"openapi": "mine"}


def test_head_is_not_in_the_document() -> None:
    app = Portico()
    app.get("/a")(ping)
    assert list(app.openapi()["paths"]["/a"]) == ["get"]


def test_without_the_documents_url_there_are_no_pages() -> None:
    app = Portico(openapi_url=None)
    client = TestClient(app)
    assert app.routes == []
    assert [client.get(path).status_code for path in ("/openapi.json", "/docs", "/redoc")] == [404, 404, 404]


def test_a_document_needs_a_title_and_a_version() -> None:
    with pytest.raises(ValueError, match="title"):
        Portico(title="")
    assert Portico(title="", openapi_url=None).title == ""


def test_a_mounted_application_has_its_own_document_below_its_path() -> None:
    inner = Portico(title="inner")
    inner.get("/x")(ping)
    app = Portico(title="outer")
    app.mount("/inner", inner)
    client = TestClient(app)
    assert client.get("/inner/x").json() == "pong"
    document = client.get("/inner/openapi.json").json()
    assert (document["info"]["title"], document["servers"]) == ("inner", [{"url": "/inner"}])
    assert client.get("/openapi.json").json()["paths"] == {}
    assert client.get("/inner/nowhere").json() == {"detail": "Not Found"}


def test_root_path_is_deprecated_and_works() -> None:
    with pytest.warns(PorticoDeprecationWarning, match="root_path"):
        app = Portico(root_path="/api")

    @app.get("/x")
    def read(request: Request) -> str:
        return str(request.scope["root_path"])

    assert TestClient(app).get("/x").json() == "/api"


def test_the_lifespan_is_given_the_application_and_its_state_reaches_requests() -> None:
    given = []

    @asynccontextmanager
    async def lifespan(app: Portico) -> AsyncIterator[dict[str, Any]]:
        given.append(app)
        app.state.thing = 1
        yield {"other": 2}

    app = Portico(lifespan=lifespan)

    @app.get("/")
    def read(request: Request) -> list[int]:
        return [request.app.state.thing, request.state.other]

    with TestClient(app) as client:
        assert client.get("/").json() == [1, 2]
    assert given == [app]


@pytest.mark.parametrize("run", [True, False])
def test_lifespans_of_mounted_applications_are_run_unless_the_program_does(run: bool) -> None:
    seen = []

    @asynccontextmanager
    async def lifespan(app: Portico) -> AsyncIterator[None]:
        seen.append("inner")
        yield

    app = Portico(mounted_lifespans=run)
    app.mount("/inner", Portico(lifespan=lifespan))
    with TestClient(app):
        assert seen == (["inner"] if run else [])


def test_routes_may_be_given() -> None:
    async def plain(request: Request) -> Response:
        return PlainTextResponse("plain")

    app = Portico(openapi_url=None, routes=[Route("/plain", plain), APIRoute("/typed", ping)])
    client = TestClient(app)
    assert client.get("/plain").text == "plain"
    assert client.get("/typed").json() == "pong"


def test_the_routes_may_be_filtered_as_programs_do() -> None:
    app = Portico()
    app.get("/a")(ping)
    app.router.routes = [route for route in app.router.routes if not getattr(route, "path", "").startswith("/docs")]
    client = TestClient(app)
    assert client.get("/docs").status_code == 404
    assert client.get("/a").json() == "pong"


def test_operation_ids_may_be_set_on_the_routes() -> None:
    router = APIRouter()
    router.get("/a")(ping)
    app = Portico()
    app.include_router(router, prefix="/r")
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.operation_id = route.name
    assert app.openapi()["paths"]["/r/a"]["get"]["operationId"] == "ping"


def test_a_slash_too_many_leads_to_the_route_without_it() -> None:
    app = Portico()
    app.get("/a")(ping)
    answer = TestClient(app).get("/a/?q=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/a?q=1")
    strict = Portico(redirect_slashes=False)
    strict.get("/a")(ping)
    assert TestClient(strict).get("/a/").status_code == 404


def test_the_body_limit_holds_for_every_route() -> None:
    app = Portico(max_body_size=4)

    @app.post("/")
    def read(body: dict[str, int]) -> dict[str, int]:
        return body

    client = TestClient(app)
    assert client.post("/", json={}).json() == {}
    assert client.post("/", json={"a": 1}).status_code == 413
    with pytest.raises(ValueError, match="non-negative"):
        Portico(max_body_size=-1)


def test_an_endpoint_may_be_an_object_with_a_signature() -> None:
    class Greeting:
        def __init__(self, word: str) -> None:
            self.word = word

        def __call__(self, name: str) -> str:
            return f"{self.word} {name}"

    app = Portico()
    app.get("/{name}", name="greet")(Greeting("hello"))
    assert TestClient(app).get("/you").json() == "hello you"
    assert app.url_path_for("greet", name="x") == "/x"


def test_unhandled_errors_are_answered_with_500() -> None:
    app = Portico()

    @app.get("/")
    def fail() -> None:
        raise RuntimeError

    assert TestClient(app, raise_server_exceptions=False).get("/").text == "Internal Server Error"


def test_a_tracer_may_replace_the_call_of_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    call = Application.__call__

    async def traced(self: Application, scope: Scope, receive: Receive, send: Send) -> None:
        called.append(scope["path"])
        await call(self, scope, receive, send)

    monkeypatch.setattr(Application, "__call__", traced)
    app = Portico()
    app.get("/x")(ping)
    assert TestClient(app).get("/x").json() == "pong"
    assert called == ["/x"]


def test_a_tracer_may_replace_how_the_layers_are_built() -> None:
    app = Portico()
    build = app.build_middleware_stack

    def traced() -> Any:
        inner = build()

        async def layer(scope: Scope, receive: Receive, send: Send) -> None:
            await inner({**scope, "root_path": "/traced"}, receive, send)

        return layer

    app.build_middleware_stack = traced  # type: ignore[method-assign]

    @app.get("/x")
    def read(request: Request) -> str:
        return str(request.scope["root_path"])

    assert TestClient(app).get("/x").json() == "/traced"
