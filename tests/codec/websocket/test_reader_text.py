"""Text is UTF-8 (RFC 6455 §5.6, §8.1, RFC 3629), and what is not is noticed at the first byte that shows it."""

import pytest
from tests.codec.websocket.wire import (
    BINARY,
    CONTINUATION,
    KEY,
    PING,
    TEXT,
    feed,
    fragments,
    frame,
    head,
    last_violation,
    mask,
    read,
    reader,
    take,
    violation,
)

from portico.codec.websocket.events import Ping, Violation

NOT_UTF_8 = Violation(1007, "text is not UTF-8")
# The last byte of each is the first that cannot be: RFC 3629 §4 gives the ranges.
BAD = [
    b"\x80",  # a continuation of nothing
    b"\xbf",
    b"\xc0",  # overlong, whatever follows
    b"\xc1",
    b"\xf5",  # above U+10FFFF, whatever follows
    b"\xf8",
    b"\xfe",
    b"\xff",
    b"\xc2a",  # cut short
    b"\xc2\xc2",
    b"\xe1a",
    b"\xe1\x80a",
    b"\xf1a",
    b"\xf1\x80a",
    b"\xf1\x80\x80a",
    b"\xf1\x80\x80\xf1",
    b"\xe0\x80",  # overlong
    b"\xe0\x9f",
    b"\xf0\x80",
    b"\xf0\x8f",
    b"\xed\xa0\x80",  # a surrogate; its second byte shows it already, but CPython's decoder waits for the third
    b"\xed\xb0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0a",
    b"\xf4\x90",  # above U+10FFFF
    b"\xf4\xbf",
    b"\xc3\xa9\x80",  # one continuation too many
    b"\xe2\x82\xac\x80",
    b"\xf0\x9f\x98\x80\x80",
]
EXTREMES = "\x00\x7f\x80\u07ff\u0800\u0fff\u1000\ud7ff\ue000\ufeff\ufffd\uffff\U00010000\U0003ffff\U00040000\U0010ffff"
MIXED = "aé€😀\U0010ffff\u0800z"


def first_half(text: bytes, length: int = 1000) -> bytes:
    """Return the beginning of a text frame that would have been longer."""
    return head(TEXT, length) + KEY + mask(text)


# --- what is UTF-8 -------------------------------------------------------------------------------


@pytest.mark.parametrize("character", EXTREMES)
def test_the_first_and_last_characters_of_each_length(character: str) -> None:
    """RFC 3629 §4: UTF8-1 to UTF8-4."""
    assert read(frame(TEXT, character.encode())) == [character]


@pytest.mark.parametrize("text", [MIXED, EXTREMES])
def test_a_character_may_be_split_between_two_fragments(text: str) -> None:
    """§5.6: a fragment need not hold whole characters; the message is what is UTF-8."""
    data = text.encode()
    for at in range(len(data) + 1):
        assert feed(fragments(TEXT, [data[:at], data[at:]])) == [text]


@pytest.mark.parametrize("text", [MIXED, EXTREMES])
def test_a_fragment_may_be_one_byte(text: str) -> None:
    """§5.6: a fragment need not hold whole characters."""
    assert read(b"".join(fragments(TEXT, [bytes((octet,)) for octet in text.encode()]))) == [text]


def test_empty_fragments_and_pings_inside_a_character() -> None:
    """§5.4, §5.6: the character goes on where it was."""
    frames = fragments(TEXT, [b"\xf0", b"", b"\x9f\x98", b"", b"\x80"])
    frames.insert(2, frame(PING, b"\x80"))
    assert read(b"".join(frames)) == [Ping(b"\x80"), "😀"]


def test_a_character_may_be_split_between_the_pieces_of_a_long_frame() -> None:
    data = frame(TEXT, MIXED.encode() * 20)
    for size in (1, 2, 3, 5, 7):
        assert feed(data[at : at + size] for at in range(0, len(data), size)) == [MIXED * 20]


def test_a_byte_order_mark_is_a_character() -> None:
    """§8.1 takes nothing away."""
    assert read(b"".join(fragments(TEXT, [b"\xef\xbb", b"\xbfa"]))) == ["\ufeffa"]


@pytest.mark.parametrize("pieces", [[b"a\r\nb\rc\n\r"], [b"a\r", b"\nb\rc\n", b"\r"]])
def test_line_ends_are_left_as_they_are(pieces: list[bytes]) -> None:
    assert read(b"".join(fragments(TEXT, pieces))) == ["a\r\nb\rc\n\r"]


def test_binary_data_need_not_be_utf_8() -> None:
    """§5.6: its interpretation is up to the application."""
    assert read(b"".join(fragments(BINARY, BAD))) == [b"".join(BAD)]


# --- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD)
def test_text_that_is_not_utf_8_is_refused(bad: bytes) -> None:
    """§8.1: an endpoint MUST fail the connection where text is not UTF-8; §7.4.1: 1007 says so."""
    assert read(frame(TEXT, b"ok" + bad + b"ok")) == [NOT_UTF_8]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_byte_is_noticed_inside_a_frame(bad: bytes) -> None:
    """§8.1: neither the end of the message nor that of the frame has to be waited for."""
    assert read(first_half(b"ok" + bad)) == [NOT_UTF_8]


@pytest.mark.parametrize("bad", BAD)
def test_a_byte_that_could_still_be_right_is_waited_for(bad: bytes) -> None:
    """§5.6: a character may go on in the next piece."""
    assert read(first_half(b"ok" + bad[:-1]), whole_frames=False) == []


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_byte_is_noticed_in_a_fragment(bad: bytes) -> None:
    """§8.1: the end of the message does not have to be waited for."""
    assert violation(frame(TEXT, b"ok" + bad, fin=False)) == 1007


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_byte_is_noticed_across_fragments(bad: bytes) -> None:
    """§8.1: the message is what must be UTF-8, not the fragment."""
    for at in range(1, len(bad)):
        data = frame(TEXT, bad[:at], fin=False)
        assert read(data) == []
        assert violation(data + frame(CONTINUATION, bad[at:], fin=False)) == 1007


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_byte_is_noticed_byte_by_byte(bad: bytes) -> None:
    """§8.1: with the first byte that shows it, and not before."""
    fed = reader()
    fed.feed(head(TEXT, 100) + KEY)
    events = []
    for octet in mask(bad):
        fed.feed(bytes((octet,)))
        events.append(take(fed))
    assert events == [[] for _ in bad[:-1]] + [[NOT_UTF_8]]


@pytest.mark.parametrize("whole", ["é", "€", "😀", "\U0010ffff"])
def test_a_character_that_the_message_cuts_off_is_refused(whole: str) -> None:
    """§8.1: the message as a whole is UTF-8."""
    data = whole.encode()
    for at in range(1, len(data)):
        assert violation(frame(TEXT, b"ok" + data[:at])) == 1007
        assert violation(b"".join(fragments(TEXT, [b"ok", data[:at]]))) == 1007


def test_a_character_that_an_empty_last_fragment_cuts_off_is_refused() -> None:
    """§8.1: the message as a whole is UTF-8."""
    assert violation(b"".join(fragments(TEXT, [b"a\xe2\x82", b""]))) == 1007


def test_a_character_does_not_go_on_in_the_next_message() -> None:
    """§8.1: each message is UTF-8 for itself."""
    events = read(b"".join(fragments(TEXT, [b"", b"\xc3\xa9"])) + frame(TEXT, b"\xa9"))
    assert events == ["é", NOT_UTF_8]


def test_surrogates_that_would_make_a_pair_are_refused() -> None:
    """RFC 3629 §3: CESU-8 is not UTF-8."""
    assert violation(frame(TEXT, b"\xed\xa0\xbd\xed\xb8\x80")) == 1007


def test_messages_before_a_bad_one_come_out() -> None:
    events = read(frame(TEXT, "é".encode()) + frame(TEXT, b"\xe9"))
    assert (events[0], last_violation(events)) == ("é", 1007)
