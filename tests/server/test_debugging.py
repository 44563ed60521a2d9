"""Debug mode: what a client is shown of a failure, and frameworks whose own debug mode is switched on."""

import asyncio
import logging
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from litestar import Litestar
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from tests.live import live

from portico import Portico
from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.server.config import Config
from portico.server.debugging import debugging, switch_on
from portico.server.server import load_app
from portico.web import Application

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def http(accept: bytes = b"*/*") -> Scope:
    scope = {"type": "http", "method": "GET", "path": "/x", "query_string": b"y=<z>", "headers": [(b"accept", accept)]}
    return scope | {"http_version": "1.1", "root_path": ""}


def sent_by(app: ASGIApp, scope: Scope) -> list[Message]:
    """Return what the application sends before it fails."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def call() -> None:
        with pytest.raises(ZeroDivisionError, match="a <b> fault"):
            await debugging(app)(scope, receive, send)

    asyncio.run(call())
    return sent


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("a <b> fault")


def test_a_browser_gets_a_page_and_the_exception_goes_on() -> None:
    start, body = sent_by(failing, http(b"text/html,application/xhtml+xml"))
    headers = dict(start["headers"])
    assert start["status"] == 500
    assert headers[b"content-type"] == b"text/html; charset=utf-8"
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert headers[b"cache-control"] == b"no-store"
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert b"a &lt;b&gt; fault" in body["body"]
    assert b"y=&lt;z&gt;" in body["body"]
    assert b"<b> fault" not in body["body"]


def test_everybody_else_gets_the_traceback_as_text() -> None:
    start, body = sent_by(failing, http())
    assert dict(start["headers"])[b"content-type"] == b"text/plain; charset=utf-8"
    assert body["body"].startswith(b"Traceback (most recent call last):\n")
    assert body["body"].endswith(b"ZeroDivisionError: a <b> fault\n")


def test_a_response_that_has_started_is_left_alone() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        raise ZeroDivisionError("a <b> fault")

    assert sent_by(late, http()) == [START]


def websocket(**extensions: Any) -> Scope:
    return {"type": "websocket", "path": "/", "query_string": b"", "headers": [], "extensions": extensions}


def test_a_websocket_is_closed_with_the_exception_as_its_reason() -> None:
    async def opened(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise ZeroDivisionError("a <b> fault" + "é" * 200)

    _, close = sent_by(opened, websocket())
    assert (close["type"], close["code"]) == ("websocket.close", 1011)
    assert close["reason"].startswith("ZeroDivisionError: a <b> fault")
    assert len(close["reason"].encode()) in (122, 123)


def test_a_handshake_is_answered_with_the_traceback_where_that_can_be_done() -> None:
    start, body = sent_by(failing, websocket(**{"websocket.http.response": {}}))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 500)
    assert body["type"] == "websocket.http.response.body"
    assert b"a <b> fault" in body["body"]
    assert sent_by(failing, websocket()) == []


def test_a_websocket_that_was_closed_is_left_alone() -> None:
    async def closed(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        raise ZeroDivisionError("a <b> fault")

    assert [message["type"] for message in sent_by(closed, websocket())] == ["websocket.accept", "websocket.close"]


def test_a_failure_of_the_lifespan_is_not_the_pages_business() -> None:
    assert sent_by(failing, {"type": "lifespan"}) == []


def test_the_server_answers_with_the_page_and_logs_the_exception_once(caplog: pytest.LogCaptureFixture) -> None:
    import httpx

    with live(load_app(Config(app=failing, debug=True)), lifespan="off") as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/", headers={"accept": "text/html"}, trust_env=False)
    assert answer.status_code == 500
    assert "<title>ZeroDivisionError: a &lt;b&gt; fault</title>" in answer.text
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].exc_info is not None


def test_without_debug_nobody_sees_anything() -> None:
    import httpx

    with live(load_app(Config(app=failing)), lifespan="off") as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/", trust_env=False)
    assert (answer.status_code, "fault" in answer.text) == (500, False)


APPS: dict[str, Any] = {
    "Starlette": Starlette,
    "FastAPI": FastAPI,
    "Portico": Portico,
    "Application": Application,
    "Litestar": lambda: Litestar([]),
    "Flask": lambda: Flask("x"),
}


@pytest.mark.parametrize("name", APPS)
def test_debug_mode_of_a_framework_is_switched_on(name: str) -> None:
    app, inner = APPS[name](), APPS[name]()
    assert not app.debug
    switch_on(app)
    switch_on(CORSMiddleware(inner))
    assert app.debug
    assert inner.debug


def test_what_is_no_framework_is_not_touched() -> None:
    class Own:
        debug = False

    own = Own()
    switch_on(own)
    assert own.debug is False
    switch_on(failing)


@pytest.mark.parametrize("name", ["Starlette", "FastAPI", "Portico", "Application", "Litestar", "Flask"])
def test_a_failing_handler_of_a_framework_is_shown_with_its_source(name: str) -> None:
    import httpx

    app = APPS[name]()
    if name == "Litestar":
        from litestar import get

        app.register(get("/")(litestar_fault))
    elif name == "Flask":
        app.add_url_rule("/", view_func=fault)
    else:
        app.add_route("/", fault)
    with live(load_app(Config(app=app, debug=True))) as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/", headers={"accept": "text/html"}, trust_env=False)
    assert answer.status_code == 500
    assert "the fault of the handler" in answer.text


def fault(request: Any = None) -> Any:
    raise ZeroDivisionError("the fault of the handler")


async def litestar_fault() -> str:
    raise ZeroDivisionError("the fault of the handler")
