"""A program in Starlette's words with packages that were written for Starlette; its name is bound to `portico.web`."""

import asyncio
from collections.abc import AsyncIterator

import conformance.aliases  # before anything that imports Starlette  # isort: split
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIMiddleware
from slowapi.util import get_remote_address
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

assert Starlette.__module__.rpartition(".")[0] == conformance.aliases.OURS

limiter = Limiter(key_func=get_remote_address, default_limits=["3/hour"])


@limiter.limit("2/hour")
def twice(request: Request) -> PlainTextResponse:
    return PlainTextResponse("twice")


async def thrice(request: Request) -> PlainTextResponse:
    return PlainTextResponse("thrice")


@limiter.exempt
async def often(request: Request) -> PlainTextResponse:
    return PlainTextResponse("often")


limited = Starlette(
    routes=[Route("/twice", twice), Route("/thrice", thrice), Route("/often", often)],
    middleware=[Middleware(SlowAPIMiddleware)],
    exception_handlers={RateLimitExceeded: _rate_limit_exceeded_handler},
)
limited.state.limiter = limiter


def asked(request: Request) -> JSONResponse:
    return JSONResponse(correlation_id.get())


async def ticks(stop: int | None) -> AsyncIterator[dict[str, str]]:
    tick = 0
    try:
        while tick != stop:
            yield {"event": "tick", "data": str(tick)}
            tick += 1
            await asyncio.sleep(0)
    finally:
        print(f"end of the ticks to {stop}", flush=True)


async def events(request: Request) -> EventSourceResponse:
    stop = request.query_params.get("stop")
    return EventSourceResponse(ticks(None if stop is None else int(stop)))


items = APIRouter(prefix="/items")


@items.get("/{number}")
def item(number: int) -> dict[str, int]:
    return {"number": number}


measured = FastAPI()
measured.include_router(items)
Instrumentator(registry=CollectorRegistry()).instrument(measured).expose(measured)

app = Starlette(
    routes=[
        Mount("/limited", limited),
        Mount("/measured", measured),
        Route("/asked", asked),
        Route("/events", events),
    ],
    middleware=[Middleware(CorrelationIdMiddleware, validator=None)],
)
