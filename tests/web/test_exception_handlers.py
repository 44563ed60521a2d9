"""The answers to errors where the application has no handlers: always an answer, whatever the client sent."""

import asyncio
import json
from typing import Any

import pytest

from portico.asgi import Message
from portico.web.exception_handlers import (
    http_exception_handler,
    request_validation_exception_handler,
    websocket_request_validation_exception_handler,
)
from portico.web.exceptions import HTTPException, RequestValidationError, WebSocketRequestValidationError
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.websockets import WebSocket

REQUEST = Request({"type": "http", "method": "GET", "path": "/", "headers": []})


def answer(error: HTTPException) -> Response:
    return asyncio.run(http_exception_handler(REQUEST, error))


def refused(problem: dict[str, Any]) -> Any:
    response = asyncio.run(request_validation_exception_handler(REQUEST, RequestValidationError([problem])))
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/json"
    return json.loads(bytes(response.body))["detail"][0]


def test_an_http_exception_is_answered_with_its_detail_and_headers() -> None:
    response = answer(HTTPException(418, {"kind": ["teapot"]}, {"X-A": "b"}))
    assert response.status_code == 418
    assert response.body == b'{"detail":{"kind":["teapot"]}}'
    assert response.headers["x-a"] == "b"


@pytest.mark.parametrize("status", [204, 205, 304, 103])
def test_a_status_without_body_is_answered_without_one(status: int) -> None:
    response = answer(HTTPException(status, "unseen", {"ETag": '"1"'}))
    assert response.body == b""
    assert "content-type" not in response.headers
    assert response.headers["etag"] == '"1"'


def test_a_detail_may_repeat_any_text_of_the_client() -> None:
    assert answer(HTTPException(404, "no \ud800")).body == b'{"detail":"no ?"}'


def test_a_detail_that_json_has_no_form_for_is_an_error_of_the_author() -> None:
    with pytest.raises(TypeError):
        answer(HTTPException(404, {"at": object()}))


def test_problems_are_the_detail_of_a_422() -> None:
    problem = {"type": "missing", "loc": ("query", "q"), "msg": "Field required", "input": None}
    assert refused(problem) == {**problem, "loc": ["query", "q"]}


def test_errors_that_a_validator_has_raised_are_no_secret_of_the_application() -> None:
    assert refused({"ctx": {"error": ValueError("x")}}) == {"ctx": {"error": {}}}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), None),
        ([float("inf"), -1.5], [None, -1.5]),
        ("a\ud800b", "a?b"),
        ({"\udfff": {"k": "\ud800"}}, {"?": {"k": "?"}}),
        (b"\xffab", "\ufffdab"),
        ((b"\xff", {1: b"\xff"}), ["\ufffd", {"1": "\ufffd"}]),
        ([10**5000, 7, True], [None, 7, True]),
        ([object(), b"\xff"], [None, "\ufffd"]),
    ],
)
def test_input_that_json_has_no_form_for_is_replaced(value: Any, shown: Any) -> None:
    assert refused({"type": "t", "input": value}) == {"type": "t", "input": shown}


def test_input_that_is_nested_too_deeply_is_cut() -> None:
    value: Any = "x"
    for _ in range(100_000):
        value = [value]
    shown = refused({"type": "t", "input": value})["input"]
    depth = 0
    while shown is not None:
        (shown,) = shown
        depth += 1
    assert 10 < depth < 100


def test_input_that_contains_itself_is_cut() -> None:
    value: list[Any] = []
    value.append(value)
    assert refused({"type": "t", "input": value})["type"] == "t"


def closed(errors: list[Any]) -> Message:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    websocket = WebSocket({"type": "websocket", "path": "/", "headers": []}, None, send)  # type: ignore[arg-type]
    asyncio.run(websocket_request_validation_exception_handler(websocket, WebSocketRequestValidationError(errors)))
    (message,) = sent
    return message


def test_a_websocket_is_closed_with_the_first_problem_as_a_text() -> None:
    problem = {"type": "missing", "loc": ("query", "q"), "msg": "Field required", "input": None}
    assert closed([problem, problem]) == {
        "type": "websocket.close",
        "code": 1008,
        "reason": "query.q: Field required",
    }


def test_a_reason_fits_into_a_control_frame() -> None:
    reason = closed([{"loc": ("query", "é" * 100, "\ud800"), "msg": "m"}])["reason"]
    assert len(reason.encode()) in (122, 123)


def test_a_websocket_is_closed_also_without_problems() -> None:
    assert closed([])["reason"] == ""
