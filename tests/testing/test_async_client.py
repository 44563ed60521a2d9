"""AsyncTestClient: the same in the running loop."""

import asyncio
import contextvars
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from tests.testing.apps import describe, read, respond, run_lifespan

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send, WebSocketDisconnect
from portico.testing import AsyncTestClient, ProtocolViolation, WebSocketDenialResponse


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run the async test in a loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        asyncio.run(main())

    return run


class Site:
    """Answers everything, and writes down what it sees."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.log.append(asyncio.get_running_loop())
        if scope["type"] == "lifespan":
            scope["state"]["pool"] = self
            await run_lifespan(receive, send)
        elif scope["type"] == "http":
            await self.http(scope, receive, send)
        else:
            await self.websocket(scope, receive, send)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b" ".join(await read(receive))
        shared = scope["state"].get("pool") is self
        await respond(send, b"%s %s %s" % (scope["method"].encode(), body, str(shared).encode()))

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "a"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        self.log.append(message)


@in_loop
async def test_a_request_is_answered_in_the_tests_loop() -> None:
    site = Site()
    client = AsyncTestClient(site)
    assert isinstance(client, httpx2.AsyncClient)
    assert (await client.post("/", content=b"body")).text == "POST body False"
    assert site.log == [asyncio.get_running_loop()]


@in_loop
async def test_the_lifespan_runs_while_entered_and_its_state_is_shared() -> None:
    site = Site()
    async with AsyncTestClient(site) as client:
        assert (await client.get("/")).text == "GET  True"
        assert client.app_state["pool"] is site
    assert set(map(id, site.log)) == {id(asyncio.get_running_loop())}


@in_loop
async def test_a_body_from_an_async_iterator_is_a_message_a_chunk() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    assert (await AsyncTestClient(Site()).post("/", content=body())).text == "POST one two  False"


@in_loop
async def test_a_file_is_uploaded() -> None:
    assert "content" in (await AsyncTestClient(Site()).post("/", files={"file": b"content"})).text


@in_loop
async def test_the_scope_is_as_the_blocking_client_makes_it() -> None:
    client = AsyncTestClient(describe, base_url="https://example.org", root_path="/r", client=("1.2.3.4", 5))
    scope = (await client.get("/x")).json()
    assert (scope["scheme"], scope["server"]) == ("https", ["example.org", 443])
    assert (scope["root_path"], scope["client"]) == ("/r", ["1.2.3.4", 5])


@in_loop
async def test_what_the_application_raises_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        await AsyncTestClient(app).get("/")
    assert (await AsyncTestClient(app, raise_server_exceptions=False).get("/")).status_code == 500


@in_loop
async def test_no_answer_fails_the_test() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        return

    with pytest.raises(ProtocolViolation, match="did not receive any response"):
        await AsyncTestClient(app).get("/")


@in_loop
async def test_the_applications_context_variables_stay_its_own() -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, variable.get().encode())
        variable.set("of the application")

    variable.set("of the test")
    assert (await AsyncTestClient(app).get("/")).text == "of the test"
    assert variable.get() == "of the test"


@in_loop
async def test_a_cancelled_request_cancels_the_application() -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    for call in (AsyncTestClient(app).get("/"), AsyncTestClient(app).stream("GET", "/").__aenter__()):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 0.01)
    assert ended == ["cancelled"] * 2


@in_loop
async def test_an_endless_response_is_streamed_and_left() -> None:
    log: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"tick", "more_body": True})
                log.append("sent")
        except ClientDisconnected:
            log.append("left")

    async with AsyncTestClient(app).stream("GET", "/") as response:
        chunks = response.aiter_raw()
        assert log == []
        assert await anext(chunks) == b"tick"
        assert await anext(chunks) == b"tick"
        assert log == ["sent"]
        await chunks.aclose()
    assert log[-1] == "left"


@in_loop
async def test_a_response_that_was_never_closed_ends_with_the_client() -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        ended.append((await receive())["type"])
        ended.append((await receive())["type"])

    async with AsyncTestClient(app, lifespan="off") as client:
        await client.send(client.build_request("GET", "/"), stream=True)
    assert ended == ["http.request", "http.disconnect"]


@in_loop
async def test_a_websocket_is_opened_by_async_with() -> None:
    site = Site()
    async with AsyncTestClient(site).websocket_connect("/", subprotocols=["a"]) as websocket:
        assert websocket.accepted_subprotocol == "a"
        assert websocket.extra_headers == []
        await websocket.send_text("t")
        assert await websocket.receive_text() == "t"
        await websocket.send_bytes(b"b")
        assert await websocket.receive_bytes() == b"b"
        await websocket.send_json({"a": 1})
        assert await websocket.receive_json() == {"a": 1}
        await websocket.send({"type": "websocket.receive", "text": "raw"})
        assert await websocket.receive() == {"type": "websocket.send", "text": "raw"}
    assert site.log[-1] == {"type": "websocket.disconnect", "code": 1000, "reason": None}


@in_loop
async def test_a_websocket_may_be_awaited_before_it_is_entered() -> None:
    session = await AsyncTestClient(Site()).websocket_connect("/")
    async with session as websocket:
        await websocket.close(4000)


@in_loop
async def test_a_refused_websocket_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/denied":
            await send({"type": "websocket.http.response.start", "status": 403})
            await send({"type": "websocket.http.response.body", "body": b"no"})
        else:
            await send({"type": "websocket.close", "code": 4000})

    with pytest.raises(WebSocketDenialResponse) as denied:
        await AsyncTestClient(app).websocket_connect("/denied").__aenter__()
    assert (denied.value.status_code, denied.value.content) == (403, b"no")
    with pytest.raises(WebSocketDisconnect) as refused:
        await AsyncTestClient(app).websocket_connect("/").__aenter__()
    assert refused.value.code == 4000


@in_loop
async def test_what_the_application_of_a_websocket_raises_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        message: Message = await receive()
        raise LookupError(message["type"])

    with pytest.raises(LookupError, match=r"websocket\.disconnect"):
        async with AsyncTestClient(app).websocket_connect("/"):
            pass
