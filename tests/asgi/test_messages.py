"""ASGI's edges: what the server answers when an application fails, forgets, miscounts or sends the wrong message."""

from typing import Any

import pytest
from tests.live import Notes, answer_of, answers, finished, http_only, live, noted, reply

from portico.asgi import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body", "body": b"ok"}


# --- an application that fails ------------------------------------------------------------------------


def test_an_exception_before_the_response_is_a_500() -> None:
    """Before the response started the client gets a 500, and nothing of the error."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("secret")

    answer = answer_of(app)
    assert (answer.status, b"secret" in answer.body) == (500, False)


def test_an_exception_after_start_alone_is_a_500() -> None:
    """The start message waits for the first body message, so nothing has been sent yet."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        raise ValueError("secret")

    answer = answer_of(app)
    assert (answer.status, answer.complete) in ((500, True), (200, False))


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"5")]])
def test_an_exception_in_the_body_is_a_visible_truncation(headers: list[tuple[bytes, bytes]]) -> None:
    """After the response started the connection is cut, in chunks and with a length."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": headers})
        await send(BODY | {"more_body": True})
        raise ValueError("secret")

    answer = answer_of(app, GET + BYE)
    assert (answer.status, answer.body, answer.complete) == (200, b"ok", False)


def test_returning_without_a_response_is_a_500() -> None:
    """An application that forgets to answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    assert answer_of(app).status == 500


def test_returning_inside_the_body_is_a_visible_truncation() -> None:
    """An application that forgets the last body message."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(BODY | {"more_body": True})

    assert not answer_of(app, GET + BYE).complete


@pytest.mark.parametrize("parts", [[b"123456"], [b"123", b"456"], [b"1234"], [b"12", b"3"], [b""]])
def test_a_body_that_is_not_its_length_cuts_the_connection(parts: list[bytes]) -> None:
    """A body longer or shorter than its Content-Length is an error, never a corrupt stream."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": [(b"content-length", b"5")]})
        for index, part in enumerate(parts):
            await send({"type": "http.response.body", "body": part, "more_body": index < len(parts) - 1})

    with live(http_only(app)) as server:
        found = answers(finished(server.port, GET + BYE))
    assert len(found) == 1
    assert (found[0].status, found[0].complete) in ((500, True), (200, False))


# --- an application that sends the wrong message --------------------------------------------------------

WRONG: list[tuple[str, list[Any], str]] = [
    ("a body first", [BODY], "http.response.start"),
    ("an unknown type", [{"type": "http.response.nonsense"}], "http.response.start"),
    ("no type", [{"status": 200}], "type"),
    ("a WebSocket message", [{"type": "websocket.send", "text": ""}], "http.response.start"),
    ("a lifespan message", [{"type": "lifespan.startup.complete"}], "http.response.start"),
    ("no status", [{"type": "http.response.start"}], "status"),
    ("a status that is text", [START | {"status": "200"}], "'200'"),
    ("a status of two digits", [START | {"status": 99}], "99"),
    ("a status of four digits", [START | {"status": 1000}], "1000"),
    ("an interim status", [START | {"status": 100}], "100"),
    ("switching protocols", [START | {"status": 101}], "101"),
    ("a name that is text", [START | {"headers": [("a", b"b")]}], "bytes"),
    ("a value that is text", [START | {"headers": [(b"a", "b")]}], "bytes"),
    ("a pair of three", [START | {"headers": [(b"a", b"b", b"c")]}], "headers"),
    ("headers that are a number", [START | {"headers": 1}], "headers"),
    ("trailers announced as a word", [{"type": "http.response.trailers", "headers": []}], "http.response.start"),
    ("a file before the start", [{"type": "http.response.pathsend", "path": "/"}], "http.response.start"),
    *[
        (f"a name {name!r}", [START | {"headers": [(name, b"b")]}], "name")
        for name in (b"", b"a\r\n", b"a\n", b"a\r", b"a\x00", b"a b", b"a:", b":a", b"a\xe9")
    ],
    *[
        (f"a value {value!r}", [START | {"headers": [(b"a", value)]}], "value")
        for value in (b"b\r\nc: d", b"b\n", b"\rb", b"b\x00", b"b\r\n\r\nHTTP/1.1 200 OK", b"\n")
    ],
    ("two lengths", [START | {"headers": [(b"content-length", b"2"), (b"content-length", b"3")]}], "content-length"),
    ("a length that is no number", [START | {"headers": [(b"content-length", b"two")]}], "content-length"),
    ("a negative length", [START | {"headers": [(b"content-length", b"-2")]}], "content-length"),
]


@pytest.mark.parametrize(("messages", "names"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_message_is_an_error_that_says_what_was_expected(messages: list[Any], names: str) -> None:
    """An unknown type, a missing key or a wrong Python type makes `send` raise; a right message still works."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            for message in messages:
                await send(message)
        except RuntimeError as error:
            await reply(send, str(error).encode(), 418)

    answer = answer_of(app)
    assert answer.status == 418
    assert names in answer.body.decode().lower()


LATE: list[tuple[str, Any, str]] = [
    ("a second start", START, "http.response.body"),
    ("an unknown type", {"type": "http.response.nonsense"}, "http.response.body"),
    ("trailers not announced", {"type": "http.response.trailers", "headers": []}, "trailers"),
    ("a body that is text", {"type": "http.response.body", "body": "ok"}, "bytes"),
    ("a body that is a number", {"type": "http.response.body", "body": 5}, "bytes"),
    ("a file in the middle", {"type": "http.response.pathsend", "path": "/dev/null"}, "pathsend"),
    ("an early hint", {"type": "http.response.early_hint", "links": [b"<a>"]}, "early_hint"),
]


@pytest.mark.parametrize(("message", "names"), [case[1:] for case in LATE], ids=[case[0] for case in LATE])
def test_a_wrong_message_in_the_body(message: Any, names: str) -> None:
    """The same after the response has started; the stream is not hurt by it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(BODY | {"body": b"one ", "more_body": True})
        try:
            await send(message)
        except RuntimeError as error:
            await send(BODY | {"body": str(error).encode()})

    answer = answer_of(app)
    assert answer.complete
    assert answer.body.startswith(b"one ")
    assert names in answer.body.decode().lower()


def test_a_longer_body_than_announced_raises_in_the_application() -> None:
    """The application is told both figures."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START | {"headers": [(b"content-length", b"5")]})
        await send(BODY | {"body": b"123", "more_body": True})
        await send(BODY | {"body": b"456789"})

    wrapped, notes = noted(app)
    with live(wrapped) as server:
        finished(server.port, GET)
        error = notes.get(timeout=5)
    assert isinstance(error, RuntimeError)
    assert "5" in str(error)


@pytest.mark.parametrize("message", [None, "http.response.start", [], b""])
def test_a_message_that_is_no_mapping(message: Any) -> None:
    """Messages are dicts."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(message)
        except (RuntimeError, TypeError) as error:
            await reply(send, type(error).__name__.encode(), 418)

    assert answer_of(app).status == 418
