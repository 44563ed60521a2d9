"""Connections that are served in the same turn of the loop know nothing of each other."""

import asyncio
import queue
import time
from contextvars import ContextVar

import pytest
from tests.certificates import local
from tests.live import LOOPS, http_only, live, reply
from tests.secured import DATA, Secured

from portico.asgi import Receive, Scope, Send

ON = pytest.mark.parametrize("on", LOOPS)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
user: ContextVar[str] = ContextVar("user", default="nobody")


@ON
def test_context_variables_of_a_request_are_its_own(on: str) -> None:
    """The answer to one request and the next request of somebody else are in the same batch."""
    begun: queue.Queue[None] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/set":
            user.set("alice")
            begun.put(None)
            time.sleep(0.3)  # the other request is in the kernel's buffer after that
            await asyncio.sleep(0)
            await reply(send, b"done")
        else:
            await reply(send, user.get().encode())

    with (
        live(http_only(app), on=on, **local().settings) as server,
        Secured(server.port) as first,
        Secured(server.port) as second,
    ):
        second.send(GET)
        second.until(b"nobody")
        first.send(GET.replace(b"/ ", b"/set "))
        begun.get(timeout=5)
        second.send(BYE)
        assert second.rest()[0].endswith(b"\r\n\r\nnobody")
        first.until(b"done")


@ON
def test_many_connections_get_their_own_answers(on: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith("0"):
            await asyncio.sleep(0)
        await reply(send, scope["path"].encode() * (5000 if scope["path"].endswith("5") else 1))

    with live(http_only(app), on=on, **local().settings) as server:
        clients = [Secured(server.port) for _ in range(40)]
        for turn in range(5):
            requests = [client.seal(GET.replace(b"/ ", b"/%d-%d " % (turn, n))) for n, client in enumerate(clients)]
            for client, request in zip(clients, requests, strict=True):
                client.push(request)
            for number, client in enumerate(clients):
                body = b"/%d-%d" % (turn, number)
                client.until(b"\r\n\r\n" + body * (5000 if body.endswith(b"5") else 1))
        for client in clients:
            client.socket.close()


@ON
def test_what_is_sent_in_pieces_without_waiting_is_one_record(on: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10):
            await send({"type": "http.response.body", "body": b"piece", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    with live(http_only(app), on=on, **local().settings) as server, Secured(server.port) as client:
        client.send(GET)
        client.until(b"end\r\n0\r\n\r\n")
        client.taken()
        client.send(GET)
        client.until(b"end\r\n0\r\n\r\n")
        assert [record.kind for record in client.taken()] == [DATA]


@ON
def test_who_vanishes_leaves_the_others_of_the_batch_alone(on: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await reply(send, scope["path"].encode())

    with live(http_only(app), on=on, **local().settings) as server:
        clients = [Secured(server.port) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send(BYE)
            if number % 2:
                client.socket.close()
        for client in clients[::2]:
            assert client.rest()[1]
            client.socket.close()
