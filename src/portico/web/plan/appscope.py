"""Dependencies of scope "app": made once for the application, when first asked for, and torn down at its shutdown."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from portico.asgi import Message, Receive
from portico.web.concurrency import run_in_threadpool
from portico.web.plan.callables import is_async_generator, is_coroutine, is_generator
from portico.web.plan.cleanup import ThreadedExit, async_context
from portico.web.plan.dependant import CacheKey, Dependant

AppKey = tuple[CacheKey, tuple[Any, ...]]


def app_key(dependant: Dependant) -> AppKey:
    """Return what two uses have in common that share one value: all that is called for it, overrides among it."""
    return dependant.cache_key, tuple(app_key(below) for below in dependant.dependencies)


def _runs_on_loop(dependant: Dependant) -> bool:
    call = dependant.call
    return is_coroutine(call) or is_async_generator(call) or any(map(_runs_on_loop, dependant.dependencies))


class AppDependencies:
    """The values of an application's own dependencies."""

    def __init__(self) -> None:
        # Each with the event loop that it was made in, if it may be bound to that.
        self._values: dict[AppKey, tuple[Any, asyncio.AbstractEventLoop | None]] = {}
        self._in_making: dict[AppKey, Future[None]] = {}
        self._stack = AsyncExitStack()

    async def value(self, dependant: Dependant, key: AppKey | None = None) -> Any:
        """Return the value of the dependency; whoever asks first has it made, and others wait for that.

        Args:
            dependant: The dependency, with all that is below it.
            key: Its `app_key`, if that is known.
        """
        if key is None:
            key = app_key(dependant)
        while True:
            known = self._values.get(key)
            if known is not None and (known[1] is None or not known[1].is_closed()):
                return known[0]
            made: Future[None] = Future()
            in_making = self._in_making.setdefault(key, made)  # of any event loop: this one must not wait for its lock
            if in_making is made:
                break
            await asyncio.shield(asyncio.wrap_future(in_making))
        try:
            value = await self._make(dependant)
            self._values[key] = value, asyncio.get_running_loop() if _runs_on_loop(dependant) else None
        finally:
            del self._in_making[key]
            made.set_result(None)
        return value

    async def _make(self, dependant: Dependant) -> Any:
        call: Callable[..., Any] | None = dependant.call
        assert call is not None
        arguments = {}
        for below in dependant.dependencies:
            value = await self.value(below)
            if below.name is not None:
                arguments[below.name] = value
        if is_async_generator(call):
            return await self._stack.enter_async_context(async_context(call, arguments))
        if is_generator(call):
            context = contextmanager(call)(**arguments)
            value = await run_in_threadpool(context.__enter__)
            self._stack.push_async_exit(ThreadedExit(context))
            return value
        if is_coroutine(call):
            return await call(**arguments)
        return await run_in_threadpool(call, **arguments)

    async def aclose(self) -> None:
        """Tear down what has been made, the last first; what is asked for afterwards is made anew."""
        for made in list(self._in_making.values()):
            await asyncio.shield(asyncio.wrap_future(made))
        stack, self._stack = self._stack, AsyncExitStack()
        self._values.clear()
        await stack.aclose()

    def closed_at_shutdown(self, receive: Receive) -> Receive:
        """Return a `receive` of a lifespan that tears down what was made before the lifespan hears of the shutdown."""

        async def receive_and_close() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.aclose()
            return message

        return receive_and_close
