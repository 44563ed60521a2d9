"""Endpoints that yield: lines of JSON, events, pieces; closed whenever the client leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from tests.asking import ask, scope_for

from portico.asgi import ClientDisconnected, Message
from portico.web.background import BackgroundTask
from portico.web.exceptions import ResponseValidationError
from portico.web.plan.fields import create_model_field
from portico.web.plan.results import ResultPlan
from portico.web.responses import EventSourceResponse, JSONLinesResponse, Response, StreamingResponse, events
from portico.web.sse import ServerSentEvent


class Item(BaseModel):
    name: str
    price: float | None = None


def lines(call: Callable[..., Any], type_: Any = None, **options: Any) -> ResultPlan:
    return _plan(call, type_, is_json_stream=True, **options)


def sse(call: Callable[..., Any], type_: Any = None, **options: Any) -> ResultPlan:
    return _plan(call, type_, is_sse_stream=True, response_class=EventSourceResponse, **options)


def _plan(call: Callable[..., Any], type_: Any, **options: Any) -> ResultPlan:
    field = None if type_ is None else create_model_field("item", type_, mode="serialization")
    return ResultPlan(call=call, stream_item_field=field, **options)


def both(*items: Any) -> list[Callable[[], Any]]:
    """Return a sync and an async generator function of the items."""

    def sync() -> Iterator[Any]:
        yield from items

    async def asynchronous() -> AsyncIterator[Any]:
        for item in items:
            yield item

    return [sync, asynchronous]


def test_only_generators_are_streams() -> None:
    assert [_plan(call, None).is_stream for call in (*both(), Item, ask)] == [True, True, False, False]


def test_values_become_lines() -> None:
    for call in both({"a": 1}, Item(name="b"), [1, None], float("nan"), "ä"):
        response = lines(call).stream(call())
        assert type(response) is JSONLinesResponse
        answer = ask(response)
        assert answer.body == b'{"a": 1}\n{"name": "b", "price": null}\n[1, null]\nnull\n"\\u00e4"\n'
        assert answer.fields == {"content-type": "application/jsonl"}


def test_items_of_declared_type_are_validated_and_serialised_by_it() -> None:
    for call in both({"name": "a", "price": "1.5", "more": 1}, Item(name="b")):
        made = lines(call, Item, exclude_none=True)
        assert ask(made.stream(call())).body == b'{"name":"a","price":1.5}\n{"name":"b"}\n'


def test_values_become_events() -> None:
    for call in both(
        {"a": 1}, "text", ServerSentEvent(data=Item(name="b"), event="made", id="1"), ServerSentEvent(raw_data="<b>")
    ):
        answer = ask(sse(call).stream(call()))
        assert answer.body.split(b"\n\n")[:-1] == [
            b'data: {"a": 1}',
            b'data: "text"',
            b'event: made\ndata: {"name":"b","price":null}\nid: 1',
            b"data: <b>",
        ]
        assert answer.fields == {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "x-accel-buffering": "no",
        }


def test_an_event_among_typed_items_is_not_validated() -> None:
    for call in both({"name": "a"}, ServerSentEvent(data={"b": [float("inf")]}), ServerSentEvent(comment="c")):
        body = ask(sse(call, Item).stream(call())).body
        assert body == b'data: {"name":"a","price":null}\n\ndata: {"b": [null]}\n\n: c\n\n'


def test_pieces_are_sent_as_they_are() -> None:
    for call in both("a", b"b"):
        answer = ask(_plan(call, None, response_class=StreamingResponse).stream(call()))
        assert [message["body"] for message in answer.messages[1:]] == [b"a", b"b", b""]


def test_status_fields_and_tasks_are_those_of_the_plan_and_of_the_injected_response() -> None:
    injected = Response(status_code=202, headers={"x-a": "b", "cache-control": "private"})
    injected.raw_headers[:] = [pair for pair in injected.raw_headers if pair[0] != b"content-length"]
    task = BackgroundTask(print)
    for call in both(1):
        for make in (lines, sse):
            response = make(call, status_code=201).stream(call(), injected, task)
            assert (response.status_code, response.background) == (202, task)
            assert response.headers.getlist("x-a") == ["b"]
            assert response.headers.getlist("cache-control") == ["private"]
            assert make(call, status_code=201).stream(call()).status_code == 201


@pytest.mark.parametrize("make", [lines, sse])
@pytest.mark.parametrize("which", [0, 1])
def test_a_bad_item_ends_the_response_unfinished(make: Callable[..., ResultPlan], which: int) -> None:
    call = both({"name": "a"}, {"price": 1}, {"name": "c"})[which]
    sent: list[Message] = []

    async def run() -> None:
        async def send(message: Message) -> None:
            sent.append(message)

        response = make(call, Item).stream(call(), None, None, {"method": "GET"})
        await response(scope_for(), asyncio.Queue[Message]().get, send)

    with pytest.raises(ResponseValidationError) as raised:
        asyncio.run(run())
    assert raised.value.endpoint_function == call.__name__
    assert [message.get("more_body") for message in sent] == [None, True]


class Source:
    """Yields until it is closed, waiting in between or not."""

    def __init__(self, pause: bool) -> None:
        self.pause = pause
        self.ended: list[str] = []

    async def items(self) -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                if self.pause:
                    await asyncio.Event().wait()
        except BaseException as error:
            self.ended.append(type(error).__name__)
            await asyncio.sleep(0)  # as what closes a connection would
            self.ended.append("closed")
            raise

    def sync_items(self) -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            self.ended.append("closed")


async def leave(response: Response, spec: str, how: str) -> int:
    """Be a client that leaves after some messages; return how many pieces it got."""
    gone = asyncio.Event()
    got = 0

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal got
        got += bool(message.get("body"))
        if got >= 1:
            if how == "send fails" and got == 2:
                raise ClientDisconnected("gone")
            if how == "disconnect":
                gone.set()

    work = asyncio.ensure_future(response(scope_for(spec=spec), receive, send))
    if how == "cancelled":
        while got < 1:
            await asyncio.sleep(0)
        work.cancel()
    try:
        await work
    except (asyncio.CancelledError, OSError):
        pass
    return got


def raw(call: Callable[..., Any]) -> ResultPlan:
    return _plan(call, None, response_class=StreamingResponse)


@pytest.mark.parametrize("make", [lines, sse, raw])
@pytest.mark.parametrize("spec", ["2.3", "2.4"])
@pytest.mark.parametrize(
    ("how", "pause"),
    [("send fails", False), ("disconnect", False), ("disconnect", True), ("cancelled", False), ("cancelled", True)],
)
def test_the_generator_is_closed_when_the_client_leaves(
    make: Callable[..., ResultPlan], spec: str, how: str, pause: bool
) -> None:
    source = Source(pause)

    async def run() -> None:
        before = asyncio.all_tasks()
        await leave(make(Source.items).stream(source.items()), spec, how)
        assert asyncio.all_tasks() == before
        assert source.ended[-1] == "closed"

    asyncio.run(asyncio.wait_for(run(), 10))


@pytest.mark.parametrize("make", [lines, sse, raw])
@pytest.mark.parametrize("how", ["send fails", "disconnect", "cancelled"])
def test_a_sync_generator_is_closed_when_the_client_leaves(make: Callable[..., ResultPlan], how: str) -> None:
    source = Source(False)
    response = make(Source.sync_items).stream(source.sync_items())
    asyncio.run(asyncio.wait_for(leave(response, "2.4", how), 10))
    assert source.ended == ["closed"]


def test_items_of_a_sync_generator_are_made_and_encoded_in_a_thread() -> None:
    threads: set[int] = set()

    class Noted(BaseModel):
        def model_post_init(self, context: Any) -> None:
            threads.add(threading.get_ident())

    def items() -> Iterator[Any]:
        threads.add(threading.get_ident())
        yield {}

    ask(lines(items, Noted).stream(items()))
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("make", [lines, sse])
def test_the_answer_to_head_does_not_wait_for_items(make: Callable[..., ResultPlan]) -> None:
    source = Source(True)
    answer = ask(make(Source.items).stream(source.items()), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_a_client_that_waits_is_sent_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_INTERVAL", 0.01)
    sent: list[bytes] = []
    pinged: Any = None

    async def asynchronous() -> AsyncIterator[int]:
        yield 1
        await pinged.wait()
        yield 2

    def sync() -> Iterator[int]:
        yield 1
        assert pinged.wait(10)
        yield 2

    async def run(call: Callable[[], Any], event: Any) -> None:
        nonlocal pinged
        pinged = event
        sent.clear()

        async def send(message: Message) -> None:
            if message.get("body"):
                sent.append(message["body"])
            if sent == [b"data: 1\n\n", b": ping\n\n"]:
                event.set()

        await sse(call).stream(call())(scope_for(), asyncio.Queue[Message]().get, send)
        assert (sent[:2], sent[-1]) == ([b"data: 1\n\n", b": ping\n\n"], b"data: 2\n\n")

    asyncio.run(asyncio.wait_for(run(asynchronous, asyncio.Event()), 10))
    asyncio.run(asyncio.wait_for(run(sync, threading.Event()), 10))


def test_an_endpoint_may_return_what_gives_the_events() -> None:
    for call in both(1):
        assert ask(_plan(ask, None, response_class=EventSourceResponse).respond(call())).body == b"data: 1\n\n"
