"""The router: redirects, methods, handlers and middleware at each level, changes while it runs."""

from typing import Any

import pytest

from portico.asgi import Receive, Scope, Send
from portico.web import routing
from portico.web.applications import Application
from portico.web.exceptions import HTTPException
from portico.web.middleware import Middleware
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response
from portico.web.routing import Host, Mount, NoMatchFound, Route, Router, WebSocketRoute
from portico.web.testclient import TestClient
from portico.web.websockets import WebSocket


async def home(request: Request) -> Response:
    return PlainTextResponse("home")


async def item(request: Request) -> Response:
    return PlainTextResponse(f"item {request.path_params['id']!r}")


class Marking:
    """Middleware that adds its mark to a response's fields."""

    def __init__(self, app: Any, mark: str) -> None:
        self.app = app
        self.mark = mark

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        def marked(message: Any) -> Any:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-mark", self.mark.encode())]
            return send(message)

        await self.app(scope, receive, marked)


def marks(response: Any) -> list[str]:
    return response.headers.get_list("x-mark")  # type: ignore[no-any-return]


class TestRedirects:
    @pytest.mark.parametrize(
        ("template", "path", "location"),
        [
            ("/a/", "/a", "/a/"),
            ("/a", "/a/", "/a"),
            ("/a/", "/a?x=1&y=%20", "/a/?x=1&y=%20"),
            ("/{name}/", "/caf%C3%A9%3Fb", "/caf%C3%A9%3Fb/"),
        ],
    )
    def test_a_path_is_sent_to_its_other_form_without_scheme_and_host(
        self, template: str, path: str, location: str
    ) -> None:
        client = TestClient(Application(routes=[Route(template, home)]), follow_redirects=False)
        response = client.get(path)
        assert (response.status_code, response.headers["location"]) == (307, location)

    def test_below_a_root_path_the_location_has_it(self) -> None:
        client = TestClient(Application(routes=[Route("/a/", home)]), root_path="/api", follow_redirects=False)
        assert client.get("/api/a").headers["location"] == "/api/a/"

    @pytest.mark.parametrize("path", ["//evil.example", "//evil.example/x", "/%5Cevil.example", "/%2Fevil.example"])
    def test_never_to_another_host(self, path: str) -> None:
        client = TestClient(Application(routes=[Route("/{path:path}/", home)]), follow_redirects=False)
        response = client.get("http://testserver" + path)
        location = response.headers.get("location", "/")
        assert not location.startswith(("//", "/\\"))
        assert location.startswith("/")

    def test_a_post_keeps_its_method_and_body(self) -> None:
        async def echo(request: Request) -> Response:
            return Response(await request.body())

        client = TestClient(Application(routes=[Route("/a/", echo, methods=["POST"])]))
        assert client.post("/a", content=b"body").content == b"body"

    def test_not_when_switched_off(self) -> None:
        assert TestClient(Router([Route("/a/", home)], redirect_slashes=False)).get("/a").status_code == 404


class TestMethods:
    def test_head_comes_with_get_and_has_no_body(self) -> None:
        response = TestClient(Application(routes=[Route("/", home)])).head("/")
        assert (response.status_code, response.headers["content-length"], response.content) == (200, "4", b"")

    def test_another_method_is_told_which_there_are(self) -> None:
        response = TestClient(Application(routes=[Route("/", home, methods=["POST", "GET"])])).put("/")
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST")

    def test_a_later_route_with_the_method_is_taken(self) -> None:
        routes = [Route("/", home, methods=["POST"]), Route("/", item, methods=["GET"], name="second")]
        assert Application(routes=routes).url_path_for("second") == "/"
        with pytest.raises(KeyError):
            TestClient(Application(routes=routes)).get("/")

    def test_an_endpoint_that_returns_nothing_is_told_so(self) -> None:
        async def forgetful(request: Request) -> None: ...

        with pytest.raises(TypeError, match="'forgetful' returned None"):
            TestClient(Application(routes=[Route("/", forgetful)])).get("/")


class TestChanges:
    def test_routes_that_are_added_or_removed_later_count(self) -> None:
        app = Application()
        client = TestClient(app)
        assert client.get("/").status_code == 404
        app.routes.append(Route("/", home))
        assert client.get("/").text == "home"
        app.routes[0] = Route("/items/{id:int}", item)
        assert client.get("/").status_code == 404
        assert client.get("/items/5").text == "item 5"
        app.routes.clear()
        assert client.get("/items/5").status_code == 404
        app.router.routes = [Route("/", home)]
        assert client.get("/").text == "home"

    def test_a_route_inserted_before_wins(self) -> None:
        app = Application(routes=[Route("/items/{id}", item)])
        client = TestClient(app)
        assert client.get("/items/me").text == "item 'me'"
        app.routes.insert(0, Route("/items/me", home))
        assert client.get("/items/me").text == "home"


class TestLayers:
    def test_middleware_of_application_mount_router_and_route_apply_from_the_outside_in(self) -> None:
        route = Route("/a", home, middleware=[Middleware(Marking, "route")])
        router = Router([route], middleware=[Middleware(Marking, "router")])
        mount = Mount("/m", app=router, middleware=[Middleware(Marking, "mount")])
        app = Application(routes=[mount, Route("/b", home)], middleware=[Middleware(Marking, "app")])
        client = TestClient(app)
        assert marks(client.get("/m/a")) == ["route", "router", "mount", "app"]
        assert marks(client.get("/b")) == ["app"]

    def test_a_routers_own_exception_handlers_go_before_the_applications(self) -> None:
        class Own(Exception):
            pass

        async def fail(request: Request) -> Response:
            raise Own

        async def missing(request: Request) -> Response:
            raise HTTPException(404)

        def says(text: str) -> Any:
            async def handler(request: Request, error: Exception) -> Response:
                return PlainTextResponse(text, status_code=400)

            return handler

        routes = [Route("/fail", fail), Route("/missing", missing)]
        inner = Router(routes, exception_handlers={Own: says("router")})
        app = Application(
            routes=[Mount("/in", app=inner), *routes], exception_handlers={Own: says("app"), 404: says("404 of app")}
        )
        client = TestClient(app)
        assert client.get("/in/fail").text == "router"
        assert client.get("/fail").text == "app"
        assert client.get("/in/missing").text == "404 of app"
        assert client.get("/in/nowhere").text == "404 of app"

    def test_a_routers_handler_of_404_answers_paths_below_it(self) -> None:
        async def handler(request: Request, error: Exception) -> Response:
            return PlainTextResponse("nothing below", status_code=404)

        app = Application(routes=[Mount("/in", app=Router(exception_handlers={404: handler}))])
        client = TestClient(app)
        assert client.get("/in/x").text == "nothing below"
        assert client.get("/x").text == "Not Found"

    def test_an_endpoint_finds_its_route_router_and_application_in_the_scope(self) -> None:
        seen: dict[str, Any] = {}

        async def look(request: Request) -> Response:
            seen.update(request.scope)
            return PlainTextResponse("")

        route = Route("/a/{x}", look)
        app = Application(routes=[route])
        TestClient(app).get("/a/1")
        assert (seen["route"], seen["endpoint"], seen["router"], seen["app"]) == (route, look, app.router, app)
        assert seen["path_params"] == {"x": "1"}


class TestNames:
    def test_an_unknown_name_or_wrong_parameters_are_refused(self) -> None:
        app = Application(routes=[Route("/{id:int}", item, name="item")])
        assert app.url_path_for("item", id=3) == "/3"
        with pytest.raises(NoMatchFound, match='"thing"'):
            app.url_path_for("thing")
        with pytest.raises(NoMatchFound):
            app.url_path_for("item", name="x")

    def test_names_below_mounts_are_joined_by_colons(self) -> None:
        inner = Mount("/{tenant}", routes=[Route("/{id:int}", item, name="item")], name="b:c")
        app = Application(routes=[Mount("/a", routes=[inner], name="a")])
        assert app.url_path_for("a:b:c:item", tenant="t", id=1) == "/a/t/1"

    def test_a_host_gives_its_name_to_absolute_urls(self) -> None:
        app = Application(routes=[Host("{sub}.example.org", app=Router([Route("/x", home, name="x")]), name="sub")])
        assert app.url_path_for("sub:x", sub="a").make_absolute_url("https://example.com/") == "https://a.example.org/x"


class TestHosts:
    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("api.example.org", 200),
            ("API.Example.ORG:8000", 200),
            ("example.org", 404),
            ("api.example.org.evil.example", 404),
            ("api.example.org@evil.example", 404),
            ("api.example.org:8000:1", 404),
        ],
    )
    def test_only_one_well_formed_host_of_that_name_matches(self, host: str, status: int) -> None:
        app = Application(routes=[Host("api.example.org", app=Router([Route("/", home)]))])
        assert TestClient(app).get("/", headers={"host": host}).status_code == status


class TestWebSockets:
    def test_a_websocket_goes_to_its_own_route_of_the_same_path(self) -> None:
        async def greet(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.send_text(websocket.path_params["name"])
            await websocket.close()

        client = TestClient(Application(routes=[Route("/{name}", home), WebSocketRoute("/{name}", greet)]))
        with client.websocket_connect("/ada") as websocket:
            assert websocket.receive_text() == "ada"
        assert client.get("/ada").text == "home"


def test_endpoints_are_wrapped_by_the_request_response_that_the_package_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = []
    original = routing.request_response

    def tracing(endpoint: Any) -> Any:
        traced.append(endpoint)
        return original(endpoint)

    monkeypatch.setattr(routing, "request_response", tracing)
    Route("/", home)
    assert traced == [home]


def test_names_are_looked_for_past_routes_of_another_framework_that_do_not_have_them() -> None:
    class ForeignNoMatchFound(Exception):
        pass

    ForeignNoMatchFound.__name__ = "NoMatchFound"

    class Foreign:
        @property
        def routes(self) -> list[Any]:
            return [self]

        def url_path_for(self, name: str, /, **path_params: Any) -> str:
            if name == "broken":
                raise LookupError(name)
            if name == "foreign":
                return "/page"
            raise ForeignNoMatchFound(name)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            raise AssertionError("no request")

    app = Application(routes=[Mount("/admin", app=Foreign()), Route("/", home)])
    assert app.url_path_for("home") == "/"
    with pytest.raises(LookupError):
        app.url_path_for("broken")
    with pytest.raises(NoMatchFound):
        app.url_path_for("none")
