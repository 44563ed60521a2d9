"""Bodies that are made while they are sent, and clients that go away meanwhile."""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.asking import ask, scope_for

from portico.asgi import ClientDisconnected, Message
from portico.web.background import BackgroundTask
from portico.web.requests import ClientDisconnect, Request
from portico.web.responses import JSONLinesResponse, StreamingResponse


class Source:
    """An endless body that notes how it ends."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.given = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.given += 1
                yield b"piece"
                await asyncio.sleep(0)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise

    async def silence(self) -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise

    def steps(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"step"
        except BaseException as error:
            self.ended.append(type(error).__name__)
            raise


async def until_gone(gone: asyncio.Event) -> Message:
    await gone.wait()
    return {"type": "http.disconnect"}


def leave(response: StreamingResponse, spec: str, *, failing: bool, method: str = "GET") -> list[Message]:
    """Run the response; the client goes away after the first piece."""
    sent: list[Message] = []

    async def run() -> None:
        gone = asyncio.Event()

        async def send(message: Message) -> None:
            if gone.is_set() and failing:
                raise ClientDisconnected("gone")
            sent.append(message)
            if message.get("body"):
                gone.set()

        await response(scope_for(spec=spec, method=method), lambda: until_gone(gone), send)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(asyncio.wait_for(run(), 10))
    return sent


def test_pieces_go_out_as_they_come() -> None:
    async def pieces() -> AsyncIterator[Any]:
        yield "é"
        yield b"b"
        yield memoryview(b"c")

    answer = ask(StreamingResponse(pieces(), media_type="text/plain"))
    assert [bytes(message["body"]) for message in answer.messages[1:]] == ["é".encode(), b"b", b"c", b""]
    assert [message["more_body"] for message in answer.messages[1:]] == [True, True, True, False]
    assert answer.messages[0]["headers"] == [(b"content-type", b"text/plain; charset=utf-8")]


@pytest.mark.parametrize("spec", ["2.0", "2.3", "2.4", "2.10"])
def test_every_server_gets_the_same_messages(spec: str) -> None:
    assert ask(StreamingResponse(iter([b"a", b"b"])), spec=spec).body == b"ab"


def test_where_send_fails_the_caller_gets_client_disconnect() -> None:
    source = Source()
    background: list[int] = []
    response = StreamingResponse(source.pieces(), background=BackgroundTask(background.append, 1))
    with pytest.raises(ClientDisconnect):
        leave(response, "2.4", failing=True)
    assert source.ended == ["GeneratorExit"]
    assert source.given == 2
    assert background == []


def test_where_send_says_nothing_the_stream_ends_and_the_background_runs() -> None:
    source = Source()
    background: list[int] = []
    leave(StreamingResponse(source.pieces(), background=BackgroundTask(background.append, 1)), "2.3", failing=False)
    assert len(source.ended) == 1
    assert background == [1]


def test_a_silent_stream_ends_as_well() -> None:
    source = Source()
    sent = leave(StreamingResponse(source.silence()), "2.3", failing=False)
    assert source.ended == ["CancelledError"]
    assert [message.get("body") for message in sent] == [None, b"first"]


def test_a_sync_generator_is_closed_too() -> None:
    source = Source()
    with pytest.raises(ClientDisconnect):
        leave(StreamingResponse(source.steps()), "2.4", failing=True)
    assert source.ended == ["GeneratorExit"]


def test_the_answer_to_head_ends_when_the_client_goes_though_nothing_is_written_that_could_fail() -> None:
    source = Source()
    leave(StreamingResponse(source.pieces()), "2.4", failing=False, method="HEAD")
    assert len(source.ended) == 1


def test_a_stream_that_ends_in_its_own_way_when_the_client_goes_leaves_no_cancellation_behind() -> None:
    async def stubborn() -> AsyncIterator[bytes]:
        yield b"first"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield b"last"

    assert leave(StreamingResponse(stubborn()), "2.3", failing=False)[-1] == {
        "type": "http.response.body",
        "body": b"",
        "more_body": False,
    }


class TwoTasks(Source):
    async def pieces(self) -> AsyncIterator[bytes]:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(asyncio.Event().wait())
            waiting.add_done_callback(lambda _: self.ended.append("task"))
            while True:
                yield b"piece"
                await asyncio.sleep(0)

    async def texts(self) -> AsyncIterator[str]:
        pieces = self.pieces()
        try:
            async for piece in pieces:
                yield piece.decode()
        finally:
            await pieces.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("inner", [False, True])
def test_a_stream_that_pauses_inside_of_a_task_group_ends_as_any_other(inner: bool) -> None:
    source = TwoTasks()
    response = JSONLinesResponse if inner else StreamingResponse
    with pytest.raises(ClientDisconnect):
        leave(response(source.texts() if inner else source.pieces()), "2.4", failing=True)
    leave(response(source.texts() if inner else source.pieces()), "2.3", failing=False)
    assert source.ended == ["task", "task"]


def test_the_applications_own_oserror_is_no_disconnect() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        ask(StreamingResponse(broken()), spec="2.4")


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_an_error_leaves_the_stream_unfinished(spec: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise RuntimeError("mine")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await StreamingResponse(broken())(scope_for(spec=spec), asyncio.Queue[Message]().get, send)

    with pytest.raises(RuntimeError, match="mine"):
        asyncio.run(run())
    assert [message.get("more_body") for message in sent] == [None, True]


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_a_cancellation_from_outside_goes_on_and_closes_the_stream(spec: str) -> None:
    source = Source()
    background: list[int] = []

    async def run() -> None:
        started = asyncio.Event()
        before = asyncio.all_tasks()

        async def send(message: Message) -> None:
            if message.get("body"):
                started.set()

        response = StreamingResponse(source.silence(), background=BackgroundTask(background.append, 1))
        task = asyncio.create_task(response(scope_for(spec=spec), asyncio.Queue[Message]().get, send))  # type: ignore[arg-type]
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == before

    asyncio.run(asyncio.wait_for(run(), 10))
    assert source.ended == ["CancelledError"]
    assert background == []


def test_a_timeout_around_a_response_is_not_taken_for_the_clients_leaving() -> None:
    source = Source()

    async def run() -> None:
        async def send(message: Message) -> None:
            pass

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await StreamingResponse(source.silence())(scope_for(spec="2.3"), asyncio.Queue[Message]().get, send)

    asyncio.run(run())
    assert source.ended == ["CancelledError"]


def test_a_failing_receive_is_an_error_of_the_response() -> None:
    async def receive() -> Message:
        raise LookupError("receive")

    async def send(message: Message) -> None:
        pass

    async def run() -> None:
        await StreamingResponse(Source().silence())(scope_for(spec="2.3"), receive, send)

    with pytest.raises(LookupError):
        asyncio.run(asyncio.wait_for(run(), 10))


def test_a_response_that_never_waits_has_no_listener() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    async def receive() -> Message:
        raise AssertionError("nobody has to listen")

    async def send(message: Message) -> None:
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def run() -> None:
        await StreamingResponse(pieces())(scope_for(spec="2.3"), receive, send)

    asyncio.run(run())


def test_the_stream_runs_in_the_callers_context() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def pieces() -> AsyncIterator[bytes]:
        variable.set("set by the stream")
        yield b"a"
        await asyncio.sleep(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await StreamingResponse(pieces())(scope, receive, send)
        assert variable.get() == "set by the stream"

    ask(app, spec="2.3")


def test_the_next_piece_is_made_when_the_one_before_has_gone() -> None:
    source = Source()

    async def run() -> None:
        async def send(message: Message) -> None:
            if message.get("body"):
                await asyncio.Event().wait()

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await StreamingResponse(source.pieces())(scope_for(), asyncio.Queue[Message]().get, send)

    asyncio.run(run())
    assert source.given == 1


@pytest.mark.parametrize("content", [[{"a": "x\ny"}, 1, "s", None], ({"a": "x\ny"}, 1, "s", None)])
def test_json_lines_are_values_on_lines(content: Any) -> None:
    answer = ask(JSONLinesResponse(content))
    assert answer.body == b'{"a":"x\\ny"}\n1\n"s"\nnull\n'
    assert answer.fields["content-type"] == "application/jsonl"
    assert "content-length" not in answer.fields


def test_json_lines_close_what_they_read_from() -> None:
    source = Source()

    async def values() -> AsyncIterator[str]:
        async for piece in source.pieces():
            yield piece.decode()

    with pytest.raises(ClientDisconnect):
        leave(JSONLinesResponse(values()), "2.4", failing=True)


@pytest.mark.parametrize("version", ["2.3", "2.4"])
def test_a_stream_may_be_made_of_the_body_of_its_request(version: str) -> None:
    """Who listens for the disconnect, on servers whose `send` does not fail, takes no message of the body."""
    parts = [b"a", b"b", b"c", b"d"]
    sent: list[bytes] = []

    async def main() -> None:
        waiting = iter(parts)
        over = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            part = next(waiting, None)
            if part is None:
                await over.wait()
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part, "more_body": part != parts[-1]}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"spec_version": version},
            "method": "POST",
            "headers": [(b"content-length", b"4")],
        }
        request = Request(scope, receive)

        async def echo() -> AsyncIterator[bytes]:
            async for part in request.stream():
                for _ in range(5):
                    await asyncio.sleep(0)  # the listener could take the next message meanwhile
                yield part.upper()

        await StreamingResponse(echo())(scope, receive, send)

    asyncio.run(main())
    assert b"".join(sent) == b"ABCD"


def test_a_server_may_tell_of_the_end_as_soon_as_it_has_the_last_piece() -> None:
    done: list[str] = []

    async def run() -> None:
        over = asyncio.Event()

        async def receive() -> Message:
            await over.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message.get("more_body") is False:
                over.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        response = JSONLinesResponse([1], background=BackgroundTask(done.append, "background"))
        await response(scope_for(spec="2.4"), receive, send)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert done == ["background"]


def test_a_stream_that_never_waits_lets_others_run() -> None:
    async def values() -> AsyncIterator[int]:
        while True:
            yield 1

    async def run() -> None:
        async def send(message: Message) -> None:
            pass

        work = asyncio.ensure_future(JSONLinesResponse(values())(scope_for(), asyncio.Queue[Message]().get, send))
        await asyncio.sleep(0)  # it begins
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(asyncio.wait_for(run(), 10))


def test_the_encoder_of_lines_may_be_chosen() -> None:
    assert ask(JSONLinesResponse([1, 2], encode=lambda value: b"<%d>" % value)).body == b"<1><2>"
