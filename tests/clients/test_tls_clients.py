"""Clients that speak HTTP/1.1 over TLS: `websockets`, aiohttp, and what comes with Python."""

import asyncio
import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest
from tests.certificates import trusting
from tests.clients.echo import in_a_loop
from tests.clients.secured import secured
from tests.served import Served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.process

ANSWER_S = 20


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with secured() as server:
        yield server
    assert "Traceback" not in server.log


@contextmanager
def dial(site: Served, path: str = "/") -> Iterator[ClientConnection]:
    """Open a WebSocket and check what it came over; without a proxy from the environment."""
    url = f"ws{site.url.removeprefix('http')}{path}"
    with connect(url, ssl=trusting(), proxy=None, max_size=None) as client:
        assert json.loads(client.recv(ANSWER_S)) == {"http_version": "1.1", "scheme": "wss", "path": path}
        yield client


@pytest.mark.parametrize("message", ["", "schön 🙂", "x" * 1_000_000, b"", bytes(range(256)) * 5_000])
def test_websockets_gets_back_what_it_sends(site: Served, message: str | bytes) -> None:
    with dial(site) as client:
        for _ in range(3):
            client.send(message)
            assert client.recv(ANSWER_S) == message


def test_websockets_gets_a_burst_back_in_order(site: Served) -> None:
    with dial(site) as client:
        for number in range(1_000):
            client.send(str(number))
        assert [client.recv(ANSWER_S) for _ in range(1_000)] == [str(number) for number in range(1_000)]


def test_the_application_closes_with_code_and_reason(site: Served) -> None:
    with dial(site) as client:
        client.send("close 4999 why")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(ANSWER_S)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4999, "why")


def test_a_websocket_is_denied(site: Served) -> None:
    with pytest.raises(InvalidStatus) as refused, dial(site, "/denied"):
        pass
    assert refused.value.response.status_code == 403


def test_a_client_that_vanishes_has_gone(site: Served) -> None:
    with dial(site) as client:
        client.socket.shutdown(socket.SHUT_RDWR)
    site.wait_for("a WebSocket has ended with 1006")


@in_a_loop
async def test_aiohttp_asks_and_opens_websockets(site: Served) -> None:
    content = os.urandom(1_000_000)
    connector = aiohttp.TCPConnector(ssl=trusting())
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.post(f"{site.url}/echo", data=content) as answer:
            assert await answer.read() == content
        async with session.ws_connect(f"{site.url}/", compress=15) as client:
            assert (await client.receive_json())["scheme"] == "wss"
            await client.send_bytes(content)
            assert await client.receive_bytes() == content
        answers = await asyncio.gather(*(size_of(session, f"{site.url}/bytes?{number}") for number in range(200)))
        assert answers == list(range(200))


async def size_of(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return len(await answer.read())


def test_python_itself_asks(site: Served) -> None:
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting()))
    with urllib.request.build_opener(*handlers).open(f"{site.url}/", data=b"x" * 100_000, timeout=ANSWER_S) as answer:
        said = json.load(answer)
    assert (said["http_version"], said["scheme"], said["size"]) == ("1.1", "https", 100_000)
