"""The application: its layers, its handlers, and what it does with what nobody has handled."""

import asyncio
import threading
from typing import Any

import pytest

from portico.asgi import ClientDisconnected
from portico.web import concurrency
from portico.web.applications import Application
from portico.web.exceptions import HTTPException, WebSocketException
from portico.web.middleware import Middleware
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response, StreamingResponse
from portico.web.routing import Route, WebSocketRoute
from portico.web.testclient import TestClient, WebSocketDenialResponse
from portico.web.websockets import WebSocket, WebSocketDisconnect


class Trouble(Exception):
    pass


class WorseTrouble(Trouble):
    pass


def raising(error: Exception) -> Any:
    async def endpoint(request: Request) -> Response:
        raise error

    return endpoint


def saying(text: str, status_code: int = 400) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{text}: {error}", status_code=status_code)

    return handler


def client_of(*args: Any, **kwargs: Any) -> TestClient:
    return TestClient(Application(*args, **kwargs), raise_server_exceptions=False)


class TestHandlers:
    def test_the_nearest_class_in_the_exceptions_family_has_the_handler(self) -> None:
        routes = [Route("/", raising(Trouble("a"))), Route("/worse", raising(WorseTrouble("b")))]
        client = client_of(routes=routes, exception_handlers={Trouble: saying("trouble")})
        assert client.get("/").text == "trouble: a"
        assert client.get("/worse").text == "trouble: b"

    def test_the_handler_of_a_status_goes_before_that_of_the_class(self) -> None:
        handlers = {404: saying("status", 404), HTTPException: saying("class", 418)}
        routes = [Route("/404", raising(HTTPException(404))), Route("/410", raising(HTTPException(410)))]
        client = client_of(routes=routes, exception_handlers=handlers)
        assert client.get("/404").text == "status: 404: Not Found"
        assert client.get("/nowhere").text == "status: 404: Not Found"
        assert client.get("/410").text == "class: 410: Gone"

    def test_a_handler_that_is_not_async_runs_in_a_thread(self) -> None:
        seen: list[int] = []

        def handler(request: Request, error: Exception) -> Response:
            seen.append(threading.get_ident())
            return PlainTextResponse("handled")

        async def endpoint(request: Request) -> Response:
            seen.append(threading.get_ident())
            raise Trouble

        client = client_of(routes=[Route("/", endpoint)], exception_handlers={Trouble: handler})
        assert client.get("/").text == "handled"
        assert seen[0] != seen[1]

    @pytest.mark.parametrize("key", [500, Exception])
    def test_the_handler_of_500_answers_what_nobody_handles(self, key: Any) -> None:
        client = client_of(routes=[Route("/", raising(Trouble("x")))], exception_handlers={key: saying("last", 500)})
        assert (client.get("/").status_code, client.get("/").text) == (500, "last: x")

    def test_a_handler_that_fails_is_a_500_and_what_it_raised_is_raised(self) -> None:
        async def broken(request: Request, error: Exception) -> Response:
            raise KeyError("in the handler")

        app = Application(routes=[Route("/", raising(Trouble()))], exception_handlers={Trouble: broken})
        assert TestClient(app, raise_server_exceptions=False).get("/").status_code == 500
        with pytest.raises(KeyError, match="in the handler"):
            TestClient(app).get("/")

    def test_an_exception_after_the_start_of_the_response_cannot_be_answered(self) -> None:
        async def stream() -> Any:
            yield b"some"
            raise Trouble

        async def endpoint(request: Request) -> Response:
            return StreamingResponse(stream())

        app = Application(routes=[Route("/", endpoint)], exception_handlers={Trouble: saying("never")})
        with pytest.raises(RuntimeError, match="response already started"):
            TestClient(app).get("/")

    def test_a_key_that_is_neither_status_nor_exception_is_refused(self) -> None:
        app = Application(exception_handlers={"404": saying("x")})
        with pytest.raises(TypeError, match="subclass of Exception, got '404'"):
            TestClient(app).get("/")

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_a_body_has_none(self, status: int) -> None:
        response = client_of(routes=[Route("/", raising(HTTPException(status, headers={"x-a": "b"})))]).get("/")
        assert (response.status_code, response.content, response.headers["x-a"]) == (status, b"", "b")

    def test_a_websocket_exception_closes_the_websocket(self) -> None:
        async def endpoint(websocket: WebSocket) -> None:
            await websocket.accept()
            raise WebSocketException(1008, "not you")

        client = TestClient(Application(routes=[WebSocketRoute("/", endpoint)]))
        with client.websocket_connect("/") as websocket, pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert (closed.value.code, closed.value.reason) == (1008, "not you")

    @pytest.mark.parametrize(("status", "code"), [(403, 1008), (500, 1011)])
    def test_a_response_for_a_websocket_that_is_open_closes_it(self, status: int, code: int) -> None:
        async def endpoint(websocket: WebSocket) -> None:
            await websocket.accept()
            raise HTTPException(status)

        client = TestClient(Application(routes=[WebSocketRoute("/", endpoint)]))
        with client.websocket_connect("/") as websocket, pytest.raises(WebSocketDisconnect) as closed:
            websocket.receive_text()
        assert closed.value.code == code

    def test_a_response_for_a_websocket_that_is_not_accepted_refuses_it(self) -> None:
        async def endpoint(websocket: WebSocket) -> None:
            raise HTTPException(401, "who are you")

        client = TestClient(Application(routes=[WebSocketRoute("/", endpoint)]))
        with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/"):
            pass
        assert (denied.value.status_code, denied.value.text) == (401, "who are you")


class TestUnhandled:
    def test_the_client_is_told_nothing_of_it(self) -> None:
        response = client_of(routes=[Route("/", raising(Trouble("secret")))]).get("/")
        assert (response.status_code, response.text) == (500, "Internal Server Error")

    def test_in_debug_mode_the_client_sees_the_traceback(self) -> None:
        response = client_of(debug=True, routes=[Route("/", raising(Trouble("visible")))]).get("/")
        assert response.status_code == 500
        assert "visible" in response.text

    def test_a_client_that_has_gone_is_no_error_of_the_application(self) -> None:
        async def endpoint(request: Request) -> Response:
            raise ClientDisconnected("gone")

        handlers = {Exception: saying("never", 500)}
        messages: list[Any] = []

        async def call() -> None:
            async def receive() -> Any:
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                messages.append(message)

            scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
            await Application(routes=[Route("/", endpoint)], exception_handlers=handlers)(scope, receive, send)

        asyncio.run(call())
        assert messages == []


class TestLayers:
    def test_middleware_cannot_come_once_the_application_serves(self) -> None:
        app = Application()
        TestClient(app).get("/")
        with pytest.raises(RuntimeError, match="Cannot add middleware after an application has started"):
            app.add_middleware(Layer, name="late")

    def test_middleware_that_is_added_goes_around_what_there_is(self) -> None:
        order: list[str] = []
        app = Application(middleware=[Middleware(Layer, name="first", order=order)])
        app.add_middleware(Layer, name="second", order=order)
        TestClient(app).get("/")
        assert order == ["second", "first"]

    def test_the_pool_of_threads_has_the_size_that_was_asked_for(self) -> None:
        try:
            Application(threads=3)
            assert concurrency._threads == 3
        finally:
            concurrency.set_threads(concurrency.DEFAULT_THREADS)


class Layer:
    def __init__(self, app: Any, name: str, order: list[str] | None = None) -> None:
        self.app = app
        self.name = name
        self.order = order if order is not None else []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.order.append(self.name)
        await self.app(scope, receive, send)
