"""The typed router by itself: the verbs, prefix and options, events and lifespans, defaults, frontends."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from portico.asgi import Receive, Scope, Send
from portico.web import APIRouter, Depends, Portico, Request, WebSocket
from portico.web.middleware import Middleware
from portico.web.responses import PlainTextResponse, Response
from portico.web.routing import APIRoute
from portico.web.testclient import TestClient

VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def method_of(request: Request, response: Response) -> str:
    response.headers["x-method"] = request.method
    return request.method


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_answers_its_method(verb: str) -> None:
    router = APIRouter()
    assert getattr(router, verb)("/")(method_of) is method_of
    answer = TestClient(router).request(verb.upper(), "/")
    assert answer.headers["x-method"] == verb.upper()
    [route] = router.routes
    assert isinstance(route, APIRoute)
    assert route.methods == {verb.upper()}


def test_api_route_answers_several_methods() -> None:
    router = APIRouter()
    router.api_route("/", methods=["PUT", "PATCH"])(method_of)
    client = TestClient(router)
    assert client.put("/").json() == "PUT"
    assert client.patch("/").json() == "PATCH"
    assert client.get("/").status_code == 405


def test_the_options_of_the_router_go_before_those_of_the_route() -> None:
    def one() -> None: ...

    def two() -> None: ...

    router = APIRouter(
        prefix="/p", tags=["a"], dependencies=[Depends(one)], deprecated=True, responses={404: {"description": "x"}}
    )
    router.get("/x", tags=["b"], dependencies=[Depends(two)], responses={409: {"description": "y"}})(method_of)
    [route] = router.routes
    assert isinstance(route, APIRoute)
    assert (route.path, route.tags, route.deprecated, list(route.responses)) == ("/p/x", ["a", "b"], True, [404, 409])
    assert [depends.dependency for depends in route.dependencies] == [one, two]
    assert router.tags == ["a"]


def test_a_route_class_may_be_given_for_one_route() -> None:
    class Special(APIRoute):
        pass

    router = APIRouter()
    router.add_api_route("/", method_of, route_class_override=Special)
    assert type(router.routes[0]) is Special


def test_plain_routes_have_their_whole_path() -> None:
    router = APIRouter(prefix="/p")

    @router.route("/plain", methods=["POST"])
    async def plain(request: Request) -> Response:
        return PlainTextResponse(request.method)

    @router.websocket_route("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    client = TestClient(router)
    assert client.post("/plain").text == "POST"
    with client.websocket_connect("/socket"):
        pass


def test_a_websocket_gets_what_its_function_asks_for() -> None:
    router = APIRouter(prefix="/p")

    @router.websocket("/{id}", name="talk")
    async def talk(websocket: WebSocket, id: int, q: str = "none") -> None:
        await websocket.accept()
        await websocket.send_json([id, q])
        await websocket.close()

    with TestClient(router).websocket_connect("/p/3?q=x") as socket:
        assert socket.receive_json() == [3, "x"]
    assert router.url_path_for("talk", id=3) == "/p/3"


def test_the_default_application_answers_what_no_route_matches() -> None:
    router = APIRouter(default=PlainTextResponse("default", 410))
    router.get("/x")(method_of)
    client = TestClient(router)
    assert client.get("/nowhere").text == "default"
    assert client.get("/x").json() == "GET"


def test_a_frontend_comes_after_routes_and_before_the_default(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    (tmp_path / "x").write_text("file")
    router = APIRouter(prefix="/p")
    router.get("/x")(method_of)
    router.frontend("/", directory=tmp_path)
    app = Portico(openapi_url=None)
    app.include_router(router, prefix="/api")
    client = TestClient(app)
    assert client.get("/api/p/x").json() == "GET"
    assert client.get("/api/p/").text == "page"
    assert client.get("/p/").status_code == 404
    assert [route.path for route in app.router.frontends.routes] == ["/api/p"]
    assert [getattr(route, "path", None) for route in app.routes] == ["/api/p/x"]


def test_a_frontend_added_later_is_served(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    router = APIRouter()
    app = Portico(openapi_url=None)
    app.include_router(router, prefix="/ui")
    client = TestClient(app)
    assert client.get("/ui/").status_code == 404
    router.frontend("/", directory=tmp_path)
    assert client.get("/ui/").text == "page"


class Refusing:
    """Middleware that lets nothing through."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("refused", 403)(scope, receive, send)


def test_middleware_of_a_router_is_around_its_frontends_and_mounts_too(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    router = APIRouter(middleware=[Middleware(Refusing)])
    router.frontend("/ui", directory=tmp_path)
    router.mount("/mounted", PlainTextResponse("mounted"))
    app = Portico(openapi_url=None)
    app.include_router(router)
    client = TestClient(app)
    assert client.get("/ui/").text == client.get("/mounted/x").text == "refused"
    assert client.get("/elsewhere").json() == {"detail": "Not Found"}


def test_events_run_once_also_where_the_router_is_included() -> None:
    seen = []

    async def later() -> None:
        seen.append("router up")

    router = APIRouter(on_startup=[later], on_shutdown=[lambda: seen.append("router down")])
    app = Portico(openapi_url=None, on_startup=[lambda: seen.append("up")], on_shutdown=[lambda: seen.append("down")])
    app.include_router(router)
    router.add_event_handler("startup", lambda: seen.append("router up too"))
    with TestClient(app):
        assert seen == ["up", "router up", "router up too"]
    assert seen[3:] == ["router down", "down"]


def test_the_lifespan_of_a_router_runs_once_however_often_it_is_included() -> None:
    seen = []
    shared = APIRouter(on_startup=[lambda: seen.append("up")])
    one, two = APIRouter(), APIRouter()
    one.include_router(shared, prefix="/a")
    one.include_router(shared, prefix="/b")
    two.include_router(shared)
    app = Portico(openapi_url=None)
    app.include_router(one, prefix="/one")
    app.include_router(two, prefix="/two")
    with TestClient(app):
        assert seen == ["up"]


def test_on_event_is_deprecated_and_works() -> None:
    seen = []
    router = APIRouter()
    app = Portico(openapi_url=None)
    app.include_router(router)
    for target in (app, router):
        with pytest.deprecated_call(match="lifespan"):
            target.on_event("startup")(lambda: seen.append("up"))
    with TestClient(app):
        assert seen == ["up", "up"]


def test_there_are_two_events() -> None:
    with pytest.raises(AssertionError, match="'startup' or 'shutdown', got 'start'"):
        APIRouter().add_event_handler("start", list)


def test_lifespans_of_included_routers_are_inside_that_of_the_application() -> None:
    seen = []

    def lifespan_of(name: str, **state: str) -> Any:
        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
            seen.append(f"{name} up")
            yield state
            seen.append(f"{name} down")

        return lifespan

    inner = APIRouter(lifespan=lifespan_of("inner", a="inner", b="inner", c="inner"))
    outer = APIRouter(lifespan=lifespan_of("outer", a="outer", b="outer"))
    outer.include_router(inner)
    app = Portico(openapi_url=None, lifespan=lifespan_of("app", a="app"))
    app.include_router(outer)

    @app.get("/")
    def read(request: Request) -> list[str]:
        return [request.state.a, request.state.b, request.state.c]

    with TestClient(app) as client:
        assert client.get("/").json() == ["app", "outer", "inner"]
    assert seen == ["app up", "outer up", "inner up", "inner down", "outer down", "app down"]


def test_lifespans_may_be_generators() -> None:
    seen = []

    async def one(app: Any) -> AsyncIterator[None]:
        seen.append("one")
        yield

    def two(app: Any) -> Iterator[None]:
        seen.append("two")
        yield

    router = APIRouter(lifespan=two)  # type: ignore[arg-type]
    app = Portico(openapi_url=None, lifespan=one)  # type: ignore[arg-type]
    app.include_router(router)
    with TestClient(app):
        assert seen == ["one", "two"]
