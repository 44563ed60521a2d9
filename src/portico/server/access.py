"""The access log: one line for each exchange, written in batches.

`record()` runs once per request, so it only formats: the clock's part and the client's come from a cache that `tick()`
renews each second, and the request is checked as a whole instead of field by field. The server calls `flush()` when
`pending` passes `FLUSH_BYTES`, and otherwise several times a second. Nothing a client sends can forge or break a line.
"""

import os
import re
import time
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

Client = tuple[str, int] | None
Fields = Iterable[tuple[bytes, bytes]]
Part = Callable[["Entry"], str]
# Under its own name Cython would take `int` for the Python type, and refuse the C type that access.pxd gives.
Number = int

FLUSH_BYTES = 65536
# The caches are emptied when full; long targets seldom come twice.
CACHE_LIMIT = 4096
CACHED_TARGET_BYTES = 128
# What a full pipe may hold up; beyond it whole batches are dropped, for the loop must not wait for its log.
BACKLOG_BYTES = 1 << 20

FORMATS = ("common", "combined", "json", "dev")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# A table lookup costs a third of formatting a number.
_NUMBERS = tuple([str(number) for number in range(1000)])
_FRACTIONS = tuple([f".{number:03d}\n" for number in range(1000)])
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_ATOM = re.compile(r"%(?:(?P<percent>%)|\((?:\{(?P<field>[^{}()]+)\}(?P<side>[io])|(?P<name>[^()]*))\)s)|(?P<stray>%)")


class AccessLog:
    """Format exchanges into lines and hand them to the sink in batches."""

    __slots__ = ("_combined", "_json_time", "_lines", "_prefixes", "_render", "_requests", "_sink", "_stamp", "pending")

    def __init__(self, format: str, sink: Callable[[bytes], None], *, colours: bool = False) -> None:
        problems = validate_format(format)
        if problems:
            raise ValueError("; ".join(problems))
        self._sink = sink
        self._combined = format == "combined"
        self._render = None if format in ("common", "combined") else _renderer(format, colours)
        self._lines: list[str] = []
        self._prefixes: dict[Client, str] = {}
        self._requests: dict[tuple[str, bytes, str], str] = {}
        self._stamp = self._json_time = ""
        self.pending = 0
        self.tick(time.time())

    def tick(self, now: float) -> None:
        """Take the wall clock's time; call it once a second."""
        at = time.localtime(now)
        hours, minutes = divmod(abs(at.tm_gmtoff) // 60, 60)
        sign = "-" if at.tm_gmtoff < 0 else "+"
        clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
        month = _MONTHS[at.tm_mon - 1]
        self._stamp = f"[{at.tm_mday:02d}/{month}/{at.tm_year}:{clock} {sign}{hours:02d}{minutes:02d}]"
        self._json_time = f"{at.tm_year}-{at.tm_mon:02d}-{at.tm_mday:02d}T{clock}{sign}{hours:02d}:{minutes:02d}"
        self._prefixes.clear()

    def record(
        self,
        client: Client,
        method: str,
        target: bytes,
        version: str,
        status: Number,
        size: Number,
        started: float,
        request_headers: Fields,
        response_headers: Fields,
    ) -> None:
        """Note an exchange that has ended; `started` was read from `time.perf_counter()`."""
        ended = perf_counter()
        micros = int((ended - started) * 1e6) if ended > started else 0
        if self._render is None:
            prefix = self._prefixes.get(client)
            if prefix is None:
                prefix = self._prefix(client)
            key = (method, target, version)
            request = self._requests.get(key)
            if request is None:
                request = self._request(key)
            code = _NUMBERS[status] if 0 <= status < 1000 else str(status)
            length = _NUMBERS[size] if 0 <= size < 1000 else str(size)
            millis = _NUMBERS[micros // 1000] if micros < 1_000_000 else str(micros // 1000)
            fraction = _FRACTIONS[micros % 1000]
            if self._combined:
                length = f'{length} "{_field(request_headers, b"referer")}" "{_field(request_headers, b"user-agent")}"'
            line = f"{prefix}{request}{code} {length} {millis}{fraction}"
        else:
            entry = Entry()
            entry.client = client
            entry.method = method
            entry.target = target.decode("latin-1")
            entry.version = version
            entry.status = status
            entry.size = size
            entry.micros = micros
            entry.request_headers = request_headers
            entry.response_headers = response_headers
            entry.stamp = self._stamp
            entry.json_time = self._json_time
            line = self._render(entry)
        self._lines.append(line)
        self.pending += len(line)

    def flush(self) -> None:
        """Write the lines recorded since the last time, in one call of the sink."""
        if self.pending:
            batch = "".join(self._lines).encode("utf-8", "backslashreplace")
            self._lines.clear()
            self.pending = 0
            self._sink(batch)

    def reopen(self) -> None:
        """Write what is pending, and have the sink open its file anew, where it has one.

        Raises:
            OSError: the file cannot be opened; the old one is written to as before.
        """
        self.flush()
        if isinstance(self._sink, FileSink):
            self._sink.reopen()

    def _prefix(self, client: Client) -> str:
        if len(self._prefixes) >= CACHE_LIMIT:
            self._prefixes.clear()
        prefix = f'{_peer(client)} - - {self._stamp} "'
        self._prefixes[client] = prefix
        return prefix

    def _request(self, key: tuple[str, bytes, str]) -> str:
        method, target, version = key
        path = target.decode("latin-1")
        request = _clean(f"{method} {path} HTTP/{version}") + '" '
        if len(target) <= CACHED_TARGET_BYTES:
            if len(self._requests) >= CACHE_LIMIT:
                self._requests.clear()
            self._requests[key] = request
        return request


class Entry:
    """One exchange, for the formats that are put together from parts."""

    __slots__ = (
        "client",
        "json_time",
        "method",
        "micros",
        "request_headers",
        "response_headers",
        "size",
        "stamp",
        "status",
        "target",
        "version",
    )

    client: Client
    json_time: str
    method: str
    micros: int
    request_headers: Fields
    response_headers: Fields
    size: int
    stamp: str
    status: int
    target: str
    version: str


def validate_format(format: str) -> list[str]:
    """Return what is wrong with a format: nothing for the names in `FORMATS` and for good templates."""
    if format in FORMATS:
        return []
    problems = []
    unknown = []
    atoms = 0
    for match in _ATOM.finditer(format):
        if match["stray"]:
            problems.append(f"{format[match.start() : match.start() + 8]!r} is no atom: write %(name)s, or %% for a %")
        elif match["name"] is not None and match["name"] not in ATOMS:
            unknown.append(match["name"])
        atoms += not match["percent"]
    if unknown:
        known = " ".join(ATOMS)
        problems.append(f"unknown atoms {', '.join(map(repr, unknown))}: use {known} {{field}}i {{field}}o")
    if not atoms:
        problems.append(
            f"{format!r} is no access log format: use {', '.join(FORMATS)} or a template such as '%(h)s %(r)s'"
        )
    if not format.isprintable():
        problems.append("a template is one line of printable characters")
    return problems


class FileSink:
    """Write batches to a descriptor without ever raising; what a full pipe refuses is kept, within a bound."""

    __slots__ = ("_backlog", "_fd", "_owned", "_path")

    def __init__(self, fd: int, *, owned: bool = False, path: str | None = None) -> None:
        self._fd = fd
        self._owned = owned
        self._path = path
        self._backlog = b""

    def __call__(self, batch: bytes) -> None:
        if len(self._backlog) + len(batch) > BACKLOG_BYTES and self._backlog:
            self._write(self._backlog)
            if self._backlog:
                return
        self._write(self._backlog + batch if self._backlog else batch)

    def reopen(self) -> None:
        """Open the file anew, for the old one may have been moved; raises OSError, and keeps the old one then."""
        if self._path is None:
            return
        fd = _open(self._path)
        self.close()
        self._fd = fd
        self._owned = True

    def close(self) -> None:
        """Try once more to write what is left, and close the file if it was opened for this sink."""
        if self._backlog:
            self._write(self._backlog)
        if self._owned:
            os.close(self._fd)
            self._owned = False

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        at = 0
        try:
            while at < len(view):
                at += os.write(self._fd, view[at:])
        except BlockingIOError:
            self._backlog = bytes(view[at:])
        except OSError:
            self._backlog = b""  # nobody reads (EPIPE), the disk is full: requests matter more than their log
        else:
            self._backlog = b""


def open_sink(path: str | None) -> FileSink:
    """Return a sink that appends to the file, or writes to standard output for None and `-`.

    Raises:
        OSError: the file cannot be opened.
    """
    if path is None or path == "-":
        return FileSink(1)
    path = os.path.abspath(path)
    return FileSink(_open(path), owned=True, path=path)


def _open(path: str) -> int:
    # Not blocking, so that a pipe that nobody reads is an error and not an endless wait.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o644)


def logger_sink(logger: "logging.Logger") -> Callable[[bytes], None]:
    """Return a sink that emits each line as a record of level INFO."""

    def emit(batch: bytes) -> None:
        if logger.isEnabledFor(20):  # logging.INFO
            for line in batch.decode("utf-8", "replace").removesuffix("\n").split("\n"):
                logger.info("%s", line)

    return emit


def _clean(text: str) -> str:
    """Return the text with everything escaped that could break a line or a quoted part of it."""
    # Scans in C: printable ASCII leaves only the quote and the backslash to look for.
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return _UNSAFE.sub(_hexadecimal, text)


def _hexadecimal(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _peer(client: Client) -> str:
    if client is None:
        return "unix"
    host, port = client
    if ":" in host:
        host = f"[{host}]"
    return _clean(f"{host}:{port}" if port else host)  # a forwarded address comes without its port


def _field(fields: Fields, name: bytes) -> str:
    values = [value for field, value in fields if field == name or field.lower() == name]
    return _clean(b", ".join(values).decode("latin-1")) if values else "-"


def _user(entry: Entry) -> str:
    """Return the name that Basic authentication claims."""
    import binascii

    for name, value in entry.request_headers:
        if name == b"authorization" and value[:6].lower() == b"basic ":
            try:
                user = binascii.a2b_base64(value[6:]).partition(b":")[0]
            except binascii.Error:
                return "-"
            return _clean(user.decode("latin-1")) or "-"
    return "-"


def _duration(entry: Entry) -> str:
    return f"{entry.micros // 1000}.{entry.micros % 1000:03d}"


# gunicorn's atoms, and `client` (with its port) and `ms` (with three decimals) of ours.
ATOMS: dict[str, Part] = {
    "h": lambda entry: _clean(entry.client[0]) if entry.client else "unix",
    "l": lambda entry: "-",
    "u": _user,
    "t": lambda entry: entry.stamp,
    "r": lambda entry: _clean(f"{entry.method} {entry.target} HTTP/{entry.version}"),
    "m": lambda entry: _clean(entry.method),
    "U": lambda entry: _clean(entry.target.partition("?")[0]),
    "q": lambda entry: _clean(entry.target.partition("?")[2]),
    "H": lambda entry: _clean(f"HTTP/{entry.version}"),
    "s": lambda entry: str(entry.status),
    "b": lambda entry: str(entry.size) if entry.size else "-",
    "B": lambda entry: str(entry.size),
    "f": lambda entry: _field(entry.request_headers, b"referer"),
    "a": lambda entry: _field(entry.request_headers, b"user-agent"),
    "T": lambda entry: str(entry.micros // 1_000_000),
    "D": lambda entry: str(entry.micros),
    "M": lambda entry: str(entry.micros // 1000),
    "L": lambda entry: f"{entry.micros // 1_000_000}.{entry.micros % 1_000_000:06d}",
    "p": lambda entry: f"<{os.getpid()}>",
    "client": lambda entry: _peer(entry.client),
    "ms": _duration,
}


def _renderer(format: str, colours: bool) -> Part:
    if format == "json":
        return _json_renderer()
    if format == "dev":
        from portico.server.devlog import renderer

        return renderer(colours)
    literals = []
    parts = []
    at = 0
    pending = ""
    for match in _ATOM.finditer(format):
        pending += format[at : match.start()]
        at = match.end()
        if match["percent"]:
            pending += "%"
            continue
        literals.append(pending)
        pending = ""
        if match["field"] is not None:
            parts.append(_field_part(match["field"], match["side"]))
        else:
            parts.append(ATOMS[match["name"]])
    tail = pending + format[at:] + "\n"
    steps = list(zip(literals, parts, strict=True))

    def render(entry: Entry) -> str:
        return "".join([literal + part(entry) for literal, part in steps]) + tail

    return render


def _field_part(field: str, side: str) -> Part:
    name = field.lower().encode("latin-1", "replace")
    if side == "i":
        return lambda entry: _field(entry.request_headers, name)
    return lambda entry: _field(entry.response_headers, name)


def _json_renderer() -> Part:
    from json.encoder import encode_basestring_ascii as quote

    def text(fields: Fields, name: bytes) -> str:
        for field, value in fields:
            if field == name:
                return quote(value.decode("latin-1"))
        return "null"

    def render(entry: Entry) -> str:
        referer = text(entry.request_headers, b"referer")
        agent = text(entry.request_headers, b"user-agent")
        client = "null" if entry.client is None else quote(_peer(entry.client))
        return (
            f'{{"time":"{entry.json_time}","client":{client},"method":{quote(entry.method)},'
            f'"target":{quote(entry.target)},"http_version":{quote(entry.version)},"status":{entry.status},'
            f'"size":{entry.size},"duration_ms":{_duration(entry)},"referer":{referer},"user_agent":{agent}}}\n'
        )

    return render
