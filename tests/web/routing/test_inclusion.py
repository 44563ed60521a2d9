"""Included routers: the flat view, what inclusion adds, changes afterwards."""

import copy
import gc
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any

import pytest

from portico.asgi import Receive, Scope, Send
from portico.web import APIRouter, Depends, HTTPException, Portico, Query, Request, WebSocket
from portico.web.exceptions import DefinitionError
from portico.web.middleware import Middleware
from portico.web.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from portico.web.routing import (
    APIRoute,
    APIWebSocketRoute,
    BaseRoute,
    Host,
    Match,
    Mount,
    NoMatchFound,
    Route,
    Router,
    WebSocketRoute,
    iter_route_contexts,
)
from portico.web.testclient import TestClient


def bare() -> Portico:
    return Portico(openapi_url=None)


def ping() -> str:
    return "pong"


def paths(app: Portico | APIRouter) -> list[Any]:
    return [getattr(route, "path", None) for route in app.routes]


def nothing() -> None:
    pass


def nothing_else() -> None:
    pass


async def plain(request: Request) -> Response:
    return PlainTextResponse(request.url.path)


def test_the_routes_of_included_routers_are_in_the_list_with_their_whole_paths() -> None:
    leaf = APIRouter(prefix="/leaf")
    leaf.get("/{id}")(ping)
    middle = APIRouter(prefix="/middle")
    middle.include_router(leaf, prefix="/in")
    app = bare()
    app.get("/first")(ping)
    app.include_router(middle, prefix="/api")
    app.get("/last")(ping)
    assert paths(app) == ["/first", "/api/middle/in/leaf/{id}", "/last"]
    assert paths(leaf) == ["/leaf/{id}"]
    assert paths(middle) == ["/middle/in/leaf/{id}"]


def test_a_router_may_be_included_twice_with_different_options() -> None:
    router = APIRouter()
    router.get("/x", tags=["own"])(ping)
    app = bare()
    app.include_router(router, prefix="/one", tags=["one"])
    app.include_router(router, prefix="/two", tags=["two"], deprecated=True)
    one, two = app.routes
    assert isinstance(one, APIRoute)
    assert isinstance(two, APIRoute)
    assert (one.tags, one.deprecated) == (["one", "own"], None)
    assert (two.tags, two.deprecated) == (["two", "own"], True)
    client = TestClient(app)
    assert client.get("/one/x").json() == client.get("/two/x").json() == "pong"


def test_what_inclusion_adds_comes_before_what_the_route_has() -> None:
    router = APIRouter(
        prefix="/items", tags=["router"], dependencies=[Depends(nothing)], responses={401: {"description": "a"}}
    )
    router.get("/", tags=["route"], responses={404: {"description": "b"}})(ping)
    app = Portico(openapi_url=None, dependencies=[Depends(nothing_else)], responses={400: {"description": "c"}})
    app.include_router(
        router, responses={401: {"description": "d"}, 403: {"description": "e"}}, include_in_schema=False
    )
    [route] = app.routes
    assert isinstance(route, APIRoute)
    assert [depends.dependency for depends in route.dependencies] == [nothing_else, nothing]
    assert [dependant.call for dependant in route.dependant.dependencies] == [nothing_else, nothing]
    assert {status: said["description"] for status, said in route.responses.items()} == {
        400: "c",
        401: "a",
        403: "e",
        404: "b",
    }
    assert route.include_in_schema is False
    assert route.dependency_overrides_provider is app
    assert route.unique_id == "ping_items__get"


@pytest.mark.parametrize(
    ("own", "router_class", "include_class", "app_class", "expected"),
    [
        (PlainTextResponse, HTMLResponse, JSONResponse, None, PlainTextResponse),
        (None, HTMLResponse, PlainTextResponse, JSONResponse, HTMLResponse),
        (None, None, HTMLResponse, PlainTextResponse, HTMLResponse),
        (None, None, None, HTMLResponse, HTMLResponse),
    ],
)
def test_the_response_class_is_the_nearest_that_somebody_chose(
    own: Any, router_class: Any, include_class: Any, app_class: Any, expected: Any
) -> None:
    def options(name: str, value: Any) -> dict[str, Any]:
        return {} if value is None else {name: value}

    router = APIRouter(**options("default_response_class", router_class))
    router.get("/", **options("response_class", own))(ping)
    app = Portico(openapi_url=None, **options("default_response_class", app_class))
    app.include_router(router, prefix="/x", **options("default_response_class", include_class))
    [route] = app.routes
    assert isinstance(route, APIRoute)
    assert route.response_class is expected


def test_the_other_options_of_a_route_are_kept() -> None:
    router = APIRouter()
    router.get("/", status_code=201, summary="S", response_model=int, response_model_exclude_none=True, name="n")(ping)
    app = bare()
    app.include_router(router, prefix="/x")
    [route] = app.routes
    assert isinstance(route, APIRoute)
    assert (route.status_code, route.summary, route.response_model) == (201, "S", int)
    assert (route.response_model_exclude_none, route.name, route.endpoint, route.methods) == (True, "n", ping, {"GET"})


def test_a_route_added_later_is_served_and_documented() -> None:
    leaf = APIRouter()
    middle = APIRouter()
    middle.include_router(leaf, prefix="/leaf")
    app = Portico()
    app.include_router(middle, prefix="/api")
    client = TestClient(app)
    assert client.get("/api/leaf/x").status_code == 404
    assert client.get("/openapi.json").json()["paths"] == {}
    leaf.get("/x")(ping)
    assert client.get("/api/leaf/x").json() == "pong"
    assert list(client.get("/openapi.json").json()["paths"]) == ["/api/leaf/x"]
    later = APIRouter()
    later.get("/y")(ping)
    leaf.include_router(later, prefix="/later")
    assert client.get("/api/leaf/later/y").json() == "pong"
    leaf.routes.clear()
    assert client.get("/api/leaf/x").status_code == client.get("/api/leaf/later/y").status_code == 404


def test_a_prefix_with_parameters_makes_them_parameters_of_the_endpoint() -> None:
    router = APIRouter(prefix="/tenants/{tenant}")

    @router.get("/items/{item}")
    def read(version: int, tenant: int, item: int) -> list[int]:
        return [version, tenant, item]

    app = bare()
    app.include_router(router, prefix="/v{version}")
    assert TestClient(app).get("/v1/tenants/2/items/3").json() == [1, 2, 3]


def test_a_mistake_that_only_a_prefix_with_parameters_makes_shows_when_it_is_included() -> None:
    router = APIRouter()

    @router.get("/")
    def read(version: Annotated[int, Query()]) -> int:
        return version

    with pytest.raises(AssertionError, match="version"):
        bare().include_router(router, prefix="/{version}")


def test_a_signature_is_read_once_however_often_its_router_is_included(monkeypatch: pytest.MonkeyPatch) -> None:
    from portico.web.routing import signatures

    router = APIRouter()
    router.get("/")(ping)
    reads = []
    monkeypatch.setattr(signatures, "get_dependant", lambda **options: reads.append(options))
    app = bare()
    for number in range(3):
        app.include_router(router, prefix=f"/{number}", dependencies=[Depends(nothing)])
    assert len(app.routes) == 3
    assert reads == []


def test_a_router_is_not_included_into_itself_however_far_down() -> None:
    outer, middle, inner = APIRouter(), APIRouter(), APIRouter()
    outer.include_router(middle, prefix="/m")
    middle.include_router(inner, prefix="/i")
    with pytest.raises(AssertionError, match="into itself"):
        outer.include_router(outer)
    with pytest.raises(AssertionError, match="already includes this router"):
        inner.include_router(outer, prefix="/o")


@pytest.mark.parametrize("prefix", ["api", "/api/"])
def test_a_prefix_begins_with_a_slash_and_does_not_end_with_one(prefix: str) -> None:
    with pytest.raises(AssertionError, match="prefix must"):
        bare().include_router(APIRouter(), prefix=prefix)
    with pytest.raises(AssertionError, match="prefix must"):
        APIRouter(prefix=prefix)


def test_an_option_that_nobody_knows_is_refused() -> None:
    with pytest.raises(TypeError, match=r"include_router got unknown options 'prefx'; there are .*prefix"):
        bare().include_router(APIRouter(), prefx="/x")  # type: ignore[call-arg]


def test_a_route_context_may_be_copied() -> None:
    router = APIRouter()
    router.get("/x")(ping)
    [context] = iter_route_contexts(router.routes)
    assert copy.copy(context) == context


def test_a_route_must_have_a_path_in_the_end() -> None:
    router = APIRouter()
    router.get("")(ping)
    with pytest.raises(DefinitionError, match=r"both empty.*ping"):
        bare().include_router(router)
    app = bare()
    app.include_router(router, prefix="/x")
    assert TestClient(app).get("/x").json() == "pong"


def test_an_override_of_a_route_class_sees_one_state_for_the_route_and_its_inclusions() -> None:
    class Counting(APIRoute):
        calls = 0

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.calls += 1
            await super().handle(scope, receive, send)

    router = APIRouter(route_class=Counting)
    router.get("/x")(ping)
    app = bare()
    app.include_router(router, prefix="/one")
    app.include_router(router, prefix="/two")
    client = TestClient(app)
    client.get("/one/x")
    client.get("/two/x")
    original = router.routes[0]
    assert isinstance(original, Counting)
    assert isinstance(app.routes[0], Counting)
    assert original.calls == 2


def every_kind() -> APIRouter:
    async def talk(websocket: WebSocket) -> None: ...

    router = APIRouter()
    router.get("/typed")(ping)
    router.websocket("/socket")(nothing)
    router.routes += [
        Route("/plain", plain),
        WebSocketRoute("/talk", talk),
        Mount("/below", app=bare()),
        Host("example.org", app=bare()),
    ]
    return router


@pytest.mark.parametrize("number", range(6))
def test_what_is_set_of_what_inclusion_gives_leaves_the_original_and_other_inclusions_alone(number: int) -> None:
    router = every_kind()
    outer = APIRouter()
    outer.include_router(router, prefix="/one")
    app = bare()
    app.include_router(outer, prefix="/outer")
    app.include_router(router, prefix="/two")
    shown, original, other = app.routes[number], router.routes[number], app.routes[6 + number]
    made = [name for name in dir(type(shown)) if isinstance(getattr(type(shown), name), cached_property)]
    names = {*vars(shown), *made, "name", "include_in_schema"} - {"original_route"}
    assert "app" in names
    for name in names:
        value = object()
        setattr(shown, name, value)
        assert getattr(shown, name) is value
        assert getattr(original, name, None) is not value
        assert getattr(other, name, None) is not value


def test_an_attribute_of_a_route_goes_before_the_default_of_its_class_where_it_is_included_too() -> None:
    class Tagged(Route):
        include_in_schema = True
        tags: tuple[str, ...] = ()

    route = Tagged("/x", plain, include_in_schema=False)
    route.tags = ("a",)
    router = APIRouter(routes=[route])
    app = bare()
    app.include_router(router, prefix="/r")
    [shown] = app.routes
    assert isinstance(shown, Tagged)
    assert (shown.tags, shown.include_in_schema) == (("a",), False)


def test_an_override_of_matches_decides_for_each_inclusion() -> None:
    class Chosen(APIRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            if (b"x-chosen", b"yes") not in scope["headers"]:
                return Match.NONE, {}
            return super().matches(scope)

    router = APIRouter(route_class=Chosen)
    router.get("/x")(ping)
    app = bare()
    app.include_router(router, prefix="/r")
    client = TestClient(app)
    assert client.get("/r/x").status_code == 404
    assert client.get("/r/x", headers={"x-chosen": "yes"}).json() == "pong"


def test_a_handler_made_by_a_route_class_is_made_once_for_each_inclusion() -> None:
    made = []

    class Custom(APIRoute):
        def get_route_handler(self) -> Any:
            handler = super().get_route_handler()
            made.append(self.path)

            async def custom(request: Request) -> Response:
                response = await handler(request)
                response.headers["x-path"] = self.path
                return response

            return custom

    router = APIRouter(route_class=Custom)
    router.get("/x")(ping)
    app = bare()
    app.include_router(router, prefix="/one")
    app.include_router(router, prefix="/two")
    client = TestClient(app)
    for _ in range(2):
        assert client.get("/one/x").headers["x-path"] == "/one/x"
        assert client.get("/two/x").headers["x-path"] == "/two/x"
    assert made == ["/one/x", "/two/x"]


def test_websockets_plain_routes_mounts_and_hosts_get_the_prefix_too() -> None:
    async def conversation(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.scope["route"].path)
        await websocket.close()

    router = APIRouter(prefix="/r")
    router.websocket("/typed")(conversation)
    router.add_websocket_route("/socket", conversation)
    router.add_route("/plain", plain)
    router.mount("/mounted", Router([Route("/x", plain, name="x")]), name="mounted")
    router.host("api.test", Router([Route("/y", plain, name="y")]), name="hosted")
    app = bare()
    app.include_router(router, prefix="/api")
    assert paths(app) == ["/api/r/typed", "/api/socket", "/api/plain", "/api/mounted", None]
    client = TestClient(app)
    assert client.get("/api/plain").text == "/api/plain"
    assert client.get("/api/mounted/x").text == "/api/mounted/x"
    assert TestClient(app, base_url="http://api.test").get("/api/y").text == "/api/y"
    for path in ("/api/r/typed", "/api/socket"):
        with client.websocket_connect(path) as socket:
            assert socket.receive_text() == path
    assert app.url_path_for("plain") == "/api/plain"
    assert app.url_path_for("mounted:x") == "/api/mounted/x"
    assert str(app.url_path_for("hosted:y")) == "/api/y"


class Odd(BaseRoute):
    """A route that decides by the end of the path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        from portico.web.routing import get_route_path

        return (Match.FULL if get_route_path(scope) == "/odd" else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(scope["root_path"])(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        if name != "odd":
            raise NoMatchFound(name, path_params)
        from portico.web.datastructures import URLPath

        return URLPath("/odd")


def test_a_route_that_decides_for_itself_sees_the_path_below_the_prefix() -> None:
    router = APIRouter(routes=[Odd()])
    app = bare()
    app.include_router(router, prefix="/api")
    client = TestClient(app)
    assert client.get("/api/odd").text == "/api"
    assert client.get("/odd").status_code == client.get("/api/even").status_code == 404
    assert app.url_path_for("odd") == "/api/odd"
    [context] = iter_route_contexts(app.routes)
    assert context.original_route is router.routes[0]


@pytest.mark.parametrize(
    ("route_class", "methods"),
    [(APIRoute, {"GET"}), (APIWebSocketRoute, None), (Route, {"GET", "HEAD"}), (WebSocketRoute, None)],
)
def test_a_route_context_has_the_original_route_and_the_whole_path(route_class: Any, methods: Any) -> None:
    async def endpoint() -> None: ...

    route = route_class("/items/{id:int}", endpoint=endpoint, name="items")
    app = bare()
    app.include_router(APIRouter(routes=[route]), prefix="/api")
    [context] = iter_route_contexts(app.routes)
    assert context.route is route
    assert (context.path, context.path_format) == ("/api/items/{id:int}", "/api/items/{id}")
    assert (context.name, context.methods, context.endpoint) == ("items", methods, endpoint)
    assert context.param_convertors["id"].convert("42") == 42
    assert list(iter_route_contexts([context])) == [context]


def test_the_scope_has_the_route_with_its_whole_path() -> None:
    router = APIRouter()

    @router.get("/x/{id}")
    def read(request: Request) -> str:
        return str(request.scope["route"].path)

    app = bare()
    app.include_router(router, prefix="/api")
    assert TestClient(app).get("/api/x/1").json() == "/api/x/{id}"


class Marking:
    """Middleware that notes what it saw, and how often it was made."""

    made = 0

    def __init__(self, app: Any, mark: str) -> None:
        Marking.made += 1
        self.app = app
        self.mark = mark

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("marks", []).append(self.mark)
        await self.app(scope, receive, send)


def marks(request: Request) -> list[str]:
    return list(request.scope.get("marks", ()))


def test_middleware_of_routers_is_around_their_routes_alone() -> None:
    inner = APIRouter(middleware=[Middleware(Marking, "inner")])
    inner.get("/marks")(marks)
    outer = APIRouter(middleware=[Middleware(Marking, "outer"), Middleware(Marking, "outer 2")])
    outer.get("/marks")(marks)
    outer.include_router(inner, prefix="/in")
    app = bare()
    app.get("/marks")(marks)
    app.include_router(outer, prefix="/out")
    Marking.made = 0
    client = TestClient(app)
    assert client.get("/marks").json() == []
    assert client.get("/out/marks").json() == ["outer", "outer 2"]
    assert client.get("/out/in/marks").json() == ["outer", "outer 2", "inner"]
    assert client.get("/out/in/marks").json() == ["outer", "outer 2", "inner"]
    assert Marking.made == 3  # one of each for all of the routes


def test_exception_handlers_of_a_router_go_before_those_of_the_application() -> None:
    def handler_of(name: str) -> Any:
        return lambda request, error: PlainTextResponse(f"{name}: {error}", 500)

    def fail() -> None:
        raise ValueError("no")

    def refuse() -> None:
        raise HTTPException(403)

    router = APIRouter(exception_handlers={ValueError: handler_of("router")})
    router.get("/fail")(fail)
    router.get("/refuse")(refuse)
    app = Portico(openapi_url=None, exception_handlers={ValueError: handler_of("app")})
    app.get("/fail")(fail)
    app.include_router(router, prefix="/r")
    client = TestClient(app)
    assert client.get("/fail").text == "app: no"
    assert client.get("/r/fail").text == "router: no"
    assert client.get("/r/refuse").json() == {"detail": "Forbidden"}


def test_dependencies_with_yield_see_what_a_handler_of_the_router_answers() -> None:
    seen = []

    def resource() -> Iterator[int]:
        try:
            yield 1
        except ValueError:
            seen.append("error")
            raise

    router = APIRouter(exception_handlers={ValueError: lambda request, error: PlainTextResponse("answered")})

    @router.get("/")
    def fail(number: int = Depends(resource)) -> None:
        raise ValueError

    app = bare()
    app.include_router(router, prefix="/r")
    assert TestClient(app).get("/r/").text == "answered"
    assert seen == ["error"]


def test_a_router_that_is_no_longer_used_is_not_kept_alive_by_those_it_includes() -> None:
    import weakref

    shared = APIRouter()
    app = bare()
    app.include_router(shared)
    gone = weakref.ref(app.router)
    del app
    gc.collect()
    assert gone() is None
    shared.get("/x")(ping)


def test_limits_of_forms_and_bodies_are_the_nearest() -> None:
    router = APIRouter(form_limits={"max_fields": 1})
    router.post("/", max_body_size=5)(ping)
    router.post("/free")(ping)
    app = Portico(openapi_url=None, form_limits={"max_fields": 2, "max_files": 3}, max_body_size=100)
    app.include_router(router, prefix="/r", max_body_size=10, form_limits={"max_part_size": 4})
    first, second = app.routes
    assert isinstance(first, APIRoute)
    assert isinstance(second, APIRoute)
    assert (first.max_body_size, second.max_body_size) == (5, 10)
    assert first.form_limits == {"max_fields": 1, "max_files": 3, "max_part_size": 4}


def test_a_mount_in_an_included_router_keeps_its_lifespan_state() -> None:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        yield {"thing": "here"}

    inner = Portico(openapi_url=None, lifespan=lifespan)

    @inner.get("/")
    def read(request: Request) -> str:
        return str(request.state.thing)

    router = APIRouter(routes=[Mount("/inner", app=inner)])
    app = bare()
    app.include_router(router, prefix="/api")
    with TestClient(app) as client:
        assert client.get("/api/inner/").json() == "here"


def test_a_host_without_a_prefix_keeps_its_application() -> None:
    inner = Router([Route("/x", plain)])
    app = bare()
    app.include_router(APIRouter(routes=[Host("api.test", inner)]))
    [route] = app.routes
    assert isinstance(route, Host)
    assert route.app is inner


def test_an_endpoint_that_was_given_another_signature_is_read_again() -> None:
    import inspect

    def endpoint(**values: int) -> dict[str, int]:
        return values

    endpoint.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
    router = APIRouter()
    router.get("/")(endpoint)
    parameter = inspect.Parameter("number", inspect.Parameter.KEYWORD_ONLY, annotation=int)
    endpoint.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    app = bare()
    app.include_router(router, prefix="/r")
    client = TestClient(app)
    assert client.get("/r/?number=3").json() == {"number": 3}
    assert client.get("/r/").status_code == 422
