"""What the exceptions say."""

import pytest

from portico.asgi import PorticoError
from portico.web.exceptions import (
    DefinitionError,
    DependencyScopeError,
    EndpointContext,
    HTTPException,
    PydanticV1NotSupportedError,
    RequestValidationError,
    ResponseValidationError,
    ValidationException,
    WebSocketRequestValidationError,
)

PROBLEM = {"type": "missing", "loc": ("query", "q"), "msg": "Field required", "input": None}
CONTEXT = EndpointContext(function="read", path="GET /items", file="/app/main.py", line=7)


def test_the_detail_of_an_http_exception_may_be_anything() -> None:
    assert HTTPException(404).detail == "Not Found"
    assert HTTPException(404, {"code": 7}).detail == {"code": 7}
    assert HTTPException(404, "").detail == ""


@pytest.mark.parametrize("kind", [DependencyScopeError, PydanticV1NotSupportedError])
def test_mistakes_in_declarations_are_one_family(kind: type[Exception]) -> None:
    assert issubclass(kind, DefinitionError)
    assert issubclass(DefinitionError, PorticoError)
    assert issubclass(DefinitionError, RuntimeError)


@pytest.mark.parametrize(
    "kind", [ValidationException, RequestValidationError, WebSocketRequestValidationError, ResponseValidationError]
)
def test_a_failed_validation_says_what_is_wrong_and_at_which_endpoint(kind: type[ValidationException]) -> None:
    error = kind([PROBLEM, PROBLEM], endpoint_ctx=CONTEXT)
    assert error.errors() == [PROBLEM, PROBLEM]
    assert (error.endpoint_function, error.endpoint_path) == ("read", "GET /items")
    assert (error.endpoint_file, error.endpoint_line) == ("/app/main.py", 7)
    assert str(error).splitlines() == [
        "2 validation errors:",
        f"  {PROBLEM}",
        f"  {PROBLEM}",
        "",
        '  File "/app/main.py", line 7, in read',
        "    GET /items",
    ]


def test_a_failed_validation_names_what_is_known_of_the_endpoint() -> None:
    assert str(ValidationException([PROBLEM])) == f"1 validation error:\n  {PROBLEM}"
    assert str(ValidationException([], endpoint_ctx={"path": "GET /x"})) == (
        "0 validation errors:\n\n  Endpoint: GET /x"
    )
    assert "GET" not in str(ValidationException([], endpoint_ctx={"function": "f", "file": "f.py", "line": 1}))


@pytest.mark.parametrize("kind", [RequestValidationError, ResponseValidationError])
def test_a_failed_validation_keeps_what_was_validated(
    kind: type[RequestValidationError | ResponseValidationError],
) -> None:
    assert kind([PROBLEM], body={"a": 1}).body == {"a": 1}
    assert kind([PROBLEM]).body is None
