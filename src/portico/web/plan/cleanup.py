"""Dependencies with `yield`: entered one after the other, left in the opposite order, in time for what they hold.

Those of scope "function" are left when the endpoint has returned, before the response is sent; those of scope
"request" after it has been sent. A request that has none makes no exit stack. From the first one that is entered on,
the request has something that others may wait for, and gets its threads before them (`concurrency.holds`).
"""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any

from portico.asgi import Scope
from portico.web.concurrency import exit_in_thread, holds
from portico.web.exceptions import DefinitionError

CLEANUP_KEY = "portico.cleanup"


class Cleanup:
    """What is to be left at the end of a request, by the scope of the dependency."""

    # Of the class: most requests have none of them, and make this object none the less.
    function: AsyncExitStack | None = None
    request: AsyncExitStack | None = None
    shield: Any = None

    def stack(self, function: bool) -> AsyncExitStack:
        """Return the stack of the dependencies of one scope."""
        if function:
            if self.function is None:
                self.function = AsyncExitStack()
            return self.function
        if self.request is None:
            self.request = AsyncExitStack()
        return self.request

    async def leave_function(self, error: BaseException | None = None) -> bool:
        """Leave the dependencies of scope "function"; return whether one of them has swallowed the error."""
        stack, self.function = self.function, None
        return stack is not None and await _leave(stack, error)

    async def leave_request(self, error: BaseException | None = None) -> bool:
        """Leave those of scope "request", all others have been left; return whether one has swallowed the error."""
        stack, self.request = self.request, None
        try:
            return stack is not None and await _leave(stack, error)
        finally:
            holds.set(False)


async def _leave(stack: AsyncExitStack, error: BaseException | None) -> bool:
    if error is None:
        return bool(await stack.__aexit__(None, None, None))
    return bool(await stack.__aexit__(type(error), error, error.__traceback__))


def cleanup_of(scope: Scope) -> Cleanup:
    """Return the cleanup of the request."""
    cleanup: Cleanup | None = scope.get(CLEANUP_KEY)
    if cleanup is None:
        raise DefinitionError(
            "A typed handler has been called outside of its route, where nothing leaves its dependencies with yield. "
            "Make the app of a route of its get_route_handler() itself: request_response(route.get_route_handler())."
        )
    return cleanup


class ThreadedExit(AbstractAsyncContextManager[Any]):
    """The way out of a sync context manager that has been entered in a thread: in a thread too."""

    __slots__ = ("context",)

    def __init__(self, context: AbstractContextManager[Any]) -> None:
        self.context = context

    async def __aenter__(self) -> None:
        raise AssertionError("it has been entered already")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await exit_in_thread(self.context, kind, error, traceback)


class ShieldedExit(AbstractAsyncContextManager[Any]):
    """An async context manager that may finish what it waits for on its way out, though anyio has cancelled the task.

    A scope of anyio cancels the task again at every turn of the loop, so that cleaning up could not wait for anything.
    The shield is a scope around all that such dependencies open; it is put up while one of them is left.
    """

    __slots__ = ("cleanup", "context")

    def __init__(self, context: AbstractAsyncContextManager[Any], cleanup: Cleanup) -> None:
        self.context = context
        self.cleanup = cleanup

    async def __aenter__(self) -> Any:
        return await self.context.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        shield = self.cleanup.shield
        before, shield.shield = shield.shield, True
        try:
            swallowed = await self.context.__aexit__(kind, error, traceback)
        finally:
            shield.shield = before
        if error is None or swallowed:  # else it goes on as it is
            await sys.modules["anyio"].lowlevel.checkpoint_if_cancelled()
        return swallowed


def async_context(
    call: Callable[..., AsyncGenerator[Any, None]], arguments: dict[str, Any], cleanup: Cleanup | None = None
) -> AbstractAsyncContextManager[Any]:
    """Return the context manager of an async generator function's call."""
    context = asynccontextmanager(call)(**arguments)
    anyio = sys.modules.get("anyio")
    if anyio is None or cleanup is None:
        return context
    if cleanup.shield is None:
        cleanup.shield = cleanup.stack(function=False).enter_context(anyio.CancelScope())
    return ShieldedExit(context, cleanup)
