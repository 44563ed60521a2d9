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
from collections.abc import Awaitable, Callable, Mapping
from io import FileIO
from types import FrameType
from typing import Any

from portico.asgi import ASGIApp, PorticoError, Receive, Scope, Send
from portico.server.config import HTTP, LIMITS, SETTINGS, WEBSOCKET, Config, ConfigError, Given, settle
from portico.server.server import Server, load_app, loop_factory
from portico.wsgi import Gateway

try:
    from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped, unused-ignore]
    from gunicorn.workers.base import Worker  # type: ignore[import-untyped, unused-ignore]
except ImportError as error:
    raise PorticoError("portico.workers needs gunicorn: pip install 'gunicorn>=23'") from error

# Of ours, by the environment and by subclasses: nothing that is decided before a worker is there.
OURS = {name for name, entry in SETTINGS.items() if entry.group in (HTTP, LIMITS, WEBSOCKET)} | {
    "access_log_format", "debug", "health", "interface", "lifespan", "loop", "reset_contextvars", "root_path",
    "shutdown_delay", "threads", "timeout_worker_startup",
}  # fmt: skip
UNBOUNDED_BYTES = 1 << 20  # what gunicorn's 0, no limit, is here
QUIT_S = 5


def _line(size: int) -> int:
    return size or UNBOUNDED_BYTES


def _head(field_size: int) -> int:
    return max(32768, 4 * field_size) if field_size else UNBOUNDED_BYTES


def _trusted(addresses: str | list[str]) -> str:
    """Return gunicorn's list and `unix`: it trusts whoever reaches its unix socket."""
    return ",".join([addresses] if isinstance(addresses, str) else map(str, addresses)) + ",unix"


# Our setting: gunicorn's, and how its value is read. Those that are not there in this version are passed over.
MAPPED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "threads": ("threads", int),
    "lifespan": ("asgi_lifespan", str),
    "loop": ("asgi_loop", str),
    "root_path": ("root_path", lambda path: path or os.environ.get("SCRIPT_NAME", "")),
    "backlog": ("backlog", int),
    "timeout_keep_alive": ("keepalive", lambda seconds: max(seconds, 0.1)),
    # At its end gunicorn kills: the last tenth is left to the application's shutdown.
    "timeout_graceful_shutdown": ("graceful_timeout", lambda seconds: 0.9 * seconds),
    "limit_request_line": ("limit_request_line", _line),
    "limit_request_fields": ("limit_request_fields", int),
    "limit_request_head": ("limit_request_field_size", _head),
    "forwarded_allow_ips": ("forwarded_allow_ips", _trusted),
    "ws_max_size": ("websocket_max_message_size", int),
    "access_log_format": ("access_log_format", str),
}
UNUSED = {
    "pre_request": "is not called: middleware sees each request",
    "post_request": "is not called: middleware sees each request",
    "worker_connections": "has no effect: PORTICO_LIMIT_CONNECTIONS limits connections",
    "statsd_host": "gets no figures of requests from this worker",
    "http_protocols": "has no effect: HTTP/1.1 is served",
    "http2_cleartext": "has no effect: HTTP/1.1 is served",
    "secure_scheme_headers": "has no effect: X-Forwarded-* and Forwarded of trusted proxies are read",
    "forwarder_headers": "has no effect: PORTICO_ROOT_PATH says where the application is mounted",
    "header_map": "has no effect: fields with _ stay apart from those with -",
    "permit_obsolete_folding": "has no effect: malformed requests are refused",
    "permit_unconventional_http_method": "has no effect: malformed requests are refused",
    "permit_unconventional_http_version": "has no effect: malformed requests are refused",
    "casefold_http_method": "has no effect: methods are case-sensitive",
    "strip_header_spaces": "has no effect: malformed requests are refused",
}


class PorticoWorker(Worker):  # type: ignore[misc, unused-ignore]  # gunicorn has no annotations
    """Serve ASGI and WSGI applications under gunicorn.

    `CONFIG_KWARGS` of a subclass are settings of Portico, by name, that beat gunicorn's and the environment's.
    """

    CONFIG_KWARGS: Mapping[str, Any] = {}
    _loop: asyncio.AbstractEventLoop | None = None
    _dump: FileIO | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse, before the first worker is forked, what cannot be served; warn of what has no effect."""
        try:
            read_settings(_nothing, cfg, os.environ, cls.CONFIG_KWARGS)
        except ConfigError as error:
            raise RuntimeError(str(error)) from None
        for name, says in UNUSED.items():
            if name in cfg.settings and _is_changed(cfg, name):
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
                    self._stop()
            return app(scope, receive, send)

        return counted

    def _beat(self) -> None:
        """Tell gunicorn that the loop runs; it begins once the application has started, which may take long."""
        self.notify()
        if self.ppid != os.getppid() and self.alive:
            self.log.info("Parent changed, shutting down: %s", self)
            self._stop()
        asyncio.get_running_loop().call_later(min(1.0, self.timeout / 2 or 1.0), self._beat)

    def _stop(self) -> None:
        """Stop gracefully; gunicorn repeats SIGTERM every second, which is not meant to hurry."""
        self.alive = False
        if self._server.is_ready():
            self._server.stop()
        self._starting.cancel()

    def _quit(self) -> None:
        self._server.stop(force=True)
        self._starting.cancel()

    def _woken(self) -> None:
        """A thread of gunicorn's, its reloader, has found a change."""
        os.read(self.PIPE[0], 4096)
        if not self.alive:
            self._stop()

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


def read_settings(app: Any, cfg: Any, environment: Mapping[str, str], own: Mapping[str, Any]) -> Config:
    """Return our settings out of gunicorn's, of variables, and of a worker class's own.

    The class's own beat gunicorn's, those beat the variables, and those beat gunicorn's defaults. Raises ConfigError.
    """
    given: dict[str, Given] = {}
    problems = _refused(cfg)
    for name, (theirs, read) in MAPPED.items():
        if theirs in cfg.settings:
            given[name] = Given(read(cfg.settings[theirs].get()), theirs)
    for name in OURS:
        variable = f"PORTICO_{name.upper()}"
        if variable in environment and not (name in given and _is_changed(cfg, MAPPED[name][0])):
            given[name] = Given(environment[variable], variable, is_text=True)
    for name, value in own.items():
        if name in OURS:
            given[name] = Given(value, f"CONFIG_KWARGS: {name}")
        else:
            why = "is gunicorn's to decide" if name in SETTINGS else "is no setting of Portico"
            problems.append(f"CONFIG_KWARGS: {name} {why}")
    # An empty log_config says that logging is set up already: the access log goes to its logger.
    given |= {
        "app": Given(app, "app"),
        "access_log": Given(_logs_access(cfg), "accesslog"),
        "log_config": Given({}, "log_config"),
    }
    values, found = settle(given)
    if problems or found:
        raise ConfigError(problems + found)
    return Config(**values)


def _refused(cfg: Any) -> list[str]:
    """Return what is asked for and is not there, and that must not be passed over in silence."""
    problems = []
    if cfg.is_ssl:
        problems.append("certfile, keyfile: PorticoWorker serves no TLS yet; leave them out and let a proxy end TLS")
    if cfg.proxy_protocol not in (False, None, "off"):
        problems.append("proxy_protocol: PorticoWorker does not read the PROXY protocol yet; leave it out")
    if getattr(cfg, "protocol", "http") != "http":
        problems.append(f"protocol: PorticoWorker speaks HTTP, not {cfg.protocol}")
    return problems


def _logs_access(cfg: Any) -> bool:
    configured = cfg.accesslog or cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
    return bool(configured or (cfg.syslog and not cfg.disable_redirect_access_to_syslog))


def _is_changed(cfg: Any, name: str) -> bool:
    setting = cfg.settings[name]
    return bool(setting.get() != type(setting)().get())


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Stand for the application while settings are checked."""
