"""Tests of an application as its authors write them."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from portico import Portico, WebSocket
from portico.web.testclient import TestClient

app = Portico()


@app.get("/")
async def root() -> dict[str, str]:
    return {"message": "Hello"}


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json({"message": "Hello"})
    await websocket.close()


client = TestClient(app, base_url="http://testserver", raise_server_exceptions=False, headers={"x-token": "a"})


@pytest.fixture
def started() -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.fixture
async def asynchronous() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield client


def test_root(started: TestClient) -> None:
    response = started.get("/", params={"q": "x"}, headers={"x-token": "b"})
    assert response.status_code == 200
    body: Any = response.json()
    assert body == {"message": "Hello"}


def test_post() -> None:
    response = client.post("/", json={"a": 1})
    assert response.status_code == 405
    response = client.post("/", data={"a": "1"}, files={"file": ("name", b"content", "text/plain")})
    assert "allow" in response.headers


def test_websocket() -> None:
    with client.websocket_connect("/ws") as websocket:
        assert websocket.receive_json() == {"message": "Hello"}
        websocket.send_text("text")


async def test_async(asynchronous: httpx.AsyncClient) -> None:
    assert (await asynchronous.get("/")).status_code == 200
