"""Raw HTTP/2: frames and header blocks as bytes, right or wrong (RFC 9113 §4 and §6, RFC 7541).

Everything here only builds bytes: what a builder is not asked to make wrong is right. `tests.http2` sends them.
Header blocks of `block` use no table and no Huffman code, so that each stands for itself; for the stateful kind take
the `hpack` package's Encoder.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 16
KINDS = ("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE")
ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITIZED = 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = (
    range(1, 7)
)
ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 8, 9

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(6, 12)
INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = 12, 13

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DEFAULT_WINDOW = 65535
MAX_WINDOW = (1 << 31) - 1

Fields = Iterable[tuple[bytes, bytes]]


class Frame(NamedTuple):
    """A frame; `stream` is without the reserved bit."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    def __repr__(self) -> str:
        kind = KINDS[self.kind] if self.kind < len(KINDS) else self.kind
        return f"<{kind} flags={self.flags:#x} stream={self.stream} {len(self.payload)}: {self.payload[:40]!r}>"


# --- frames ---------------------------------------------------------------------------------------


def frame(
    kind: int,
    flags: int = 0,
    stream: int = 0,
    payload: bytes = b"",
    *,
    length: int | None = None,
    reserved: bool = False,
) -> bytes:
    """Return any frame; `length` is what its head says, whatever the payload has."""
    if length is None:
        length = len(payload)
    return b"".join(
        (length.to_bytes(3, "big"), bytes((kind, flags)), (stream | reserved << 31).to_bytes(4, "big"), payload)
    )


def padded(payload: bytes, padding: int | None, declared: int | None) -> bytes:
    """Return the payload with `padding` octets behind it; `declared` is what the Pad Length field says instead."""
    if padding is None and declared is None:
        return payload
    size = padding or 0
    return bytes((size if declared is None else declared,)) + payload + bytes(size)


def data(
    stream: int, payload: bytes = b"", *, end: bool = False, padding: int | None = None, declared: int | None = None
) -> bytes:
    """Return a DATA frame."""
    flags = end * END_STREAM | (padding is not None or declared is not None) * PADDED
    return frame(DATA, flags, stream, padded(payload, padding, declared))


def headers(
    stream: int,
    fragment: bytes,
    *,
    end: bool = False,
    end_headers: bool = True,
    padding: int | None = None,
    declared: int | None = None,
    depends: int | None = None,
    weight: int = 16,
    exclusive: bool = False,
) -> bytes:
    """Return a HEADERS frame with this fragment of a header block; with `depends` it carries a priority."""
    flags = end * END_STREAM | end_headers * END_HEADERS
    if depends is not None:
        flags |= PRIORITIZED
        fragment = dependency(depends, weight, exclusive) + fragment
    if padding is not None or declared is not None:
        flags |= PADDED
    return frame(HEADERS, flags, stream, padded(fragment, padding, declared))


def dependency(depends: int, weight: int = 16, exclusive: bool = False) -> bytes:
    """Return the five octets of a priority (RFC 7540 §6.3); `weight` is from 1 to 256."""
    return (depends | exclusive << 31).to_bytes(4, "big") + bytes((weight - 1,))


def priority(stream: int, depends: int = 0, weight: int = 16, exclusive: bool = False) -> bytes:
    """Return a PRIORITY frame."""
    return frame(PRIORITY, 0, stream, dependency(depends, weight, exclusive))


def rst_stream(stream: int, code: int = CANCEL) -> bytes:
    """Return a RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def settings(values: Mapping[int, int] | Iterable[tuple[int, int]] = (), *, ack: bool = False) -> bytes:
    """Return a SETTINGS frame."""
    pairs = values.items() if isinstance(values, Mapping) else values
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)
    return frame(SETTINGS, ack * ACK, 0, payload)


def push_promise(stream: int, promised: int, fragment: bytes) -> bytes:
    """Return a PUSH_PROMISE frame, which no client may send."""
    return frame(PUSH_PROMISE, END_HEADERS, stream, promised.to_bytes(4, "big") + fragment)


def ping(payload: bytes = b"01234567", *, ack: bool = False) -> bytes:
    """Return a PING frame."""
    return frame(PING, ack * ACK, 0, payload)


def goaway(last: int = 0, code: int = NO_ERROR, debug: bytes = b"") -> bytes:
    """Return a GOAWAY frame."""
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def window_update(stream: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def continuation(stream: int, fragment: bytes, *, end_headers: bool = True) -> bytes:
    """Return a CONTINUATION frame."""
    return frame(CONTINUATION, end_headers * END_HEADERS, stream, fragment)


def priority_update(stream: int, value: bytes) -> bytes:
    """Return a PRIORITY_UPDATE frame (RFC 9218 §7.1)."""
    return frame(PRIORITY_UPDATE, 0, 0, stream.to_bytes(4, "big") + value)


# --- header blocks --------------------------------------------------------------------------------


def integer(value: int, prefix: int, first: int = 0) -> bytes:
    """Return an integer with a prefix of so many bits (RFC 7541 §5.1); `first` has the bits before them."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((first | value,))
    octets = [first | most]
    value -= most
    while value >= 128:
        octets.append(value % 128 | 128)
        value //= 128
    octets.append(value)
    return bytes(octets)


def string(value: bytes) -> bytes:
    """Return a string literal without Huffman code (RFC 7541 §5.2)."""
    return integer(len(value), 7) + value


def indexed(index: int) -> bytes:
    """Return an indexed field (RFC 7541 §6.1)."""
    return integer(index, 7, 0x80)


def literal(name: bytes | int, value: bytes, *, store: bool = False, never: bool = False) -> bytes:
    """Return a literal field (RFC 7541 §6.2), its name spelled out or an index; `store` enters it into the table."""
    prefix, first = (6, 0x40) if store else (4, 0x10 if never else 0)
    if isinstance(name, int):
        return integer(name, prefix, first) + string(value)
    return bytes((first,)) + string(name) + string(value)


def table_size(size: int) -> bytes:
    """Return a dynamic table size update (RFC 7541 §6.3)."""
    return integer(size, 5, 0x20)


def block(fields: Fields) -> bytes:
    """Return a header block of literals that depends on no table and changes none."""
    return b"".join(literal(name, value) for name, value in fields)


def request(
    path: bytes = b"/",
    *,
    method: bytes = b"GET",
    scheme: bytes = b"http",
    authority: bytes = b"a",
    extra: Fields = (),
    without: Iterable[bytes] = (),
) -> list[tuple[bytes, bytes]]:
    """Return the fields of a request; those named in `without` are left out, `extra` follows."""
    fields = [(b":method", method), (b":scheme", scheme), (b":path", path), (b":authority", authority)]
    left_out = set(without)
    return [field for field in fields if field[0] not in left_out] + list(extra)


def get(stream: int, path: bytes = b"/", *, extra: Fields = ()) -> bytes:
    """Return a whole GET in one HEADERS frame."""
    return headers(stream, block(request(path, extra=extra)), end=True)


def post(stream: int, body: bytes | None = None, path: bytes = b"/", *, extra: Fields = ()) -> bytes:
    """Return a POST; without a body only its HEADERS, which leave the stream open."""
    head = headers(stream, block(request(path, method=b"POST", extra=extra)))
    return head if body is None else head + data(stream, body, end=True)
