"""Looking whether the client is still there, on real servers: nothing of the body is lost, nothing is left behind."""

import asyncio
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import uvicorn
from tests.live import live

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.requests import Request

HEAD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\n"
WAIT_S = 10


@contextmanager
def on_portico(app: ASGIApp) -> Iterator[int]:
    with live(app, lifespan="off") as server:
        yield server.port


@contextmanager
def on_uvicorn(app: ASGIApp) -> Iterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        listener.close()


SERVERS: list[Callable[[ASGIApp], AbstractContextManager[int]]] = [on_portico, on_uvicorn]
Notes = queue.Queue[Any]


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


async def until(request: Request, wanted: bool) -> bool:
    """Look until the answer is the wanted one, letting the server read meanwhile."""
    async with asyncio.timeout(WAIT_S):
        while await request.is_disconnected() is not wanted:
            await asyncio.sleep(0.001)
    return wanted


async def answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("serve", SERVERS)
def test_a_body_that_comes_while_one_looks_is_not_lost(
    serve: Callable[[ASGIApp], AbstractContextManager[int]],
) -> None:
    notes: Notes = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        looking = Request(scope, receive)
        notes.put(await looking.is_disconnected())
        taken = 0
        while taken < 6:
            notes.put(await looking.is_disconnected())
            await asyncio.sleep(0.001)
            taken = scope["portico.incoming"].size_bytes if "portico.incoming" in scope else 0
        notes.put(await Request(scope, receive).body())
        notes.put(await looking.is_disconnected())
        await answer(send)

    with serve(app) as port, connect(port) as client:
        client.sendall(HEAD + b"abc")
        assert notes.get(timeout=WAIT_S) is False
        client.sendall(b"def")
        assert client.recv(100).startswith(b"HTTP/1.1 204")
    seen = list(notes.queue)
    assert seen[-2:] == [b"abcdef", False]
    assert not any(seen[:-2])


@pytest.mark.parametrize("serve", SERVERS)
@pytest.mark.parametrize("body", [b"abcdef", b"abc"])
def test_a_client_that_leaves_is_seen_though_nobody_has_read_its_body(
    serve: Callable[[ASGIApp], AbstractContextManager[int]], body: bytes
) -> None:
    notes: Notes = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        notes.put(await request.is_disconnected())
        notes.put(await until(request, True))

    with serve(app) as port:
        with connect(port) as client:
            client.sendall(HEAD + body)
            assert notes.get(timeout=WAIT_S) is False
        assert notes.get(timeout=WAIT_S) is True


def test_looking_often_leaves_nothing_at_the_server() -> None:
    notes: Notes = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await request.body()
        for _ in range(1000):
            assert not await request.is_disconnected()
        waiters, waiter = 0, receive.__self__.waiter  # type: ignore[attr-defined]
        while waiter is not None:
            waiters, waiter = waiters + 1, waiter.next
        notes.put((waiters, len(asyncio.all_tasks())))
        await answer(send)

    with on_portico(app) as port, connect(port) as client:
        client.sendall(HEAD + b"abcdef")
        assert client.recv(100).startswith(b"HTTP/1.1 204")
    waiters, tasks = notes.get(timeout=WAIT_S)
    assert waiters <= 1
    assert tasks <= 3
