"""A server: one application, its listeners and its lifespan in one event loop."""

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any

from portico.asgi import ASGIApp, PorticoError
from portico.lifespan import Lifespan
from portico.server.accepting import Acceptor, Neighbours
from portico.server.access import AccessLog, logger_sink, open_sink
from portico.server.config import Config
from portico.server.connection import Connection
from portico.server.deadlines import NEVER
from portico.server.health import answering
from portico.server.http1 import Http1Connection
from portico.server.http2 import Http2Connection
from portico.server.importer import adapt, load
from portico.server.listeners import Role, announce, close_listeners, describe, open_listeners, ports_of, role_of
from portico.server.logs import reopen, wants_colours
from portico.server.metrics.board import Board
from portico.server.service import Service, logger

if TYPE_CHECKING:
    from portico.server.tls.certificates import Certificates
    from portico.server.tls.watching import WatchedFiles

REUSE_S = 1.0  # whoever has used a connection within this time may be sending the next request on it


class Server:
    """Serve one application, as `config` says.

    Use it as an async context manager in a running loop, or `await serve()` in one.
    """

    def __init__(
        self,
        config: Config,
        *,
        sockets: Sequence[socket.socket] | None = None,
        cells: memoryview | None = None,
        board: Board | None = None,
        certificates: "Certificates | None" = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            config: The settings.
            sockets: What to listen on, bound already, in place of what the settings name.
            cells: Where to count what is served: a worker's part of a `Board`.
            board: Where the workers are that accept on the same sockets, to share the connections with them.
            certificates: In place of those that the settings name, which are read when it starts.
        """
        self.config = config
        self.started = False
        self._ready = False
        self._given = sockets
        self._cells = cells
        self._board = board
        self._certificates = certificates
        self._watched: WatchedFiles | None = None
        self._service: Service | None = None
        self._lifespan: Lifespan | None = None
        self._sockets: list[socket.socket] = []
        self._acceptors: list[Acceptor] = []
        self._stop_asked: asyncio.Event | None = None
        self._force_asked: asyncio.Event | None = None

    @property
    def addresses(self) -> list[str]:
        """Where the server listens, such as `https://127.0.0.1:8000` or `unix:/run/app.sock`."""
        return [describe(sock, role_of(sock, self.config)) for sock in self._sockets]

    @property
    def url(self) -> str:
        """The first address."""
        return self.addresses[0]

    def is_ready(self) -> bool:
        """Tell whether load balancers should send clients here: from the end of the startup to the first `stop()`.

        A server that stops without delay stays ready, since others go on serving at its address.
        """
        return self._ready

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.shutdown()

    async def start(self, app: ASGIApp | None = None) -> None:
        """Open the listeners, run the application's startup and begin to serve.

        Args:
            app: The application, where it was loaded already; else it is loaded as the settings say.

        Raises:
            AppImportError: the application cannot be imported.
            ListenError: an address cannot be listened on.
            LifespanError: the application's startup has failed.
            ConfigError: the certificates cannot be loaded.
        """
        config = self.config
        loop = asyncio.get_running_loop()
        app = load_app(config) if app is None else app
        if config.tls and self._certificates is None:
            from portico.server.tls.certificates import Certificates
            from portico.server.tls.files import read_files
            from portico.server.tls.watching import WatchedFiles

            files = read_files(config)
            self._certificates = Certificates(config, files)
            self._watched = WatchedFiles(config, files, self._certificates.load)
        self._stop_asked = asyncio.Event()
        self._force_asked = asyncio.Event()
        self._acceptors = []
        served = answering(app, config.root_path + config.health, self.is_ready) if config.health else app
        service = self._service = Service(config, served, loop, _access_log(config), self._cells)
        sockets = self._sockets = list(open_listeners(config) if self._given is None else self._given)

        try:
            lifespan = self._lifespan = Lifespan(app, config.lifespan, log=logger)
            service.start()
            if self._watched is not None:
                self._watched.start(loop)
            await lifespan.startup()
            service.state = lifespan.state
            _raise_file_limit()
            neighbours = None
            if self._board is not None and self._cells is not None:
                neighbours = Neighbours(self._board, self._cells, service)
            protocols = self._protocols(service)
            for sock in sockets:
                sock.listen(config.backlog)
                acceptor = Acceptor(sock, protocols[role_of(sock, config)], neighbours)
                self._acceptors.append(acceptor)
                await acceptor.start()
        except BaseException:
            self._stop_clocks(service)
            for acceptor in self._acceptors:
                acceptor.stop(0)
            close_listeners(sockets)
            raise
        self.started = self._ready = True
        for sock in sockets if self._given is None else ():
            logger.info("%s", announce(sock, config))

    def _protocols(self, service: Service) -> dict[Role, Callable[[], Any]]:
        """Return what makes the protocol of a connection, by the role of the socket that it was accepted on."""
        config = self.config
        protocols: dict[Role, Callable[[], Any]] = {
            Role.INSECURE: lambda: Http1Connection(service),
        }
        if self._certificates is not None:
            from portico.server.tls.batch import Batch
            from portico.server.tls.transport import SecureTransport

            certificates, batch = self._certificates, Batch(service.loop)

            def connect(alpn: str | None) -> Connection:
                return Http2Connection(service) if alpn == "h2" else Http1Connection(service)

            protocols[Role.SECURE] = lambda: SecureTransport(service, certificates, connect, batch)
        if config.redirect_http is not None:
            from portico.server.redirecting import HTTPS_PORT, redirecting

            ports = ports_of(self._sockets, config)
            secure_port = next(iter(ports[Role.SECURE]), HTTPS_PORT)
            redirect = service.beside(redirecting(ports[Role.REDIRECT], secure_port, config.acme_webroot))
            protocols[Role.REDIRECT] = lambda: Http1Connection(redirect)
        return protocols

    async def serve(self) -> None:
        """Start, and serve until `stop()` is called or the task is cancelled."""
        await self.start()
        await self.until_stopped()

    def stop(self, *, force: bool = False, delay: bool = True) -> None:
        """Ask the server to stop, gracefully unless it was asked before; does nothing before `start()`.

        Args:
            force: Cut what is in flight at once.
            delay: Observe the setting `shutdown_delay`. False where others go on serving at the same address: then
                `is_ready()` stays true, and a later call that delays counts as the first one.
        """
        asked, force_asked = self._stop_asked, self._force_asked
        if asked is None or force_asked is None:
            return
        again = delay and asked.is_set() and not self._ready
        if again or force:
            force_asked.set()
            self._cut()
            if self._service is not None and self._service.idle is not None:
                self._service.idle()  # nobody waits any longer than it takes to be cut
        if delay:
            self._ready = False
        asked.set()

    def reload_certificates(self) -> None:
        """Read the files of certificates and keys again; connections that are there keep what they have."""
        if self._watched is not None:
            self._watched.reload()

    def reopen_logs(self) -> None:
        """Open the log files anew, under their old names, after these have been moved away."""
        service = self._service
        if service is not None and service.access_log is not None:
            try:
                service.access_log.reopen()  # first: what it still holds may go to a logger's file
            except OSError as error:
                logger.warning("Cannot reopen %s: %s; the old file is kept", error.filename, error.strerror)
        reopen()

    async def until_stopped(self) -> None:
        """Serve until `stop()` is called or the task is cancelled; then shut down."""
        assert self._stop_asked is not None
        try:
            await self._stop_asked.wait()
        finally:
            await self.shutdown()

    async def shutdown(self) -> None:
        """Stop accepting, let the answers in flight finish within the grace, cut the rest, run the app's shutdown.

        All of it begins after the setting `shutdown_delay`, during which only `is_ready()` has changed.
        """
        service = self._service
        asked, force_asked = self._stop_asked, self._force_asked
        if not self.started or service is None or asked is None or force_asked is None:
            return
        self.started = False
        if not asked.is_set():
            self.stop()
        if self.config.shutdown_delay and not self._ready:
            logger.info("Shutting down in %g s", self.config.shutdown_delay)
            await _passes(force_asked, self.config.shutdown_delay)
        logger.info("Shutting down")
        await self._drain(service, force_asked)
        try:
            if self._lifespan is not None:
                await self._lifespan.shutdown(self.config.timeout_graceful_shutdown)
        finally:
            self._stop_clocks(service)

    def _stop_clocks(self, service: Service) -> None:
        service.stop()
        if self._watched is not None:
            self._watched.stop()

    async def _drain(self, service: Service, force_asked: asyncio.Event) -> None:
        """Serve what has come already, and what comes on connections that are in use, until all are closed."""
        grace = self.config.timeout_graceful_shutdown
        # A developer who reloads the page wants the new code, on whatever connection.
        reuse = 0.0 if self.config.reload else min(REUSE_S, grace / 2)
        services = (service, *service.others)
        for each in services:
            each.stopping = True
        for acceptor in self._acceptors:
            acceptor.stop(0 if force_asked.is_set() else self.config.backlog)
        close_listeners(self._sockets)
        for acceptor in self._acceptors:
            await acceptor.opened()
        began = service.loop.time()
        await _read_what_has_come()
        # The clock is coarse, so a connection may have been used this much later than it says.
        recently = service.now - reuse - 1.5 * service.tick
        due = recently + min(service.timeout_header, service.timeout_keep_alive)
        for connection in list(service.connections):
            connection.shutdown(0.0 if service.late else due)
        unused = [connection for connection in service.connections if connection.is_idle()]
        for each in services:  # for those still busy
            each.timeout_keep_alive = min(each.timeout_keep_alive, reuse + each.tick)
        if service.is_busy() and not force_asked.is_set():
            logger.info("Waiting for connections to close.%s", " (CTRL+C to force quit)" if self._given is None else "")
            await self._wait_idle(service, reuse)
            await _read_what_has_come()
            for connection in unused:
                connection.shutdown(NEVER)
            if not force_asked.is_set():
                await self._wait_idle(service, began + grace - service.loop.time())
        if service.is_busy():
            if not force_asked.is_set():
                logger.warning("Graceful shutdown took too long: cutting %d connections", len(service.connections))
            self._cut()
            await self._wait_idle(service, 2.0)

    async def _wait_idle(self, service: Service, timeout_s: float) -> None:
        idle = asyncio.Event()
        service.idle = idle.set
        service.check_idle()
        try:
            await _passes(idle, timeout_s)
        finally:
            service.idle = None

    def _cut(self) -> None:
        service = self._service
        if service is not None:
            for task in list(service.tasks):
                task.cancel()
            for connection in list(service.connections):
                connection.abort()


async def _read_what_has_come() -> None:
    """Let the loop read what the kernel holds by now: it may have been held up, and runs its timers first.

    What is encrypted is handled one turn later.
    """
    for _ in range(3):
        await asyncio.sleep(0)


async def _passes(event: asyncio.Event, timeout_s: float) -> None:
    """Wait for the event, or until the time has passed."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass


def load_app(config: Config) -> ASGIApp:
    """Return the application that the settings name, as an ASGI 3 application."""
    app: Any = load(config) if isinstance(config.app, str) or config.factory else config.app
    adapted = adapt(app, config.interface, config.threads)
    if not config.debug:
        return adapted
    from portico.server.debugging import debugging

    return debugging(adapted, app)


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
    colours = config.access_log_file in (None, "-") and wants_colours(config.use_colors, sys.stdout)
    return AccessLog(config.access_log_format, open_sink(config.access_log_file), colours=colours)


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
