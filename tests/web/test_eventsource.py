"""Server-sent events as a response."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.asking import ask, scope_for

from portico.asgi import ClientDisconnected, Message
from portico.web.background import BackgroundTask
from portico.web.responses import EventSourceResponse, ServerSentEvent


def test_events_and_values_are_sent_as_events() -> None:
    async def events() -> AsyncIterator[Any]:
        yield ServerSentEvent(data={"a": 1}, event="tick", id="1", retry=5, comment="c")
        yield ServerSentEvent(raw_data="<b>\nraw")
        yield ServerSentEvent(data="text")
        yield {"plain": None}
        yield b": made elsewhere\n\n"

    answer = ask(EventSourceResponse(events()))
    assert [message["body"] for message in answer.messages[1:]] == [
        b': c\nevent: tick\ndata: {"a":1}\nid: 1\nretry: 5\n\n',
        b"data: <b>\ndata: raw\n\n",
        b'data: "text"\n\n',
        b'data: {"plain":null}\n\n',
        b": made elsewhere\n\n",
        b"",
    ]


def test_no_proxy_may_hold_it_back() -> None:
    fields = ask(EventSourceResponse([])).fields
    assert fields == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    given = ask(EventSourceResponse([], headers={"Cache-Control": "no-cache"})).fields
    assert given["cache-control"] == "no-cache"


@pytest.mark.parametrize("char", ["\r", "\n", "\0"])
@pytest.mark.parametrize("field", ["event", "id"])
def test_an_event_cannot_be_forged(field: str, char: str) -> None:
    with pytest.raises(ValueError, match=field):
        ServerSentEvent(data="x", **{field: f"a{char}data: forged"})
    assert ServerSentEvent(raw_data="a\rid: forged").encoded == b"data: a\ndata: id: forged\n\n"


def test_an_event_has_one_kind_of_data() -> None:
    with pytest.raises(ValueError, match="not both"):
        ServerSentEvent(data=1, raw_data="1")


def run_silent(*, after: str, spec: str = "2.4") -> tuple[list[bytes], list[str]]:
    """Run a stream that is silent after its first event until the client goes away, in one of two ways."""
    sent: list[bytes] = []
    ended: list[str] = []

    async def events() -> AsyncIterator[Any]:
        try:
            yield 1
            await asyncio.Event().wait()
        except BaseException as error:
            ended.append(type(error).__name__)
            raise

    async def run() -> None:
        gone = asyncio.Event()
        before = asyncio.all_tasks()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message.get("body"):
                sent.append(message["body"])
            if len(sent) == 3:
                if after == "send fails":
                    asyncio.get_running_loop().call_soon(gone.set)
                    raise ClientDisconnected("gone")
                gone.set()

        response = EventSourceResponse(
            events(), background=BackgroundTask(ended.append, "background"), ping_interval=0.01
        )
        await response(scope_for(spec=spec), receive, send)
        assert asyncio.all_tasks() == before

    asyncio.run(asyncio.wait_for(run(), 10))
    return sent, ended


@pytest.mark.parametrize("after", ["disconnect", "send fails"])
@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_silent_stream_is_kept_alive_and_closed_when_the_client_goes(after: str, spec: str) -> None:
    sent, ended = run_silent(after=after, spec=spec)
    assert sent == [b"data: 1\n\n", b": ping\n\n", b": ping\n\n"]
    assert ended == ["CancelledError", "background"]


def test_a_comment_never_comes_while_an_event_is_being_sent() -> None:
    sending = 0

    async def events() -> AsyncIterator[Any]:
        for number in range(3):
            yield number
            await asyncio.sleep(0.02)

    async def run() -> None:
        async def send(message: Message) -> None:
            nonlocal sending
            sending += 1
            assert sending == 1
            await asyncio.sleep(0.005)
            sending -= 1

        response = EventSourceResponse(events(), ping_interval=0.003)
        await response(scope_for(), asyncio.Queue[Message]().get, send)

    asyncio.run(asyncio.wait_for(run(), 10))


def test_an_error_of_the_stream_reaches_the_caller() -> None:
    async def events() -> AsyncIterator[Any]:
        yield 1
        raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        ask(EventSourceResponse(events()))


def test_a_websocket_is_refused_with_what_there_is() -> None:
    assert ask(EventSourceResponse([1]), type="websocket").kinds[0] == "websocket.http.response.start"


def test_the_answer_to_head_does_not_wait_for_events() -> None:
    ended: list[str] = []

    async def events() -> AsyncIterator[Any]:
        ended.append("begun")
        yield 1
        await asyncio.Event().wait()

    response = EventSourceResponse(events(), background=BackgroundTask(ended.append, "background"))
    answer = ask(response, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.fields == ask(EventSourceResponse([])).fields
    assert ended == ["background"]


def test_a_comment_that_cannot_be_sent_ends_the_stream() -> None:
    """Nothing else tells that the client has gone where its body is not read."""
    ended: list[str] = []

    async def events() -> AsyncIterator[Any]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            ended.append("closed")

    async def run() -> None:
        async def send(message: Message) -> None:
            if message.get("body") == b": ping\n\n":
                raise ClientDisconnected("gone")

        response = EventSourceResponse(events(), ping_interval=0.01)
        await response(scope_for(method="POST", headers={"content-length": "5"}), asyncio.Queue[Message]().get, send)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert ended == ["closed"]
