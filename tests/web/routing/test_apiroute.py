"""Typed routes: what is read from the signature, what is refused, HEAD, the hooks."""

from collections.abc import AsyncIterator, Iterator
from enum import IntEnum
from typing import Any

import pytest
from pydantic import BaseModel

from portico.web import APIRouter, Depends, Portico, Request, routing
from portico.web.exceptions import DefinitionError
from portico.web.responses import EventSourceResponse, PlainTextResponse, Response
from portico.web.routing import APIRoute, APIWebSocketRoute, Match
from portico.web.testclient import TestClient


class Item(BaseModel):
    name: str


def ping() -> str:
    """Say pong.

    At any time.
    \f
    Not for the documentation.
    """
    return "pong"


def client_of(*routes: Any) -> TestClient:
    return TestClient(Portico(openapi_url=None, routes=routes))


def scope_of(method: str, path: str) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "headers": []}


def test_a_route_has_the_attributes_that_programs_look_at() -> None:
    route = APIRoute("/items/{id:int}", ping, methods=["get", "post"], status_code=201, tags=["t"])
    assert (route.path, route.path_format, route.name, route.endpoint) == (
        "/items/{id:int}",
        "/items/{id}",
        "ping",
        ping,
    )
    assert (route.methods, route.status_code, route.tags) == ({"GET", "POST"}, 201, ["t"])
    assert route.description == "Say pong.\n\nAt any time."
    assert (route.summary, route.deprecated, route.responses, route.dependencies) == (None, None, {}, [])
    assert (route.response_model, route.response_model_by_alias, route.include_in_schema) == (str, True, True)


def test_the_result_is_typed_by_the_annotation_or_by_the_option() -> None:
    def items() -> list[Item]:
        return []

    def response() -> Response:
        return PlainTextResponse("")

    assert APIRoute("/", items).response_model == list[Item]
    assert APIRoute("/", items, response_model=None).response_model is None
    assert APIRoute("/", items, response_model=Item).response_model is Item
    assert APIRoute("/", response).response_model is None


def test_generators_stream_json_lines_or_events_of_their_item_type() -> None:
    async def items() -> AsyncIterator[Item]:
        yield Item(name="a")

    def more_items() -> Iterator[Item]:
        yield Item(name="a")

    lines = APIRoute("/", items)
    events = APIRoute("/", more_items, response_class=EventSourceResponse)
    assert (lines.is_json_stream, lines.is_sse_stream, lines.stream_item_type) == (True, False, Item)
    assert (events.is_json_stream, events.is_sse_stream, events.stream_item_type) == (False, True, Item)
    assert lines.response_model is events.response_model is None


def test_a_status_may_be_an_enum() -> None:
    class Status(IntEnum):
        CREATED = 201

    status = APIRoute("/", ping, status_code=Status.CREATED).status_code
    assert type(status) is int
    assert status == 201


def test_a_result_is_refused_where_there_can_be_no_body() -> None:
    with pytest.raises(AssertionError, match="Status code 204 must not have a response body"):
        APIRoute("/", ping, status_code=204)
    with pytest.raises(AssertionError, match="Status code 304 must not have a response body"):
        APIRoute("/", ping, responses={304: {"model": Item}})


def test_mistakes_show_where_the_route_is_made() -> None:
    class Strange:
        pass

    def strange() -> Any: ...

    with pytest.raises(DefinitionError, match="Strange"):
        APIRoute("/", strange, response_model=Strange)
    with pytest.raises(AssertionError, match="must be a callable"):
        APIRoute("/", "nothing")  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="must be a dict"):
        APIRoute("/", ping, responses={404: "missing"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="non-negative"):
        APIRoute("/", ping, max_body_size=-1)
    with pytest.raises(TypeError, match=r"unknown options 'statuscode'; there are .*status_code"):
        APIRoute("/", ping, statuscode=201)  # type: ignore[call-arg]


def test_head_comes_with_get_and_is_not_among_the_methods() -> None:
    route = APIRoute("/", ping)
    client = client_of(route)
    answer = client.head("/")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "6", b"")
    assert route.methods == {"GET"}
    refused = client.post("/")
    assert (refused.status_code, refused.json()) == (405, {"detail": "Method Not Allowed"})
    assert refused.headers["allow"] == "GET, HEAD"


def test_head_finds_the_route_with_get_after_one_with_another_method() -> None:
    client = client_of(APIRoute("/", ping, methods=["POST"]), APIRoute("/", ping, methods=["GET"]))
    assert client.head("/").status_code == 200
    assert client.put("/").headers["allow"] == "POST"


def test_a_route_for_head_wins_over_the_one_for_get_before_it() -> None:
    def head(response: Response) -> None:
        response.headers["x-head"] = "yes"

    client = client_of(APIRoute("/", ping), APIRoute("/", head, methods=["HEAD"]))
    assert client.head("/").headers["x-head"] == "yes"
    assert "x-head" not in client.get("/").headers


def test_a_route_without_get_refuses_head() -> None:
    answer = client_of(APIRoute("/", ping, methods=["POST"])).head("/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_route_by_itself_answers_as_an_application() -> None:
    client = TestClient(APIRoute("/x", ping))
    assert client.get("/x").json() == "pong"
    assert client.post("/x").text == "Method Not Allowed"
    assert client.get("/y").text == "Not Found"


def test_matches_tells_how_well_a_request_fits() -> None:
    route = APIRoute("/items/{id:int}", ping)
    match, child_scope = route.matches(scope_of("GET", "/items/3"))
    assert (match, child_scope["path_params"], child_scope["endpoint"]) == (Match.FULL, {"id": 3}, ping)
    assert route.matches(scope_of("HEAD", "/items/3"))[0] is Match.FULL
    assert route.matches(scope_of("PUT", "/items/3"))[0] is Match.PARTIAL
    assert route.matches(scope_of("GET", "/items/x"))[0] is Match.NONE
    assert route.matches({**scope_of("GET", "/items/3"), "type": "websocket"})[0] is Match.NONE


def test_nothing_is_planned_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = routing.get_request_handler

    def noted(*args: Any, **options: Any) -> Any:
        built.append(options["dependant"].call)
        return build(*args, **options)

    monkeypatch.setattr(routing, "get_request_handler", noted)
    app = Portico(openapi_url=None)
    app.get("/")(ping)
    router = APIRouter()
    router.get("/in")(ping)
    app.include_router(router)
    app.openapi()
    assert built == []
    client = TestClient(app)
    for _ in range(2):
        assert client.get("/").json() == client.get("/in").json() == "pong"
    assert built == [ping, ping]


def test_a_tracer_may_replace_the_endpoint_when_the_handler_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    build = routing.get_request_handler

    def traced(*args: Any, **options: Any) -> Any:
        options["dependant"].call = lambda: "traced"
        return build(*args, **options)

    monkeypatch.setattr(routing, "get_request_handler", traced)
    client = client_of(APIRoute("/", ping))
    assert client.get("/").json() == client.get("/").json() == "traced"


def test_the_application_of_a_route_may_be_replaced() -> None:
    route = APIRoute("/", ping)
    route.app = PlainTextResponse("replaced")
    assert client_of(route).get("/").text == "replaced"


def test_a_route_class_may_wrap_the_handler_and_take_options() -> None:
    class Marked(APIRoute):
        def __init__(self, *args: Any, **options: Any) -> None:
            self.mark = options["tags"][0]
            super().__init__(*args, **options)

        def get_route_handler(self) -> Any:
            handler = super().get_route_handler()

            async def marked(request: Request) -> Response:
                response = await handler(request)
                response.headers["x-mark"] = self.mark
                return response

            return marked

    app = Portico(openapi_url=None)
    router = APIRouter(route_class=Marked)
    router.get("/", tags=["m"])(ping)
    app.include_router(router, prefix="/r")
    assert TestClient(app).get("/r/").headers["x-mark"] == "m"


def test_dependencies_are_called_before_the_endpoint_in_their_order() -> None:
    called = []

    def first() -> None:
        called.append("first")

    def second() -> None:
        called.append("second")

    def endpoint() -> None:
        called.append("endpoint")

    client_of(APIRoute("/", endpoint, dependencies=[Depends(first), Depends(second)])).get("/")
    assert called == ["first", "second", "endpoint"]


def test_the_id_of_an_operation_is_made_when_it_is_asked_for() -> None:
    made = []

    def make(route: APIRoute) -> str:
        made.append(route.name)
        return f"{route.name}!"

    def untyped() -> Any: ...

    route = APIRoute("/", untyped, response_model=None, generate_unique_id_function=make)
    assert made == []
    assert route.unique_id == route.unique_id == "untyped!"
    assert made == ["untyped"]
    assert APIRoute("/", ping, operation_id="given").unique_id == "given"


def test_a_websocket_route_has_the_attributes_that_programs_look_at() -> None:
    async def talk(id: int) -> None: ...

    def nothing() -> None: ...

    route = APIWebSocketRoute("/talk/{id}", talk, dependencies=[Depends(nothing)])
    assert (route.path, route.path_format, route.name, route.endpoint) == ("/talk/{id}", "/talk/{id}", "talk", talk)
    assert [dependant.call for dependant in route.dependant.dependencies] == [nothing]


def test_the_handler_of_a_route_may_be_made_an_app_again_by_request_response() -> None:
    left: list[str] = []

    async def held() -> AsyncIterator[int]:
        try:
            yield 1
        except ValueError:
            left.append("after the error")
            raise
        left.append("after the response")

    app = Portico()

    @app.get("/{number}")
    async def read(number: int, one: int = Depends(held)) -> int:
        if number == 0:
            raise ValueError(number)
        return number + one

    (route,) = (route for route in app.routes if isinstance(route, APIRoute))
    route.app = routing.request_response(route.get_route_handler())
    client = TestClient(app, raise_server_exceptions=False)
    assert (client.get("/1").json(), client.get("/0").status_code) == (2, 500)
    assert left == ["after the response", "after the error"]


def test_a_handler_that_nothing_leaves_the_dependencies_of_says_how_to_make_an_app() -> None:
    async def held() -> AsyncIterator[int]:
        yield 1

    app = Portico()

    @app.get("/")
    async def read(one: int = Depends(held)) -> int:
        return one

    (route,) = (route for route in app.routes if isinstance(route, APIRoute))
    handler = route.get_route_handler()

    async def around(request: Request) -> Response:
        return await handler(request)

    route.app = routing.request_response(around)
    with pytest.raises(DefinitionError, match=r"request_response\(route\.get_route_handler\(\)\)"):
        TestClient(app).get("/")
