"""The lifespan of an application (ASGI lifespan 2.0): startup before the first request, shutdown after the last.

The server, the test clients and the framework (for mounted applications) drive it. It logs only where it is given a
logger: elsewhere whoever drives it gets the application's exception as the cause of a LifespanError.
"""

import asyncio
import logging
from typing import Any

from portico.asgi import ASGIApp, Message, MessageError, PorticoError

LINGER_S = 0.1  # for an application that has answered "shutdown" to end by itself
CANCEL_S = 1.0


class LifespanError(PorticoError):
    """The application said that its startup or shutdown failed; the cause is its own exception, if it raised one."""


class Lifespan:
    """Drive the lifespan of one application in one event loop.

    Args:
        app: The application.
        mode: `auto` (an application that raises or returns before it answers does without), `on` (that is an error) or
            `off` (it is not asked).
        state: What the application fills for its requests; a new dictionary by default.
        log: Where the steps and the application's errors are written; nowhere by default.
    """

    def __init__(
        self, app: ASGIApp, mode: str, *, state: dict[str, Any] | None = None, log: logging.Logger | None = None
    ) -> None:
        self.app = app
        self.mode = mode
        self.state: dict[str, Any] = {} if state is None else state
        self.error: BaseException | None = None  # what the application raised out of its lifespan
        self._log = log
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[str | None] | None = None
        self._stage = "startup"
        self._supported = mode != "off"

    @property
    def supported(self) -> bool:
        """Whether the application has a lifespan, as far as is known: after `startup()` it is."""
        return self._supported

    async def startup(self) -> None:
        """Wait for the application's startup; raises LifespanError where it failed."""
        if not self._supported:
            return
        self._info("Waiting for application startup.")
        try:
            failure = await self._ask("startup")
        except BaseException:
            await self._end()
            raise
        if failure is not None:
            await self._end()
            raise LifespanError(failure or "the application's startup failed") from self.error
        if self._supported:
            self._info("Application startup complete.")

    async def shutdown(self, timeout_s: float | None) -> None:
        """Wait for the application's shutdown, so long and no longer; raises LifespanError where it failed."""
        if not self._supported or self._task is None:
            return
        self._info("Waiting for application shutdown.")
        failure = None
        try:
            async with asyncio.timeout(timeout_s):
                failure = await self._ask("shutdown")
            if failure is None:
                self._info("Application shutdown complete.")
        except TimeoutError:
            if self._log is None:
                failure = f"the application's shutdown took longer than {timeout_s:g} s"
            else:
                self._log.error("Application shutdown took longer than %g s: cancelled.", timeout_s)
        finally:
            await self._end()
        if failure is not None:
            raise LifespanError(failure or "the application's shutdown failed") from self.error

    async def _ask(self, stage: str) -> str | None:
        """Return None where the application has done it, else what it says of its failure."""
        self._stage = stage
        self._answer = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": f"lifespan.{stage}"})
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="portico-lifespan")
        elif self._task.done():
            unseen = self.error is not None and self._log is None
            return "the application's lifespan failed while it was served" if unseen else None
        return await self._answer

    async def _end(self) -> None:
        """Let the application leave its lifespan; cancel it if it stays."""
        task = self._task
        if task is None or task.done():
            return
        done, _ = await asyncio.wait((task,), timeout=LINGER_S)
        if not done:
            task.cancel()
            await asyncio.wait((task,), timeout=CANCEL_S)

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.app(scope, self._events.get, self._send)
        except asyncio.CancelledError:
            self._ended(None)
            raise
        except Exception as error:
            self._ended(error)
        except BaseException as error:
            self._ended(error)
            if self._log is not None:  # SystemExit and its like end the server, not the test that gets the cause
                raise
        else:
            self._ended(None)

    def _ended(self, error: BaseException | None) -> None:
        """The application is through: fine after shutdown, "not supported" before startup was answered."""
        self.error = error
        waiting = self._answer is not None and not self._answer.done()
        if not waiting:
            self._report(error)
        elif self._stage == "shutdown":
            self._report(error)
            self._settle("the lifespan ended before 'lifespan.shutdown.complete'" if error is not None else None)
        elif self.mode == "auto":
            # ASGI lifespan, "Scope": an exception here means that the application does not support lifespan.
            self._supported = False
            self._info("ASGI 'lifespan' protocol appears unsupported.")
            if self._log is not None:
                self._log.debug("The application's answer to the lifespan scope", exc_info=error)
            self._settle(None)
        else:
            self._supported = False
            self._report(error)
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

    def _info(self, text: str) -> None:
        if self._log is not None:
            self._log.info(text)

    def _report(self, error: BaseException | None) -> None:
        if error is not None and self._log is not None:
            self._log.error("Exception in the application's lifespan", exc_info=error)
