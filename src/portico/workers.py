"""A worker class for gunicorn: `gunicorn -k portico.workers.PorticoWorker main:app`.

gunicorn opens the sockets, forks and watches; each of its workers runs a `Server` on them. What gunicorn has a setting
for, gunicorn's setting decides; of the others, a variable `PORTICO_...` or a subclass's `CONFIG_KWARGS`.
"""

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Mapping
from io import FileIO
from types import FrameType
from typing import Any

from portico.asgi import ASGIApp, PorticoError, Receive, Scope, Send
from portico.server.config import SETTINGS, Config
from portico.server.gunicorn import OURS, UNUSED, is_changed, read_settings
from portico.server.server import Server, load_app, loop_factory
from portico.server.settling import ConfigError
from portico.wsgi import Gateway

try:
    from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped, unused-ignore]
    from gunicorn.workers.base import Worker  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise PorticoError("portico.workers needs gunicorn: pip install 'gunicorn>=23'") from error

QUIT_S = 5


class PorticoWorker(Worker):  # type: ignore[misc, unused-ignore]  # gunicorn has no annotations
    """Serve ASGI and WSGI applications under gunicorn.

    `CONFIG_KWARGS` of a subclass are settings of Portico, by name, that beat gunicorn's and the environment's.
    """

    CONFIG_KWARGS: Mapping[str, Any] = {}
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping = False
    _dump: FileIO | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse, before the first worker is forked, what cannot be served; warn of what has no effect."""
        try:
            config = read_settings(_nothing, cfg, os.environ, cls.CONFIG_KWARGS)
            if config.tls:
                from portico.server.tls.contexts import check_files

                check_files(config)
        except ConfigError as error:
            raise RuntimeError(str(error)) from None
        for name, says in UNUSED.items():
            if is_changed(cfg, name):
                log.warning("%s %s", name, says)
        for name in SETTINGS.keys() - OURS:
            if f"PORTICO_{name.upper()}" in os.environ:
                log.warning("PORTICO_%s has no effect under gunicorn", name.upper())

    def init_signals(self) -> None:
        """Take gunicorn's signals: by its own means while the application is imported, by the loop later."""
        faulthandler.disable()  # its handlers stand before Python's only if they come later
        super().init_signals()
        signal.set_wakeup_fd(-1)
        self._dump_stacks()

    def run(self) -> None:
        """Serve until gunicorn or the number of requests ends it."""
        self.booted = False  # until it serves: what fails before must not be tried for ever
        self._share_loggers()
        config = read_settings(self.wsgi, self.cfg, os.environ, self.CONFIG_KWARGS)
        with asyncio.Runner(loop_factory=loop_factory(config.loop)) as runner:
            status = runner.run(self._serve(config))
        if status:
            sys.exit(status)

    async def _serve(self, config: Config) -> int:
        self._loop = loop = asyncio.get_running_loop()
        self._server = Server(config, sockets=[each.sock for each in self.sockets])
        self._starting = asyncio.ensure_future(self._start(config))
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGUSR1, self.handle_usr1, signal.SIGUSR1, None)
        loop.add_reader(self.PIPE[0], self._woken)
        if not self.alive:  # asked to stop while the application was being imported
            self._stop()
        try:
            async with asyncio.timeout(config.timeout_worker_startup):
                await self._starting
        except asyncio.CancelledError:
            return 0
        except TimeoutError:
            self.log.error("The application's startup took longer than %g s", config.timeout_worker_startup)
            return 1
        except PorticoError as error:
            self.log.error("%s", error)
            return int(Arbiter.WORKER_BOOT_ERROR)
        self.booted = True
        gc.freeze()
        self._beat()
        try:
            await self._server.until_stopped()
        except PorticoError as error:
            self.log.error("%s", error)
            return 1  # not 3: gunicorn would take it for a worker that cannot boot, and halt
        return 0

    async def _start(self, config: Config) -> None:
        app = load_app(config)
        if isinstance(app, Gateway) and config.threads == 1:
            self.log.info("The WSGI application handles one request at a time: --threads N lets it handle more")
        await self._server.start(app if self.max_requests == sys.maxsize else self._counted(app))

    def _counted(self, app: ASGIApp) -> ASGIApp:
        """Return the application, its requests counted for gunicorn's max_requests."""

        def counted(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] != "lifespan":
                self.nr += 1
                if self.nr == self.max_requests:
                    self.log.info("Autorestarting worker after current request.")
                    self._stop(delay=False)
            return app(scope, receive, send)

        return counted

    def _beat(self) -> None:
        """Tell gunicorn that the loop runs; it begins once the application has started, which may take long."""
        self.notify()
        if self.ppid != os.getppid() and self.alive:
            self.log.info("Parent changed, shutting down: %s", self)
            self._stop()
        asyncio.get_running_loop().call_later(min(1.0, self.timeout / 2 or 1.0), self._beat)

    def _stop(self, *, delay: bool = True) -> None:
        """Stop gracefully; gunicorn repeats SIGTERM every second, which is not meant to hurry."""
        self.alive = False
        if not self._stopping:
            self._stopping = True
            self._starting.cancel()
            self._server.stop(delay=delay)

    def _quit(self) -> None:
        self._server.stop(force=True)
        self._starting.cancel()

    def _woken(self) -> None:
        """A thread of gunicorn's, its reloader, has found a change."""
        os.read(self.PIPE[0], 4096)
        if not self.alive:
            self._stop(delay=False)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at once (SIGQUIT, SIGINT); what holds up the loop or the end of the process gets a few seconds."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(QUIT_S)
        loop = self._loop
        if loop is None or not loop.is_running():  # the application is being imported, or all is done
            super().handle_quit(sig, frame)
            return
        if self.alive:
            self.alive = False
            self.cfg.worker_int(self)
        loop.call_soon_threadsafe(self._quit)

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """Open the log files anew, under their old names."""
        if self._loop is not None:
            self._server.reopen_logs()
        self.log.reopen_files()
        self._dump_stacks()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """Die: gunicorn has missed the heartbeat for `--timeout` seconds. The stacks are in the error log already."""
        self.alive = False
        self.cfg.worker_abort(self)
        sys.stdout.flush()
        sys.stderr.flush()
        # Not by SystemExit: uvloop swallows what is raised in a callback, and a thread that hangs would hold it up.
        os._exit(1)

    def _dump_stacks(self) -> None:
        """Have SIGABRT write where all threads are, even where one is in C and no handler of Python's is called."""
        before, path = self._dump, self.cfg.errorlog
        try:
            self._dump = None if path == "-" else FileIO(path, "ab")
        except OSError:
            self._dump = None
        faulthandler.enable(self._dump or sys.stderr)
        if before is not None:
            before.close()

    def _share_loggers(self) -> None:
        """Write our log and our access log where gunicorn's go, but for those that its logconfig names."""
        for name, theirs in (("portico", "error_log"), ("portico.access", "access_log")):
            logger = logging.getLogger(name)
            if not logger.handlers:
                logger.parent = getattr(self.log, theirs, logging.root)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the application while settings are checked."""
