"""Lifespans: the router's own context, and around it those of the applications that are mounted below."""

import inspect
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

from portico import lifespan as asgi
from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.exceptions import PorticoDeprecationWarning
from portico.web.routing.mounts import Host, Mount
from portico.web.routing.routes import BaseRoute
from portico.web.types import Lifespan

Context = Callable[[Any], AbstractAsyncContextManager[Any]]

SHUTDOWN_TIMEOUT_S = 3600.0  # the server has a limit of its own for the whole
ADVICE = (
    "This is the lifespan of what is mounted at {!r}, which the application that it is mounted on runs. If that starts "
    "the same things itself, leave them out there, or say mounted_lifespans=False."
)

# The lifespans that run in the one of the outermost application, with their states.
_running: ContextVar[dict["NotedLifespan", Any] | None] = ContextVar("running", default=None)


class NotedLifespan:
    """A lifespan that is known to run while it does.

    Programs enter the lifespan of what they mount in their own one, for frameworks that do not run it.
    """

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context

    @asynccontextmanager
    async def __call__(self, app: Any) -> AsyncIterator[Any]:
        running = _running.get()
        async with self.context(app) as state:
            if running is None:
                yield state
                return
            running[self] = state
            try:
                yield state
            finally:
                running.pop(self, None)


def lifespan_context(lifespan: Lifespan[Any] | Callable[[Any], Any] | None) -> NotedLifespan:
    """Return the lifespan as a function from application to async context manager; generators are still taken."""
    return lifespan if isinstance(lifespan, NotedLifespan) else NotedLifespan(_context(lifespan))


def _context(lifespan: Lifespan[Any] | Callable[[Any], Any] | None) -> Context:
    if lifespan is None:
        return _nothing
    context = from_generator(lifespan)
    if context is None:
        if inspect.iscoroutinefunction(lifespan):
            raise TypeError(
                f"a lifespan is an async context manager, got {lifespan!r}, which is awaited: decorate it with "
                "contextlib.asynccontextmanager, and yield where the application runs"
            )
        return lifespan
    _warn_of_generator("async generator function" if inspect.isasyncgenfunction(lifespan) else "generator function")
    return context


def from_generator(lifespan: Callable[[Any], Any]) -> Context | None:
    """Return the context manager that a generator function stands for, None for any other function."""
    if inspect.isasyncgenfunction(lifespan):
        return asynccontextmanager(lifespan)
    if not inspect.isgeneratorfunction(lifespan):
        return None
    sync_context = contextmanager(lifespan)

    @asynccontextmanager
    async def context(app: Any) -> AsyncIterator[Any]:
        with sync_context(app) as state:
            yield state

    return context


def _warn_of_generator(kind: str) -> None:
    warnings.warn(
        f"{kind} lifespans are deprecated, use an @contextlib.asynccontextmanager function instead",
        PorticoDeprecationWarning,
        stacklevel=5,
    )


@asynccontextmanager
async def _nothing(app: Any) -> AsyncIterator[None]:
    yield


async def run_lifespan(
    context: NotedLifespan, routes: Sequence[BaseRoute], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer the messages of the lifespan: the router's own context first, then what is mounted; and back."""
    outermost = _running.get()
    running: dict[NotedLifespan, Any] = {} if outermost is None else outermost
    token = _running.set(running)
    started = False
    try:
        await receive()
        async with entered_once(context, scope.get("app")) as state, AsyncExitStack() as mounted:
            if state is not None:
                _add_state(scope, state)
            await _start_mounted(routes, context, mounted)
            await send({"type": "lifespan.startup.complete"})
            started = True
            await receive()
    except BaseException:
        failed = "lifespan.shutdown.failed" if started else "lifespan.startup.failed"
        await send({"type": failed, "message": traceback.format_exc()})
        raise
    finally:
        _running.reset(token)
    await send({"type": "lifespan.shutdown.complete"})


def entered_once(context: NotedLifespan, app: Any) -> AbstractAsyncContextManager[Any]:
    """Return a lifespan to enter; for one that runs already, only its state is given."""
    running = _running.get()
    return _entered(running[context]) if running is not None and context in running else context(app)


@asynccontextmanager
async def _entered(state: Any) -> AsyncIterator[Any]:
    yield state


def _add_state(scope: Scope, state: Mapping[str, Any]) -> None:
    if "state" not in scope:
        raise RuntimeError('The server does not support "state" in the lifespan scope.')
    scope["state"].update(state)


async def _start_mounted(routes: Sequence[BaseRoute], outer: NotedLifespan, mounted: AsyncExitStack) -> None:
    """Start each mounted application once, in the order of the routes; how they are stopped is left on the stack."""
    drivers: dict[int, asgi.Lifespan] = {}
    for route in routes:
        if not isinstance(route, Mount | Host) or _lifespan_of(route.app) is outer.context:
            continue
        driver = drivers.get(id(route.app))
        if driver is None:
            driver = drivers[id(route.app)] = asgi.Lifespan(route.app, "auto")
            try:
                await driver.startup()
            except asgi.LifespanError as error:
                error.add_note(ADVICE.format(route.path if isinstance(route, Mount) else route.host))
                raise
            mounted.push_async_callback(driver.shutdown, SHUTDOWN_TIMEOUT_S)
        route.lifespan_state = driver.state


def _lifespan_of(app: ASGIApp) -> object:
    """Return the lifespan of an application of another framework, as far as it shows it."""
    return getattr(getattr(app, "router", None), "lifespan_context", None)
