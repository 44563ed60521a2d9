"""Responses that are read while the application runs: backpressure, leaving, and what the application sees of it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing, nullcontext
from typing import Any

import pytest
from tests.testing.apps import respond, run_lifespan

from portico.asgi import ASGIApp, ClientDisconnected, Receive, Scope, Send
from portico.testing import TestClient


def endless(pause_s: float, sent: list[int], log: list[str]) -> ASGIApp:
    """Return an application that sends a chunk again and again, and writes down how it ended."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"tick", "more_body": True})
                sent.append(1)
                await asyncio.sleep(pause_s)
        except BaseException as error:
            log.append(type(error).__name__)
            raise

    return app


def test_the_head_comes_before_the_first_chunk() -> None:
    goes_on = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 203})
        assert await asyncio.to_thread(goes_on.wait, 10)
        await send({"type": "http.response.body", "body": b"late"})

    with TestClient(app).stream("GET", "/") as response:
        assert response.status_code == 203
        goes_on.set()
        assert response.read() == b"late"


def test_send_waits_until_the_test_has_taken_the_chunk() -> None:
    sent: list[int] = []
    with TestClient(endless(0, sent, [])).stream("GET", "/") as response:
        chunks = response.iter_raw()
        assert len(sent) == 0
        for count in range(1, 4):
            assert next(chunks) == b"tick"
            assert len(sent) <= count


def test_leaving_an_endless_response_makes_send_raise() -> None:
    log: list[str] = []
    with TestClient(endless(0, [], log)).stream("GET", "/") as response:
        assert next(response.iter_raw()) == b"tick"
    assert log == [ClientDisconnected.__name__]


def test_leaving_cancels_an_application_that_does_not_notice() -> None:
    log: list[str] = []
    with TestClient(endless(60, [], log)).stream("GET", "/") as response:
        assert next(response.iter_raw()) == b"tick"
    assert log == ["CancelledError"]


def test_leaving_makes_receive_return_a_disconnect() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        seen.append(await receive())
        await asyncio.sleep(0.2)  # longer than one has who was not told
        seen.append("cleaned up")

    with TestClient(app).stream("GET", "/"):
        pass
    assert seen == [{"type": "http.disconnect"}, "cleaned up"]


def test_leaving_ends_a_receive_that_waits_for_the_requests_body() -> None:
    seen: list[Any] = []
    left = threading.Event()

    def body() -> Any:
        yield b"first"
        assert left.wait(10)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        seen.append(await receive())
        left.set()

    with TestClient(app).stream("POST", "/", content=body()):
        pass
    assert seen == [{"type": "http.disconnect"}]


def test_both_directions_stream_at_once() -> None:
    said = threading.Event()

    def body() -> Any:
        yield b"ping"
        assert said.wait(10)
        yield b"again"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"].upper(), "more_body": more})

    with TestClient(app).stream("POST", "/", content=body()) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"PING"
        said.set()
        assert list(chunks) == [b"AGAIN"]


def test_a_failure_of_the_application_after_the_test_left_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await receive()
        raise LookupError("in the cleanup")

    with pytest.raises(LookupError, match="in the cleanup"), TestClient(app).stream("GET", "/"):
        pass


@pytest.mark.parametrize("raises", [True, False])
def test_a_failure_in_the_middle_of_a_response_reaches_the_test_if_it_wants(raises: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise LookupError("broken")

    client = TestClient(app, raise_server_exceptions=raises)
    with (
        pytest.raises(LookupError) if raises else nullcontext(),
        client.stream("GET", "/") as response,
    ):
        assert response.read() == b"part"


def test_a_failure_before_the_response_is_raised_by_the_call() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError), TestClient(app).stream("GET", "/"):
        pass
    with TestClient(app, raise_server_exceptions=False).stream("GET", "/") as response:
        assert (response.status_code, response.read()) == (500, b"")


def test_what_the_application_does_after_its_response_is_waited_for() -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"x")
        await asyncio.sleep(0.15)
        done.append("background")

    with TestClient(app).stream("GET", "/") as response:
        assert next(response.iter_raw()) == b"x"
    assert done == ["background"]


def test_trailers_are_there_once_the_response_is_read() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "trailers": True})
        await send({"type": "http.response.body", "body": b"x"})
        await asyncio.sleep(0)
        await send({"type": "http.response.trailers", "headers": [(b"a", b"b")]})

    with TestClient(app).stream("GET", "/") as response:
        assert response.extensions["http.response.trailers"] == []
        response.read()
        assert response.extensions["http.response.trailers"] == [(b"a", b"b")]


def test_chunks_of_a_head_response_are_taken_and_dropped() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        for more in (True, True, False):
            await send({"type": "http.response.body", "body": b"x", "more_body": more})

    with TestClient(app).stream("HEAD", "/") as response:
        assert response.read() == b""


@pytest.mark.parametrize("leave", [lambda client: client, closing])
def test_a_response_that_was_never_closed_ends_with_the_client(leave: Callable[[Any], Any]) -> None:
    log: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
        else:
            await endless(60, [], log)(scope, receive, send)

    client = TestClient(app)
    with leave(client):
        response = client.send(client.build_request("GET", "/"), stream=True)
        assert next(response.iter_raw()) == b"tick"
    assert log == ["CancelledError"]
    response.close()


def test_two_responses_stream_side_by_side() -> None:
    with (
        TestClient(endless(0, [], []), lifespan="off") as client,
        client.stream("GET", "/") as one,
        client.stream("GET", "/") as other,
    ):
        first, second = one.iter_raw(), other.iter_raw()
        assert [next(first), next(second), next(first), next(second)] == [b"tick"] * 4


def test_a_redirect_is_followed_before_the_stream() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/old":
            await respond(send, status=302, headers=[(b"location", b"/new")])
        else:
            await respond(send, b"arrived")

    with TestClient(app).stream("GET", "/old") as response:
        assert response.read() == b"arrived"
