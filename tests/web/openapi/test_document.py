"""The OpenAPI document: equal to FastAPI's for the same program, and what is better in ours."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import fastapi
import fastapi.sse
import msgspec
import pytest
from pydantic import BaseModel
from tests.web.openapi.programs import PROGRAMS

import portico.web
from portico.web import APIRouter, Body, Depends, Portico, Query
from portico.web.openapi.utils import get_openapi, validation_error_response_definition
from portico.web.routing import iter_route_contexts
from portico.web.security import HTTPBearer


class Item(BaseModel):
    name: str


class Coordinates(msgspec.Struct):
    """A place."""

    x: int
    y: Annotated[float, msgspec.Meta(ge=0)] = 1.5


class Route(msgspec.Struct):
    stops: list[Coordinates]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_document_is_fastapis_for_the_same_program(program: Callable[[Any, Any], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = program(fastapi, fastapi.FastAPI), program(portico.web, Portico)
        ours.title = theirs.title
        assert json.dumps(ours.openapi(), indent=1) == json.dumps(theirs.openapi(), indent=1)


def test_structs_of_msgspec_are_components() -> None:
    app = Portico()

    @app.post("/routes")
    def add(route: Route) -> list[Coordinates]:
        return route.stops

    document = app.openapi()
    operation = document["paths"]["/routes"]["post"]
    assert operation["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/Route"}}
    }
    assert operation["responses"]["200"]["content"]["application/json"]["schema"]["items"] == {
        "$ref": "#/components/schemas/Coordinates"
    }
    schemas = document["components"]["schemas"]
    assert schemas["Coordinates"]["description"] == "A place."
    assert schemas["Coordinates"]["required"] == ["x"]
    assert {"type": "number", "minimum": 0.0, "default": 1.5}.items() <= schemas["Coordinates"]["properties"][
        "y"
    ].items()
    assert schemas["Route"]["properties"]["stops"]["items"] == {"$ref": "#/components/schemas/Coordinates"}


def test_what_only_a_callback_refers_to_is_defined() -> None:
    """In FastAPI's document such a reference leads nowhere."""
    calls = APIRouter()

    @calls.post("/called", dependencies=[Depends(HTTPBearer())])
    def called(item: Item) -> None: ...

    app = Portico()

    @app.get("/", callbacks=calls.routes)
    def root() -> None: ...

    components = app.openapi()["components"]
    assert {"Item", "HTTPValidationError", "ValidationError"} <= components["schemas"].keys()
    assert components["securitySchemes"] == {"HTTPBearer": {"type": "http", "scheme": "bearer"}}


def test_a_document_of_some_routes_has_only_these() -> None:
    app = Portico()
    router = APIRouter()

    @router.get("/public", tags=["public"])
    def public() -> Item: ...

    @router.get("/private")
    def private() -> Coordinates: ...

    app.include_router(router, prefix="/api")
    chosen = [context for context in iter_route_contexts(app.routes) if "public" in getattr(context, "tags", ())]
    document = get_openapi(title="Public", version="1", routes=chosen)
    assert list(document["paths"]) == ["/api/public"]
    assert list(document["components"]["schemas"]) == ["Item"]


def test_head_is_no_operation_of_a_route_that_answers_it_from_get() -> None:
    app = Portico()
    app.add_api_route("/", lambda: None)
    assert list(app.openapi()["paths"]["/"]) == ["get"]


def test_untyped_routes_websockets_and_mounts_are_left_out() -> None:
    app = Portico()
    app.add_route("/plain", lambda request: None)
    app.mount("/sub", Portico())

    @app.websocket("/ws")
    async def websocket(socket: portico.web.WebSocket) -> None: ...

    assert app.openapi()["paths"] == {}


def test_an_operation_id_that_is_there_twice_is_warned_about() -> None:
    app = Portico()

    @app.get("/a", operation_id="same")
    def first() -> None: ...

    @app.get("/b", operation_id="same")
    def second() -> None: ...

    with pytest.warns(UserWarning, match=r"Duplicate Operation ID same for function second at .*test_document\.py"):
        app.openapi()


def test_a_response_for_no_status_is_the_authors_mistake() -> None:
    app = Portico()
    app.add_api_route("/", lambda: None, responses={"hello": {"description": "x"}})
    with pytest.raises(ValueError, match="such as 404, '4XX' or 'default', got 'hello'"):
        app.openapi()


def test_equal_dependencies_are_taken_once() -> None:
    @dataclass(frozen=True)
    class Limit:
        most: int

        def __call__(self, limit: int) -> int: ...

    app = Portico()
    dependencies = [Depends(Limit(1)), Depends(Limit(1))]
    app.add_api_route("/", lambda: None, dependencies=dependencies)
    assert [parameter["name"] for parameter in app.openapi()["paths"]["/"]["get"]["parameters"]] == ["limit"]


def test_of_two_parameters_with_one_name_the_required_one_is_shown() -> None:
    def needs(q: int) -> None: ...

    app = Portico()

    @app.get("/", dependencies=[Depends(needs)])
    def root(q: str = "") -> None: ...

    [parameter] = app.openapi()["paths"]["/"]["get"]["parameters"]
    assert (parameter["required"], parameter["schema"]["type"]) == (True, "integer")


def test_the_schema_of_validation_errors_may_be_changed_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(validation_error_response_definition, "properties", {"problem": {"type": "string"}})
    app = Portico()
    app.add_api_route("/{x}", lambda x: x)
    schema = app.openapi()["components"]["schemas"]["HTTPValidationError"]
    assert schema["properties"] == {"problem": {"type": "string"}}


def test_examples_may_be_anything_that_json_can_hold_after_encoding() -> None:
    app = Portico()

    @app.post("/")
    def root(item: Annotated[Item, Body(openapi_examples={"one": {"value": Item(name="x")}})]) -> None: ...

    content = app.openapi()["paths"]["/"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"] == {"one": {"value": {"name": "x"}}}


def test_what_is_added_to_one_operation_is_in_no_other() -> None:
    app = Portico()
    more = {"content": {"application/json": {"schema": {"properties": {"more": {}}, "items": {"title": "More"}}}}}

    @app.post("/a", openapi_extra={"requestBody": more, "responses": {"422": {"x-more": True}}})
    def a(given: list[int]) -> None: ...

    @app.post("/b", responses={404: {"model": list[int], **more}, 200: more})
    def b(given: list[int]) -> list[int]: ...

    @app.post("/c")
    def c(given: list[int]) -> list[int]: ...

    assert "More" in json.dumps(app.openapi()["paths"]["/b"])
    assert "ore" not in json.dumps(app.openapi()["paths"]["/c"])


def test_there_may_be_more_models_of_parameters_than_a_cache_holds() -> None:
    app = Portico()
    for number in range(140):
        model = type("Filter", (BaseModel,), {"__annotations__": {f"q{number}": int}})

        def endpoint(filter: Annotated[model, Query()]) -> None: ...  # type: ignore[valid-type]

        app.add_api_route(f"/{number}", endpoint)
    paths = app.openapi()["paths"]
    assert [path["get"]["parameters"][0]["name"] for path in paths.values()] == [f"q{n}" for n in range(140)]


def test_the_document_is_built_again_only_for_new_routes() -> None:
    app = Portico()
    first = app.openapi()
    assert app.openapi() is first
    app.add_api_route("/new", lambda: None)
    assert list(app.openapi()["paths"]) == ["/new"]
