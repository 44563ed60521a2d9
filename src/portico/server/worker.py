"""A server: one application, its listeners and its lifespan in one event loop."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from portico.asgi import ASGIApp, PorticoError
from portico.lifespan import Lifespan, LifespanError
from portico.server.access import AccessLog, logger_sink, open_sink
from portico.server.config import Config
from portico.server.connection import Connection
from portico.server.importer import adapt, load
from portico.server.listeners import close_listeners, describe, open_listeners
from portico.server.service import Service, logger
from portico.server.signals import caught

STARTUP_FAILED = 3


class Server:
    """Serve one application, as `config` says.

    Use it as an async context manager in a running loop, `await serve()` in one, or `run()` with a loop of its own.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.started = False
        self._service: Service | None = None
        self._lifespan: Lifespan | None = None
        self._sockets: list[Any] = []
        self._servers: list[asyncio.Server] = []
        self._stop_asked: asyncio.Event | None = None
        self._forced = False

    @property
    def addresses(self) -> list[str]:
        """Where the server listens, such as `http://127.0.0.1:8000` or `unix:/run/app.sock`."""
        return [describe(sock) for sock in self._sockets]

    @property
    def url(self) -> str:
        """The first address."""
        return self.addresses[0]

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shutdown()

    async def start(self, app: ASGIApp | None = None) -> None:
        """Open the listeners, run the application's startup and begin to serve.

        Raises ListenError, LifespanError, or AppImportError for an application that cannot be imported.
        """
        config = self.config
        loop = asyncio.get_running_loop()
        app = load_app(config) if app is None else app
        self._stop_asked = asyncio.Event()
        service = self._service = Service(config, app, loop, _access_log(config))
        sockets = self._sockets = open_listeners(config)

        def protocol() -> Any:
            return Connection(service)

        try:
            lifespan = self._lifespan = Lifespan(app, config.lifespan, log=logger)
            await lifespan.startup()
            service.state = lifespan.state
            service.start()
            _raise_file_limit()
            for sock in sockets:
                server = await loop.create_server(protocol, sock=sock, backlog=config.backlog)
                self._servers.append(server)
        except BaseException:
            service.stop()
            close_listeners(sockets)
            raise
        self.started = True
        for address in self.addresses:
            logger.info("Portico running on %s (Press CTRL+C to quit)", address)

    async def serve(self) -> None:
        """Start, and serve until `stop()` is called or the task is cancelled."""
        await self.start()
        await self._until_stopped()

    def stop(self, *, force: bool = False) -> None:
        """Ask the server to stop: gracefully, or at once when forced or asked a second time."""
        asked = self._stop_asked
        if asked is None:
            return
        if asked.is_set() or force:
            self._forced = True
            self._cut()
        asked.set()

    async def _until_stopped(self) -> None:
        assert self._stop_asked is not None
        try:
            await self._stop_asked.wait()
        finally:
            await self.shutdown()

    async def shutdown(self) -> None:
        """Stop accepting, let the answers in flight finish within the grace, cut the rest, run the app's shutdown."""
        service = self._service
        if not self.started or service is None:
            return
        self.started = False
        logger.info("Shutting down")
        for server in self._servers:
            server.close()
        service.stopping = True
        for connection in list(service.connections):
            connection.shutdown()
        if (service.connections or service.tasks) and not self._forced:
            logger.info("Waiting for connections to close. (CTRL+C to force quit)")
            await self._wait_idle(service, self.config.timeout_graceful_shutdown)
        if service.connections or service.tasks:
            if not self._forced:
                logger.warning("Graceful shutdown took too long: cutting %d connections", len(service.connections))
            self._cut()
            await self._wait_idle(service, 2.0)
        try:
            if self._lifespan is not None:
                await self._lifespan.shutdown(self.config.timeout_graceful_shutdown)
        finally:
            service.stop()
            close_listeners(self._sockets)

    async def _wait_idle(self, service: Service, timeout_s: float) -> None:
        idle = asyncio.Event()
        service.idle = idle.set
        service.check_idle()
        try:
            async with asyncio.timeout(timeout_s):
                await idle.wait()
        except TimeoutError:
            pass
        finally:
            service.idle = None

    def _cut(self) -> None:
        service = self._service
        if service is not None:
            for task in list(service.tasks):
                task.cancel()
            for connection in list(service.connections):
                connection.abort()

    def run(self) -> int:
        """Serve in a loop of its own until a signal asks to stop; return the exit code of the process."""
        try:
            with asyncio.Runner(loop_factory=loop_factory(self.config.loop)) as runner:
                return runner.run(self._main())
        except PorticoError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 1

    async def _main(self) -> int:
        app = load_app(self.config)
        logger.info("Started server process [%d]", os.getpid())
        with caught(asyncio.get_running_loop(), lambda number: self._interrupt()):
            starting = self._starting = asyncio.ensure_future(self.start(app))
            try:
                await starting
            except asyncio.CancelledError:
                return 0
            except LifespanError as error:
                logger.error("%s", error)
                logger.error("Application startup failed. Exiting.")
                return STARTUP_FAILED
            gc.freeze()
            try:
                await self._until_stopped()
            except LifespanError as error:
                logger.error("%s", error)
                logger.error("Application shutdown failed. Exiting.")
                return STARTUP_FAILED
            logger.info("Finished server process [%d]", os.getpid())
        return 0

    def _interrupt(self) -> None:
        if self.started or self._starting.done():
            self.stop()
        else:
            self._starting.cancel()


def load_app(config: Config) -> ASGIApp:
    """Return the application that the settings name, as an ASGI 3 application."""
    app: Any = load(config) if isinstance(config.app, str) or config.factory else config.app
    return adapt(app, config.interface)


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the event loop: `auto` is uvloop where it is installed."""
    if name in ("auto", "uvloop"):
        try:
            import uvloop

            return uvloop.new_event_loop
        except ImportError:
            if name == "uvloop":
                raise PorticoError("--loop uvloop: uvloop is not installed; pip install uvloop") from None
    if name in ("auto", "asyncio"):
        return asyncio.new_event_loop
    from importlib import import_module

    module, _, attribute = name.partition(":")
    try:
        found: Callable[[], asyncio.AbstractEventLoop] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise PorticoError(f"--loop {name}: {error}") from None
    return found


def _access_log(config: Config) -> AccessLog | None:
    if not config.access_log:
        return None
    access = logging.getLogger("portico.access")
    if config.log_config is not None and access.hasHandlers():
        return AccessLog(config.access_log_format, logger_sink(access))
    return AccessLog(config.access_log_format, open_sink(config.access_log_file))


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us have: each connection is one."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            pass
