"""Every setting of the server, once: command line, environment, file and reference page derive from this table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from portico.asgi import PorticoError

TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
LOG_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")


class ConfigError(PorticoError):
    """The settings have problems; `problems` lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Setting:
    """What is known of one setting beside its default."""

    help: str
    kind: str  # str, int, float, bool, octal, list, header, path
    group: str
    flags: tuple[str, ...] = ()  # on the command line; `--its-name` where there is none
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    optional: bool = False


def setting(default: Any, kind: str, group: str, help: str, **more: Any) -> Any:
    return field(default=default, metadata={"setting": Setting(help, kind, group, **more)})


@dataclass
class Config:
    """The settings of one server; raises ConfigError with every problem they have."""

    app: Any = setting(
        None, "str", "Application", "What to serve: module:attribute, or the application itself in code."
    )
    factory: bool = setting(
        False, "bool", "Application", "Call what was imported, without arguments, to get the application."
    )
    app_dir: str = setting(
        "", "path", "Application", "Directory to import from, put first on sys.path. Empty: the current one."
    )
    interface: str = setting(
        "auto",
        "str",
        "Application",
        "How the application is called; auto finds out.",
        choices=("auto", "asgi3", "asgi2"),
    )
    lifespan: str = setting(
        "auto",
        "str",
        "Application",
        "Run the application's startup and shutdown; auto does where it has them.",
        choices=("auto", "on", "off"),
    )
    root_path: str = setting("", "str", "Application", "The path that the application is mounted at; ASGI's root_path.")
    env_file: str | None = setting(
        None,
        "path",
        "Application",
        "File of environment variables to set before the import (needs portico[env]).",
        optional=True,
    )
    reset_contextvars: bool = setting(
        False, "bool", "Application", "Run each request in an empty context rather than a copy of the server's."
    )
    loop: str = setting(
        "auto",
        "str",
        "Application",
        "Event loop: auto (uvloop where it is installed), asyncio, uvloop, or module:factory.",
    )

    host: str = setting("127.0.0.1", "str", "Listening", "Address to listen on; empty is every interface.")
    port: int = setting(8000, "int", "Listening", "TCP port; 0 takes a free one.", minimum=0)
    bind: tuple[str, ...] = setting(
        (),
        "list",
        "Listening",
        "HOST:PORT, [IPv6]:PORT, :PORT, unix:/path or fd://N; may be repeated, and replaces host and port.",
    )
    uds: str | None = setting(None, "path", "Listening", "Unix socket to listen on.", optional=True)
    uds_permissions: int | None = setting(
        None, "octal", "Listening", "Mode of the unix sockets, octal, such as 660.", optional=True
    )
    fd: int | None = setting(None, "int", "Listening", "Open file descriptor to listen on.", minimum=0, optional=True)
    reuse_port: bool = setting(
        False, "bool", "Listening", "Let several processes listen on the same port (SO_REUSEPORT)."
    )
    backlog: int = setting(
        2048, "int", "Listening", "Connections that the kernel holds until they are accepted.", minimum=1
    )

    headers: tuple[tuple[str, str], ...] = setting(
        (), "header", "HTTP", "Field to add to every response, Name:Value; may be repeated.", flags=("--header",)
    )
    server_header: bool = setting(True, "bool", "HTTP", "Send a Server field.")
    date_header: bool = setting(True, "bool", "HTTP", "Send a Date field.")
    proxy_headers: bool = setting(
        True, "bool", "HTTP", "Take client, scheme and host from Forwarded or X-Forwarded-* of trusted proxies."
    )
    forwarded_allow_ips: str = setting(
        "127.0.0.1,::1",
        "str",
        "HTTP",
        "Trusted proxies: addresses, networks, `unix`, or * for all, separated by commas. Also $FORWARDED_ALLOW_IPS.",
    )

    limit_request_line: int = setting(8190, "int", "Limits", "Bytes of a request line (414).", minimum=16)
    limit_request_fields: int = setting(100, "int", "Limits", "Header fields of a request (431).", minimum=1)
    limit_request_head: int = setting(
        32768, "int", "Limits", "Bytes of a request's header section, and of its trailers (431).", minimum=64
    )
    limit_request_body: int | None = setting(
        None, "int", "Limits", "Bytes of a request's body (413); none: no limit.", minimum=0, optional=True
    )
    limit_connections: int | None = setting(
        10000,
        "int",
        "Limits",
        "Open connections; idle ones make room for new ones, then 503.",
        minimum=1,
        optional=True,
    )
    limit_concurrency: int | None = setting(
        None,
        "int",
        "Limits",
        "Requests being answered at a time; more get 503 with Retry-After. Idle connections do not count.",
        minimum=1,
        optional=True,
    )
    limit_pipeline: int = setting(
        65536,
        "int",
        "Limits",
        "Bytes of pipelined requests that a connection holds before it stops reading.",
        minimum=0,
    )
    timeout_header: float = setting(
        10.0,
        "float",
        "Limits",
        "Seconds for a request's head, from its first byte or from accept (408).",
        minimum=0.001,
    )
    timeout_body: float = setting(
        60.0, "float", "Limits", "Seconds without a byte of a body that the application waits for (408).", minimum=0.001
    )
    timeout_write: float = setting(
        60.0, "float", "Limits", "Seconds in which a client takes no byte of its response.", minimum=0.001
    )
    timeout_keep_alive: float = setting(
        75.0, "float", "Limits", "Seconds that a connection may be idle between requests.", minimum=0.001
    )
    timeout_graceful_shutdown: float = setting(
        30.0,
        "float",
        "Limits",
        "Seconds for the answers in flight, and again for the application's shutdown, when the server stops.",
        minimum=0,
    )

    log_level: str = setting("info", "str", "Logging", "How much the server logs.", choices=LOG_LEVELS)
    log_config: str | None = setting(
        None, "path", "Logging", "Logging configuration: .ini, .json or .yaml (needs portico[yaml]).", optional=True
    )
    use_colors: bool | None = setting(
        None, "bool", "Logging", "Colours in the log; by default on a terminal.", optional=True
    )
    access_log: bool = setting(True, "bool", "Logging", "Write a line for each response.")
    access_log_format: str = setting(
        "common", "str", "Logging", "common, combined, json, or a template such as '%(h)s %(r)s %(s)s'."
    )
    access_log_file: str | None = setting(
        None, "path", "Logging", "File that the access log is appended to; none or - is standard output.", optional=True
    )

    def __post_init__(self) -> None:
        problems: list[str] = []
        for name, entry in SETTINGS.items():
            try:
                setattr(self, name, convert(entry, getattr(self, name)))
            except ValueError as error:
                problems.append(f"{name}: {error}")
        if not problems:
            problems += _contradictions(self)
        if problems:
            raise ConfigError(problems)


SETTINGS: dict[str, Setting] = {entry.name: entry.metadata["setting"] for entry in fields(Config)}
DEFAULTS: dict[str, Any] = {entry.name: entry.default for entry in fields(Config)}


def convert(entry: Setting, value: Any) -> Any:
    """Return the value as the setting's type; ValueError says what was expected."""
    if value is None or (isinstance(value, str) and entry.optional and value.lower() in ("", "none")):
        if entry.optional or (value is None and entry.kind == "str"):
            return None
        raise ValueError(f"expected {entry.kind}, got nothing")
    found = _CONVERTERS[entry.kind](value)
    if entry.choices and found not in entry.choices:
        raise ValueError(f"expected one of {', '.join(entry.choices)}, got {value!r}")
    if entry.minimum is not None and found < entry.minimum:
        raise ValueError(f"expected at least {entry.minimum:g}, got {value!r}")
    return found


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in TRUE or text in FALSE:
        return text in TRUE
    raise ValueError(f"expected true or false, got {value!r}")


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?[0-9]{1,18}", str(value).strip(), re.ASCII):
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def _to_float(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or number != number:
        raise ValueError(f"expected a number of seconds, got {value!r}")
    return number


def _to_octal(value: Any) -> int:
    """A string is octal, as on the command line; a number is taken as it is."""
    if isinstance(value, str):
        if not re.fullmatch(r"(?:0o)?[0-7]{1,4}", value):
            raise ValueError(f"expected octal permissions such as 660, got {value!r}")
        return int(value.removeprefix("0o"), 8)
    return _to_int(value)


def _to_list(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else list(value)
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _to_headers(value: Any) -> tuple[tuple[str, str], ...]:
    found = []
    for item in value.items() if isinstance(value, Mapping) else ([value] if isinstance(value, str) else value):
        pair = item.split(":", 1) if isinstance(item, str) else item
        if len(pair) != 2:
            raise ValueError(f"expected Name:Value, got {item!r}")
        name, content = (part.decode("latin-1") if isinstance(part, bytes) else str(part).strip() for part in pair)
        if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", name):
            raise ValueError(f"{name!r} is not a header name")
        if re.search(r"[^\t\x20-\x7e\x80-\xff]", content):
            raise ValueError(f"the value of {name} has control characters: {content!r}")
        found.append((name, content))
    return tuple(found)


def _to_str(value: Any) -> Any:
    return value  # `app` may be the application itself; the rest is checked where it is used


_CONVERTERS = {
    "str": _to_str, "path": _to_str, "int": _to_int, "float": _to_float, "bool": _to_bool, "octal": _to_octal,
    "list": _to_list, "header": _to_headers,
}  # fmt: skip


def _contradictions(config: Config) -> list[str]:
    """Return what is wrong with settings that are right one by one."""
    problems = []
    if config.port > 65535:
        problems.append(f"port: expected at most 65535, got {config.port}")
    if config.uds is not None and config.fd is not None:
        problems.append("uds and fd cannot be used together")
    if config.bind and (config.uds is not None or config.fd is not None):
        problems.append("bind replaces uds and fd: write unix:/path or fd://N as a bind")
    if config.root_path and not config.root_path.startswith("/"):
        problems.append(f"root_path: expected a path that starts with /, got {config.root_path!r}")
    config.root_path = config.root_path.rstrip("/")
    problems += _check_binds(config.bind) + _check_trust(config) + _check_format(config.access_log_format)
    return problems


def _check_binds(binds: tuple[str, ...]) -> list[str]:
    if not binds:
        return []
    from portico.server.listeners import parse_bind

    problems = []
    for text in binds:
        try:
            parse_bind(text)
        except ValueError as error:
            problems.append(f"bind: {error}")
    return problems


def _check_trust(config: Config) -> list[str]:
    if config.forwarded_allow_ips == DEFAULTS["forwarded_allow_ips"]:
        return []
    if not isinstance(config.forwarded_allow_ips, str):
        config.forwarded_allow_ips = ",".join(config.forwarded_allow_ips)
    from portico.server.proxies import ProxyTrust

    try:
        ProxyTrust(config.forwarded_allow_ips)
    except ValueError as error:
        return [f"forwarded_allow_ips: {error}"]
    return []


def _check_format(template: str) -> list[str]:
    from portico.server.access import validate_format

    return [f"access_log_format: {problem}" for problem in validate_format(template)]
