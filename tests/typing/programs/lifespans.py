"""A lifespan with typed state, events, middleware as functions and classes, and handlers of errors."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypedDict

from portico import HTTPException, Portico, Request, Response
from portico.web.exception_handlers import http_exception_handler, request_validation_exception_handler
from portico.web.exceptions import HTTPException as WebHTTPException
from portico.web.exceptions import RequestValidationError
from portico.web.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from portico.web.middleware.trustedhost import TrustedHostMiddleware
from portico.web.responses import JSONResponse, PlainTextResponse
from portico.web.types import ASGIApp, Receive, Scope, Send


class State(TypedDict):
    models: dict[str, Callable[[float], float]]


@asynccontextmanager
async def lifespan(app: Portico) -> AsyncIterator[State]:
    app.state.started = time.time()
    yield {"models": {"answer": lambda x: x * 42}}


@asynccontextmanager
async def plain_lifespan(app: Portico) -> AsyncIterator[None]:
    yield


class OutOfTea(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


async def not_found(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"path": request.url.path, "error": str(error)}, status_code=404)


app = Portico(lifespan=lifespan, exception_handlers={404: not_found}, max_body_size=1 << 20)
plain = Portico(lifespan=plain_lifespan)


@app.exception_handler(OutOfTea)
async def out_of_tea(request: Request, error: OutOfTea) -> JSONResponse:
    return JSONResponse(status_code=418, content={"message": f"{error.name} is out of tea"})


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError) -> Response:
    if request.headers.get("accept") == "text/plain":
        return PlainTextResponse(f"{error.errors()} {error.body}", status_code=400)
    return await request_validation_exception_handler(request, error)


@app.exception_handler(WebHTTPException)
async def failed(request: Request, error: WebHTTPException) -> Response:
    return await http_exception_handler(request, error)


app.add_exception_handler(500, not_found)


@app.middleware("http")
async def timed(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    start = time.perf_counter()
    response = await call_next(request)
    response.headers["x-process-time"] = str(time.perf_counter() - start)
    return response


class Named(BaseHTTPMiddleware):
    def __init__(self, app: ASGIApp, name: str = "portico") -> None:
        super().__init__(app)
        self.name = name

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers["x-name"] = self.name
        return response


class Pure:
    def __init__(self, app: ASGIApp, *, on: bool) -> None:
        self.app = app
        self.on = on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


app.add_middleware(Named, name="example")
app.add_middleware(Pure, on=True)
app.add_middleware(TrustedHostMiddleware, allowed_hosts=["example.org"])


@app.get("/predict")
async def predict(request: Request, x: float) -> float:
    models: dict[str, Callable[[float], float]] = request.state.models
    if x < 0:
        raise OutOfTea("Ada")
    if x > 100:
        raise HTTPException(status_code=404, detail={"x": x})
    return models["answer"](x)
