"""The lifespan of an application (ASGI lifespan 2.0): startup before the first request, shutdown after the last."""

import asyncio
from typing import Any

from portico.asgi import ASGIApp, Message, MessageError, PorticoError
from portico.server.service import logger


class LifespanError(PorticoError):
    """The application said that its startup or shutdown failed."""


class Lifespan:
    """Drive the lifespan of one application in one event loop."""

    def __init__(self, app: ASGIApp, mode: str) -> None:
        self.app = app
        self.mode = mode  # auto, on, off
        self.state: dict[str, Any] = {}
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[str | None] | None = None
        self._stage = "startup"
        self._supported = True

    async def startup(self) -> None:
        """Wait for the application's startup; raises LifespanError where it failed."""
        if self.mode == "off":
            self._supported = False
            return
        logger.info("Waiting for application startup.")
        await self._ask("startup")
        if self._supported:
            logger.info("Application startup complete.")

    async def shutdown(self, timeout_s: float) -> None:
        """Wait for the application's shutdown, so long and no longer; raises LifespanError where it failed."""
        task = self._task
        if not self._supported or task is None:
            return
        logger.info("Waiting for application shutdown.")
        try:
            async with asyncio.timeout(timeout_s):
                await self._ask("shutdown")
            logger.info("Application shutdown complete.")
        except TimeoutError:
            logger.error("Application shutdown took longer than %g s: cancelled.", timeout_s)
        finally:
            if not task.done():
                done, _ = await asyncio.wait((task,), timeout=0.1)
                if not done:
                    task.cancel()
                    await asyncio.wait((task,), timeout=1)

    async def _ask(self, stage: str) -> None:
        self._stage = stage
        self._answer = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": f"lifespan.{stage}"})
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="portico-lifespan")
        elif self._task.done():
            return
        message = await self._answer
        if message is not None:
            raise LifespanError(message or f"the application's {stage} failed")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.app(scope, self._events.get, self._send)
        except Exception as error:
            self._ended(error)
        else:
            self._ended(None)

    def _ended(self, error: Exception | None) -> None:
        """The application is through: fine after shutdown, "not supported" before startup was answered."""
        waiting = self._answer is not None and not self._answer.done()
        if not waiting:
            if error is not None:
                logger.error("Exception in the application's lifespan", exc_info=error)
            return
        if self._stage == "shutdown":
            if error is not None:
                logger.error("Exception in the application's lifespan", exc_info=error)
            self._settle("the lifespan ended before 'lifespan.shutdown.complete'" if error is not None else None)
        elif self.mode == "auto":
            # ASGI lifespan, "Scope": an exception here means that the application does not support lifespan.
            self._supported = False
            logger.info("ASGI 'lifespan' protocol appears unsupported.")
            logger.debug("The application's answer to the lifespan scope", exc_info=error)
            self._settle(None)
        else:
            self._supported = False
            if error is not None:
                logger.error("Exception in the application's lifespan", exc_info=error)
            self._settle("the application does not support lifespan, and --lifespan is 'on'")

    async def _send(self, message: Message) -> None:
        kind = message.get("type")
        if kind not in (f"lifespan.{self._stage}.complete", f"lifespan.{self._stage}.failed"):
            raise MessageError(
                f"expected 'lifespan.{self._stage}.complete' or 'lifespan.{self._stage}.failed', got {kind!r}"
            )
        if self._answer is None or self._answer.done():
            raise MessageError(f"{kind!r} was sent twice")
        self._settle(None if str(kind).endswith(".complete") else str(message.get("message", "")))

    def _settle(self, message: str | None) -> None:
        assert self._answer is not None
        self._answer.set_result(message)
