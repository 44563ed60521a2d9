"""Status and headers as `start_response` takes them (PEP 3333), checked there and then and made into ASGI's."""

import logging
import re
from collections.abc import Iterable

from portico.asgi import PorticoError
from portico.http.headers import is_token

logger = logging.getLogger("portico")

# PEP 3333, "Other HTTP Features": these are the server's to say. Applications that pass on what another server has
# answered send them all the time, so they are left out rather than refused.
HOP_BY_HOP = frozenset(
    (
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"trailers", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip
CONTENT_LENGTH = b"content-length"
CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")  # HTAB is none here
MAX_KNOWN_NAMES = 1024
MAX_KNOWN_STATUSES = 256

_names: dict[str, bytes] = {}  # as applications spell them -> as they are sent
_statuses: dict[str, int] = {}
_reported: set[bytes] = set()


class WSGIProtocolError(PorticoError, RuntimeError):
    """The WSGI application did something that PEP 3333 forbids."""


class Head:
    """The head of a response; `length` is the body's as the application declared it, -1 where it did not."""

    __slots__ = ("fields", "length", "status")

    def __init__(self, status: str, headers: Iterable[tuple[str, str]]) -> None:
        """Take what `start_response` was given; raises WSGIProtocolError."""
        self.status = read_status(status)
        self.fields: list[tuple[bytes, bytes]] = []
        self.length = -1
        try:
            for name, value in headers:
                known = _names.get(name) or _learn(name)
                field = _value(name, value)
                if known is CONTENT_LENGTH:
                    self.length = _length(field)
                elif known in HOP_BY_HOP:
                    _report(known)
                    continue
                self.fields.append((known, field))
        except (TypeError, ValueError):
            raise WSGIProtocolError(
                f"start_response() needs a list of (name, value) tuples of str for headers, not {headers!r}"
            ) from None


def read_status(status: str) -> int:
    """Return the number that a status such as `200 OK` begins with; the phrase may be missing."""
    known = _statuses.get(status) if type(status) is str else None
    if known is not None:
        return known
    number = status[:3] if isinstance(status, str) else ""
    if not (number.isascii() and number.isdigit() and number >= "200" and status[3:4] in ("", " ")):
        raise WSGIProtocolError(f"start_response() needs a final status such as '200 OK', not {status!r}")
    if len(_statuses) < MAX_KNOWN_STATUSES:
        _statuses[status] = int(number)
    return int(number)


def _learn(name: object) -> bytes:
    if not isinstance(name, str):
        raise WSGIProtocolError(f"a header name must be str, not {name!r}")
    known = name.strip().lower().encode("latin-1", "replace")
    if not is_token(known) or not name.isascii():
        raise WSGIProtocolError(f"{name!r} is not a header name")
    if known == CONTENT_LENGTH:
        known = CONTENT_LENGTH
    if len(_names) < MAX_KNOWN_NAMES:
        _names[name] = known
    return known


def _value(name: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise WSGIProtocolError(f"the value of header {name!r} must be str, not {value!r}")
    try:
        field = value.encode("latin-1")
    except UnicodeEncodeError:
        raise WSGIProtocolError(
            f"the value of header {name!r} has characters beyond latin-1: encode it as RFC 8187 says, not {value!r}"
        ) from None
    if not value.isprintable() and CONTROL.search(field):
        raise WSGIProtocolError(f"the value of header {name!r} has control characters: {value!r}")
    return field.strip()


def _length(field: bytes) -> int:
    if not field.isdigit():
        raise WSGIProtocolError(f"Content-Length must be a number of bytes, not {field!r}")
    return int(field)


def _report(name: bytes) -> None:
    """Say once that a header is left out."""
    if name not in _reported:
        _reported.add(name)
        logger.warning(
            "The WSGI application sends the header %r, which PEP 3333 leaves to the server: dropped", name.decode()
        )
