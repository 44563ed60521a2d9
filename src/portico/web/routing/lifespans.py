"""Lifespans: the router's own context, and around it those of the applications that are mounted below."""

import inspect
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from portico import lifespan as asgi
from portico.asgi import Receive, Scope, Send
from portico.web.exceptions import PorticoDeprecationWarning
from portico.web.routing.mounts import Host, Mount
from portico.web.routing.routes import BaseRoute
from portico.web.types import Lifespan

Context = Callable[[Any], AbstractAsyncContextManager[Any]]

SHUTDOWN_TIMEOUT_S = 3600.0  # the server has a limit of its own for the whole


def lifespan_context(lifespan: Lifespan[Any] | Callable[[Any], Any] | None) -> Context:
    """Return the lifespan as a function from application to async context manager; generators are still taken."""
    if lifespan is None:
        return _nothing
    if inspect.isasyncgenfunction(lifespan):
        _warn_of_generator("async generator function")
        return asynccontextmanager(lifespan)
    if inspect.isgeneratorfunction(lifespan):
        _warn_of_generator("generator function")
        sync_context = contextmanager(lifespan)

        @asynccontextmanager
        async def context(app: Any) -> AsyncIterator[Any]:
            with sync_context(app) as state:
                yield state

        return context
    return lifespan


def _warn_of_generator(kind: str) -> None:
    warnings.warn(
        f"{kind} lifespans are deprecated, use an @contextlib.asynccontextmanager function instead",
        PorticoDeprecationWarning,
        stacklevel=4,
    )


@asynccontextmanager
async def _nothing(app: Any) -> AsyncIterator[None]:
    yield


async def run_lifespan(
    context: Context, routes: Sequence[BaseRoute], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer the messages of the lifespan: the router's own context first, then what is mounted; and back."""
    started = False
    await receive()
    try:
        async with context(scope.get("app")) as state, AsyncExitStack() as mounted:
            if state is not None:
                _add_state(scope, state)
            await _start_mounted(routes, mounted)
            await send({"type": "lifespan.startup.complete"})
            started = True
            await receive()
    except BaseException:
        failed = "lifespan.shutdown.failed" if started else "lifespan.startup.failed"
        await send({"type": failed, "message": traceback.format_exc()})
        raise
    await send({"type": "lifespan.shutdown.complete"})


def _add_state(scope: Scope, state: Mapping[str, Any]) -> None:
    if "state" not in scope:
        raise RuntimeError('The server does not support "state" in the lifespan scope.')
    scope["state"].update(state)


async def _start_mounted(routes: Sequence[BaseRoute], mounted: AsyncExitStack) -> None:
    """Start each mounted application once, in the order of the routes; how they are stopped is left on the stack."""
    drivers: dict[int, asgi.Lifespan] = {}
    for route in routes:
        if not isinstance(route, Mount | Host):
            continue
        driver = drivers.get(id(route.app))
        if driver is None:
            driver = drivers[id(route.app)] = asgi.Lifespan(route.app, "auto")
            await driver.startup()
            mounted.push_async_callback(driver.shutdown, SHUTDOWN_TIMEOUT_S)
        route.lifespan_state = driver.state
