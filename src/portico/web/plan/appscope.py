"""Dependencies of scope "app": made once for the application, when first asked for, and torn down at its shutdown."""

import asyncio
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from portico.asgi import Message, Receive
from portico.web.concurrency import run_in_threadpool
from portico.web.plan.callables import is_async_generator, is_coroutine, is_generator
from portico.web.plan.cleanup import ThreadedExit, async_context
from portico.web.plan.dependant import CacheKey, Dependant


class AppDependencies:
    """The values of an application's own dependencies."""

    def __init__(self) -> None:
        self._values: dict[CacheKey, Any] = {}
        self._locks: dict[CacheKey, asyncio.Lock] = {}
        self._stack = AsyncExitStack()

    async def value(self, dependant: Dependant) -> Any:
        """Return the value of the dependency; whoever asks first has it made, and others wait for that."""
        key = dependant.cache_key
        if key not in self._values:
            async with self._locks.setdefault(key, asyncio.Lock()):
                if key not in self._values:
                    self._values[key] = await self._make(dependant)
        return self._values[key]

    async def _make(self, dependant: Dependant) -> Any:
        call = dependant.call
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
        stack, self._stack = self._stack, AsyncExitStack()
        self._values.clear()
        self._locks.clear()
        await stack.aclose()

    def closed_at_shutdown(self, receive: Receive) -> Receive:
        """Return a `receive` of a lifespan that tears down what was made before the lifespan hears of the shutdown."""

        async def receive_and_close() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.aclose()
            return message

        return receive_and_close
