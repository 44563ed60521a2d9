"""Calls of the application: its task, and what `receive()` and `send()` return, seen by real applications."""

import asyncio
import collections.abc
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from tests.live import LOOPS, Notes, Wire, answer_of, answers, finished, http_only, live, noted, reply
from tests.stage import stage
from tests.websocket import Client, closing, handshake, opened, text

from portico.asgi import Message, Receive, Scope, Send

ACCEPT: Message = {"type": "websocket.accept"}
SEND: Message = {"type": "websocket.send"}
START: Message = {"type": "http.response.start", "status": 200}
BODY: Message = {"type": "http.response.body"}
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
ON = pytest.mark.parametrize("on", LOOPS)
# An application that was started inside the callback that brought its request (Python 3.12).
EAGER = pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin in the loop's next round")


# --- what `send()` returns --------------------------------------------------------------------------


async def awaited(sending: Any) -> object:
    return await sending


async def in_create_task(sending: Any) -> object:
    return await asyncio.create_task(sending)


async def in_wait_for(sending: Any) -> object:
    return await asyncio.wait_for(sending, 5)


async def in_shield(sending: Any) -> object:
    return await asyncio.shield(sending)


async def in_gather(sending: Any) -> object:
    return (await asyncio.gather(sending, asyncio.sleep(0)))[0]


async def in_wait(sending: Any) -> object:
    done, _ = await asyncio.wait([asyncio.ensure_future(sending)])
    return done.pop().result()


async def in_task_group(sending: Any) -> object:
    async with asyncio.TaskGroup() as group:
        task: asyncio.Task[object] = group.create_task(sending)
    return task.result()


async def in_fail_after(sending: Any) -> object:
    with anyio.fail_after(5):
        return await sending


async def by_hand(sending: Any) -> object:
    with pytest.raises(StopIteration) as ended:
        sending.send(None)
    return ended.value.value


async def by_its_iterator(sending: Any) -> object:
    return list(sending.__await__()) or None


WAYS = [awaited, in_create_task, in_wait_for, in_shield, in_gather, in_wait, in_task_group, in_fail_after, by_hand]


@pytest.mark.parametrize("way", [*WAYS, by_its_iterator])
@ON
def test_a_send_that_has_nothing_to_wait_for_is_done_with_none(
    way: Callable[[Any], Awaitable[object]], on: str
) -> None:
    """It behaves as a coroutine that returns at once, however it is awaited."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found = [await way(send(START)), await way(send({**BODY, "body": b"a", "more_body": True}))]
        await send({**BODY, "body": repr(found).encode()})

    assert answer_of(app, on=on).body == b"a[None, None]"


def test_a_send_has_happened_before_it_is_awaited() -> None:
    """Who forgets to await has sent all the same, and is not warned."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        send(START)
        send({**BODY, "body": b"sent"})

    assert answer_of(app).body == b"sent"


def test_a_wrong_message_raises_before_it_is_awaited() -> None:
    """In the line that has the mistake, not in the task that was made of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            send(BODY)
        except RuntimeError:
            await reply(send, b"raised")

    assert answer_of(app).body == b"raised"


def test_a_task_of_a_send_may_be_cancelled() -> None:
    """Before it began: the message was sent, the task is cancelled."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        task: asyncio.Task[None] = asyncio.create_task(send(START))  # type: ignore[arg-type]
        task.cancel()
        await asyncio.wait([task])
        await send({**BODY, "body": repr(task.cancelled()).encode()})

    assert answer_of(app).body == b"True"


def test_a_send_is_a_coroutine_to_whoever_asks() -> None:
    """`asyncio.iscoroutine`, `inspect.isawaitable`, `collections.abc.Coroutine`; closing it does nothing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sending: Any = send(START)
        sending.close()
        found = (
            isinstance(sending, collections.abc.Coroutine),
            asyncio.iscoroutine(sending),
            inspect.isawaitable(sending),
        )
        await send({**BODY, "body": repr(found).encode()})

    assert answer_of(app).body == b"(True, True, True)"


# --- what `receive()` returns -----------------------------------------------------------------------


def test_a_receive_is_a_coroutine_to_whoever_asks() -> None:
    """As that of every other server is."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        receiving: Any = receive()
        found = (
            isinstance(receiving, collections.abc.Coroutine),
            asyncio.iscoroutine(receiving),
            inspect.isawaitable(receiving),
        )
        await receiving
        await reply(send, repr(found).encode())

    assert answer_of(app).body == b"(True, True, True)"


def test_a_receive_that_is_closed_has_taken_nothing() -> None:
    """Neither before it began nor while it waits."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        unborn: Any = receive()
        unborn.close()
        assert (await receive())["body"] == b""
        waiting: Any = receive()
        waiting.send(None)
        waiting.close()
        await reply(send, b"closed")

    assert answer_of(app).body == b"closed"


@ON
@pytest.mark.parametrize("tasked", [False, True])
def test_a_cancellation_reaches_the_application_with_its_message(on: str, tasked: bool) -> None:
    """`Task.cancel(msg)`: raised where the application waits, in its own task or in one that it made."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        task: Any = asyncio.ensure_future(receive()) if tasked else asyncio.current_task()
        asyncio.get_running_loop().call_later(0.01, task.cancel, "enough")
        try:
            await (task if tasked else receive())
        except asyncio.CancelledError as error:
            # What comes from a task of its own is a new error, whose message Python 3.11 and later keep.
            notes.put(error.args)
        if not tasked:
            task.uncancel()
        await reply(send)

    wrapped, notes = noted(app)
    with live(wrapped, on=on) as server:
        assert answers(finished(server.port, BYE))[0].status == 200
    assert notes.get(timeout=5) == ("enough",)


@ON
def test_a_task_that_waits_can_be_looked_at(on: str) -> None:
    """`repr`, `get_stack` and `all_tasks`: as debuggers and error reports do."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        own = asyncio.current_task()
        waiting: Any = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        assert {own, waiting} <= asyncio.all_tasks()
        notes.put((repr(waiting), waiting.get_stack()))
        waiting.cancel()
        await reply(send)

    wrapped, notes = noted(app)
    with live(wrapped, on=on) as server:
        finished(server.port, BYE)
        assert "pending" in notes.get(timeout=5)[0]


@ON
def test_a_loop_in_debug_mode(on: str) -> None:
    """PYTHONASYNCIODEBUG: what the loop checks then is right."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        asyncio.get_running_loop().set_debug(True)
        await send(ACCEPT)
        while (event := await asyncio.ensure_future(receive()))["type"] != "websocket.disconnect":
            if event["type"] == "websocket.receive":
                await send({**SEND, "text": (await receive())["text"]})

    with stage(app, on=on) as there, opened(there.port) as client:
        for word in ("one", "two"):
            client.send(text("?"))
            client.send(text(word))
            assert client.message() == word
        client.send(closing())
        assert client.closed_with() == (1000, "")


# --- the current task -------------------------------------------------------------------------------


class Own:
    """Checks after each step that the application still runs in its own task, and in no other's."""

    def __init__(self) -> None:
        self.task = asyncio.current_task()
        assert self.task is not None

    async def on(self, step: Awaitable[Any]) -> Any:
        """Await the step."""
        result = await step
        assert asyncio.current_task() is self.task
        return result


@ON
def test_a_websocket_goes_on_in_its_own_task(on: str) -> None:
    """Resumed at once by the bytes that it waited for: `current_task` is right, and so are timeouts."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        own = Own()
        await own.on(receive())
        await own.on(send(ACCEPT))
        while (event := await own.on(receive()))["type"] == "websocket.receive":
            async with asyncio.timeout(5):
                await own.on(send({**SEND, "text": event["text"]}))
            with anyio.fail_after(5):
                await own.on(asyncio.sleep(0))

    with stage(app, on=on) as there, opened(there.port, "/a") as a, opened(there.port, "/b") as b:
        for client in (a, b, a, b):
            client.send(text("one") + text("two"))
            assert (client.message(), client.message()) == ("one", "two")
        a.send(closing())
        assert a.closed_with() == (1000, "")
    assert there.notes.empty()


@ON
def test_what_comes_with_the_handshake_is_received_in_the_same_task(on: str) -> None:
    """The message is there within `send` of the accept: a waiting task must not run inside the one that accepts."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        own = Own()
        await own.on(receive())

        async def read() -> None:
            mine = Own()
            notes.put((await mine.on(receive()))["text"])

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        sending = send(ACCEPT)
        assert asyncio.current_task() is own.task
        notes.put("accepted")
        await own.on(sending)
        await own.on(reading)

    with stage(app, on=on) as there, Client(there.port) as client:
        client.send(handshake() + text("early"))
        assert [there.note(), there.note()] == ["accepted", "early"]


@ON
def test_pipelined_requests_run_in_tasks_of_their_own(on: str) -> None:
    """The next request begins when the response before it is complete, inside its last `send`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        own = Own()
        body = b""
        while True:
            message = await own.on(receive())
            body += message["body"]
            if not message["more_body"]:
                break
        await own.on(send(START))
        await own.on(send({**BODY, "body": body}))
        await own.on(asyncio.sleep(0))

    data = (GET + POST % 5 + b"hello") * 50 + BYE
    with live(http_only(app), on=on) as server:
        found = answers(finished(server.port, data))
    assert [(answer.status, answer.body) for answer in found] == [(200, b""), (200, b"hello")] * 50 + [(200, b"")]


@ON
def test_no_task_is_current_between_the_calls(on: str) -> None:
    """What the application schedules runs in the loop, not in a task that was left open."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await receive()
        loop = asyncio.get_running_loop()
        while (await receive())["type"] == "websocket.receive":
            loop.call_soon(lambda: notes.put(asyncio.current_task()))

    with stage(app, on=on) as there, opened(there.port) as client:
        client.send(text("one"))
        assert there.note() is None
        client.send(text("two"))
        assert there.note() is None


@EAGER
@ON
def test_an_application_that_fails_where_it_goes_on_leaves_the_server_whole(on: str) -> None:
    """An exception inside the callback that brought the bytes is the application's, and nobody else's."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        await receive()
        if (await receive())["text"] == "fail":
            raise ValueError("as it should")
        await send({**SEND, "text": "still there"})

    with stage(app, on=on) as there, opened(there.port) as failing, opened(there.port) as other:
        failing.send(text("fail"))
        assert failing.read_close() == (1011, "")
        other.send(text("go on"))
        assert other.message() == "still there"


# --- bodies of requests -----------------------------------------------------------------------------


async def plain(receive: Receive) -> Message:
    return await receive()


async def in_a_task(receive: Receive) -> Message:
    return await asyncio.create_task(receive())  # type: ignore[arg-type]


async def in_time(receive: Receive) -> Message:
    return await asyncio.wait_for(receive(), 5)


async def in_a_group(receive: Receive) -> Message:
    found: list[Message] = []
    async with anyio.create_task_group() as group:

        async def read() -> None:
            found.append(await receive())

        group.start_soon(read)
    return found[0]


async def again_and_again(receive: Receive) -> Message:
    while True:
        try:
            async with asyncio.timeout(0.001):
                return await receive()
        except TimeoutError:
            pass


@pytest.mark.parametrize("way", [plain, in_a_task, in_time, in_a_group, again_and_again])
@ON
def test_an_upload_to_an_application_that_waits_for_it(way: Callable[[Receive], Awaitable[Message]], on: str) -> None:
    """Piece by piece: each is received as it comes, nothing is lost, and the last one says so."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        body, more = b"", True
        while more:
            message = await way(receive)
            body += message["body"]
            more = message["more_body"]
            notes.put(len(body))
        await reply(send, body)

    wrapped, notes = noted(app)
    body = bytes(range(200))
    with live(wrapped, on=on) as server, Wire(server.port) as wire:
        wire.send(POST % len(body))
        got = 0
        for part in (body[:1], body[1:50], body[50:]):
            wire.send(part)
            expected = got + len(part)
            while got < expected:
                got = notes.get(timeout=5)
        assert wire.answer().body == body


@ON
def test_a_large_upload_to_an_application_that_looks_elsewhere(on: str) -> None:
    """It receives now and then: reading pauses and goes on, and the body is whole."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message["body"])
            more = message["more_body"]
            await asyncio.sleep(0)
        await reply(send, b"%d" % size)

    with live(http_only(app), on=on) as server, Wire(server.port) as wire:
        wire.send(POST % 5_000_000)
        for _ in range(50):
            wire.send(bytes(100_000))
        assert wire.answer().body == b"5000000"


# --- what an application may be ---------------------------------------------------------------------


class Later:
    """Awaitable, and no coroutine."""

    def __init__(self, awaitable: Awaitable[None]) -> None:
        self.awaitable = awaitable

    def __await__(self) -> Any:
        return self.awaitable.__await__()


def test_an_application_may_return_any_awaitable() -> None:
    """ASGI: an asynchronous callable, whatever it is made of."""

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return Later(reply(send, b"awaited"))

    with live(app, interface="asgi3", lifespan="off") as server:
        assert answers(finished(server.port, BYE))[0].body == b"awaited"


def test_an_application_that_returns_nothing_to_await(caplog: pytest.LogCaptureFixture) -> None:
    """A 500, and the log asks whether it is `async def`."""

    def app(scope: Scope, receive: Receive, send: Send) -> Any:
        return None

    with live(app, interface="asgi3", lifespan="off") as server:
        assert answers(finished(server.port, BYE))[0].status == 500
    assert "async def" in caplog.text
