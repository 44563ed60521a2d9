"""The test clients drive what others have written: Starlette, FastAPI and Django."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from portico.testing import AsyncTestClient, TestClient

pytest.importorskip("starlette")
pytest.importorskip("fastapi")
pytest.importorskip("django")

from fastapi import Depends, FastAPI, UploadFile, WebSocket
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

log: list[str] = []


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
    log.append("startup")
    yield {"name": "state"}
    log.append("shutdown")


async def ticks() -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"tick"
            await asyncio.sleep(0)
    finally:
        log.append("stream over")


def sync_endpoint(request: Request) -> Response:
    return JSONResponse({"state": request.state.name, "path": request.url.path})


async def stream(request: Request) -> Response:
    return StreamingResponse(ticks())


async def upload(request: Request) -> Response:
    async with request.form() as form:
        file: Any = form["file"]
        return PlainTextResponse(await file.read(), background=BackgroundTask(log.append, "background"))


async def crash(request: Request) -> Response:
    raise LookupError("an endpoint that fails")


async def chat(websocket: Any) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text.upper())
    log.append("chat over")


starlette_app = Starlette(
    routes=[
        Route("/sync", sync_endpoint),
        Route("/stream", stream),
        Route("/upload", upload, methods=["POST"]),
        Route("/crash", crash),
        WebSocketRoute("/chat", chat),
    ],
    lifespan=lifespan,
)
fastapi_app = FastAPI(lifespan=lifespan)


async def session() -> AsyncIterator[str]:
    yield "session"
    log.append("session closed")


@fastapi_app.get("/items/{number}")
async def item(number: int, opened: str = Depends(session)) -> dict[str, Any]:
    return {"number": number, "opened": opened}


@fastapi_app.post("/upload")
def receive_file(file: UploadFile) -> dict[str, Any]:
    return {"name": file.filename, "size": file.size}


@fastapi_app.websocket("/chat")
async def fastapi_chat(websocket: WebSocket) -> None:
    await chat(websocket)


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    log.clear()


def test_starlette_lives_and_answers() -> None:
    with TestClient(starlette_app) as client:
        assert client.get("/sync").json() == {"state": "state", "path": "/sync"}
        assert client.post("/upload", files={"file": b"content"}).text == "content"
    assert log == ["startup", "background", "shutdown"]


def test_a_stream_of_starlette_is_read_and_left() -> None:
    with TestClient(starlette_app).stream("GET", "/stream") as response:
        chunks = response.iter_raw()
        assert [next(chunks), next(chunks)] == [b"tick", b"tick"]
    assert log == ["stream over"]


def test_a_failure_in_starlette_reaches_the_test_or_is_a_500() -> None:
    with pytest.raises(LookupError, match="an endpoint that fails"):
        TestClient(starlette_app).get("/crash")
    response = TestClient(starlette_app, raise_server_exceptions=False).get("/crash")
    assert (response.status_code, response.text) == (500, "Internal Server Error")


@pytest.mark.parametrize("app", [starlette_app, fastapi_app])
def test_a_websocket_is_used_and_left(app: Any) -> None:
    with TestClient(app).websocket_connect("/chat") as websocket:
        websocket.send_text("hello")
        assert websocket.receive_text() == "HELLO"
    assert log == ["chat over"]


def test_fastapi_answers_validates_and_cleans_up() -> None:
    with TestClient(fastapi_app) as client:
        assert client.get("/items/7").json() == {"number": 7, "opened": "session"}
        assert client.get("/items/seven").status_code == 422
        assert client.post("/upload", files={"file": ("a", b"12345")}).json() == {"name": "a", "size": 5}
    assert log[0] == "startup"
    assert log[1] == "session closed"
    assert log[-1] == "shutdown"


def test_both_are_driven_from_an_async_test() -> None:
    async def main() -> None:
        for app, path in ((starlette_app, "/sync"), (fastapi_app, "/items/7")):
            async with AsyncTestClient(app) as client:
                assert (await client.get(path)).status_code == 200
                async with client.websocket_connect("/chat") as websocket:
                    await websocket.send_text("hello")
                    assert await websocket.receive_text() == "HELLO"

    asyncio.run(main())
    assert log.count("shutdown") == 2


# Django does not close the body of a request whose failure a signal raises again.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_django_answers() -> None:
    from tests.frameworks.django_app import app

    with TestClient(app, lifespan="auto") as client:
        assert client.post("/greet/", data={"name": "Ada", "times": "2"}).text == "Hello Ada! Hello Ada! "
        assert client.get("/stream/").text == "".join(f"row {number}\n" for number in range(100))
        answer = client.post("/upload/", files={"file": ("a", b"12345")}, data={"note": "n"})
        assert answer.json() == {"name": "a", "size": 5, "note": "n"}
        assert [client.get("/visit/").text for _ in range(2)] == ["1", "2"]
        assert client.get("/about/a b/", params={"q": "ü"}).json()["query"] == {"q": "ü"}
    with pytest.raises(RuntimeError, match="a view that fails"):
        raise_django_errors(app)
    gc.collect()


def raise_django_errors(app: Any) -> None:
    """Django answers with its own page; the test client has nothing to raise unless the signal does."""
    from django.core.signals import got_request_exception

    def fail(sender: object, **kwargs: object) -> None:
        error = sys.exception()
        assert error is not None
        raise error

    got_request_exception.connect(fail)
    try:
        TestClient(app).get("/crash/")
    finally:
        got_request_exception.disconnect(fail)
