"""Compressed messages of a client (RFC 7692 §6, §7.2): what they decompress to, and what must be refused.

The client is zlib itself, and the bytes of §7.2.3 as they are printed there.
"""

import random
import zlib

import pytest
from tests.codec.websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    Compressor,
    agreed,
    close_payload,
    compressed,
    cut,
    feed,
    fragments,
    frame,
    head,
    last_violation,
    measured,
    read,
    violation,
)

from portico.codec.websocket.events import Close, Event, Ping, Pong, Violation

AGREED = agreed()
FORGETFUL = agreed(("client_no_context_takeover", None))
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # §7.2.3.1
HELLO_AGAIN = b"\xf2\x00\x11\x00\x00"  # §7.2.3.2: refers to the message before
LIMIT = 10_000
TOO_BIG = Violation(1009, "message is larger than 10000 bytes")
NOT_DEFLATE = Violation(1007, "malformed compressed data")
NOT_UTF_8 = Violation(1007, "text is not UTF-8")


def finished(data: bytes) -> bytes:
    """Return blocks of which the last one says that it is (BFINAL = 1)."""
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush(zlib.Z_FINISH)


def deflated(*payloads: bytes, opcode: int = TEXT) -> bytes:
    """Return a compressed message in fragments with these payloads."""
    return b"".join(fragments(opcode, list(payloads), rsv=RSV1))


# --- the examples of §7.2.3 ----------------------------------------------------------------------


def test_one_block() -> None:
    """§7.2.3.1: 0xc1 0x07 and "Hello" in one block, here masked."""
    assert read(b"\xc1\x87\x00\x00\x00\x00" + HELLO, agreement=AGREED) == ["Hello"]


def test_one_block_in_two_fragments() -> None:
    """§7.2.3.1: 0x41 0x03 0xf2 0x48 0xcd, 0x80 0x04 0xc9 0xc9 0x07 0x00, here masked."""
    data = b"\x41\x83\x00\x00\x00\x00\xf2\x48\xcd" + b"\x80\x84\x00\x00\x00\x00\xc9\xc9\x07\x00"
    assert read(data, agreement=AGREED) == ["Hello"]


def test_a_shared_window() -> None:
    """§7.2.3.2: the second "Hello" refers to the first."""
    assert read(deflated(HELLO) + deflated(HELLO_AGAIN), agreement=AGREED) == ["Hello", "Hello"]


def test_a_window_that_is_not_shared() -> None:
    """§7.2.3.2: without context takeover the second "Hello" is the same bytes as the first."""
    assert read(deflated(HELLO) * 2, agreement=FORGETFUL) == ["Hello", "Hello"]


def test_a_block_without_compression() -> None:
    """§7.2.3.3: 0xc1 0x0b 0x00 0x05 0x00 0xfa 0xff 0x48 0x65 0x6c 0x6c 0x6f 0x00."""
    assert read(deflated(b"\x00\x05\x00\xfa\xffHello\x00"), agreement=AGREED) == ["Hello"]


def test_a_final_block() -> None:
    """§7.2.3.4: a block with BFINAL set to 1, and an octet with the header bits of the next."""
    assert read(deflated(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), agreement=AGREED) == ["Hello"]


def test_two_blocks() -> None:
    """§7.2.3.5: "He" and "llo", an empty block between them."""
    payload = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"
    assert read(deflated(payload), agreement=AGREED) == ["Hello"]


def test_an_empty_fragment() -> None:
    """§7.2.3.6: an empty block without compression is the octet 0x00."""
    payload = Compressor().part(b"Hello")
    assert read(deflated(payload, b"\x00"), agreement=AGREED) == ["Hello"]


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, "a" * 500), (BINARY, b"a" * 500)])
def test_a_compressed_message_is_read(opcode: int, message: Event) -> None:
    """§6.2: decompressed, it is the message."""
    assert read(compressed(b"a" * 500, opcode), agreement=AGREED) == [message]


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, ""), (BINARY, b"")])
def test_a_compressed_message_of_nothing(opcode: int, message: Event) -> None:
    """§7.2.3.6: the octet 0x00, or the 0x02 0x00 that zlib makes of nothing."""
    for payload in (b"\x00", b"\x02\x00"):
        data = deflated(payload, opcode=opcode)
        assert read(data + data, agreement=AGREED) == [message, message]


@pytest.mark.parametrize("payloads", [[b""], [b"", b""], [b"", b"", b""]])
def test_a_compressed_message_without_a_single_octet_is_taken_for_nothing(payloads: list[bytes]) -> None:
    """§7.2.1 has at least one octet; there are clients that send none."""
    data = deflated(*payloads)
    assert read(data + deflated(HELLO) + data, agreement=AGREED) == ["", "Hello", ""]


def test_a_message_without_an_octet_leaves_the_window_as_it_is() -> None:
    assert read(deflated(HELLO) + deflated(b"") + deflated(HELLO_AGAIN), agreement=AGREED) == ["Hello", "", "Hello"]


def test_a_compressed_message_may_be_cut_anywhere() -> None:
    """§6.1: the payload of the fragments together is the compressed message."""
    payload = Compressor().payload(b"a message, a message, and a message")
    for at in range(len(payload) + 1):
        for size in (0, 1, 3):
            data = deflated(payload[:at], payload[at : at + size], payload[at + size :])
            assert feed([data], agreement=AGREED) == ["a message, a message, and a message"]


def test_fragments_of_one_octet() -> None:
    """§6.1: the payload of the fragments together is the compressed message."""
    payload = Compressor().payload(b"a message, a message, and a message")
    data = deflated(*(bytes((octet,)) for octet in payload))
    assert read(data, agreement=AGREED) == ["a message, a message, and a message"]


@pytest.mark.parametrize("place", [1, 2])
def test_control_frames_between_the_fragments_of_a_compressed_message(place: int) -> None:
    """§6.1: control frames are not compressed, and may come in the middle as ever."""
    frames = fragments(TEXT, [HELLO[:2], HELLO[2:5], HELLO[5:]], rsv=RSV1)
    frames[place:place] = [frame(PING, b"1"), frame(PONG, HELLO)]
    assert read(b"".join(frames), agreement=AGREED) == [Ping(b"1"), Pong(HELLO), "Hello"]


def test_a_close_inside_a_compressed_message() -> None:
    begun = frame(TEXT, HELLO[:3], fin=False, rsv=RSV1)
    assert read(begun + frame(CLOSE, close_payload(1000)), agreement=AGREED) == [Close(1000, "")]


def test_messages_need_not_be_compressed() -> None:
    """§6.1: the sender decides message by message, and says so in RSV1."""
    data = frame(TEXT, b"a") + deflated(HELLO) + b"".join(fragments(BINARY, [b"b", b"c"])) + frame(TEXT, b"Hello")
    assert read(data, agreement=AGREED) == ["a", "Hello", b"bc", "Hello"]


def test_a_message_that_is_not_compressed_is_not_decompressed() -> None:
    """§6.2: without RSV1 the payload is the message."""
    assert read(frame(BINARY, HELLO), agreement=AGREED) == [HELLO]
    assert read(b"".join(fragments(BINARY, [HELLO[:3], HELLO[3:]])), agreement=AGREED) == [HELLO]


def test_messages_that_are_not_compressed_leave_the_window_as_it_is() -> None:
    """§7.2: the window holds what was compressed."""
    data = deflated(HELLO) + frame(TEXT, b"World") + frame(PING, b"World") + deflated(HELLO_AGAIN)
    assert read(data, agreement=AGREED) == ["Hello", "World", Ping(b"World"), "Hello"]


@pytest.mark.parametrize("level", range(10))
def test_every_level_of_compression(level: int) -> None:
    """§7.2.1: blocks of any type may be used."""
    data = random.Random(level).randbytes(3000) + b"abc" * 2000
    stream = Compressor(level=level)
    frames = [frame(BINARY, stream.payload(data), rsv=RSV1) for _ in range(3)]
    assert read(b"".join(frames), agreement=AGREED) == [data] * 3


# --- context and window --------------------------------------------------------------------------


def test_a_client_may_refer_to_all_of_its_messages() -> None:
    """§7.2.2: with context takeover the window goes on from message to message."""
    stream = Compressor()
    messages = [b"a message like others, number %d" % number for number in range(30)]
    frames = [frame(BINARY, stream.payload(message), rsv=RSV1) for message in messages]
    assert len(frames[-1]) < 20
    assert read(b"".join(frames), agreement=AGREED) == messages


def test_a_client_that_could_refer_to_its_messages_need_not() -> None:
    """§7.1.1.2: it may compress each for itself without having said so."""
    assert read(compressed(b"a" * 50) + compressed(b"b" * 50), agreement=AGREED) == [b"a" * 50, b"b" * 50]


def test_a_client_that_has_agreed_to_forget_must() -> None:
    """§7.1.1.2: with `client_no_context_takeover` in the answer it MUST NOT use context takeover."""
    assert read(deflated(HELLO) + deflated(HELLO_AGAIN), agreement=FORGETFUL) == ["Hello", NOT_DEFLATE]


@pytest.mark.parametrize("bits", range(8, 16))
def test_the_window_of_the_client_is_as_large_as_agreed(bits: int) -> None:
    """§7.1.2.2: a client compresses with no larger a window than the answer says, and with no smaller one if it likes.

    zlib makes 9 bits of 8, of which it uses no more than 250 octets.
    """
    agreement = agreed(("client_max_window_bits", str(bits)))
    stream = Compressor(max(agreement.client_window_bits, 9))
    data = random.Random(bits).randbytes(240)
    messages = [data, data, b"b" * 5000, data, random.Random(1).randbytes(5000), data]
    frames = [frame(BINARY, stream.payload(message), rsv=RSV1) for message in messages]
    assert read(b"".join(frames), agreement=agreement) == messages


def test_a_client_that_does_not_limit_its_window_uses_all_of_it() -> None:
    """§7.1.2.2: without `client_max_window_bits` a server MUST be able to read messages of a window of 32,768."""
    stream = Compressor(15, level=9)
    data = random.Random(15).randbytes(32_000)
    frames = [frame(BINARY, stream.payload(data), rsv=RSV1) for _ in range(2)]
    assert len(frames[1]) < 1000
    assert read(b"".join(frames), agreement=AGREED) == [data, data]


# --- RSV1 where it has no meaning ----------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_rsv1_without_an_agreement_is_refused(opcode: int) -> None:
    """RFC 6455 §5.2: the bit MUST be 0 unless an extension defines it."""
    assert violation(frame(opcode, HELLO, rsv=RSV1)) == 1002


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_rsv1_on_a_control_frame_is_refused(opcode: int) -> None:
    """§6.1: RSV1 MUST NOT be set on control frames; who receives such a frame MUST fail the connection."""
    assert violation(frame(opcode, rsv=RSV1), agreement=AGREED) == 1002


@pytest.mark.parametrize("rsv", [0, RSV1])
@pytest.mark.parametrize("fin", [True, False])
def test_rsv1_on_a_continuation_is_refused(rsv: int, fin: bool) -> None:
    """§6.1: RSV1 MUST NOT be set on later fragments; who receives such a frame MUST fail the connection."""
    begun = frame(TEXT, HELLO[:3], fin=False, rsv=RSV1) if rsv else frame(TEXT, b"a", fin=False)
    assert read(begun, agreement=AGREED) == []
    assert violation(begun + frame(CONTINUATION, HELLO[3:], fin=fin, rsv=RSV1), agreement=AGREED) == 1002


@pytest.mark.parametrize("rsv", [RSV2, RSV3, RSV2 | RSV3, RSV1 | RSV2, RSV1 | RSV3, RSV1 | RSV2 | RSV3])
def test_the_other_reserved_bits_are_refused_as_ever(rsv: int) -> None:
    """§6: only RSV1 is defined."""
    assert violation(frame(TEXT, HELLO, rsv=rsv), agreement=AGREED) == 1002


# --- what is not DEFLATE -------------------------------------------------------------------------

GARBAGE = [
    b"\x06",  # a block of the reserved type
    b"\x07",
    b"\xff\xff\xff\xff",
    b"\x00\x05\x00\xfa\xfeHello\x00",  # a length and its complement that disagree
    HELLO_AGAIN,  # a distance beyond what came before
    b"\xed\xfd\xff\xff\xff\xff",  # too many codes
    b"plain text",
]


@pytest.mark.parametrize("payload", GARBAGE)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_garbage_is_refused(opcode: int, payload: bytes) -> None:
    """RFC 6455 §7.4.1: 1007: data that are not consistent with the type of the message."""
    assert read(deflated(payload, opcode=opcode), agreement=AGREED) == [NOT_DEFLATE]


@pytest.mark.parametrize("payload", GARBAGE[:2])
def test_garbage_is_noticed_inside_a_frame(payload: bytes) -> None:
    """Neither the end of the message nor that of the frame has to be waited for."""
    data = head(BINARY, 500, rsv=RSV1) + bytes(4) + payload
    assert read(data, agreement=AGREED) == [NOT_DEFLATE]


def test_garbage_in_a_later_fragment_is_refused() -> None:
    payload = Compressor().part(b"Hello")
    assert read(deflated(payload, b"\x07"), agreement=AGREED) == [NOT_DEFLATE]


def test_messages_before_garbage_come_out() -> None:
    assert read(deflated(HELLO) + deflated(b"\x07"), agreement=AGREED) == ["Hello", NOT_DEFLATE]


# --- final blocks --------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"Hello", bytes(5000)])
def test_a_message_may_end_with_a_final_block(data: bytes) -> None:
    """§7.2.1: blocks with BFINAL set to 1 may be used, and are followed by at least the bits of another."""
    assert read(deflated(finished(data) + b"\x00", opcode=BINARY), agreement=AGREED) == [data]


def test_every_message_may_end_with_a_final_block() -> None:
    """§7.2.3.4: who cannot flush in another way ends its stream with each message."""
    data = deflated(finished(b"Hello") + b"\x00")
    assert read(data * 5, agreement=AGREED) == ["Hello"] * 5
    assert read(data * 5, agreement=FORGETFUL) == ["Hello"] * 5


def test_another_block_may_follow_a_final_one() -> None:
    """§7.2.1: the next DEFLATE block follows the padded data if any."""
    payload = finished(b"Hello, ") + Compressor().payload(b"World")
    assert read(deflated(payload), agreement=AGREED) == ["Hello, World"]
    assert read(deflated(payload) * 2, agreement=AGREED) == ["Hello, World"] * 2


def test_a_final_block_may_be_cut_anywhere() -> None:
    payload = finished(b"Hello, ") + Compressor().payload(b"World")
    for at in range(len(payload) + 1):
        assert feed([deflated(payload[:at], payload[at:])], agreement=AGREED) == ["Hello, World"]


def test_compression_goes_on_after_a_message_with_a_final_block() -> None:
    stream = Compressor()
    frames = [deflated(HELLO), deflated(finished(b"1") + b"\x00"), deflated(stream.payload(b"World" * 9))]
    frames.append(deflated(stream.payload(b"World" * 9)))
    assert read(b"".join(frames), agreement=AGREED) == ["Hello", "1", "World" * 9, "World" * 9]


@pytest.mark.parametrize("count", [2, 3, 1000])
def test_several_final_blocks_in_a_message_are_refused(count: int) -> None:
    """Each makes us begin a new stream, which costs more than the two octets cost the peer."""
    assert read(deflated(b"\x03\x00" * count + b"\x00"), agreement=AGREED) == [NOT_DEFLATE]


@pytest.mark.parametrize(
    "payloads", [[b"\x03\x00"] * 2, [b"\x03\x00", b"\x03\x00\x00"], [b"\x03", b"\x00\x03", b"\x00"]]
)
def test_several_final_blocks_in_fragments_are_refused(payloads: list[bytes]) -> None:
    assert read(deflated(*payloads), agreement=AGREED) == [NOT_DEFLATE]


# --- text ----------------------------------------------------------------------------------------


def test_text_is_utf_8_after_decompression() -> None:
    """§6.2, RFC 6455 §8.1: the decompressed message is what the application gets."""
    assert read(compressed("aé€😀".encode() * 30, TEXT), agreement=AGREED) == ["aé€😀" * 30]


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"])
def test_text_that_is_not_utf_8_after_decompression_is_refused(bad: bytes) -> None:
    """RFC 6455 §8.1: an endpoint MUST fail the connection where text is not UTF-8."""
    assert read(compressed(b"ok" + bad, TEXT), agreement=AGREED) == [NOT_UTF_8]


def test_text_that_is_not_utf_8_is_noticed_in_a_compressed_fragment() -> None:
    """RFC 6455 §8.1: the end of the message does not have to be waited for."""
    data = frame(TEXT, Compressor().part(b"ok\xff"), fin=False, rsv=RSV1)
    assert read(data, agreement=AGREED) == [NOT_UTF_8]


def test_a_character_may_be_split_between_two_compressed_fragments() -> None:
    """RFC 6455 §5.6: the message is what is UTF-8, not the fragment."""
    text = "é€😀".encode()
    for at in range(len(text) + 1):
        stream = Compressor()
        assert feed([deflated(stream.part(text[:at]), stream.payload(text[at:]))], agreement=AGREED) == ["é€😀"]


def test_a_character_that_a_compressed_message_cuts_off_is_refused() -> None:
    """RFC 6455 §8.1: the message as a whole is UTF-8."""
    stream = Compressor()
    assert read(deflated(stream.part(b"ok"), stream.payload(b"\xe2\x82")), agreement=AGREED) == [NOT_UTF_8]


def test_binary_data_need_not_be_utf_8_after_decompression() -> None:
    assert read(compressed(b"\xff\xfe" * 20), agreement=AGREED) == [b"\xff\xfe" * 20]


# --- the limit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 2, 2 * LIMIT, 5_000_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_that_decompresses_to_more_than_the_limit_is_refused(opcode: int, size: int) -> None:
    """RFC 6455 §10.4: the limit is on the message after reassembly, and so after decompression."""
    assert feed([compressed(bytes(size), opcode)], LIMIT, AGREED) == [TOO_BIG]


def test_it_is_refused_however_it_comes() -> None:
    assert read(compressed(bytes(LIMIT + 1)), max_size=LIMIT, agreement=AGREED) == [TOO_BIG]


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, "a" * LIMIT), (BINARY, b"a" * LIMIT)])
def test_a_message_that_decompresses_to_exactly_the_limit_is_read(opcode: int, message: Event) -> None:
    data = compressed(b"a" * LIMIT, opcode)
    assert read(data * 2, max_size=LIMIT, agreement=AGREED) == [message, message]


def test_a_message_of_exactly_the_limit_may_end_with_a_final_block() -> None:
    data = deflated(finished(b"a" * LIMIT) + b"\x00")
    assert read(data, max_size=LIMIT, agreement=AGREED) == ["a" * LIMIT]


def test_the_limit_holds_behind_a_final_block() -> None:
    for before, after in ((LIMIT, 1), (1, LIMIT), (5000, 5001)):
        payload = finished(bytes(before)) + Compressor().payload(bytes(after))
        assert read(deflated(payload), max_size=LIMIT, agreement=AGREED) == [TOO_BIG]


def test_fragments_that_decompress_to_more_than_the_limit_are_refused() -> None:
    stream = Compressor()
    begun = deflated(*(stream.part(bytes(LIMIT // 4)) for _ in range(4)), b"\x00", opcode=BINARY)
    assert read(begun, max_size=LIMIT, agreement=AGREED) == [bytes(LIMIT)]
    stream = Compressor()
    frames = fragments(BINARY, [stream.part(bytes(size)) for size in (LIMIT // 2, LIMIT // 2, 1, 0)], rsv=RSV1)
    assert read(b"".join(frames[:3]), max_size=LIMIT, agreement=AGREED) == [TOO_BIG]


def test_a_limit_may_be_as_large_as_the_settings_let_it_be() -> None:
    """2**62: there is room in 64 bits for what compressing adds."""
    assert feed([frame(BINARY, b"a") + compressed(b"Hello")], 2**62, AGREED) == [b"a", b"Hello"]


def test_what_does_not_compress_may_be_a_little_longer_than_the_limit() -> None:
    """Compressed, data of chance get longer: the limit is on what comes out."""
    data = random.Random(3).randbytes(LIMIT)
    for level in (0, 1, 9):
        payload = Compressor(level=level).payload(data)
        assert len(payload) > LIMIT
        assert read(frame(BINARY, payload, rsv=RSV1), max_size=LIMIT, agreement=AGREED) == [data]


@pytest.mark.parametrize("length", [3 * LIMIT, 2**31, 2**32, 2**63 - 1])
def test_a_frame_that_is_much_longer_than_the_limit_is_refused_at_its_head(length: int) -> None:
    """RFC 6455 §10.4: no message of that size could come out of it."""
    assert read(head(BINARY, length, rsv=RSV1) + KEY, max_size=LIMIT, agreement=AGREED) == [TOO_BIG]


@pytest.mark.parametrize("length", [3 * LIMIT, 2**31, 2**32, 2**63 - 3, 2**63 - 1])
def test_a_sum_that_is_much_longer_than_the_limit_is_refused_at_the_head_that_makes_it(length: int) -> None:
    """RFC 6455 §5.2: lengths go up to 2**63 - 1, and a sum of two beyond what 64 bits with a sign can hold."""
    begun = frame(BINARY, HELLO, fin=False, rsv=RSV1)
    assert read(begun + head(CONTINUATION, length) + KEY, max_size=LIMIT, agreement=AGREED) == [TOO_BIG]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_that_is_not_compressed_has_the_limit_itself(opcode: int) -> None:
    assert read(head(opcode, LIMIT + 1) + KEY, max_size=LIMIT, agreement=AGREED) == [TOO_BIG]


# --- memory --------------------------------------------------------------------------------------


def bomb(size: int) -> bytes:
    """Return the payload of a message of zeros."""
    return Compressor(level=9).payload(bytes(size))


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_bomb_takes_no_more_memory_than_the_limit_allows(opcode: int) -> None:
    """RFC 6455 §10.4: 20 MB out of 20 KB."""
    data = frame(opcode, bomb(20_000_000), rsv=RSV1)
    with measured() as memory:
        events = feed([data], 100_000, AGREED)
    assert last_violation(events) == 1009
    assert memory.peak < 600_000


def test_a_bomb_in_fragments_takes_no_more_memory_than_the_limit_allows() -> None:
    """RFC 6455 §10.4: the pieces are counted as they come."""
    data = deflated(*cut(bomb(20_000_000), 1000), opcode=BINARY)
    with measured() as memory:
        events = feed(cut(data, 4096), 100_000, AGREED)
    assert last_violation(events) == 1009
    assert memory.peak < 600_000


def test_a_bomb_behind_a_final_block_takes_no_more_memory_than_the_limit_allows() -> None:
    """RFC 6455 §10.4: the new stream has the same limit."""
    data = deflated(finished(b"a") + bomb(20_000_000), opcode=BINARY)
    with measured() as memory:
        events = feed([data], 100_000, AGREED)
    assert last_violation(events) == 1009
    assert memory.peak < 600_000


def test_empty_blocks_without_end_take_no_memory() -> None:
    """RFC 6455 §10.4: nothing comes out of them; what they may take is limited by their own length."""
    block = b"\x00\x00\x00\xff\xff"
    data = head(BINARY, 100_000, fin=False, rsv=RSV1) + bytes(4) + block * 20_000
    with measured() as memory:
        assert feed(cut(data, 4096), 100_000, AGREED) == []
    assert memory.peak < 150_000


def test_a_connection_without_compressed_messages_has_no_window() -> None:
    """Most connections are idle, and a window takes tens of kilobytes."""
    frames = [frame(TEXT, b"Hello"), frame(PING)]
    with measured() as memory:
        assert feed(frames, 100_000, AGREED) == ["Hello", Ping(b"")]
    assert memory.peak < 8192
