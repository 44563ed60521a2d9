"""`receive` and `send` of a WebSocket in tasks, timeouts, groups and cancel scopes: no message is lost or doubled."""

import asyncio
import contextvars
import gc
import sys
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from tests.live import LOOPS, live
from tests.stage import Notes, dial, stage
from tests.websocket import Client, binary, closing, handshake, opened, text

from portico.asgi import ASGIApp, Message, Receive, Scope, Send

ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
ON = pytest.mark.parametrize("on", LOOPS)
MANY = [str(number) for number in range(300)]


def saying(message: str) -> Message:
    return {"type": "websocket.send", "text": message}


async def entered(receive: Receive, send: Send) -> None:
    """Take the connect, and accept."""
    assert await receive() == {"type": "websocket.connect"}
    await send(ACCEPT)


# --- ways to wait -------------------------------------------------------------------------------------


async def by_create_task(receive: Receive, send: Send) -> None:
    """Wrap both channels in tasks."""
    message: Message = await asyncio.create_task(receive())  # type: ignore[arg-type]
    await asyncio.create_task(send(saying(message["text"])))  # type: ignore[arg-type]


async def by_wait_for(receive: Receive, send: Send) -> None:
    """Bound both channels in time."""
    message = await asyncio.wait_for(receive(), 5)
    await asyncio.wait_for(send(saying(message["text"])), 5)


async def by_timeout(receive: Receive, send: Send) -> None:
    """The same in blocks."""
    async with asyncio.timeout(5):
        message = await receive()
    async with asyncio.timeout(5):
        await send(saying(message["text"]))


async def by_shield(receive: Receive, send: Send) -> None:
    """Keep both from being cancelled."""
    message = await asyncio.shield(receive())
    await asyncio.shield(send(saying(message["text"])))


async def by_gather(receive: Receive, send: Send) -> None:
    """Gather a receive and sends."""
    message, _ = await asyncio.gather(receive(), asyncio.sleep(0))
    await asyncio.gather(send(saying(message["text"])), asyncio.sleep(0))


async def by_task_group(receive: Receive, send: Send) -> None:
    """Receive in a task of a group and send in another."""
    async with asyncio.TaskGroup() as group:
        reading: asyncio.Task[Message] = group.create_task(receive())  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(send(saying(reading.result()["text"])))  # type: ignore[arg-type]


async def by_anyio(receive: Receive, send: Send) -> None:
    """As Starlette's middleware does."""
    to, of = anyio.create_memory_object_stream[Message](1)
    async with to, of, anyio.create_task_group() as group:

        async def read() -> None:
            await to.send(await receive())

        async def write() -> None:
            await send(saying((await of.receive())["text"]))
            group.cancel_scope.cancel()

        group.start_soon(write)
        group.start_soon(read)
        group.start_soon(anyio.sleep_forever)


async def by_fail_after(receive: Receive, send: Send) -> None:
    """anyio's own timeouts."""
    with anyio.fail_after(5):
        message = await receive()
    with anyio.fail_after(5):
        await send(saying(message["text"]))


async def by_first_completed(receive: Receive, send: Send) -> None:
    """Wait for the first of several; cancel the others."""
    other = asyncio.ensure_future(asyncio.sleep(60))
    first = asyncio.ensure_future(receive())
    done, pending = await asyncio.wait([first, other], return_when=asyncio.FIRST_COMPLETED)
    assert (done, pending) == ({first}, {other})
    other.cancel()
    await asyncio.ensure_future(send(saying(first.result()["text"])))


async def later(receive: Receive, send: Send) -> None:
    """Call both channels, and await them after a while."""
    receiving = receive()
    await asyncio.sleep(0)
    message = await receiving
    await send(saying(message["text"]))


WAYS = [
    by_create_task,
    by_wait_for,
    by_timeout,
    by_shield,
    by_gather,
    by_task_group,
    by_anyio,
    by_fail_after,
    by_first_completed,
    later,
]


@pytest.mark.parametrize("early", [True, False], ids=["message there", "message later"])
@ON
@pytest.mark.parametrize("way", WAYS)
def test_the_channels_work_with(way: Callable[[Receive, Send], Awaitable[None]], on: str, early: bool) -> None:
    """Every way to wait works, with something to wait for or nothing."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        if not early:
            asyncio.get_running_loop().call_later(0.01, notes.put, "waits")
        await way(receive, send)
        await way(receive, send)

    with stage(app, on=on) as there, Client(there.port) as client:
        if early:
            client.send(handshake() + text("one") + text("two"))
            client.switched()
        else:
            client.send(handshake())
            client.switched()
            assert there.note() == "waits"
            client.send(text("one"))
            client.send(text("two"))
        assert (client.message(), client.message()) == ("one", "two")
        assert client.read_close() == (1000, "")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
@pytest.mark.parametrize("early", [True, False], ids=["message there", "message later"])
def test_the_channels_work_with_eager_tasks(early: bool) -> None:
    """A loop whose tasks begin at once; that of uvloop has none."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        await entered(receive, send)
        await send(saying("ready"))
        await by_create_task(receive, send)
        await by_task_group(receive, send)

    with stage(app, on="asyncio") as there, Client(there.port) as client:
        client.send(handshake() + early * (text("one") + text("two")))
        client.switched()
        assert client.message() == "ready"
        client.send((not early) * (text("one") + text("two")))
        assert (client.message(), client.message()) == ("one", "two")


# --- cancelling -----------------------------------------------------------------------------------------


async def within_wait_for(receive: Receive) -> Message | None:
    try:
        return await asyncio.wait_for(receive(), 0.001)
    except TimeoutError:
        return None


async def within_no_time(receive: Receive) -> Message | None:
    try:
        async with asyncio.timeout(0):
            return await receive()
    except TimeoutError:
        await asyncio.sleep(0)
        return None


async def within_timeout(receive: Receive) -> Message | None:
    try:
        async with asyncio.timeout(0.001):
            return await receive()
    except TimeoutError:
        return None


async def within_a_scope(receive: Receive) -> Message | None:
    with anyio.move_on_after(0.001):
        return await receive()
    return None


async def within_a_task(receive: Receive) -> Message | None:
    task: asyncio.Task[Message] = asyncio.ensure_future(receive())  # type: ignore[assignment]
    await asyncio.sleep(0)
    task.cancel()
    try:
        return await task
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        return None


async def within_a_group(receive: Receive) -> Message | None:
    found: list[Message] = []
    async with anyio.create_task_group() as group:

        async def read() -> None:
            found.append(await receive())

        group.start_soon(read)
        await asyncio.sleep(0)
        group.cancel_scope.cancel()
    return found[0] if found else None


TRIES = [within_wait_for, within_no_time, within_timeout, within_a_scope, within_a_task, within_a_group]


@ON
@pytest.mark.parametrize("attempt", TRIES)
def test_a_receive_that_is_cancelled_and_tried_again_loses_nothing(
    attempt: Callable[[Receive], Awaitable[Message | None]], on: str
) -> None:
    """A cancelled `receive` has taken nothing: every message comes once, in order."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        found: list[str] = []
        cancelled = 0
        while not found or found[-1] != MANY[-1]:
            message = await attempt(receive)
            if message is None:
                cancelled += 1
                if cancelled == 3:
                    notes.put("go")
            else:
                found.append(message["text"])
                await send(saying(message["text"]))
        notes.put(found)

    with stage(app, on=on) as there, opened(there.port) as client:
        assert there.note() == "go"
        for number, word in enumerate(MANY):
            client.send(text(word))
            if number % 30 == 0:  # the application is ahead again
                while client.message() != word:
                    pass
        assert there.note() == MANY


@ON
def test_a_receive_that_is_cancelled_when_its_message_is_there_loses_nothing(on: str) -> None:
    """The message has come, the task has not gone on yet: what cancels it leaves the message for the next."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert (await receive())["type"] == "websocket.connect"
        reading = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send(ACCEPT)  # the message that came with the handshake is there now
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        notes.put(await receive())

    with stage(app, on=on) as there, Client(there.port) as client:
        client.send(handshake() + text("early"))
        assert there.note()["text"] == "early"


@ON
def test_a_receive_cancelled_before_it_began_loses_nothing(on: str) -> None:
    """A task that never ran."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        reading = asyncio.ensure_future(receive())
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        notes.put(await receive())

    with stage(app, on=on) as there, opened(there.port):
        assert there.note() == {"type": "websocket.connect"}


@ON
def test_a_cancelled_receive_leaves_nothing_behind(on: str) -> None:
    """An application that looks up from a silent peer again and again does not grow."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        tasks: list[weakref.ref[Any]] = []
        for _ in range(10):
            task: asyncio.Task[Message] = asyncio.ensure_future(receive())  # type: ignore[assignment]
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            tasks.append(weakref.ref(task))
            del task
        await asyncio.sleep(0)
        gc.collect()
        notes.put(sum(task() is not None for task in tasks))
        await receive()

    with stage(app, on=on) as there, opened(there.port):
        assert there.note() <= 1


@ON
def test_a_group_that_is_cancelled_ends_its_receive(on: str) -> None:
    """anyio: a reader and a writer, and whichever ends first ends the other."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        async with anyio.create_task_group() as group:

            async def read() -> None:
                try:
                    notes.put(await receive())
                    await receive()
                except BaseException as error:
                    notes.put(type(error))
                    raise

            group.start_soon(read)
            await notes.go.wait()
            group.cancel_scope.cancel()
        await send({**CLOSE, "code": 4000})

    with stage(app, on=on) as there, opened(there.port) as client:
        client.send(text("one"))
        assert there.note()["text"] == "one"
        there.go()
        assert there.note() is asyncio.CancelledError
        assert client.read_close() == (4000, "")


# --- several tasks ----------------------------------------------------------------------------------------


@ON
def test_one_task_may_receive_while_another_sends(on: str) -> None:
    """What most applications are: two directions that do not wait for each other."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        words: asyncio.Queue[str | None] = asyncio.Queue()

        async def write() -> None:
            while (word := await words.get()) is not None:
                await send(saying(word))

        writing = asyncio.create_task(write())
        while (message := await receive())["type"] == "websocket.receive":
            words.put_nowait(message["text"])
        await words.put(None)
        await writing
        notes.put(message["code"])

    with stage(app, on=on) as there, dial(there.port) as client:
        for word in MANY:
            client.send(word)
        assert [client.recv(5) for _ in MANY] == MANY
        client.close(4000)
        assert there.note() == 4000


@ON
def test_several_tasks_may_send(on: str) -> None:
    """Messages are written whole."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)

        async def write(letter: str) -> None:
            for number in range(30):
                await send(saying(f"{letter}{number} " * 1000))
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for letter in "abc":
                group.create_task(write(letter))

    with stage(app, on=on) as there, opened(there.port) as client:
        messages = [str(client.message()) for _ in range(90)]
        assert {message.count(message.split(" ", 1)[0]) for message in messages} == {1000}
        for letter in "abc":
            mine = [message.split(" ", 1)[0] for message in messages if message[0] == letter]
            assert mine == [f"{letter}{number}" for number in range(30)]


@ON
def test_several_tasks_may_receive(on: str) -> None:
    """Every message goes to one of them, the disconnect to all."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        found: list[str] = []

        async def read() -> int:
            while (message := await receive())["type"] == "websocket.receive":
                found.append(message["text"])
                await asyncio.sleep(0)
            return int(message["code"])

        codes = await asyncio.gather(*[read() for _ in range(5)])
        notes.put((sorted(found), codes))

    with stage(app, on=on) as there, opened(there.port) as client:
        for word in MANY:
            client.send(text(word))
        client.send(closing(4000))
        assert there.note() == (sorted(MANY), [4000] * 5)


@ON
def test_a_receive_that_waits_sees_the_own_close(on: str) -> None:
    """One task closes, the other one comes to its end."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        reading = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send({**CLOSE, "code": 4000})
        notes.put(await reading)

    with stage(app, on=on) as there, opened(there.port):
        assert there.note() == {"type": "websocket.disconnect", "code": 4000, "reason": ""}


def test_what_waits_is_served_in_order() -> None:
    """Of several tasks that wait, the first that began gets the first message."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        reading = [asyncio.ensure_future(receive()) for _ in range(3)]
        await asyncio.sleep(0)
        await send(saying("ready"))
        notes.put([(await task)["text"] for task in reading])

    with stage(app) as there, opened(there.port) as client:
        assert client.message() == "ready"
        for word in MANY[:3]:
            client.send(text(word))
        assert there.note() == MANY[:3]


def test_what_receive_gives_may_be_awaited_later_and_in_any_order() -> None:
    """Each takes the event that is next when it is awaited."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        first, second, third = receive(), receive(), receive()
        assert (await third)["type"] == "websocket.connect"
        await send(ACCEPT)
        notes.put([await second, await first])

    with stage(app) as there, opened(there.port) as client:
        client.send(text("one") + binary(b"two"))
        events = there.note()
    assert [event.get("text") or event.get("bytes") for event in events] == ["one", b"two"]


# --- contexts -------------------------------------------------------------------------------------------

WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="none")


@ON
def test_a_context_variable_keeps_its_value_over_receive(on: str) -> None:
    """A connection is one call in one context, which no other connection sees."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        before = WORD.get()
        WORD.set(scope["path"])
        await entered(receive, send)
        while (await receive())["type"] == "websocket.receive":
            await send(saying(f"{before} {WORD.get()}"))

    with stage(app, on=on) as there, opened(there.port, "/a") as a, opened(there.port, "/b") as b:
        for client, path in ((a, "/a"), (b, "/b"), (a, "/a")):
            client.send(text("?"))
            assert client.message() == f"none {path}"


@ON
def test_a_task_of_the_application_has_its_own_context(on: str) -> None:
    """A receive in a task goes on in that task's context."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await entered(receive, send)
        WORD.set("outer")

        async def inner() -> str:
            WORD.set("inner")
            await receive()
            return WORD.get()

        found = await asyncio.create_task(inner())
        await send(saying(f"{found} {WORD.get()}"))

    with stage(app, on=on) as there, opened(there.port) as client:
        client.send(text("?"))
        assert client.message() == "inner outer"


@pytest.mark.parametrize(("resets", "word"), [(False, "server"), (True, "none")])
@ON
def test_the_context_of_the_server_is_seen_unless_it_is_reset(on: str, resets: bool, word: str) -> None:
    """--reset-contextvars: each connection begins with an empty context rather than a copy of the server's."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await entered(receive, send)
        await send(saying(WORD.get()))

    def make() -> ASGIApp:
        WORD.set("server")
        return app

    with live(make, factory=True, reset_contextvars=resets, on=on) as server, opened(server.port) as client:
        assert client.message() == word
