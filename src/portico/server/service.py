"""What the connections of one worker share: the application, its limits, the clock, the default fields, the log."""

import asyncio
import sys
import time
from collections.abc import Callable
from copy import copy
from typing import Any

from portico.asgi import ASGIApp
from portico.codec.defaults import Defaults
from portico.codec.events import Request
from portico.codec.http2.bounds import Bounds
from portico.codec.limits import Limits
from portico.http.dates import imf_fixdate
from portico.server.access import AccessLog
from portico.server.config import Config
from portico.server.deadlines import Deadlines
from portico.server.logs import logger as logger
from portico.server.metrics.meter import Meter
from portico.server.proxies import ProxyTrust

ASGI = {"version": "3.0", "spec_version": "2.5"}
LOG_FLUSH_BYTES = 65536
LOG_FLUSH_S = 0.1


def _forgets_to_pause(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether `transport.writelines` never pauses writing (CVE-2024-12254; uvloop has transports of its own)."""
    return isinstance(loop, asyncio.BaseEventLoop) and (
        (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)
    )


class Service:
    """One application being served in one event loop."""

    __slots__ = (
        "access_log",
        "active",
        "app",
        "bounds",
        "connections",
        "deadlines",
        "defaults",
        "fresh_context",
        "gathers",
        "http2_cleartext",
        "http2_upgrade",
        "idle",
        "late",
        "limit_concurrency",
        "limit_connections",
        "limit_pipeline",
        "limits",
        "log_flush_due",
        "loop",
        "meter",
        "now",
        "others",
        "probes",
        "root_path",
        "secure_defaults",
        "send_date",
        "state",
        "stopping",
        "tasks",
        "tick",
        "timeout_body",
        "timeout_handshake",
        "timeout_header",
        "timeout_keep_alive",
        "timeout_write",
        "timer",
        "trust",
        "websockets",
        "ws_max_queue",
        "ws_max_size",
        "ws_origins",
        "ws_per_message_deflate",
        "ws_ping_interval",
        "ws_ping_timeout",
    )

    def __init__(
        self,
        config: Config,
        app: ASGIApp,
        loop: asyncio.AbstractEventLoop,
        access_log: AccessLog | None,
        cells: memoryview | None = None,
    ) -> None:
        self.app = app
        self.loop = loop
        self.access_log = access_log
        self.meter = Meter(cells)
        self.state: dict[str, Any] | None = None
        self.connections: set[Any] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.active = 0  # exchanges whose application is running
        self.idle: Callable[[], None] | None = None  # called when the last connection or task has gone
        self.stopping = False
        self.root_path = config.root_path
        self.probes = frozenset([config.health, config.root_path + config.health] if config.health else ())
        self.trust = ProxyTrust(config.forwarded_allow_ips) if config.proxy_headers else None
        body = -1 if config.limit_request_body is None else config.limit_request_body
        self.limits = Limits(config.limit_request_line, config.limit_request_fields, config.limit_request_head, body)
        self.bounds = Bounds(
            self.limits,
            config.http2_max_concurrent_streams,
            config.http2_initial_window_size,
            config.http2_max_frame_size,
        )
        self.http2_cleartext = config.http2_cleartext
        self.http2_upgrade = config.http2_upgrade
        self.limit_connections = config.limit_connections or 0
        self.limit_concurrency = config.limit_concurrency or 0
        self.limit_pipeline = config.limit_pipeline
        self.timeout_handshake = config.timeout_handshake
        self.timeout_header = config.timeout_header
        self.timeout_keep_alive = config.timeout_keep_alive
        self.timeout_body = config.timeout_body
        self.timeout_write = config.timeout_write
        self.websockets = config.ws != "none"
        self.ws_origins = frozenset(origin.encode("latin-1", "replace") for origin in config.ws_origins)
        self.ws_max_size = config.ws_max_size
        self.ws_max_queue = config.ws_max_queue
        self.ws_ping_interval = config.ws_ping_interval or 0.0
        self.ws_ping_timeout = config.ws_ping_timeout or 0.0
        self.ws_per_message_deflate = config.ws_per_message_deflate
        self.gathers = not _forgets_to_pause(loop)
        self.fresh_context = config.reset_contextvars
        self.send_date = config.date_header
        lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in config.headers)
        named = {name.lower() for name, _ in config.headers}
        server = b"server: portico\r\n" if config.server_header and "server" not in named else b""
        self.defaults = self.secure_defaults = Defaults(server, lines.encode("latin-1"))
        if config.hsts is not None:  # RFC 6797 §7.2: never over connections without TLS
            hsts = f"strict-transport-security: {config.hsts}\r\n"
            self.secure_defaults = Defaults(server, lines.encode("latin-1"), hsts=hsts.encode("ascii"))
        self.others: list[Service] = []  # that share connections, limits, clock and counts
        timeouts = (
            self.timeout_handshake, self.timeout_header, self.timeout_keep_alive, self.timeout_body, self.timeout_write,
            self.ws_ping_interval, self.ws_ping_timeout, config.timeout_worker_hang or 0.0,
        )  # fmt: skip
        self.tick = min(1.0, *(timeout / 4 for timeout in timeouts if timeout > 0))
        self.now = time.monotonic()
        self.deadlines = Deadlines(self.tick, self.now)
        self.late = False  # the clock's last beat was: something has held up the loop
        self.timer: asyncio.TimerHandle | None = None
        self.log_flush_due = False

    def beside(self, app: ASGIApp) -> "Service":
        """Return a service of another application, for other sockets, with our connections, limits, clock and counts.

        It knows nothing of health, state and root path, and takes no WebSockets.
        """
        other = copy(self)
        other.app = app
        other.state = None
        other.root_path = ""
        other.probes = frozenset()
        other.websockets = False
        other.others = []
        other.idle = self.check_idle
        self.others.append(other)
        return other

    def start(self) -> None:
        """Start the coarse clock."""
        self._beat()

    def stop(self) -> None:
        """Stop the clock and write what the log still holds."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.access_log is not None:
            self.access_log.flush()

    def _beat(self) -> None:
        before = self.now
        self.now = time.monotonic()
        self.late = self.now - before > 1.5 * self.tick
        held_up = 0.0 if self.timer is None else self.now - before - self.tick
        self.meter.beat(self.now, held_up, self.active, len(self.connections))
        seconds = int(time.time())
        if self.send_date:
            date = f"date: {imf_fixdate(seconds)}\r\n".encode("ascii")
            self.defaults.set_date(date)
            self.secure_defaults.set_date(date)
        if self.access_log is not None:
            self.access_log.tick(seconds)
        for other in self.others:
            other.now = self.now
        self.timer = self.loop.call_later(self.tick, self._beat)
        self.deadlines.sweep(self.now)

    def log_pending(self) -> None:
        """Have the access log written soon; called after a line was added."""
        assert self.access_log is not None
        if self.access_log.pending >= LOG_FLUSH_BYTES:
            self.access_log.flush()
        elif not self.log_flush_due:
            self.log_flush_due = True
            self.loop.call_later(LOG_FLUSH_S, self._flush_log)

    def _flush_log(self) -> None:
        self.log_flush_due = False
        if self.access_log is not None:
            self.access_log.flush()

    def is_full(self, request: Request) -> bool:
        """Tell whether the request has to be turned away, since as many as may be are being answered; count it then."""
        limit = self.limit_concurrency
        if not limit or self.active < limit or request.path in self.probes:  # who is busy is not ill
            return False
        self.meter.count_status(request.method, 503)
        return True

    def shed(self) -> bool:
        """Close one idle connection to make room for a new one; return whether there was one."""
        for connection in self.connections:
            if connection.is_idle():
                connection.close()
                return True
        return False

    def is_busy(self) -> bool:
        """Tell whether there are connections, or applications that have not ended."""
        return bool(self.connections or self.tasks)

    def check_idle(self) -> None:
        """Tell whoever waits for the end of the work, when it has come."""
        if self.idle is not None and not self.is_busy():
            self.idle()
