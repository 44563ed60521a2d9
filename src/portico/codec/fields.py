"""What an application may send as fields of a response, in every version of HTTP (RFC 9110 §5)."""

from typing import Any

from portico.http.headers import FORBIDDEN_TRAILERS, is_token

# What a field steers. HOP_BY_HOP: the connection's, so never the application's to send.
PLAIN, CONTENT_LENGTH, HOP_BY_HOP, CONNECTION, DATE, SERVER, HSTS = range(7)
KINDS = {
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": HOP_BY_HOP,
    b"connection": CONNECTION,
    b"keep-alive": HOP_BY_HOP,
    b"proxy-connection": HOP_BY_HOP,
    b"date": DATE,
    b"server": SERVER,
    b"strict-transport-security": HSTS,
}
MAX_LENGTH_DIGITS = 18  # fits into 64 bits
# `int in bytes` is one memchr; `bytes in bytes` first raises and drops a TypeError inside CPython: 0.3 us.
NUL, LF, CR = 0, 10, 13


class FieldError(ValueError):
    """A status, field name or field value that cannot be sent."""


def check_name(name: object) -> tuple[bytes, int]:
    """Return a field name in lower case and what it steers; FieldError where it is not a token."""
    if not isinstance(name, bytes):
        raise FieldError(f"a header name must be bytes, not {name!r}")
    if not is_token(name):
        raise FieldError(f"{name!r} is not a header name")
    lower = name.lower()
    return lower, KINDS.get(lower, PLAIN)


def check_value(name: object, value: object) -> None:
    """Raise FieldError unless the value can stand in a field line (RFC 9110 §5.5)."""
    if not isinstance(value, bytes):
        raise FieldError(f"the value of header {name!r} must be bytes, not {value!r}")
    if LF in value or CR in value or NUL in value:
        raise FieldError(f"the value of header {name!r} has CR, LF or NUL: {value!r}")


def check_length(value: bytes, before: int) -> int:
    """Return the length that a Content-Length says; FieldError where `before`, if not -1, is another one."""
    if not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
        raise FieldError(f"content-length must be a number of bytes, not {value!r}")
    length = int(value)
    if before not in (-1, length):
        raise FieldError(f"content-length given twice: {before} and {length}")
    return length


def check_fields(headers: Any) -> list[tuple[bytes, bytes]]:
    """Return the fields of trailers or early hints, checked, with names in lower case."""
    fields: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        lower, kind = check_name(name)
        check_value(name, value)
        if kind not in (PLAIN, HSTS) or lower in FORBIDDEN_TRAILERS:
            raise FieldError(f"{name!r} is not allowed there")
        fields.append((lower, value))
    return fields
