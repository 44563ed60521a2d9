"""Heads of the frames that a server sends, and close frames in both directions (RFC 6455 §5.2, §5.5.1, §7.4)."""

import pytest
from tests.codec.websocket.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_payload

from portico.codec.websocket import frames
from portico.codec.websocket.events import Close, Violation
from portico.codec.websocket.frames import (
    EMPTY_PING,
    MAX_REASON,
    close_frame,
    frame_head,
    is_sendable_code,
    is_sendable_reason,
    message_head,
    read_close,
)

HEADS = [
    (0, b"\x00"),
    (1, b"\x01"),
    (124, b"\x7c"),
    (125, b"\x7d"),
    (126, b"\x7e\x00\x7e"),
    (127, b"\x7e\x00\x7f"),
    (255, b"\x7e\x00\xff"),
    (256, b"\x7e\x01\x00"),
    (65534, b"\x7e\xff\xfe"),
    (65535, b"\x7e\xff\xff"),
    (65536, b"\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    (65537, b"\x7f\x00\x00\x00\x00\x00\x01\x00\x01"),
    (2**31 - 1, b"\x7f\x00\x00\x00\x00\x7f\xff\xff\xff"),
    (2**31, b"\x7f\x00\x00\x00\x00\x80\x00\x00\x00"),
    (2**32 + 1, b"\x7f\x00\x00\x00\x01\x00\x00\x00\x01"),
    (2**63 - 1, b"\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
]
SENDABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
NOT_SENDABLE = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535]


# --- heads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "octets"), HEADS)
def test_a_head_has_the_shortest_form_of_its_length(length: int, octets: bytes) -> None:
    """§5.2: the minimal number of bytes MUST be used; in network byte order; §5.1: a server MUST NOT mask."""
    assert frame_head(0x82, length) == b"\x82" + octets


@pytest.mark.parametrize("first", [0x80 | opcode for opcode in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)])
def test_a_head_begins_with_the_octet_it_was_given(first: int) -> None:
    """§5.2: FIN, RSV1 to 3, opcode."""
    assert frame_head(first, 5) == bytes((first, 5))


@pytest.mark.parametrize("first", [0x01, 0x42, 0xC1, 0xFF])
@pytest.mark.parametrize("length", [0, 126, 65536])
def test_every_bit_of_the_first_octet_is_kept(first: int, length: int) -> None:
    assert frame_head(first, length)[0] == first


@pytest.mark.parametrize(("length", "octets"), HEADS)
def test_the_head_of_a_text_message(length: int, octets: bytes) -> None:
    """§5.6: opcode 1, and FIN: the message is one frame."""
    assert message_head(True, length) == b"\x81" + octets


@pytest.mark.parametrize(("length", "octets"), HEADS)
def test_the_head_of_a_binary_message(length: int, octets: bytes) -> None:
    """§5.6: opcode 2, and FIN: the message is one frame."""
    assert message_head(False, length) == b"\x82" + octets


def test_an_empty_ping_is_two_octets() -> None:
    """§5.5.2: opcode 9; application data is optional."""
    assert EMPTY_PING == b"\x89\x00"


# --- numbers -------------------------------------------------------------------------------------


def test_the_opcodes() -> None:
    """§11.8: the registry of opcodes."""
    opcodes = (frames.CONTINUATION, frames.TEXT, frames.BINARY, frames.CLOSE, frames.PING, frames.PONG)
    assert opcodes == (0, 1, 2, 8, 9, 10)


def test_the_bits_of_the_first_octet() -> None:
    """§5.2: FIN is the highest, RSV1 the next."""
    assert (frames.FIN, frames.RSV1) == (0b1000_0000, 0b0100_0000)


def test_the_codes_that_have_names() -> None:
    """§7.4.1: what they mean; and 1012, "Service Restart", in the registry of §11.7."""
    assert (frames.NORMAL, frames.GOING_AWAY, frames.PROTOCOL_ERROR) == (1000, 1001, 1002)
    assert (frames.NO_STATUS, frames.ABNORMAL, frames.INVALID_DATA) == (1005, 1006, 1007)
    assert (frames.TOO_BIG, frames.INTERNAL_ERROR, frames.SERVICE_RESTART) == (1009, 1011, 1012)


# --- codes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", SENDABLE)
def test_a_code_that_may_be_sent(code: int) -> None:
    """§7.4.1, §7.4.2: defined ones, registered ones (3000-3999), private ones (4000-4999)."""
    assert is_sendable_code(code)


@pytest.mark.parametrize("code", NOT_SENDABLE)
def test_a_code_that_may_not_be_sent(code: int) -> None:
    """§7.4.1: 1005, 1006 and 1015 MUST NOT be set in a frame; §7.4.2: the others are unused or unassigned."""
    assert not is_sendable_code(code)


def test_nothing_else_may_be_sent() -> None:
    """§7.4.2: 0-999 are not used; 1000-2999 are for the protocol; 3000-4999 for everybody."""
    assert [code for code in range(65536) if is_sendable_code(code)] == [*SENDABLE[:12], *range(3000, 5000)]


@pytest.mark.parametrize("reason", ["", "bye", "r" * 123, "é" * 61, "€" * 41, "\x00"])
def test_a_reason_that_may_be_sent(reason: str) -> None:
    """§5.5, §5.5.1: UTF-8 of at most 123 bytes."""
    assert is_sendable_reason(reason)


@pytest.mark.parametrize("reason", ["r" * 124, "é" * 62, "€" * 42, "\ud800", "a\udfffb", None, b"bye", 1000, ["r"]])
def test_a_reason_that_may_not_be_sent(reason: object) -> None:
    """§5.5, §5.5.1: UTF-8 of at most 123 bytes."""
    assert not is_sendable_reason(reason)


# --- close frames that we send -------------------------------------------------------------------


@pytest.mark.parametrize("code", SENDABLE)
def test_a_close_frame_carries_its_code(code: int) -> None:
    """§5.5.1: the first two bytes of the body are the code, in network byte order."""
    assert close_frame(code, "") == b"\x88\x02" + code.to_bytes(2, "big")


def test_a_close_frame_carries_its_reason_in_utf_8() -> None:
    """§5.5.1: UTF-8 data may follow the code."""
    assert close_frame(1001, "é€😀") == b"\x88\x0b\x03\xe9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"


def test_a_close_frame_without_a_code_has_no_payload() -> None:
    """§7.4.1: 1005 MUST NOT be set in a close frame; it stands for none."""
    assert close_frame(1005, "") == b"\x88\x00"


def test_a_close_frame_without_a_code_has_no_reason_either() -> None:
    """§5.5.1: a reason follows a code."""
    assert close_frame(1005, "lost") == b"\x88\x00"


def test_the_longest_reason_fills_the_frame() -> None:
    """§5.5: a control frame has at most 125 bytes."""
    assert close_frame(1000, "r" * MAX_REASON) == b"\x88\x7d\x03\xe8" + b"r" * 123


# --- close frames that come ----------------------------------------------------------------------


@pytest.mark.parametrize("code", SENDABLE)
def test_a_close_is_read_with_its_code(code: int) -> None:
    """§7.1.5: the code of the first close frame is the connection's close code."""
    assert read_close(close_payload(code)) == Close(code, "")


def test_a_close_without_a_payload_has_the_code_1005() -> None:
    """§7.1.5: a close frame without a code is considered to be 1005."""
    assert read_close(b"") == Close(1005, "")


@pytest.mark.parametrize("reason", ["bye", "é€😀", "\x00", "\ufeff", "\U0010ffff", "r" * 123, "\r\n"])
def test_a_close_is_read_with_its_reason(reason: str) -> None:
    """§7.1.6: the UTF-8 data after the code is the reason."""
    assert read_close(close_payload(1000, reason.encode())) == Close(1000, reason)


@pytest.mark.parametrize("payload", [b"\x00", b"\x03", b"\xff"])
def test_a_payload_of_one_byte_is_a_protocol_error(payload: bytes) -> None:
    """§5.5.1: if there is a body, its first two bytes MUST be a 2-byte unsigned integer."""
    assert read_close(payload) == Violation(1002, "close code of one byte")


@pytest.mark.parametrize("code", NOT_SENDABLE)
@pytest.mark.parametrize("reason", [b"", b"reason"])
def test_a_code_that_may_not_be_sent_is_a_protocol_error(code: int, reason: bytes) -> None:
    """§7.4.1: it MUST NOT be set as a status code in a close frame by an endpoint."""
    assert read_close(close_payload(code, reason)) == Violation(1002, f"close code {code} may not be sent")


@pytest.mark.parametrize(
    "reason",
    [b"\x80", b"\xff", b"a\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"ok \xf0\x9f\x98"],
)
def test_a_reason_that_is_not_utf_8_is_invalid_data(reason: bytes) -> None:
    """§8.1: a byte stream that is not UTF-8 where it should be MUST fail the connection; §7.4.1: 1007 says so."""
    assert read_close(close_payload(1000, reason)) == Violation(1007, "close reason is not UTF-8")


def test_a_bad_code_is_told_before_a_bad_reason() -> None:
    assert read_close(close_payload(1005, b"\xff")) == Violation(1002, "close code 1005 may not be sent")
