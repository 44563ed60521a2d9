"""RFC 6455 §5 and §6.2: what a client's frames come to, and what must be refused.

Each case arrives whole, byte by byte, split in two and with a frame behind it (`wire.read`).
"""

import pytest
from tests.codec.websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    LONGEST_FORM,
    OPCODES,
    PING,
    PONG,
    RESERVED_OPCODES,
    TEXT,
    close_payload,
    cut,
    feed,
    fragments,
    frame,
    head,
    mask,
    read,
    reader,
    take,
    violation,
)

from portico.codec.websocket.events import Close, Event, Ping, Pong, Violation
from portico.codec.websocket.frames import MAX_REASON

CONTROL = [CLOSE, PING, PONG]
BEGUN = frame(TEXT, b"a", fin=False)  # a message that still has to be continued
RSVS = [rsv << 4 for rsv in range(1, 8)]


def refused_after(before: bytes, data: bytes) -> int:
    """Return the code that `data` is refused with behind frames that are right and come to no event."""
    assert read(before) == []
    return violation(before + data)


# --- messages ------------------------------------------------------------------------------------


def test_the_example_of_a_masked_text_message() -> None:
    """§5.7: a single-frame masked text message (contains "Hello")."""
    assert read(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == ["Hello"]


def test_the_example_of_a_masked_pong() -> None:
    """§5.7: masked ping response (contains a body of "Hello", matching the body of the ping)."""
    assert read(b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") == [Pong(b"Hello")]


def test_a_text_message_is_str() -> None:
    """§5.6: opcode 1: the payload is text data in UTF-8."""
    assert read(frame(TEXT, "aé€😀".encode())) == ["aé€😀"]


def test_a_binary_message_is_bytes() -> None:
    """§5.6: opcode 2: the payload is arbitrary binary data."""
    assert read(frame(BINARY, bytes(range(70)))) == [bytes(range(70))]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_payload_of_a_message_is_exactly_str_or_bytes(opcode: int) -> None:
    for pieces in ([b"ab"], [b"a"], [b""], [b"a", b"b"], [b"", b"a"], [b"", b""]):
        (event,) = read(b"".join(fragments(opcode, pieces)))
        assert type(event) is (str if opcode == TEXT else bytes)


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, ""), (BINARY, b"")])
def test_a_message_may_be_empty(opcode: int, message: Event) -> None:
    """§5.2: the length of the payload may be zero."""
    assert read(frame(opcode)) == [message]


def test_messages_come_in_their_order() -> None:
    data = frame(TEXT, b"1") + frame(BINARY, b"2") + frame(TEXT) + frame(PING, b"3") + frame(BINARY, b"4")
    assert read(data) == ["1", b"2", "", Ping(b"3"), b"4"]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_of_any_length_is_read(opcode: int, length: int) -> None:
    """§5.2: 7, 7+16 or 7+64 bits of length."""
    payload = (b"0123456789abcdef" * 4100)[:length]
    assert read(frame(opcode, payload)) == [payload.decode() if opcode == TEXT else payload]


def test_a_frame_is_no_event_before_its_last_byte() -> None:
    """§6.2: a message has been received when its last frame has been."""
    assert read(frame(BINARY, b"abcdef")[:-1], whole_frames=False) == []


@pytest.mark.parametrize("form", [0, 2, LONGEST_FORM])
def test_a_head_may_come_in_any_pieces(form: int) -> None:
    length = {0: 5, 2: 300, LONGEST_FORM: 65536}[form]
    data = frame(BINARY, bytes(length))
    for at in range(1, 16):
        assert feed([data[:at], data[at:]]) == [bytes(length)]
        assert feed([data[:1], data[1:at], data[at:]]) == [bytes(length)]


@pytest.mark.parametrize("length", [2, 17, 200, 5000, 70_000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_long_frame_may_begin_with_any_part_of_it(opcode: int, length: int) -> None:
    payload = (b"0123456789abcdef" * 4375)[:length]
    data = frame(opcode, payload)
    start = len(data) - length
    for at in {0, 1, length // 20, length // 16, length // 16 + 1, length // 2, length - 1}:
        for size in (length // 3 + 1, length):
            pieces = [data[: start + at], *cut(data[start + at :], size)]
            assert feed(pieces) == [payload.decode() if opcode == TEXT else payload]


def test_a_message_does_not_change_when_the_next_one_comes() -> None:
    first, second = frame(BINARY, b"a" * 300), frame(BINARY, b"b" * 300)
    fed = reader()
    messages = []
    for data in (first, second, first):
        for piece in cut(data, 150):
            fed.feed(piece)
            messages += take(fed)
    assert messages == [b"a" * 300, b"b" * 300, b"a" * 300]


def test_nothing_at_all_is_no_event() -> None:
    fed = reader()
    assert fed.next_event() is None
    fed.feed(b"")
    assert fed.next_event() is None


def test_empty_pieces_between_change_nothing() -> None:
    pieces = [part for octet in frame(TEXT, b"abc") for part in (b"", bytes((octet,)), b"")]
    assert feed(pieces) == ["abc"]


# --- masking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", [TEXT, BINARY, *CONTROL])
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"x" * 125])
def test_a_frame_without_a_mask_is_refused(opcode: int, payload: bytes) -> None:
    """§5.1: the server MUST close the connection upon receiving a frame that is not masked."""
    assert violation(frame(opcode, payload, key=None)) == 1002


def test_a_continuation_without_a_mask_is_refused() -> None:
    """§5.1: the server MUST close the connection upon receiving a frame that is not masked."""
    assert refused_after(BEGUN, frame(CONTINUATION, b"b", key=None)) == 1002


def test_a_missing_mask_is_noticed_in_the_second_octet() -> None:
    """§5.2: the bit stands there."""
    assert violation(frame(TEXT, b"abc", key=None)[:2]) == 1002


@pytest.mark.parametrize("key", [bytes(4), b"\xff\xff\xff\xff", b"\x00\x00\x00\x01", b"\x80\x00\x00\x00", b"abcd"])
def test_every_key_unmasks(key: bytes) -> None:
    """§5.3: the masking key is a 32-bit value chosen at random by the client."""
    assert read(frame(TEXT, b"Hello, world", key=key)) == ["Hello, world"]


def test_each_frame_has_its_own_key() -> None:
    """§5.3: a fresh key for each frame; the index begins anew with it."""
    data = frame(BINARY, b"abc", fin=False, key=b"1234") + frame(PING, b"d", key=b"5678")
    assert read(data + frame(CONTINUATION, b"efghi", key=b"90ab")) == [Ping(b"d"), b"abcefghi"]


# --- reserved bits and opcodes -------------------------------------------------------------------


@pytest.mark.parametrize("rsv", RSVS)
@pytest.mark.parametrize("opcode", [TEXT, BINARY, *CONTROL])
def test_a_reserved_bit_is_refused(opcode: int, rsv: int) -> None:
    """§5.2: MUST be 0 unless an extension is negotiated; otherwise the endpoint MUST fail the connection."""
    assert violation(frame(opcode, b"", rsv=rsv)) == 1002


@pytest.mark.parametrize("rsv", RSVS)
def test_a_reserved_bit_on_a_continuation_is_refused(rsv: int) -> None:
    """§5.2: MUST be 0 unless an extension is negotiated; otherwise the endpoint MUST fail the connection."""
    assert refused_after(BEGUN, frame(CONTINUATION, b"b", rsv=rsv)) == 1002


@pytest.mark.parametrize("opcode", RESERVED_OPCODES)
@pytest.mark.parametrize("fin", [True, False])
def test_a_reserved_opcode_is_refused(opcode: int, fin: bool) -> None:
    """§5.2: if an unknown opcode is received, the receiving endpoint MUST fail the connection."""
    assert violation(frame(opcode, b"abc", fin=fin)) == 1002


@pytest.mark.parametrize("opcode", RESERVED_OPCODES)
def test_a_reserved_opcode_inside_a_message_is_refused(opcode: int) -> None:
    """§5.2: if an unknown opcode is received, the receiving endpoint MUST fail the connection."""
    assert refused_after(BEGUN, frame(opcode)) == 1002


@pytest.mark.parametrize("first", [0x83, 0x8B, 0xC1, 0xA1, 0x91, 0x09, 0x80, 0x00])
def test_a_bad_first_octet_is_noticed_with_the_second(first: int) -> None:
    """§5.2: nothing more of the frame has to be read."""
    assert violation(bytes((first, 0xFF))) == 1002


# --- lengths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 124, 125])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_16_bits_for_a_length_that_needs_7_are_refused(opcode: int, length: int) -> None:
    """§5.2: the minimal number of bytes MUST be used to encode the length."""
    assert violation(frame(opcode, b"a" * length, form=2)) == 1002


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65534, 65535])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_64_bits_for_a_length_that_needs_fewer_are_refused(opcode: int, length: int) -> None:
    """§5.2: the minimal number of bytes MUST be used to encode the length."""
    assert violation(frame(opcode, b"a" * length, form=LONGEST_FORM)) == 1002


@pytest.mark.parametrize(("length", "form"), [(125, 2), (65535, LONGEST_FORM), (0, 2), (0, LONGEST_FORM)])
def test_a_continuation_in_a_longer_form_is_refused(length: int, form: int) -> None:
    """§5.2: the minimal number of bytes MUST be used to encode the length."""
    assert refused_after(BEGUN, head(CONTINUATION, length, form=form)) == 1002


@pytest.mark.parametrize(("length", "form"), [(125, 2), (65535, LONGEST_FORM)])
def test_a_longer_form_is_noticed_without_the_key(length: int, form: int) -> None:
    """§5.2: it stands in the head."""
    assert violation(head(BINARY, length, form=form)) == 1002


@pytest.mark.parametrize("length", [2**63, 2**63 + 5, 2**64 - 1])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_highest_bit_of_64_is_refused(opcode: int, length: int) -> None:
    """§5.2: the most significant bit MUST be 0."""
    assert violation(head(opcode, length)) == 1002


@pytest.mark.parametrize(("length", "form"), [(125, 0), (126, 2), (65535, 2), (65536, LONGEST_FORM)])
def test_the_shortest_form_is_accepted(length: int, form: int) -> None:
    """§5.2: 0 to 125 in 7 bits, to 65535 in 16 more, the rest in 64 more."""
    assert read(frame(BINARY, bytes(length), form=form)) == [bytes(length)]


# --- control frames ------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 1, 2, 124, 125])
def test_a_ping_has_up_to_125_bytes(length: int) -> None:
    """§5.5: all control frames MUST have a payload length of 125 bytes or less; §5.5.2: which comes back."""
    assert read(frame(PING, b"\xff" * length)) == [Ping(b"\xff" * length)]


@pytest.mark.parametrize("length", [0, 1, 2, 124, 125])
def test_a_pong_that_nobody_asked_for_is_read(length: int) -> None:
    """§5.5.3: a pong MAY be sent unsolicited."""
    assert read(frame(PONG, b"\xff" * length)) == [Pong(b"\xff" * length)]


@pytest.mark.parametrize("opcode", CONTROL)
@pytest.mark.parametrize("length", [126, 127, 65535, 65536, 2**63 - 1])
def test_a_longer_control_frame_is_refused_at_its_head(opcode: int, length: int) -> None:
    """§5.5: all control frames MUST have a payload length of 125 bytes or less."""
    assert violation(head(opcode, length)[:2]) == 1002


@pytest.mark.parametrize("opcode", CONTROL)
@pytest.mark.parametrize("form", [2, LONGEST_FORM])
def test_a_control_frame_with_an_extended_length_is_refused(opcode: int, form: int) -> None:
    """§5.5 and §5.2: 125 bytes at most, and these in the shortest form."""
    assert violation(frame(opcode, b"\x03\xe8", form=form)) == 1002


@pytest.mark.parametrize("opcode", CONTROL)
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8"])
def test_a_fragmented_control_frame_is_refused(opcode: int, payload: bytes) -> None:
    """§5.5: all control frames MUST NOT be fragmented."""
    assert violation(frame(opcode, payload, fin=False)) == 1002


@pytest.mark.parametrize("opcode", CONTROL)
def test_a_fragmented_control_frame_inside_a_message_is_refused(opcode: int) -> None:
    """§5.4: control frames themselves MUST NOT be fragmented."""
    assert refused_after(BEGUN, frame(opcode, fin=False)) == 1002


def test_a_control_frame_is_no_event_before_its_last_byte() -> None:
    assert read(frame(PING, b"abc")[:-1], whole_frames=False) == []


# --- fragments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [[b"a", b"b"], [b"", b"ab"], [b"ab", b""], [b"a", b"", b"b"], [b"", b"", b"ab"]])
@pytest.mark.parametrize(("opcode", "message"), [(TEXT, "ab"), (BINARY, b"ab")])
def test_fragments_make_one_message(opcode: int, message: Event, pieces: list[bytes]) -> None:
    """§5.4: the payloads concatenated; a client and a server MUST support fragmented messages."""
    assert read(b"".join(fragments(opcode, pieces))) == [message]


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, ""), (BINARY, b"")])
@pytest.mark.parametrize("count", [2, 3, 10])
def test_empty_fragments_make_an_empty_message(opcode: int, message: Event, count: int) -> None:
    """§5.4: a fragmented message of nothing is a message."""
    assert read(b"".join(fragments(opcode, [b""] * count))) == [message]


def test_the_example_of_a_fragmented_message() -> None:
    """§5.7: a fragmented text message: "Hel" and "lo", here masked."""
    assert read(b"\x01\x83\x00\x00\x00\x00Hel\x80\x82\x00\x00\x00\x00lo") == ["Hello"]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_the_type_of_a_message_is_that_of_its_first_fragment(opcode: int) -> None:
    """§5.4: the opcode of the message is the one of its first frame."""
    messages = {TEXT: "abc", BINARY: b"abc"}
    assert read(b"".join(fragments(opcode, [b"a", b"b", b"c"]))) == [messages[opcode]]


def test_a_fragmented_message_may_follow_another() -> None:
    data = b"".join(fragments(TEXT, [b"a", b"b"]) + fragments(BINARY, [b"c", b"d"]) + fragments(TEXT, [b"e", b"f"]))
    assert read(data) == ["ab", b"cd", "ef"]


def test_large_fragments_make_one_message() -> None:
    pieces = [b"a" * 70_000, b"b", b"c" * 300, b"d" * 20_000]
    assert read(b"".join(fragments(BINARY, pieces))) == [b"".join(pieces)]


@pytest.mark.parametrize("fin", [True, False])
def test_a_continuation_of_no_message_is_refused(fin: bool) -> None:
    """§5.4: a fragmented message begins with an opcode other than 0."""
    assert violation(frame(CONTINUATION, b"a", fin=fin)) == 1002


@pytest.mark.parametrize("before", [frame(TEXT, b"a"), frame(BINARY), *map(b"".join, [fragments(TEXT, [b"", b"a"])])])
def test_a_continuation_of_a_message_that_has_ended_is_refused(before: bytes) -> None:
    """§5.4: a fragmented message ends with the frame that has FIN set."""
    events = read(before + frame(CONTINUATION, b"b"))
    assert events[1:] == [Violation(1002, "continuation of no message")]


def test_a_continuation_after_a_ping_alone_is_refused() -> None:
    """§5.5: a control frame is no message that could be continued."""
    events = read(frame(PING) + frame(CONTINUATION))
    assert events == [Ping(b""), Violation(1002, "continuation of no message")]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("begun", [TEXT, BINARY])
def test_a_message_inside_a_message_is_refused(begun: int, opcode: int, fin: bool) -> None:
    """§5.4: the fragments of one message MUST NOT be interleaved between those of another."""
    assert refused_after(frame(begun, b"a", fin=False), frame(opcode, b"b", fin=fin)) == 1002


def test_a_message_inside_a_message_of_nothing_is_refused() -> None:
    """§5.4: an empty first fragment begins a message as well."""
    assert refused_after(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False), frame(TEXT, b"b")) == 1002


# --- control frames inside a message -------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "event"), [(frame(PING, b"1"), Ping(b"1")), (frame(PONG, b"2"), Pong(b"2")), (frame(PING), Ping(b""))]
)
@pytest.mark.parametrize("place", [1, 2])
def test_a_control_frame_may_come_between_fragments(control: bytes, event: Event, place: int) -> None:
    """§5.4: control frames MAY be injected in the middle of a fragmented message, and MUST be handled there."""
    frames = fragments(TEXT, [b"a", b"b", b"c"])
    frames.insert(place, control)
    assert read(b"".join(frames)) == [event, "abc"]


def test_a_control_frame_between_fragments_is_an_event_before_the_message() -> None:
    """§5.4: it does not wait for the end of the message."""
    assert read(BEGUN + frame(PING, b"now")) == [Ping(b"now")]


def test_many_control_frames_between_fragments() -> None:
    """§5.4: the message is none the worse for them."""
    pings = b"".join(frame(PING, bytes((number,))) for number in range(200))
    events = read(frame(BINARY, b"a", fin=False) + pings + frame(CONTINUATION, b"b"))
    assert events == [*(Ping(bytes((number,))) for number in range(200)), b"ab"]


def test_a_close_inside_a_message_ends_everything() -> None:
    """§5.5.1: no frames come after it, so the message never ends."""
    assert read(BEGUN + frame(CLOSE, close_payload(1001))) == [Close(1001, "")]


# --- close ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b"", Close(1005, "")),
        (close_payload(1000), Close(1000, "")),
        (close_payload(1000, b"bye"), Close(1000, "bye")),
        (close_payload(3000, "é€😀".encode()), Close(3000, "é€😀")),
        (close_payload(4999, b"r" * 123), Close(4999, "r" * 123)),
    ],
)
def test_a_close_is_read(payload: bytes, event: Event) -> None:
    """§5.5.1: nothing, or a code, or a code and a reason."""
    assert read(frame(CLOSE, payload)) == [event]


@pytest.mark.parametrize("payload", [b"\x03", close_payload(1005), close_payload(999), close_payload(5000, b"x")])
def test_a_close_with_a_bad_code_is_a_protocol_error(payload: bytes) -> None:
    """§5.5.1, §7.4: two bytes, and one of the codes that may be sent."""
    assert violation(frame(CLOSE, payload)) == 1002


def test_a_close_with_a_bad_reason_is_invalid_data() -> None:
    """§8.1: the reason is UTF-8."""
    assert violation(frame(CLOSE, close_payload(1000, b"\xed\xa0\x80"))) == 1007


BEHIND = [frame(TEXT, b"a"), frame(PING), frame(CLOSE), b"\xff\xff\xff", frame(CONTINUATION, b"a")]


@pytest.mark.parametrize("behind", BEHIND)
def test_nothing_comes_after_a_close(behind: bytes) -> None:
    """§5.5.1: an endpoint that received a close frame MUST NOT look for data after it."""
    assert read(frame(CLOSE) + behind) == [Close(1005, "")]


@pytest.mark.parametrize("behind", BEHIND)
def test_nothing_that_is_fed_after_a_close_is_an_event(behind: bytes) -> None:
    """§5.5.1: an endpoint that received a close frame MUST NOT look for data after it."""
    fed = reader()
    fed.feed(frame(CLOSE))
    assert take(fed) == [Close(1005, "")]
    fed.feed(behind)
    assert [fed.next_event(), fed.next_event()] == [None, None]


# --- violations ----------------------------------------------------------------------------------

VIOLATIONS = [
    frame(TEXT, b"a", key=None),
    frame(3),
    frame(PING, fin=False),
    frame(CONTINUATION),
    frame(TEXT, b"\xff"),
    frame(CLOSE, b"\x03"),
    head(BINARY, 2**63 - 1),
    head(BINARY, 2**63),
    head(BINARY, 1, form=2),
    head(BINARY, 1, form=LONGEST_FORM),
]


@pytest.mark.parametrize("data", VIOLATIONS)
def test_a_violation_comes_again_and_again(data: bytes) -> None:
    """§7.1.7: once the connection has failed, nothing more is processed."""
    fed = reader()
    fed.feed(data)
    first = fed.next_event()
    assert isinstance(first, Violation)
    fed.feed(frame(TEXT, b"behind"))
    assert [fed.next_event(), fed.next_event()] == [first, first]


@pytest.mark.parametrize("data", VIOLATIONS)
def test_what_came_before_a_violation_comes_out(data: bytes) -> None:
    """§7.1.7: what was right is delivered."""
    events = read(frame(TEXT, b"a") + frame(PING, b"b") + data)
    assert (events[:2], len(events), type(events[2])) == (["a", Ping(b"b")], 3, Violation)


@pytest.mark.parametrize("data", VIOLATIONS)
def test_the_reason_of_a_violation_fits_into_a_close_frame(data: bytes) -> None:
    """§5.5.1: it may be sent as it is."""
    (event,) = feed([data], max_size=2**62)[:1] or feed([data], max_size=10)
    assert isinstance(event, Violation)
    assert 0 < len(event.reason.encode()) <= MAX_REASON


# --- closing the reader --------------------------------------------------------------------------


def test_a_closed_reader_has_nothing_more() -> None:
    fed = reader()
    fed.feed(frame(TEXT, b"a") + frame(TEXT, b"b"))
    assert fed.next_event() == "a"
    fed.close()
    assert fed.next_event() is None
    fed.feed(frame(TEXT, b"c"))
    assert fed.next_event() is None


def test_a_reader_may_be_closed_inside_a_message() -> None:
    fed = reader()
    fed.feed(BEGUN + head(CONTINUATION, 50) + KEY + mask(b"abc"))
    assert fed.next_event() is None
    fed.close()
    fed.feed(bytes(100))
    assert fed.next_event() is None


# --- events --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Ping(b"a"), "Ping(b'a')"),
        (Pong(b"a"), "Pong(b'a')"),
        (Close(1000, "bye"), "Close(1000, 'bye')"),
        (Violation(1002, "bad"), "Violation(1002, 'bad')"),
    ],
)
def test_an_event_says_what_it_is(event: Event, text: str) -> None:
    assert repr(event) == text


def test_events_are_equal_only_to_their_like() -> None:
    events: list[Event] = [
        Ping(b"a"),
        Pong(b"a"),
        Close(1, "a"),
        Violation(1, "a"),
        Ping(b"b"),
        Close(1, "b"),
        "a",
        b"a",
    ]
    assert [[left == right for right in events] for left in events] == [
        [left is right for right in events] for left in events
    ]
    assert len({*events, Ping(b"a"), Pong(b"a"), Close(1, "a"), Violation(1, "a")}) == len(events)


@pytest.mark.parametrize("opcode", OPCODES)
def test_every_opcode_that_is_defined_is_understood(opcode: int) -> None:
    """§5.2, §11.8: 0, 1, 2, 8, 9 and 10."""
    before = BEGUN if opcode == CONTINUATION else b""
    (event,) = read(before + frame(opcode))
    assert not isinstance(event, Violation)
