"""Frames (RFC 9113 §4, §6): types, flags, settings and error codes, and those that a server writes of itself."""

from struct import Struct

COMPILED = not __file__.endswith(".py")
HEAD = Struct(">HBBBL")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_SIZE = 9  # bytes before each payload

# Types
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10  # RFC 9218 §7.1

# Flags
END_STREAM = ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
HAS_PRIORITY = 0x20

# Settings (§6.5.2, RFC 8441 §3, RFC 9218 §2.1)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(1, 6)
MAX_HEADER_LIST_SIZE, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 6, 8, 9

# Error codes (§7)
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR = range(6, 11)
ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(11, 14)

DEFAULT_WINDOW = 65535  # bytes, until a peer says otherwise
DEFAULT_FRAME_SIZE = 16384  # bytes of a payload
MAX_WINDOW = 2**31 - 1
MAX_STREAM_ID = 2**31 - 1

SETTINGS_ACK = bytes((0, 0, 0, SETTINGS, ACK, 0, 0, 0, 0))


def frame_head(length: int, kind: int, flags: int, stream_id: int) -> bytes:
    """Return the nine octets before a payload of `length` bytes (§4.1)."""
    if not COMPILED:
        return HEAD.pack(length >> 8, length & 255, kind, flags, stream_id)
    head = bytes(HEAD_SIZE)
    octets = head
    octets[0] = length >> 16  # type: ignore[index]
    octets[1] = length >> 8  # type: ignore[index]
    octets[2] = length  # type: ignore[index]
    octets[3] = kind  # type: ignore[index]
    octets[4] = flags  # type: ignore[index]
    octets[5] = stream_id >> 24  # type: ignore[index]
    octets[6] = stream_id >> 16  # type: ignore[index]
    octets[7] = stream_id >> 8  # type: ignore[index]
    octets[8] = stream_id  # type: ignore[index]
    return head


def settings_frame(settings: dict[int, int]) -> bytes:
    """Return a SETTINGS frame (§6.5)."""
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in settings.items())
    return frame_head(len(payload), SETTINGS, 0, 0) + payload


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """Return the settings of a SETTINGS frame's payload, in their order."""
    return [
        (int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big"))
        for at in range(0, len(payload), 6)
    ]


def rst_stream_frame(stream_id: int, code: int) -> bytes:
    """Return a RST_STREAM frame (§6.4)."""
    return frame_head(4, RST_STREAM, 0, stream_id) + code.to_bytes(4, "big")


def window_update_frame(stream_id: int, increment: int) -> bytes:
    """Return a WINDOW_UPDATE frame (§6.9)."""
    return frame_head(4, WINDOW_UPDATE, 0, stream_id) + increment.to_bytes(4, "big")


def ping_frame(data: bytes, ack: bool) -> bytes:
    """Return a PING frame with its eight octets of data (§6.7)."""
    return frame_head(8, PING, ACK if ack else 0, 0) + data


def goaway_frame(last_stream_id: int, code: int, reason: str) -> bytes:
    """Return a GOAWAY frame (§6.8), whose debug data is the reason."""
    debug = reason.encode()
    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big") + debug
    return frame_head(len(payload), GOAWAY, 0, 0) + payload
