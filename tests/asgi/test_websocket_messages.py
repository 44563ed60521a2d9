"""ASGI's edges on a WebSocket: wrong messages in every state, and applications that fail or forget."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any

import pytest
from tests.live import Wire, live
from tests.stage import Notes, stage
from tests.websocket import Client, closing, handshake, opened, saying, text

from portico.asgi import ClientDisconnected, Message, MessageError, Receive, Scope, Send, WebSocketDisconnect

ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
SEND: Message = {"type": "websocket.send"}
STILL_THERE: Message = {"type": "websocket.send", "text": "still there"}
DENY: Message = {"type": "websocket.http.response.start", "status": 401}
DENIAL: Message = {"type": "websocket.http.response.body", "body": b"no"}
CRLF = [b"b\r\nc: d", b"b\n", b"\rb", b"b\x00", b"b\r\n\r\n\x81\x00"]


async def said_of(send: Send, message: Any) -> str:
    """Return what the error says that a wrong message raises."""
    with pytest.raises(RuntimeError) as caught:
        await send(message)
    assert isinstance(caught.value, MessageError)
    return str(caught.value)


def errors_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as an error: the message, or the exception that it shows."""
    records = [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    return [str(record.exc_info[1]) if record.exc_info else record.getMessage() for record in records]


# --- wrong messages in every state --------------------------------------------------------------------


async def connecting(receive: Receive, send: Send) -> None:
    """Leave the handshake unanswered."""


async def open_(receive: Receive, send: Send) -> None:
    """Accept."""
    await send(ACCEPT)


async def closed(receive: Receive, send: Send) -> None:
    """Close the accepted WebSocket, whose peer has not answered yet."""
    await send(ACCEPT)
    await send(CLOSE)


async def refused(receive: Receive, send: Send) -> None:
    """Close without having accepted."""
    await send(CLOSE)


async def denying(receive: Receive, send: Send) -> None:
    """Begin a response in place of the WebSocket."""
    await send(DENY)


async def denying_on(receive: Receive, send: Send) -> None:
    """Be in the middle of the response."""
    await send(DENY)
    await send({**DENIAL, "more_body": True})


async def denied(receive: Receive, send: Send) -> None:
    """Have answered with a response."""
    await send(DENY)
    await send(DENIAL)


async def left(receive: Receive, send: Send) -> None:
    """Accept, and see the peer close."""
    await send(ACCEPT)
    while (await receive())["type"] != "websocket.disconnect":
        pass


State = Callable[[Receive, Send], Awaitable[None]]
EXPECTED: dict[State, tuple[str, ...]] = {
    connecting: ("'websocket.accept'", "'websocket.close'", "'websocket.http.response.start'"),
    open_: ("'websocket.send'", "'websocket.close'"),
    closed: ("closed",),
    refused: ("closed",),
    denying: ("'websocket.http.response.body'",),
    denying_on: ("'websocket.http.response.body'",),
    denied: ("closed",),
    left: ("closed",),
}
KINDS = ("accept", "send", "close", "http.response.start", "http.response.body")
ALLOWED = {
    connecting: {"accept", "close", "http.response.start"},
    open_: {"send", "close"},
    denying: {"http.response.body"},
    denying_on: {"http.response.body"},
    left: {"send", "close"},  # the peer was faster: its own test
    # As a response that is complete ignores what is still sent of its body.
    denied: {"http.response.body"},
    refused: {"http.response.body"},
}
FOREIGN = (
    "websocket.nonsense",
    "websocket.connect",
    "websocket.receive",
    "http.response.start",
    "http.response.body",
    "lifespan.startup.complete",
    "",
    None,
)
WRONG = [
    (state, kind)
    for state in EXPECTED
    for kind in (*(f"websocket.{kind}" for kind in KINDS if kind not in ALLOWED.get(state, ())), *FOREIGN)
]


@pytest.mark.parametrize(("state", "kind"), WRONG, ids=[f"{state.__name__}-{kind}" for state, kind in WRONG])
def test_a_wrong_message_says_what_was_expected(state: State, kind: str | None) -> None:
    """A message that is unknown, or of another state, makes `send` raise; the error names what came as well."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert await receive() == {"type": "websocket.connect"}
        await state(receive, send)
        said = await said_of(send, {"type": kind, "text": "a", "status": 200})
        notes.put(said)

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake() + (closing() if state is left else b""))
        said = there.note()
    assert [part for part in (*EXPECTED[state], repr(kind)) if part not in said] == []
    assert ("unknown" in said) == (kind not in [f"websocket.{kind}" for kind in KINDS])


@pytest.mark.parametrize("message", [None, "websocket.accept", [], b"", 5, {}, {"text": "a"}], ids=repr)
@pytest.mark.parametrize("state", [connecting, open_, denying])
def test_a_message_without_a_type(state: State, message: Any) -> None:
    """Messages are dicts with a type."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await state(receive, send)
        notes.put(await said_of(send, message))

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert "type" in there.note()


# --- wrong accepts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"headers": [("a", b"b")]}, "bytes"),
        ({"headers": [(b"a", "b")]}, "bytes"),
        ({"headers": [(b"a", b"b", b"c")]}, "headers"),
        ({"headers": [b"abc"]}, "headers"),
        ({"headers": 5}, "headers"),
        ({"headers": [(b":status", b"200")]}, "name"),
        *[({"headers": [(name, b"b")]}, "name") for name in (b"", b"a\r\n", b"a b", b"a:", b"a\xe9")],
        *[({"headers": [(b"a", value)]}, "value") for value in CRLF],
        *[
            ({"headers": [(name, b"b")]}, name.decode())
            for name in (
                b"sec-websocket-accept",
                b"sec-websocket-protocol",
                b"sec-websocket-extensions",
                b"Sec-WebSocket-Version",
                b"SEC-WEBSOCKET-KEY",
            )
        ],
        *[({"subprotocol": given}, "['one', 'two']") for given in ("three", "ONE", "", "one, two", b"one", 5, ["one"])],
        *[({"subprotocol": given}, repr(given)) for given in ("three", "one\r\na: b", b"one")],
    ],
    ids=repr,
)
def test_a_wrong_accept_says_what_is_wrong_and_a_right_one_still_works(more: dict[str, Any], says: str) -> None:
    """websocket.accept: fields that can be sent and are not the server's own, and a subprotocol that was offered."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        notes.put(await said_of(send, {**ACCEPT, **more}))
        await send({**ACCEPT, "subprotocol": "two", "headers": [(b"x-a", b"b")]})
        await send(STILL_THERE)

    offer = b"Sec-WebSocket-Protocol: one, two\r\n"
    with stage(app) as there, opened(there.port, "/", offer) as client:
        assert says in there.note()
        assert client.field(b"sec-websocket-protocol") == b"two"
        assert client.field(b"x-a") == b"b"
        assert client.message() == "still there"


def test_a_subprotocol_without_an_offer() -> None:
    """RFC 6455 §4.2.2: there is nothing that the server could choose."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        notes.put(await said_of(send, {**ACCEPT, "subprotocol": "chat"}))

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert "'chat'" in there.note()


@pytest.mark.parametrize(
    "field",
    [
        (b"content-length", b"5"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"close"),
        (b"keep-alive", b"timeout=5"),
        (b"upgrade", b"h2c"),
        (b"Upgrade", b"websocket"),
    ],
    ids=repr,
)
def test_fields_that_steer_the_connection_are_not_the_applications(field: tuple[bytes, bytes]) -> None:
    """RFC 9110 §7.6.1, §7.8, §8.6: whether such a field is ignored or refused, it is not in the 101."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        try:
            await send({**ACCEPT, "headers": [field]})
        except MessageError:
            await send(ACCEPT)
        await send(STILL_THERE)

    with stage(app) as there, opened(there.port) as client:
        assert [pair for pair in client.fields if pair == field] == []
        assert (client.field(b"upgrade"), client.field(b"connection")) == (b"websocket", b"upgrade")
        assert client.message() == "still there"


# --- wrong sends and closes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (SEND, "one of 'text' and 'bytes'"),
        ({**SEND, "text": None, "bytes": None}, "one of 'text' and 'bytes'"),
        ({**SEND, "text": "a", "bytes": b"a"}, "one of 'text' and 'bytes'"),
        ({**SEND, "text": "", "bytes": b""}, "one of 'text' and 'bytes'"),
        *[
            ({**SEND, "text": given}, f"'text' must be str, not {name}")
            for given, name in ((b"a", "bytes"), (5, "int"))
        ],
        *[
            ({**SEND, "bytes": given}, f"'bytes' must be bytes, not {name}")
            for given, name in (("a", "str"), (5, "int"))
        ],
        ({**SEND, "bytes": [1]}, "not list"),
        ({**SEND, "text": "\ud800"}, "UTF-8"),
        ({**SEND, "text": "a" * 1000 + "\udfff"}, "UTF-8"),
        *[
            ({**CLOSE, "code": code}, repr(code))
            for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, 70000, -1, "1000", 1000.0, None)
        ],
        ({**CLOSE, "code": True}, "True"),
        ({**CLOSE, "reason": "x" * 124}, "123 bytes"),
        ({**CLOSE, "reason": "ü" * 62}, "123 bytes"),
        ({**CLOSE, "reason": "🙂" * 31}, "123 bytes"),
        ({**CLOSE, "reason": b"x"}, "b'x'"),
        ({**CLOSE, "reason": 5}, "5"),
        ({**CLOSE, "reason": "\ud800"}, "reason"),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, dict) else "",
)
def test_a_wrong_message_leaves_the_websocket_open(message: Message, says: str) -> None:
    """websocket.send, websocket.close: a key of the wrong type or value; nothing of it reaches the peer."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert await receive() == {"type": "websocket.connect"}
        await send(ACCEPT)
        assert (await receive())["text"] == "one"
        notes.put(await said_of(send, message))
        await send(STILL_THERE)
        notes.put(await receive())

    with stage(app) as there, opened(there.port) as client:
        client.send(text("one") + text("two"))
        assert says in there.note()
        assert client.message() == "still there"
        assert there.note()["text"] == "two"


class Code(IntEnum):
    """Names for numbers, as http.HTTPStatus and websockets.frames.CloseCode have them."""

    TRY_AGAIN_LATER = 1013


def test_a_code_may_be_an_enumeration() -> None:
    """Whatever is an int is one."""
    app, _ = saying(ACCEPT, {**CLOSE, "code": Code.TRY_AGAIN_LATER})
    with live(app) as server, opened(server.port) as client:
        assert client.read_close() == (1013, "")


# --- applications that fail ---------------------------------------------------------------------------


@pytest.mark.parametrize("reads", [False, True])
def test_an_exception_before_accept_is_a_500(reads: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The peer gets an answer and nothing of the error, which is logged once."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        if reads:
            await receive()
        raise ValueError("secret")

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        answer = wire.answer()
        assert (answer.status, answer.closes, b"secret" in answer.body) == (500, True, False)
        assert wire.rest() == b""
    assert errors_of(caplog) == ["secret"]


@pytest.mark.parametrize("reads", [False, True])
def test_an_exception_after_accept_is_a_close_of_1011(reads: bool, caplog: pytest.LogCaptureFixture) -> None:
    """RFC 6455 §7.4.1: an unexpected condition; the peer gets nothing of the error, which is logged once."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        if reads:
            await receive()
            await receive()
        raise ValueError("secret")

    with stage(app) as there, opened(there.port) as client:
        client.send(text("go"))
        assert client.read_close() == (1011, "")
        client.send(closing(1011))
        assert client.rest() == b""
    assert errors_of(caplog) == ["secret"]


def test_the_end_of_the_conversation_is_no_error_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    """websocket.disconnect: who was told it may leave by the exception that says so."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        while (message := await receive())["type"] != "websocket.disconnect":
            pass
        raise WebSocketDisconnect(message["code"])

    with stage(app) as there, opened(there.port) as client:
        client.send(closing(1001))
        assert client.read_close() == (1001, "")
        assert client.rest() == b""
    assert errors_of(caplog) == []


def test_an_exception_after_the_own_close_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The code that was sent stays the one."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await send({**CLOSE, "code": 4000})
        raise ValueError("late")

    with stage(app) as there, opened(there.port) as client:
        assert client.read_close() == (4000, "")
        client.send(closing(4000))
        assert client.rest() == b""
    assert errors_of(caplog) == ["late"]


def test_an_exception_after_the_disconnect_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Cleaning up can fail as well."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await left(receive, send)
        raise ValueError("late")

    with stage(app) as there, opened(there.port) as client:
        client.send(closing())
        assert client.closed_with() == (1000, "")
        assert isinstance(there.note(), ValueError)
    assert errors_of(caplog) == ["late"]


def test_a_disconnect_that_ends_the_application_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """The OSError of `send` comes back to the server, which knows it and logs nothing."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await left(receive, send)
        await send(STILL_THERE)

    with stage(app) as there, opened(there.port) as client:
        client.send(closing())
        assert isinstance(there.note(), ClientDisconnected)
    assert errors_of(caplog) == []


def test_a_wrong_message_that_ends_the_application_is_a_close_of_1011(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody has to catch a MessageError."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await send(ACCEPT)

    with stage(app) as there, opened(there.port) as client:
        assert client.read_close() == (1011, "")
        assert str(there.note()) in errors_of(caplog)


def test_returning_without_an_answer_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """An application that forgets the handshake; the log says what was missing."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert wire.answer().status == 500
    (said,) = errors_of(caplog)
    assert "'websocket.accept'" in said


def test_returning_after_accept_is_a_close_of_1000(caplog: pytest.LogCaptureFixture) -> None:
    """What is left open when the application ends is closed; that is no error."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await send(STILL_THERE)

    with stage(app) as there, opened(there.port) as client:
        assert client.message() == "still there"
        assert client.read_close() == (1000, "")
        client.send(closing())
        assert client.rest() == b""
    assert errors_of(caplog) == []


def test_returning_after_the_disconnect_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """How most of them end."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await left(receive, send)

    with stage(app) as there, opened(there.port) as client:
        client.send(closing())
        assert client.closed_with() == (1000, "")
    assert errors_of(caplog) == []


@pytest.mark.parametrize("accepts", [False, True])
def test_an_application_that_is_cancelled(accepts: bool) -> None:
    """By itself: the peer sees an end, not silence."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        if accepts:
            await send(ACCEPT)
        raise asyncio.CancelledError

    with stage(app) as there, Client(there.port) as client:
        client.send(handshake())
        if accepts:
            client.switched()
            assert client.read_close() == (1011, "")
        else:
            assert client.answer().status == 500


def test_an_asgi_2_application() -> None:
    """A double callable: app(scope)(receive, send)."""

    def app(scope: Scope) -> Callable[[Receive, Send], Awaitable[None]]:
        assert scope["type"] == "websocket"

        async def instance(receive: Receive, send: Send) -> None:
            await send(ACCEPT)
            await send({**SEND, "text": scope["path"]})

        return instance

    with live(app) as server, opened(server.port, "/there") as client:
        assert client.message() == "/there"


def test_an_application_that_returns_nothing_to_await(caplog: pytest.LogCaptureFixture) -> None:
    """`def` in place of `async def`: a 500, and the log says so."""

    def app(scope: Scope, receive: Receive, send: Send) -> Any:
        return None

    with live(app, interface="asgi3", lifespan="off") as server, Wire(server.port) as wire:
        wire.send(handshake())
        assert wire.answer().status == 500
    assert "async def" in errors_of(caplog)[0]
