"""ASGI 3.0, the HTTP format 2.5: the scope and the two channels, every way of waiting for them included."""

import asyncio
import collections.abc
import inspect
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from tests.live import LOOPS, Notes, Wire, answer_of, answers, finished, http_only, live, noted, read_body, reply

from portico.asgi import ASGIApp, ClientDisconnected, Message, Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
START = {"type": "http.response.start", "status": 200}
BODY = {"type": "http.response.body", "body": b"ok"}


def scope_of(data: bytes, **settings: Any) -> dict[str, Any]:
    """Return the scope that a request makes."""
    scopes: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(dict(scope))
        await reply(send)

    with live(http_only(app), **settings) as server:
        finished(server.port, data)
    return scopes[0]


# --- the scope ------------------------------------------------------------------------------------


def test_every_key_has_its_type() -> None:
    """HTTP connection scope: the keys, their types, and nothing the specification does not name."""
    scope = scope_of(b"GET /p%20q/%C3%A9?a=%20b HTTP/1.1\r\nHost: Example\r\nX-Y: Z\r\nConnection: close\r\n\r\n")
    client, server = scope.pop("client"), scope.pop("server")
    assert [type(part) for part in (*client, *server)] == [str, int, str, int]
    assert (client[0], server[0]) == ("127.0.0.1", "127.0.0.1")
    assert isinstance(scope.pop("extensions"), dict)
    headers = [tuple(pair) for pair in scope.pop("headers")]
    assert headers == [(b"host", b"Example"), (b"x-y", b"Z"), (b"connection", b"close")]
    assert {type(part) for pair in headers for part in pair} == {bytes}
    scope.pop("state", None)
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/p q/é",
        "raw_path": b"/p%20q/%C3%A9",
        "query_string": b"a=%20b",
        "root_path": "",
    }
    assert {key: type(value) for key, value in scope.items() if key in ("raw_path", "query_string")} == {
        "raw_path": bytes,
        "query_string": bytes,
    }


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/a%2Fb", "/a/b"),
        (b"/a+b", "/a+b"),
        (b"/%e2%82%ac", "/€"),
        (b"/%zz%", "/%zz%"),
        (b"/a/../b/./c", "/a/../b/./c"),
        (b"/%2e%2e/", "/../"),
        (b"/%25%32%30", "/%20"),
        (b"/%00", "/\x00"),
        (b"/a;b=c", "/a;b=c"),
    ],
)
def test_the_path_is_decoded_once(target: bytes, path: str) -> None:
    """path: percent-encoding and UTF-8 decoded; raw_path: the bytes as received, without the query."""
    scope = scope_of(b"GET %b?%%41 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, target, b"%41")


def test_a_path_that_is_not_utf_8_is_still_text() -> None:
    """path is a Unicode string whatever the client wrote; raw_path keeps the bytes."""
    scope = scope_of(b"GET /%ff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert isinstance(scope["path"], str)
    assert scope["raw_path"] == b"/%ff"
    scope["path"].encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"/mount/a", "/mount/a"), (b"/mount", "/mount"), (b"/a", "/mount/a"), (b"/mountain", "/mount/mountain")],
)
def test_path_includes_root_path(target: bytes, path: str) -> None:
    """root_path: the mount point; path includes it, whether the proxy in front has stripped it or not."""
    data = b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target
    scope = scope_of(data, root_path="/mount")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/mount", path, target)


def test_a_1_0_request_says_1_0() -> None:
    """http_version: "1.0" or "1.1" on these connections."""
    assert scope_of(b"GET / HTTP/1.0\r\n\r\n")["http_version"] == "1.0"


def test_scopes_share_nothing_an_application_may_change() -> None:
    """Two requests on one connection: what one application call writes into its scope, the next does not see."""
    found: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(
            {key: list(scope[key]) for key in ("extensions", "asgi")} | {"state": dict(scope.get("state", {}))}
        )
        scope["extensions"]["mine"] = {}
        scope["asgi"]["mine"] = ""
        scope.setdefault("state", {})["mine"] = 1
        await reply(send)

    with live(http_only(app)) as server:
        finished(server.port, GET + BYE)
    assert found[0] == found[1]


# --- receive --------------------------------------------------------------------------------------


def test_a_request_without_a_body_is_one_message() -> None:
    """http.request: body b"", more_body False."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, repr(await receive()).encode())

    message = eval(answer_of(app).body)
    assert message == {"type": "http.request", "body": b"", "more_body": False}


def test_a_body_comes_in_messages() -> None:
    """http.request: more_body is true on all messages but the last; bodies arrive de-chunked."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        messages = [await receive()]
        while messages[-1]["more_body"]:
            messages.append(await receive())
        assert {message["type"] for message in messages} == {"http.request"}
        await reply(send, b"".join(message["body"] for message in messages))

    chunks = b"".join(b"%x\r\n%b\r\n" % (n, b"x" * n) for n in range(1, 300))
    data = BYE.replace(b"GET", b"POST")[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    assert answer_of(app, data).body == b"x" * sum(range(300))


def test_receive_after_the_body_waits_for_the_disconnect() -> None:
    """http.disconnect: sent when the client goes; until then `receive` waits."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        task = asyncio.ensure_future(receive())
        done, _ = await asyncio.wait([task], timeout=0.05)
        notes.put(len(done))
        notes.put(await task)

    wrapped, notes = noted(app)
    with live(wrapped) as server, Wire(server.port) as wire:
        wire.send(GET)
        assert notes.get(timeout=5) == 0
        wire.socket.close()
        assert notes.get(timeout=5) == {"type": "http.disconnect"}


@pytest.mark.parametrize("body", [b"", b"he"])
def test_a_client_that_leaves_in_its_body_is_a_disconnect(body: bytes) -> None:
    """http.disconnect also where the body was never finished: a part is never passed off as the whole."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        while True:
            message = await receive()
            notes.put(message)
            if message["type"] == "http.disconnect":
                return

    wrapped, notes = noted(app)
    with live(wrapped) as server, Wire(server.port) as wire:
        wire.send(POST + body)
        wire.abort() if body else wire.socket.close()
        messages = [notes.get(timeout=5)]
        while messages[-1]["type"] != "http.disconnect":
            assert messages[-1]["more_body"]
            messages.append(notes.get(timeout=5))


@pytest.mark.parametrize("started", [False, True])
def test_an_application_that_ends_at_the_disconnect_has_done_nothing_wrong(
    started: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """http.disconnect: the application may stop there, in the middle of a response or before it; nothing is logged."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        if started:
            await send(START)
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await receive()
        notes.put(await receive())

    wrapped, notes = noted(app)
    with live(wrapped) as server, Wire(server.port) as wire:
        wire.send(GET)
        wire.socket.shutdown(socket.SHUT_WR)
        assert notes.get(timeout=5) == {"type": "http.disconnect"}
        rest = b""
        while data := wire.socket.recv(4096):
            rest += data
        assert (b"\r\n1\r\nx\r\n" in rest) is started
        assert not rest.endswith(b"0\r\n\r\n")
        assert b"500" not in rest
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_receive_after_the_response_is_a_disconnect() -> None:
    """http.disconnect: also when the response is complete; the connection itself lives on."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await reply(send)
        notes.put(await receive())
        notes.put(await receive())

    wrapped, notes = noted(app)
    with live(wrapped) as server:
        assert len(answers(finished(server.port, GET + BYE))) == 2
        assert [notes.get(timeout=5) for _ in range(4)] == [{"type": "http.disconnect"}] * 4


@pytest.mark.parametrize("vanishes", [False, True], ids=["closes", "resets"])
def test_a_disconnect_is_seen_while_streaming(vanishes: bool) -> None:
    """`receive` may wait while `send` streams; after the disconnect `send` raises an OSError (2.4).

    A FIN may be a half-close: there the error comes once the client has refused what was sent.
    """

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        await send(START)
        await send(BODY | {"more_body": True})
        notes.put(await gone)
        try:
            while True:
                await send(BODY | {"more_body": True})
                assert not vanishes
                await asyncio.sleep(0)
        except OSError as error:
            notes.put(error)
            raise

    wrapped, notes = noted(app)
    with live(wrapped) as server, Wire(server.port) as wire:
        wire.send(GET)
        wire.until(b"ok\r\n")
        if vanishes:
            wire.abort()
        else:
            wire.socket.close()
        assert notes.get(timeout=5) == {"type": "http.disconnect"}
        assert isinstance(notes.get(timeout=5), ClientDisconnected)


@pytest.mark.parametrize("on", LOOPS)
def test_a_client_that_reads_nothing_makes_send_wait_and_then_fail(on: str) -> None:
    """Backpressure: `send` waits above the high-water mark, and a disconnect wakes it with an OSError."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START)
        part = BODY | {"body": b"x" * 100_000, "more_body": True}
        for _ in range(1000):
            writing = asyncio.ensure_future(send(part))
            done, _ = await asyncio.wait([writing], timeout=0.5)
            if not done:
                notes.put("waits")
                await writing
                break

    wrapped, notes = noted(app)
    with live(wrapped, on=on) as server, Wire(server.port, receive_buffer=4096) as wire:
        wire.send(GET)
        assert notes.get(timeout=10) == "waits"
        wire.abort()
        assert isinstance(notes.get(timeout=5), OSError)


def test_a_client_is_held_back_while_the_application_does_not_read() -> None:
    """Backpressure: what the application does not take stays with the client."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        notes.put("called")
        await asyncio.get_running_loop().run_in_executor(None, notes.join)

    wrapped, notes = noted(app)
    with live(wrapped) as server, Wire(server.port, timeout=1) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        assert notes.get(timeout=5) == "called"
        try:
            with pytest.raises(TimeoutError):
                wire.socket.sendall(b"x" * 64_000_000)
        finally:
            wire.abort()
            notes.task_done()


# --- awaitables -----------------------------------------------------------------------------------


async def by_create_task(receive: Receive, send: Send) -> bytes:
    """Wrap both channels in tasks."""
    message: Message = await asyncio.create_task(receive())  # type: ignore[arg-type]
    await asyncio.create_task(send(START))  # type: ignore[arg-type]
    await asyncio.create_task(send(BODY | {"body": message["body"]}))  # type: ignore[arg-type]
    return b""


async def by_wait_for(receive: Receive, send: Send) -> bytes:
    """Bound both channels in time."""
    message = await asyncio.wait_for(receive(), 5)
    await asyncio.wait_for(send(START), 5)
    await asyncio.wait_for(send(BODY | {"body": message["body"]}), 5)
    return b""


async def by_gather(receive: Receive, send: Send) -> bytes:
    """Gather a receive and a send."""
    message, _ = await asyncio.gather(receive(), send(START))
    await asyncio.gather(send(BODY | {"body": message["body"]}))
    return b""


async def by_task_group(receive: Receive, send: Send) -> bytes:
    """Receive in one task of a group and send in another."""
    async with asyncio.TaskGroup() as group:
        reading: asyncio.Task[Message] = group.create_task(receive())  # type: ignore[arg-type]
        group.create_task(send(START))  # type: ignore[arg-type]
    await send(BODY | {"body": reading.result()["body"]})
    return b""


async def by_anyio(receive: Receive, send: Send) -> bytes:
    """As Starlette's streaming responses do."""
    import anyio

    async with anyio.create_task_group() as group:

        async def stream() -> None:
            message = await receive()
            await send(START)
            await send(BODY | {"body": message["body"]})
            group.cancel_scope.cancel()

        group.start_soon(stream)
        await anyio.sleep_forever()
    return b""


async def by_ensure_future(receive: Receive, send: Send) -> bytes:
    """Wait for the first of several."""
    first = asyncio.ensure_future(receive())
    await asyncio.wait([first], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.ensure_future(send(START))
    await asyncio.ensure_future(send(BODY | {"body": first.result()["body"]}))
    return b""


async def by_never_awaiting_twice(receive: Receive, send: Send) -> bytes:
    """The awaitables are coroutines to whoever asks."""
    awaitable = receive()
    assert isinstance(awaitable, collections.abc.Coroutine)
    assert asyncio.iscoroutine(awaitable)
    assert inspect.isawaitable(awaitable)
    message = await awaitable
    await send(START)
    await send(BODY | {"body": message["body"]})
    return b""


WAYS = [by_create_task, by_wait_for, by_gather, by_task_group, by_anyio, by_ensure_future, by_never_awaiting_twice]


@pytest.mark.parametrize("late", [False, True], ids=["body there", "body later"])
@pytest.mark.parametrize("on", LOOPS)
@pytest.mark.parametrize("way", WAYS)
def test_the_channels_work_with(way: Callable[[Receive, Send], Awaitable[bytes]], on: str, late: bool) -> None:
    """`receive` and `send` are awaitable callables: every way to wait works, with something to wait for or nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await way(receive, send)

    head = POST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
    with live(http_only(app), on=on) as server, Wire(server.port) as wire:
        if late:
            wire.send(head)
            assert wire.answer().status == 100  # the application is waiting now
            wire.send(b"hello")
        else:
            wire.send(head.replace(b"Expect: 100-continue\r\n", b"") + b"hello")
        answer = wire.answer()
    assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize("on", LOOPS)
def test_a_cancelled_receive_loses_nothing(on: str) -> None:
    """`asyncio.wait_for(receive(), ...)` that times out leaves the message for the next call."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        try:
            await asyncio.wait_for(receive(), 0.01)
        except TimeoutError:
            notes.put("nothing yet")
        await reply(send, await read_body(receive) or b"lost")

    wrapped, notes = noted(app)
    with live(wrapped, on=on) as server, Wire(server.port) as wire:
        wire.send(POST)
        assert notes.get(timeout=5) == "nothing yet"
        wire.send(b"hello")
        assert wire.answer().body == b"hello"


def test_timeouts_and_current_task_work_in_the_application() -> None:
    """The application runs in a real task."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert asyncio.current_task() is not None
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            await reply(send, b"timed out")

    assert answer_of(app).body == b"timed out"


# --- send: what is right ----------------------------------------------------------------------------


def test_defaults_of_the_messages() -> None:
    """headers, body and more_body are optional."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    answer = answer_of(app)
    assert (answer.status, answer.body, answer.field(b"content-length")) == (200, b"", b"0")


def test_a_status_may_be_an_enumeration() -> None:
    """status: http.HTTPStatus is an int, and Starlette hands on what its user gave it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, status=HTTPStatus.CREATED)

    assert answer_of(app).status == 201


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_headers_are_any_iterable(kind: Callable[[Any], Any]) -> None:
    """headers: an iterable of [name, value] two-item iterables, order kept, duplicates kept."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": kind([[b"a", b"1"], (b"b", b"2"), [b"a", b"3"]])})
        await send(BODY)

    assert [pair for pair in answer_of(app).headers if len(pair[0]) == 1] == [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_the_first_part_leaves_without_waiting_for_the_next() -> None:
    """http.response.body: what was sent is on its way when `send` returns."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(START)
        await send(BODY | {"body": b"first", "more_body": True})
        await asyncio.get_running_loop().run_in_executor(None, notes.join)
        await send(BODY | {"body": b"second"})

    wrapped, notes = noted(app)
    with live(wrapped) as server, Wire(server.port) as wire:
        notes.put("unread")
        wire.send(BYE)
        try:
            wire.until(b"first\r\n")
        finally:
            notes.task_done()
        assert wire.rest() == b"6\r\nsecond\r\n0\r\n\r\n"


@pytest.mark.parametrize("parts", [[b""], [b"", b"a"], [b"a", b""], [b"a", b"", b"b", b""], [b"x" * 300_000, b"y"]])
def test_parts_of_any_size(parts: list[bytes]) -> None:
    """An empty part is no end: only more_body ends a body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    answer = answer_of(app)
    assert (answer.body, answer.complete) == (b"".join(parts), True)


def test_transfer_encoding_from_the_application_is_ignored() -> None:
    """http.response.start: Transfer-Encoding from the application is ignored; the server frames."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, headers=[(b"transfer-encoding", b"chunked")])

    assert answer_of(app).body == b"ok"


def test_connection_close_from_the_application_is_honoured() -> None:
    """The application may ask for the end of the connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, headers=[(b"connection", b"close")])

    assert answer_of(app, GET + BYE).closes


def test_messages_after_the_response_are_ignored() -> None:
    """http.response.body: once the response is complete, further messages on the channel are ignored."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send)
        await send(BODY | {"body": b"smuggled"})

    with live(http_only(app)) as server:
        assert [answer.body for answer in answers(finished(server.port, GET + BYE))] == [b"ok", b"ok"]


def test_an_asgi_2_application() -> None:
    """A double callable: app(scope)(receive, send)."""

    class App:
        def __init__(self, scope: Scope) -> None:
            assert scope["type"] == "http"
            self.path = scope["path"]

        async def __call__(self, receive: Receive, send: Send) -> None:
            await reply(send, self.path.encode())

    def function(scope: Scope) -> Callable[[Receive, Send], Awaitable[None]]:
        return App(scope).__call__

    for app in (App, function):
        with live(app) as server:
            assert answers(finished(server.port, BYE))[0].body == b"/bye"


def test_a_factory() -> None:
    """--factory: what is called once, without arguments, returns the application."""

    def create() -> ASGIApp:
        return http_only(lambda scope, receive, send: reply(send, b"made"))

    with live(create, factory=True) as server:
        assert answers(finished(server.port, BYE))[0].body == b"made"
