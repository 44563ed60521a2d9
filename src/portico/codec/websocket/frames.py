"""Frames (RFC 6455 §5): opcodes, heads of the frames that a server sends, payloads of close frames."""

from portico.codec.websocket.events import Close, Violation

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40

# RFC 6455 §7.4.1, and those registered since.
NORMAL, GOING_AWAY, PROTOCOL_ERROR, NO_STATUS, ABNORMAL = 1000, 1001, 1002, 1005, 1006
INVALID_DATA, TOO_BIG, INTERNAL_ERROR, SERVICE_RESTART = 1007, 1009, 1011, 1012
REGISTERED_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))
MAX_REASON = 123  # bytes: a control frame has 125, and the code takes two
MAX_CONTROL = 125

EMPTY_PING = bytes((FIN | PING, 0))
# Heads of messages of up to 125 bytes: most are.
SHORT_TEXT = [bytes((FIN | TEXT, length)) for length in range(126)]
SHORT_BINARY = [bytes((FIN | BINARY, length)) for length in range(126)]


def frame_head(first: int, length: int) -> bytes:
    """Return the head of an unmasked frame, given its first octet (FIN, RSV, opcode) and the payload's length."""
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126, length >> 8, length & 255))
    return bytes((first, 127)) + length.to_bytes(8, "big")


def message_head(text: bool, length: int) -> bytes:
    """Return the head of an unfragmented, uncompressed message."""
    if length < 126:
        return SHORT_TEXT[length] if text else SHORT_BINARY[length]
    return frame_head(FIN | (TEXT if text else BINARY), length)


def is_sendable_code(code: int) -> bool:
    """Tell whether a close frame may carry the code (RFC 6455 §7.4)."""
    return code in REGISTERED_CODES or 3000 <= code <= 4999


def is_sendable_reason(reason: object) -> bool:
    """Tell whether a close frame may carry the reason (RFC 6455 §5.5.1)."""
    try:
        return isinstance(reason, str) and len(reason.encode()) <= MAX_REASON
    except UnicodeEncodeError:
        return False


def close_frame(code: int, reason: str) -> bytes:
    """Return a whole close frame; a code of 1005 makes one without a payload."""
    payload = b"" if code == NO_STATUS else code.to_bytes(2, "big") + reason.encode()
    return frame_head(FIN | CLOSE, len(payload)) + payload


def read_close(payload: bytes) -> Close | Violation:
    """Return what the payload of a close frame says (RFC 6455 §5.5.1)."""
    if not payload:
        return Close(NO_STATUS, "")
    if len(payload) == 1:
        return Violation(PROTOCOL_ERROR, "close code of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not is_sendable_code(code):
        return Violation(PROTOCOL_ERROR, f"close code {code} may not be sent")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        return Violation(INVALID_DATA, "close reason is not UTF-8")
