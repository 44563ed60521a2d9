"""What an author is told after one of the usual mistakes: what was expected, what came, what to do, and where."""

import json
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import pytest

from portico import APIRouter, Depends, HTTPException, Portico, Query, Request, WebSocket
from portico.testing import WebSocketDenialResponse
from portico.web import params
from portico.web.background import BackgroundTasks
from portico.web.encoders import jsonable_encoder
from portico.web.exceptions import DefinitionError
from portico.web.params import ParameterError
from portico.web.routing.paths import RouteError
from portico.web.testclient import TestClient

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Service:
    def __init__(self, q: str = "") -> None:
        self.q = q


def value() -> int:
    return 1


async def load() -> int:
    return 1


def notes_of(error: pytest.ExceptionInfo[Exception]) -> str:
    return "\n".join(getattr(error.value, "__notes__", []))


def asked(endpoint: Any) -> None:
    app = Portico()
    app.get("/")(endpoint)
    TestClient(app).get("/")


def test_a_mistake_in_a_signature_is_told_with_the_line_of_the_function() -> None:
    def endpoint(service: Service) -> None: ...

    with pytest.raises(DefinitionError, match=r"'service' is annotated with .*Service.*Depends") as error:
        Portico().get("/")(endpoint)
    line = endpoint.__code__.co_firstlineno
    assert notes_of(error) == f'In the signature of:\n  File "{__file__}", line {line}, in endpoint'


def test_a_mistake_of_a_dependency_is_told_with_the_way_to_it() -> None:
    def dependency(service: Service) -> None: ...

    def endpoint(given: Annotated[None, Depends(dependency)]) -> None: ...

    with pytest.raises(DefinitionError) as error:
        Portico().get("/")(endpoint)
    assert [line.rsplit(" ", 1)[-1] for line in notes_of(error).splitlines()[1::2]] == ["dependency", "endpoint"]


def test_a_mistake_in_what_is_returned_is_told_with_the_line_of_the_function() -> None:
    def endpoint() -> Service:
        return Service()

    with pytest.raises(DefinitionError, match="response_model=None") as error:
        Portico().get("/")(endpoint)
    assert "in endpoint" in notes_of(error)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there an annotation needs no quotes, and is another object")
def test_a_return_annotation_that_cannot_be_found_is_refused_at_registration() -> None:
    def endpoint() -> "Missing": ...

    with pytest.raises(DefinitionError, match="annotated to return 'Missing'"):
        Portico().get("/")(endpoint)


@pytest.mark.parametrize("declaration", [Query(min_length=3), Depends(value), params.Header()])
def test_a_declaration_in_the_place_of_the_type_is_refused(declaration: Any) -> None:
    def endpoint(q: Any) -> None: ...

    endpoint.__annotations__["q"] = declaration
    with pytest.raises(ParameterError, match="which is no type: write Annotated"):
        Portico().get("/")(endpoint)


@pytest.mark.parametrize("declaration", [Query, Depends, params.Query, params.Depends])
def test_a_declaration_that_is_not_called_is_refused(declaration: Any) -> None:
    def endpoint(q: Any) -> None: ...

    endpoint.__annotations__["q"] = Annotated[int, declaration]
    with pytest.raises(ParameterError, match=f"'q' has {declaration.__name__} in its `Annotated`, not called"):
        Portico().get("/")(endpoint)


def test_depends_without_anything_to_call_is_refused() -> None:
    def endpoint(q=Depends()): ...  # type: ignore[no-untyped-def]  # noqa: B008

    with pytest.raises(ParameterError, match="nothing to call"):
        Portico().get("/")(endpoint)


@pytest.mark.parametrize("decorate", [contextmanager, asynccontextmanager])
def test_a_context_manager_is_no_dependency(decorate: Any) -> None:
    @decorate
    def session() -> Any:
        yield 1

    def endpoint(q: Annotated[int, Depends(session)]) -> None: ...

    with pytest.raises(ParameterError, match="leave the decorator out"):
        Portico().get("/")(endpoint)


def test_a_dependency_without_hash_is_refused_at_registration() -> None:
    @dataclass
    class Check:
        number: int

        def __call__(self) -> int:
            return self.number

    def endpoint(q: Annotated[int, Depends(Check(2))]) -> None: ...

    with pytest.raises(ParameterError, match=r"has no hash.*frozen=True"):
        Portico().get("/")(endpoint)


def test_an_override_that_cannot_be_called_is_refused() -> None:
    app = Portico()

    @app.get("/")
    def endpoint(q: Annotated[int, Depends(value)]) -> int:
        return q

    app.dependency_overrides[value] = 5  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"dependency_overrides has 5 for .*lambda: value"):
        TestClient(app).get("/")


def test_a_decorator_without_parentheses_is_refused() -> None:
    app: Any = Portico()
    with pytest.raises(TypeError, match="with the parentheses"):
        app.get(value)
    with pytest.raises(TypeError, match="with the parentheses"):
        app.websocket(value)


def test_a_path_of_the_application_starts_with_a_slash() -> None:
    with pytest.raises(RouteError, match="must start with '/', got 'items'"):
        Portico().get("items")(value)
    router = APIRouter()
    router.get(".json")(value)
    app = Portico()
    app.include_router(router, prefix="/items")
    assert TestClient(app).get("/items.json").json() == 1


def test_only_routers_are_included() -> None:
    app: Any = Portico()
    with pytest.raises(TypeError, match=r"takes an APIRouter, got <module 'json'.*the router that is in it"):
        app.include_router(json)


def test_values_of_a_route_are_checked_at_registration() -> None:
    app: Any = Portico()
    with pytest.raises(RouteError, match="status_code must be an int such as 201, got 'created'"):
        app.get("/", status_code="created")(value)
    with pytest.raises(RouteError, match=r"tags must be a list of texts, got 'teas'"):
        app.get("/", tags="teas")(value)


def test_an_http_exception_begins_with_its_status() -> None:
    wrong: Any = "not found"
    with pytest.raises(TypeError, match="is a status such as 404, got 'not found'"):
        HTTPException(wrong)


def test_a_missing_await_is_told() -> None:
    async def untyped():  # type: ignore[no-untyped-def]
        return load()

    async def typed() -> int:
        return load()  # type: ignore[return-value]

    for endpoint in (untyped, typed):
        with pytest.raises(TypeError, match=r"nobody has awaited: write `return await"):
            asked(endpoint)


def test_an_exception_that_is_returned_is_told() -> None:
    async def endpoint():  # type: ignore[no-untyped-def]
        return HTTPException(404)

    with pytest.raises(TypeError, match="write `raise` instead of `return`"):
        asked(endpoint)


def test_what_has_no_form_in_json_is_named() -> None:
    waiting = load()
    for nested, name in ((waiting, "is an `await` missing"), (object(), "JSON has no form for <object object")):
        with pytest.raises(ValueError, match="not iterable") as error:
            jsonable_encoder({"x": [nested]})
        assert name in notes_of(error)
    waiting.close()


def test_an_exception_handler_has_to_return_a_response() -> None:
    app = Portico()

    @app.exception_handler(KeyError)
    async def handler(request: Request, error: Exception) -> Any:
        return {"detail": "no"}

    @app.get("/")
    def endpoint() -> None:
        raise KeyError

    with pytest.raises(TypeError, match=r"returned \{'detail': 'no'\}; it has to return a response"):
        TestClient(app).get("/")


def test_a_background_task_is_a_function() -> None:
    nothing: Any = None
    with pytest.raises(TypeError, match="without calling it"):
        BackgroundTasks().add_task(nothing)


def test_a_coroutine_function_is_no_lifespan() -> None:
    async def lifespan(app: Any) -> None: ...

    wrong: Any = lifespan
    with pytest.raises(TypeError, match="asynccontextmanager, and yield"):
        Portico(lifespan=wrong)


def test_a_websocket_that_is_not_accepted_says_so() -> None:
    app = Portico()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        await websocket.send_text("tea")

    with (
        pytest.raises(RuntimeError, match=r"await websocket\.accept\(\) first"),
        TestClient(app).websocket_connect("/"),
    ):
        pass


def test_a_refused_websocket_says_with_what() -> None:
    app = Portico()

    @app.websocket("/")
    async def endpoint(websocket: WebSocket) -> None:
        raise HTTPException(401, "Who are you?")

    with pytest.raises(WebSocketDenialResponse) as error, TestClient(app).websocket_connect("/"):
        pass
    assert str(error.value) == 'the application refused the WebSocket with 401 Unauthorized: {"detail":"Who are you?"}'
