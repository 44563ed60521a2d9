"""The extension websocket.http.response: an HTTP answer in place of the WebSocket."""

import asyncio
from http import HTTPStatus
from typing import Any

import pytest
from tests.live import Answer, Wire, answers, live
from tests.stage import Notes, dial, stage
from tests.websocket import handshake, saying, text
from websockets.exceptions import InvalidStatus

from portico.asgi import ClientDisconnected, Message, MessageError, Receive, Scope, Send

START: Message = {"type": "websocket.http.response.start", "status": 401}
BODY: Message = {"type": "websocket.http.response.body", "body": b"no"}
DISCONNECT = {"type": "websocket.disconnect", "code": 1006, "reason": ""}
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def denied_with(*messages: Message, data: bytes | None = None) -> Answer:
    """Return the only answer to a handshake that is answered with these messages; the connection must end."""
    app, _ = saying(*messages)
    with live(app) as server, Wire(server.port) as wire:
        wire.send(handshake() if data is None else data)
        (answer,) = answers(wire.rest())
    return answer


def test_a_client_gets_the_status_the_headers_and_the_body() -> None:
    """A library tells its user of all three."""
    headers = [(b"www-authenticate", b"Basic"), (b"set-cookie", b"a=b"), (b"set-cookie", b"c=d")]
    app, _ = saying({**START, "headers": headers}, BODY)
    with live(app) as server, pytest.raises(InvalidStatus) as refused:
        dial(server.port)
    response = refused.value.response
    assert (response.status_code, response.body) == (401, b"no")
    assert response.headers["www-authenticate"] == "Basic"
    assert response.headers.get_all("set-cookie") == ["a=b", "c=d"]


STATUSES = [200, 204, 302, 304, 400, 403, 404, 426, 429, 500, 503, 599, HTTPStatus.UNAUTHORIZED]


@pytest.mark.parametrize("status", STATUSES)
def test_the_status_is_the_applications(status: int) -> None:
    """Any final status: also one that says nothing of an error."""
    assert denied_with({**START, "status": status}, {**BODY, "body": b""}).status == status


def test_the_connection_ends_with_the_answer() -> None:
    """What a client sent behind its handshake is no request: nothing can be read after it."""
    answer = denied_with(START, BODY)
    assert (answer.closes, answer.complete) == (True, True)


def test_nothing_but_the_type_and_the_status_is_needed() -> None:
    """headers, body and more_body are optional."""
    answer = denied_with(START, {"type": "websocket.http.response.body"})
    assert (answer.status, answer.body, answer.field(b"content-length")) == (401, b"", b"0")


def test_the_answer_has_no_field_of_a_handshake() -> None:
    """RFC 6455 §4.2.2: what is not accepted is an ordinary response."""
    answer = denied_with({**START, "headers": [(b"content-type", b"text/plain")]}, BODY)
    assert {name for name, _ in answer.headers} == {
        b"date",
        b"server",
        b"content-type",
        b"content-length",
        b"connection",
    }


@pytest.mark.parametrize("unknown", [{"unknown": 1}, {"trailers": True}], ids=repr)
def test_keys_that_nobody_knows_are_ignored(unknown: dict[str, Any]) -> None:
    """Also those that another kind of response has."""
    answer = denied_with({**START, **unknown}, {**BODY, **unknown})
    assert (answer.body, answer.complete) == (b"no", True)


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"6")]], ids=["chunked", "with length"])
@pytest.mark.parametrize("parts", [[b"on", b"e ", b"no"], [b"", b"one no", b""]])
def test_a_body_in_several_messages(headers: list[tuple[bytes, bytes]], parts: list[bytes]) -> None:
    """websocket.http.response.body: more_body, as for a request."""
    pieces: list[Message] = [{**BODY, "body": part, "more_body": True} for part in parts]
    answer = denied_with({**START, "headers": headers}, *pieces, {**BODY, "body": b""})
    assert (answer.body, answer.complete, answer.chunked) == (b"one no", True, not headers)


def test_a_large_body_arrives_whole() -> None:
    """More than the socket takes at once."""
    answer = denied_with(START, {**BODY, "body": b"x" * 5_000_000})
    assert (len(answer.body), answer.complete) == (5_000_000, True)


def test_the_first_part_leaves_without_waiting_for_the_next() -> None:
    """What was sent is on its way when `send` returns; until the last part there is no disconnect."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        gone = asyncio.ensure_future(receive())
        await send(START)
        await send({**BODY, "body": b"first", "more_body": True})
        await notes.go.wait()
        notes.put(gone.done())
        await send({**BODY, "body": b"second"})
        notes.put(await gone)

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        wire.until(b"first\r\n")
        there.go()
        assert wire.rest() == b"6\r\nsecond\r\n0\r\n\r\n"
        assert there.note() is False
        assert there.note() == DISCONNECT


def test_a_complete_answer_is_followed_by_the_disconnect() -> None:
    """websocket.disconnect: there will be no WebSocket; whoever asks again gets it again."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send(START)
        await send(BODY)
        notes.put([await receive(), await receive()])

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert there.note() == [DISCONNECT, DISCONNECT]


def test_frames_behind_a_refused_handshake_are_not_read() -> None:
    """A client that did not wait for its answer gets that answer, and nothing that its frames could ask for."""
    assert denied_with(START, BODY, data=handshake() + text("early") + GET * 3).status == 401


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
def test_a_client_that_leaves_within_the_body(resets: bool) -> None:
    """`receive` gives the disconnect; `send` raises an OSError once nothing can be written any more."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send(START)
        await send({**BODY, "more_body": True})
        notes.put(await receive())
        while True:
            await send({**BODY, "more_body": True})
            await asyncio.sleep(0)

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        wire.until(b"no\r\n")
        if resets:
            wire.abort()
        else:
            wire.socket.close()
        assert there.note() == DISCONNECT
        assert isinstance(there.note(), ClientDisconnected)


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ({"type": START["type"]}, "status"),
        ({**START, "status": "401"}, "'401'"),
        ({**START, "status": 99}, "99"),
        ({**START, "status": 1000}, "1000"),
        ({**START, "status": 100}, "100"),
        ({**START, "status": 101}, "101"),
        ({**START, "headers": [("a", b"b")]}, "bytes"),
        ({**START, "headers": 5}, "headers"),
        ({**START, "headers": [(b"a", b"b\r\nc: d")]}, "value"),
        ({**START, "headers": [(b"a\n", b"b")]}, "name"),
        ({**START, "headers": [(b"content-length", b"two")]}, "content-length"),
    ],
    ids=repr,
)
def test_a_wrong_start_says_what_is_wrong_and_a_right_one_still_works(message: Message, says: str) -> None:
    """websocket.http.response.start: as http.response.start; the other two answers are open as well."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        with pytest.raises(MessageError) as caught:
            await send(message)
        notes.put(str(caught.value))
        await send(START)
        await send(BODY)

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert says in there.note()
        assert wire.answer().status == 401


@pytest.mark.parametrize("body", ["no", 5, [b"no"]], ids=repr)
def test_a_wrong_body_says_what_is_wrong_and_a_right_one_still_works(body: Any) -> None:
    """websocket.http.response.body: bytes."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START)
        await send({**BODY, "more_body": True})
        with pytest.raises(MessageError) as caught:
            await send({**BODY, "body": body})
        notes.put(str(caught.value))
        await send(BODY)

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert "bytes" in there.note()
        assert wire.answer().body == b"nono"


@pytest.mark.parametrize("length", [b"1", b"3"])
def test_a_body_that_is_not_its_length_is_an_error(length: bytes) -> None:
    """Never a response that the client reads wrongly."""
    start: Message = {**START, "headers": [(b"content-length", length)]}
    answer = denied_with(start, BODY)
    assert (answer.status, answer.complete) in ((500, True), (401, False))


def test_an_exception_after_start_alone_is_a_500() -> None:
    """Nothing has been sent yet."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START)
        raise ValueError("secret")

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        (answer,) = answers(wire.rest())
        assert (answer.status, b"secret" in answer.body) == (500, False)


@pytest.mark.parametrize("raises", [False, True], ids=["returns", "raises"])
def test_a_body_without_an_end_is_a_visible_truncation(raises: bool, caplog: pytest.LogCaptureFixture) -> None:
    """An application that fails or forgets in the middle: the client sees that the answer is not whole."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START)
        await send({**BODY, "more_body": True})
        if raises:
            raise ValueError("late")

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        (answer,) = answers(wire.rest())
    assert (answer.status, answer.body, answer.complete) == (401, b"no", False)
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


def test_returning_after_start_is_a_500() -> None:
    """An application that forgets the body."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START)

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert wire.answer().status == 500


def test_nothing_can_be_denied_after_accept() -> None:
    """The handshake has been answered; the WebSocket is not hurt."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send({"type": "websocket.accept"})
        with pytest.raises(MessageError):
            await send(START)
        await send({"type": "websocket.send", "text": "still there"})

    with stage(app) as there, dial(there.port) as client:
        assert client.recv(5) == "still there"
