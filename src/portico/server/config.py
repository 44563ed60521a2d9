"""Every setting of the server, once: command line, environment, file and reference page derive from this table.

A field of `Config` carries what is known of its setting; `settle` checks values from any source and finds all problems.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

from portico.asgi import ASGIApp
from portico.server.settling import ConfigError, Given, Setting, contradictions, convert
from portico.server.values import (
    Account,
    Address,
    Application,
    Binds,
    Bytes,
    Choice,
    Factory,
    Fields,
    Hsts,
    Kind,
    LogConfig,
    Mode,
    Names,
    Networks,
    Origins,
    Pairs,
    Seconds,
    Secret,
    Switch,
    Text,
    Whole,
    Workers,
    access_format,
    existing_directory,
    existing_file,
    lasting_file,
    mount_path,
    url_path,
    writable_file,
)

LOG_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")
APP, LISTENING, TLS, HTTP, HTTP2, WEBSOCKET = "Application", "Listening", "TLS", "HTTP", "HTTP/2", "WebSocket"
LIMITS, LOGGING = "Limits and timeouts", "Logging"
PROCESSES, RELOADING, MONITORING = "Processes", "Reloading", "Monitoring"


def _setting(
    default: Any,
    kind: Kind,
    group: str,
    help: str,
    *,
    optional: bool = False,
    flags: tuple[str, ...] = (),
    variable: str = "",
) -> Any:
    metadata = {"setting": Setting(kind, group, help, default, optional, flags, variable)}
    if variable:
        return field(default_factory=lambda: os.environ.get(variable, default), metadata=metadata)
    return field(default=default, metadata=metadata, repr=not isinstance(kind, Secret))


@dataclass(frozen=True)
class Config:
    """The settings of one server; raises ConfigError with every problem they have."""

    app: ASGIApp | Callable[..., Any] | str | None = _setting(
        None, Application(), APP, "What to serve: module:attribute, or in code the application itself."
    )
    _: KW_ONLY
    factory: bool = _setting(False, Switch(), APP, "Call what was imported, without arguments, to get the application.")
    app_dir: str = _setting(
        "", Text("DIRECTORY", existing_directory), APP, "Directory to import from; nothing is the current one."
    )
    env_file: str | None = _setting(
        None,
        Text("FILE", existing_file),
        APP,
        "File of environment variables to set before the import; needs portico[env].",
        optional=True,
    )
    interface: str = _setting(
        "auto", Choice("auto", "asgi3", "asgi2", "wsgi"), APP, "How the application is called; auto finds out."
    )
    threads: int = _setting(16, Whole(1, 10000), APP, "Threads in which a WSGI application runs, in each worker.")
    lifespan: str = _setting(
        "auto", Choice("auto", "on", "off"), APP, "Run the application's startup and shutdown; auto: if it has them."
    )
    root_path: str = _setting(
        "", Text("PATH", mount_path), APP, "The path that the application is mounted at, ASGI's root_path."
    )
    reset_contextvars: bool = _setting(
        False, Switch(), APP, "Run each request in an empty context rather than a copy of the server's."
    )
    loop: str = _setting(
        "auto",
        Choice("auto", "asyncio", "uvloop", path=True),
        APP,
        "Event loop: auto (uvloop where it is installed), asyncio, uvloop, or where to import a loop factory from.",
    )
    debug: bool = _setting(
        False,
        Switch(),
        APP,
        "Show pages with tracebacks where the application fails: never where strangers can see it.",
    )

    host: str = _setting("127.0.0.1", Text("HOST"), LISTENING, "Address to listen on; empty is every interface.")
    port: int = _setting(8000, Whole(0, 65535), LISTENING, "TCP port; 0 takes a free one.")
    bind: tuple[str, ...] = _setting(
        (),
        Binds(),
        LISTENING,
        "HOST:PORT, [IPV6]:PORT, :PORT, PORT, unix:/PATH or fd://N; may be repeated, and replaces host and port.",
        flags=("--bind", "-b"),
    )
    uds: str | None = _setting(None, Text("PATH"), LISTENING, "Unix socket to listen on.", optional=True)
    uds_permissions: int | None = _setting(
        None, Mode(), LISTENING, "Permissions of unix sockets, octal, such as 660; else the umask's.", optional=True
    )
    fd: int | None = _setting(None, Whole(0), LISTENING, "Inherited file descriptor to listen on.", optional=True)
    reuse_port: bool = _setting(
        False, Switch(), LISTENING, "Let several processes listen on the same port (SO_REUSEPORT)."
    )
    backlog: int = _setting(
        2048, Whole(1, 2**31 - 1), LISTENING, "Connections that the kernel holds until they are accepted."
    )

    workers: int = _setting(
        1,
        Workers(),
        PROCESSES,
        "Worker processes; auto is one for each processor that may be used; $WEB_CONCURRENCY replaces the default.",
        flags=("--workers", "-w"),
        variable="WEB_CONCURRENCY",
    )
    supervise: bool = _setting(
        True,
        Switch(),
        PROCESSES,
        "Have a supervisor start, watch and replace the workers; else one process does it all.",
    )
    preload: bool = _setting(
        False,
        Switch(),
        PROCESSES,
        "Import the application once and fork the workers from there, so that they share memory.",
    )
    timeout_worker_startup: float = _setting(
        300.0, Seconds(0.1), PROCESSES, "Seconds for a worker to import the application and to run its startup."
    )
    timeout_worker_hang: float | None = _setting(
        30.0,
        Seconds(0),
        PROCESSES,
        "Seconds a worker's event loop may be blocked; then its stacks are logged and it is replaced; 0: no limit.",
        optional=True,
        flags=("--timeout-worker-hang", "--timeout-worker-healthcheck", "--timeout", "-t"),
    )
    limit_max_requests: int | None = _setting(
        None,
        Whole(1),
        PROCESSES,
        "Requests after which a worker is replaced.",
        optional=True,
        flags=("--limit-max-requests", "--max-requests"),
    )
    limit_max_requests_jitter: int = _setting(
        0,
        Whole(0),
        PROCESSES,
        "Up to so many requests more, by chance, so that the workers do not all go at once.",
        flags=("--limit-max-requests-jitter", "--max-requests-jitter"),
    )
    limit_max_lifetime: float | None = _setting(
        None, Seconds(1), PROCESSES, "Seconds after which a worker is replaced.", optional=True
    )
    limit_max_lifetime_jitter: float = _setting(0.0, Seconds(0), PROCESSES, "Up to so many seconds more, by chance.")
    limit_max_rss: int | None = _setting(
        None,
        Bytes(1 << 20),
        PROCESSES,
        "Resident memory, such as 512M, above which a worker is replaced.",
        optional=True,
    )
    shutdown_delay: float = _setting(
        0.0,
        Seconds(0),
        PROCESSES,
        "Seconds between being asked to stop and no longer accepting, for a load balancer to see that health fails.",
    )
    chdir: str = _setting(
        "",
        Text("DIRECTORY", existing_directory),
        PROCESSES,
        "Directory to change to before anything else is looked at.",
    )
    user: str | None = _setting(
        None,
        Account("user"),
        PROCESSES,
        "User, by name or number, that the workers run as.",
        optional=True,
        flags=("--user", "-u"),
    )
    group: str | None = _setting(
        None,
        Account("group"),
        PROCESSES,
        "Group that the workers run as; else the user's.",
        optional=True,
        flags=("--group", "-g"),
    )
    umask: int | None = _setting(
        None,
        Mode(),
        PROCESSES,
        "Mask of the permissions of new files, octal, such as 027.",
        optional=True,
        flags=("--umask", "-m"),
    )
    pid: str | None = _setting(
        None,
        Text("FILE"),
        PROCESSES,
        "File that the process number is written to.",
        optional=True,
        flags=("--pid", "-p"),
    )
    name: str | None = _setting(
        None,
        Text("NAME"),
        PROCESSES,
        "Name in the titles of the processes; else the application's.",
        optional=True,
        flags=("--name", "-n"),
    )

    reload: bool = _setting(False, Switch(), RELOADING, "Replace the workers when a source file changes.")
    reload_dirs: tuple[str, ...] = _setting(
        (),
        Names("DIRECTORY", existing_directory),
        RELOADING,
        "Directory to watch; may be repeated. Else app_dir, or the current one.",
        flags=("--reload-dir",),
    )
    reload_includes: tuple[str, ...] = _setting(
        (),
        Names("GLOB"),
        RELOADING,
        "Files to watch beside *.py, such as *.html or templates/**; may be repeated.",
        flags=("--reload-include",),
    )
    reload_excludes: tuple[str, ...] = _setting(
        (),
        Names("GLOB"),
        RELOADING,
        "Files and directories not to watch; may be repeated.",
        flags=("--reload-exclude",),
    )
    reload_delay: float = _setting(
        0.25, Seconds(0.01), RELOADING, "Seconds without a change after which a reload begins."
    )

    health: str | None = _setting(
        None,
        Text("PATH", url_path),
        MONITORING,
        "Path, such as /healthz, that answers 200, and 503 once the worker is stopping.",
        optional=True,
    )
    metrics: str | None = _setting(
        None,
        Address(),
        MONITORING,
        "Address for Prometheus and `portico top`, in the forms of bind, such as 127.0.0.1:9100.",
        optional=True,
    )

    ssl_certfile: str | None = _setting(
        None,
        Text("FILE", lasting_file),
        TLS,
        "Certificate and those that issued it, PEM; turns TLS on.",
        optional=True,
        flags=("--ssl-certfile", "--certfile"),
    )
    ssl_keyfile: str | None = _setting(
        None,
        Text("FILE", lasting_file),
        TLS,
        "Private key, PEM; else it is in ssl_certfile.",
        optional=True,
        flags=("--ssl-keyfile", "--keyfile"),
    )
    ssl_keyfile_password: str | None = _setting(
        None, Secret("PASSWORD"), TLS, "Password of private keys.", optional=True
    )
    ssl_sni: tuple[str, ...] = _setting(
        (),
        Pairs(),
        TLS,
        "Further certificate, for clients that ask for a name that it has; may be repeated.",
    )
    ssl_ca_certs: str | None = _setting(
        None,
        Text("FILE", lasting_file),
        TLS,
        "Certificates of the authorities that client certificates are checked against, PEM.",
        optional=True,
        flags=("--ssl-ca-certs", "--ca-certs"),
    )
    ssl_cert_reqs: str = _setting(
        "none",
        Choice("none", "optional", "required", numbered=True),
        TLS,
        "Client certificates: none, optional or required (0, 1 and 2 mean the same).",
        flags=("--ssl-cert-reqs", "--cert-reqs"),
    )
    ssl_crl: str | None = _setting(
        None, Text("FILE", lasting_file), TLS, "Revoked client certificates, PEM.", optional=True
    )
    ssl_minimum_version: str = _setting("1.2", Choice("1.2", "1.3"), TLS, "Lowest version of TLS that is spoken.")
    ssl_ciphers: str | None = _setting(
        None,
        Text("CIPHERS"),
        TLS,
        "Ciphers of TLS 1.2 in OpenSSL's format; else those with forward secrecy and authenticated encryption.",
        optional=True,
        flags=("--ssl-ciphers", "--ciphers"),
    )
    ssl_context_factory: Callable[..., Any] | str | None = _setting(
        None,
        Factory(),
        TLS,
        "What makes the SSLContext: called with the settings and a function that makes the usual one.",
        optional=True,
    )
    ssl_watch: bool = _setting(True, Switch(), TLS, "Load certificates and keys again when their files change.")
    insecure_bind: tuple[str, ...] = _setting(
        (),
        Binds(),
        TLS,
        "Address, in the forms of bind, that is served without TLS beside the others; may be repeated.",
    )
    redirect_http: str | None = _setting(
        None,
        Address(),
        TLS,
        "Address or port, such as 80, where plain HTTP is redirected to HTTPS.",
        optional=True,
    )
    acme_webroot: str | None = _setting(
        None,
        Text("DIRECTORY", existing_directory),
        TLS,
        "Directory whose .well-known/acme-challenge is served at redirect_http, for ACME's http-01.",
        optional=True,
    )
    hsts: str | None = _setting(
        None,
        Hsts(),
        TLS,
        "Strict-Transport-Security of responses over TLS: seconds, or the whole value.",
        optional=True,
    )

    headers: tuple[tuple[str, str], ...] = _setting(
        (), Fields(), HTTP, "Header field to add to every response; may be repeated.", flags=("--header",)
    )
    server_header: bool = _setting(True, Switch(), HTTP, "Send a Server field.")
    date_header: bool = _setting(True, Switch(), HTTP, "Send a Date field.")
    proxy_headers: bool = _setting(
        True, Switch(), HTTP, "Take client, scheme and host from X-Forwarded-* or Forwarded of trusted proxies."
    )
    forwarded_allow_ips: str = _setting(
        "127.0.0.1,::1",
        Networks(),
        HTTP,
        "Trusted proxies: addresses, networks, unix (peers of unix sockets) or * (everybody), separated by commas; "
        "$FORWARDED_ALLOW_IPS replaces the default.",
        variable="FORWARDED_ALLOW_IPS",
    )

    http2: bool = _setting(True, Switch(), HTTP2, "Offer HTTP/2 to clients that connect with TLS.")
    http2_cleartext: bool = _setting(
        True, Switch(), HTTP2, "Serve HTTP/2 without TLS to clients that begin with its preface (prior knowledge)."
    )
    http2_upgrade: bool = _setting(
        False, Switch(), HTTP2, "Take `Upgrade: h2c` of HTTP/1.1, which RFC 9113 has left out."
    )
    http2_max_concurrent_streams: int = _setting(
        100, Whole(1, 2**31 - 1), HTTP2, "Requests that a client may have open at a time on one connection."
    )
    http2_initial_window_size: int = _setting(
        262144,
        Whole(1, 2**31 - 1),
        HTTP2,
        "Bytes of a request's body that a client may send before the application has taken them.",
    )
    http2_max_frame_size: int = _setting(
        16384, Whole(16384, 2**24 - 1), HTTP2, "Bytes of a frame that a client may send."
    )

    ws: str = _setting(
        "auto", Choice("auto", "none"), WEBSOCKET, "Open WebSockets; none answers as if nobody had asked for one."
    )
    ws_origins: tuple[str, ...] = _setting(
        (),
        Origins(),
        WEBSOCKET,
        "Origin whose pages may open WebSockets, such as https://example.com; may be repeated. Without any, all may; "
        "clients that are no browsers send none and always may.",
        flags=("--ws-origin",),
    )
    ws_max_size: int = _setting(
        16777216, Whole(1), WEBSOCKET, "Bytes of a message that a client sends, decompressed (1009)."
    )
    ws_max_queue: int = _setting(
        32, Whole(1), WEBSOCKET, "Messages that wait for the application before reading pauses; at 64 KB it pauses too."
    )
    ws_ping_interval: float | None = _setting(
        20.0, Seconds(0), WEBSOCKET, "Seconds between pings to a client; 0 or none sends none.", optional=True
    )
    ws_ping_timeout: float | None = _setting(
        20.0,
        Seconds(0),
        WEBSOCKET,
        "Seconds after a ping in which a client must have sent something; 0 or none waits for ever.",
        optional=True,
    )
    ws_per_message_deflate: bool = _setting(
        True, Switch(valued=True), WEBSOCKET, "Compress messages where the client offers it (permessage-deflate)."
    )

    limit_request_line: int = _setting(8190, Whole(16, 2**31 - 1), LIMITS, "Bytes of a request line (414).")
    limit_request_fields: int = _setting(100, Whole(1, 2**31 - 1), LIMITS, "Header fields of a request (431).")
    limit_request_head: int = _setting(
        32768, Whole(64, 2**31 - 1), LIMITS, "Bytes of a request's header section, and of its trailers (431)."
    )
    limit_request_body: int | None = _setting(
        None, Whole(0), LIMITS, "Bytes of a request's body (413); none is no limit.", optional=True
    )
    limit_connections: int | None = _setting(
        10000, Whole(1), LIMITS, "Open connections; idle ones make room for new ones, then 503.", optional=True
    )
    limit_concurrency: int | None = _setting(
        None,
        Whole(1),
        LIMITS,
        "Requests being answered at a time, then 503 with Retry-After; idle connections do not count.",
        optional=True,
    )
    limit_pipeline: int = _setting(
        65536, Whole(0), LIMITS, "Bytes of pipelined requests that a connection holds before reading pauses."
    )
    timeout_header: float = _setting(
        10.0, Seconds(0.001), LIMITS, "Seconds for a request's head, from accept or from its first byte (408)."
    )
    timeout_handshake: float = _setting(
        10.0,
        Seconds(0.001),
        LIMITS,
        "Seconds for the TLS handshake of a new connection.",
        flags=("--timeout-handshake", "--ssl-handshake-timeout"),
    )
    timeout_body: float = _setting(
        60.0, Seconds(0.001), LIMITS, "Seconds without a byte of a body that the application waits for (408)."
    )
    timeout_write: float = _setting(
        60.0, Seconds(0.001), LIMITS, "Seconds in which a client takes no byte of its response."
    )
    timeout_keep_alive: float = _setting(
        75.0,
        Seconds(0.001),
        LIMITS,
        "Seconds that a connection may be idle between two requests.",
        flags=("--timeout-keep-alive", "--keep-alive"),
    )
    timeout_graceful_shutdown: float = _setting(
        30.0,
        Seconds(0),
        LIMITS,
        "Seconds for the answers in flight, and again for the application's shutdown, when the server stops.",
        flags=("--timeout-graceful-shutdown", "--graceful-timeout"),
    )

    log_level: str = _setting("info", Choice(*LOG_LEVELS), LOGGING, "How much the server logs.")
    log_config: str | dict[str, Any] | None = _setting(
        None,
        LogConfig(),
        LOGGING,
        "Configuration of logging: .ini, .json or .yaml (needs portico[yaml]); in code and file a table too.",
        optional=True,
    )
    use_colors: bool | None = _setting(
        None, Switch(), LOGGING, "Colours in the log; else on a terminal.", optional=True
    )
    access_log: bool = _setting(True, Switch(), LOGGING, "Write a line for each response.")
    access_log_format: str = _setting(
        "common",
        Text("FORMAT", access_format),
        LOGGING,
        "common, combined, json, dev, or a template such as '%(h)s %(r)s %(s)s'.",
        flags=("--access-log-format", "--access-logformat"),
    )
    access_log_file: str | None = _setting(
        None,
        Text("FILE", writable_file),
        LOGGING,
        "File that the access log is appended to; - is standard output.",
        optional=True,
        flags=("--access-log-file", "--access-logfile"),
    )

    @property
    def tls(self) -> bool:
        """Tell whether there is a certificate, so that connections are encrypted."""
        return self.ssl_certfile is not None or self.ssl_context_factory is not None

    @classmethod
    def settled(cls, values: Mapping[str, Any]) -> "Config":
        """Return settings that another process has found right, all of them; files may be readable only there."""
        config = object.__new__(cls)
        for name, value in values.items():
            object.__setattr__(config, name, value)
        return config

    def __post_init__(self) -> None:
        values, problems = settle({name: Given(getattr(self, name), name) for name in SETTINGS})
        if problems:
            raise ConfigError(problems)
        for name, value in values.items():
            object.__setattr__(self, name, value)


SETTINGS: dict[str, Setting] = {entry.name: entry.metadata["setting"] for entry in fields(Config)}
DEFAULTS: dict[str, Any] = {name: entry.default for name, entry in SETTINGS.items()}


def settle(given: Mapping[str, Given]) -> tuple[dict[str, Any], list[str]]:
    """Return the values in their final form, and every problem under the label of its source."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, one in given.items():
        try:
            values[name] = convert(SETTINGS[name], one)
        except ValueError as error:
            problems.append(f"{one.label}: {error}")
    labels = {name: one.label for name, one in given.items()}
    return values, problems + contradictions(DEFAULTS | values, labels, given.keys() - values.keys())
