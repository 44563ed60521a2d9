"""How large a message may be, and how little is kept of what comes (RFC 6455 §10.4)."""

import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from tests.codec.websocket.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    RSV1,
    TEXT,
    Compressor,
    agreed,
    cut,
    feed,
    fragments,
    frame,
    head,
    mask,
    measured,
    read,
    reader,
    take,
    violation,
)

from portico.codec.websocket.events import Close, Event, Ping, Violation

LIMIT = 1000
TOO_BIG = Violation(1009, "message is larger than 1000 bytes")
LARGE = [LIMIT + 1, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**63 - LIMIT, 2**63 - 2, 2**63 - 1]
COUNT = 100_000


# --- the limit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, "a" * LIMIT), (BINARY, b"a" * LIMIT)])
@pytest.mark.parametrize("cuts", [[], [1], [LIMIT - 1], [LIMIT], [0, 500]])
def test_a_message_of_exactly_the_limit_is_read(opcode: int, message: Event, cuts: list[int]) -> None:
    """§10.4: a limit on the size of a message after reassembly."""
    points = [0, *cuts, LIMIT]
    pieces = [b"a" * (end - start) for start, end in pairwise(points)]
    assert read(b"".join(fragments(opcode, pieces)), max_size=LIMIT) == [message]


@pytest.mark.parametrize("length", LARGE)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_a_larger_frame_is_refused_at_its_head(opcode: int, length: int, fin: bool) -> None:
    """§10.4; §7.4.1: 1009 says that a message is too big to process. None of its payload has to come."""
    assert read(head(opcode, length, fin=fin) + KEY, max_size=LIMIT) == [TOO_BIG]


@pytest.mark.parametrize("before", [1, 500, LIMIT])
@pytest.mark.parametrize("fin", [True, False])
def test_a_larger_sum_is_refused_at_the_head_that_makes_it(before: int, fin: bool) -> None:
    """§10.4: the limit is on the message, not on the frame."""
    begun = frame(BINARY, bytes(before), fin=False)
    assert read(begun + head(CONTINUATION, LIMIT + 1 - before, fin=fin) + KEY, max_size=LIMIT) == [TOO_BIG]


@pytest.mark.parametrize("length", LARGE)
@pytest.mark.parametrize("before", [0, 1, 500, LIMIT])
def test_no_length_of_a_later_fragment_escapes_the_limit(before: int, length: int) -> None:
    """§5.2: lengths go up to 2**63 - 1, and a sum of two beyond what 64 bits with a sign can hold."""
    begun = frame(BINARY, bytes(before), fin=False)
    assert read(begun + head(CONTINUATION, length) + KEY, max_size=LIMIT) == [TOO_BIG]


def test_the_sum_of_many_fragments_is_limited() -> None:
    """§10.4: whatever the number of fragments."""
    begun = frame(BINARY, b"a", fin=False) + frame(CONTINUATION, b"a", fin=False) * (LIMIT - 1)
    assert read(begun, max_size=LIMIT) == []
    assert read(begun + frame(CONTINUATION), max_size=LIMIT) == [b"a" * LIMIT]
    assert read(begun + head(CONTINUATION, 1) + KEY, max_size=LIMIT) == [TOO_BIG]


def test_the_limit_counts_bytes_rather_than_characters() -> None:
    assert read(frame(TEXT, "é".encode() * 500), max_size=LIMIT) == ["é" * 500]
    assert read(frame(TEXT, "é".encode() * 501), max_size=LIMIT) == [TOO_BIG]


def test_each_message_has_the_whole_limit() -> None:
    whole = frame(BINARY, bytes(LIMIT))
    parts = b"".join(fragments(BINARY, [bytes(500), bytes(500)]))
    assert read(parts + whole + parts + whole, max_size=LIMIT) == [bytes(LIMIT)] * 4


def test_control_frames_inside_a_message_do_not_count() -> None:
    first, second = fragments(BINARY, [bytes(500), bytes(500)])
    pings = frame(PING, bytes(125)) * 20
    assert read(first + pings + second, max_size=LIMIT) == [Ping(bytes(125))] * 20 + [bytes(LIMIT)]


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_a_control_frame_may_be_longer_than_a_message(limit: int) -> None:
    assert read(frame(PING, bytes(125)), max_size=limit) == [Ping(bytes(125))]


def test_under_a_limit_of_nothing_a_message_may_be_empty() -> None:
    assert read(frame(TEXT), max_size=0) == [""]
    assert violation(head(TEXT, 1) + KEY, max_size=0) == 1009


@pytest.mark.parametrize("limit", [2**31, 2**32, 2**40, 2**62])
def test_a_limit_may_need_more_than_32_bits(limit: int) -> None:
    assert read(head(BINARY, limit) + KEY, max_size=limit, whole_frames=False) == []
    assert violation(head(BINARY, limit + 1) + KEY, max_size=limit) == 1009


# --- memory --------------------------------------------------------------------------------------


def spent(data: bytes, events: list[Event], max_size: int = COUNT) -> int:
    """Return the memory that it takes to read these data, which come in pieces of 64 KiB."""
    pieces = list(cut(data, 65536))
    with measured() as memory:
        found = feed(pieces, max_size)
    assert found == events
    return memory.peak


@pytest.mark.parametrize(("opcode", "message"), [(TEXT, "a" * COUNT), (BINARY, b"a" * COUNT)])
def test_fragments_of_one_byte_take_no_more_than_the_message(opcode: int, message: Event) -> None:
    """§10.4: as objects of their own they would take 40 bytes each; CPython 3.11 keeps a pointer to up to 100,000."""
    data = frame(opcode, b"a", fin=False) + frame(CONTINUATION, b"a", fin=False) * (COUNT - 2)
    assert spent(data + frame(CONTINUATION, b"a"), [message]) < 12 * COUNT + 2 * 65536


def test_empty_fragments_take_nothing() -> None:
    """§10.4: there may be any number of them, and no limit on the size of the message ends it."""
    data = frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * COUNT
    assert spent(data, []) < 2 * 65536 + 16384


def test_pings_inside_a_message_take_nothing() -> None:
    fed = reader()
    fed.feed(frame(BINARY, b"a", fin=False))
    assert take(fed) == []
    data = frame(PING, bytes(125)) * 1000
    with measured() as memory:
        for _ in range(3):
            fed.feed(data)
            while fed.next_event() is not None:
                pass
    assert memory.peak < 16384


def test_a_length_that_is_announced_allocates_nothing() -> None:
    """§10.4: who announces 16 MB has not sent them yet."""
    data = head(BINARY, 2**24) + KEY + bytes(10)
    with measured() as memory:
        assert feed([data], max_size=2**24) == []
    assert memory.peak < 65536


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_long_message_takes_little_more_than_itself(opcode: int) -> None:
    """Once where it grows and once as what is handed over."""
    size = 2_000_000
    pieces = list(cut(frame(opcode, bytes(size), key=bytes(4)), 65536))
    message: Event = "\x00" * size if opcode == TEXT else bytes(size)
    with measured() as memory:
        assert feed(pieces, max_size=size) == [message]
    assert memory.peak < 2.5 * size


@pytest.mark.parametrize("length", [2**20, 2**20 + 1, 2**24])
def test_room_is_made_for_little_more_than_has_come(length: int) -> None:
    """§10.4: who announces much and sends little costs little: 16 times what has come."""
    data = head(BINARY, length) + KEY + bytes(65536)
    with measured() as memory:
        fed = reader(2**24)
        fed.feed(data)
        assert take(fed) == []
    assert memory.peak < 24 * 65536


BEGUN = {
    "a frame of text": head(TEXT, COUNT) + KEY + mask(bytes(COUNT - 1)),
    "fragments of text": frame(TEXT, bytes(COUNT // 2), fin=False) + frame(CONTINUATION, bytes(COUNT // 4), fin=False),
    "a binary frame": head(BINARY, COUNT) + KEY + mask(bytes(COUNT - 1)),
    "binary fragments": frame(BINARY, bytes(COUNT // 2), fin=False) + frame(CONTINUATION, bytes(COUNT // 4), fin=False),
    "compressed fragments": frame(BINARY, Compressor().part(bytes(COUNT - 1)), fin=False, rsv=RSV1),
}


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_nothing_is_kept_of_a_message_that_will_never_end(begun: bytes) -> None:
    """§7.1.7: the connection may stay for a while until the peer has closed it."""
    fed = reader(agreement=agreed())
    pieces = list(cut(begun, 4000))
    with measured() as memory:
        for piece in pieces:
            fed.feed(piece)
            assert take(fed) == []
        fed.close()
    assert memory.peak > COUNT // 2
    assert memory.kept < 8192


@pytest.mark.parametrize("begun", [begun for name, begun in BEGUN.items() if "fragments" in name])
@pytest.mark.parametrize(
    ("end", "event"),
    [(frame(CLOSE), Close(1005, "")), (frame(TEXT), Violation(1002, "message inside a message"))],
)
def test_nothing_is_kept_of_a_message_that_a_close_or_a_violation_cuts_off(
    begun: bytes, end: bytes, event: Event
) -> None:
    """§5.5.1, §7.1.7: nothing that could end it is ever read."""
    fed = reader(agreement=agreed())
    pieces = list(cut(begun, 4000))
    with measured() as memory:
        for piece in pieces:
            fed.feed(piece)
            assert take(fed) == []
        fed.feed(end)
        assert take(fed) == [event]
    assert memory.kept < 8192


Make = Callable[[], bytes]


def kept(make: Make, events: list[Event]) -> bool:
    """Tell whether the reader still holds the bytes that it has been fed and that came to these events."""
    data = make()
    fed = reader()
    before = sys.getrefcount(data)
    fed.feed(data)
    assert take(fed) == events
    return sys.getrefcount(data) > before


@pytest.mark.parametrize(
    ("make", "events"),
    [
        (lambda: frame(TEXT, b"abc"), ["abc"]),
        (lambda: frame(BINARY, bytes(500)) * 2, [bytes(500)] * 2),
        (lambda: frame(PING, b"abc"), [Ping(b"abc")]),
        (lambda: frame(TEXT, b"abc", fin=False), []),
        (lambda: head(TEXT, 500) + KEY, []),
        (lambda: head(TEXT, 500) + KEY + mask(b"abc"), []),
        (lambda: frame(CLOSE), [Close(1005, "")]),
        (lambda: frame(CLOSE) + frame(TEXT, b"behind"), [Close(1005, "")]),
        (lambda: frame(CONTINUATION, bytes(500)), [Violation(1002, "continuation of no message")]),
    ],
)
def test_nothing_is_kept_of_what_was_read(make: Make, events: list[Event]) -> None:
    """A connection that is idle costs as little as it can."""
    assert not kept(make, events)


def ended_by_close() -> tuple[bytes, list[Event]]:
    return frame(CLOSE), [Close(1005, "")]


def ended_by_violation() -> tuple[bytes, list[Event]]:
    return frame(CONTINUATION), [Violation(1002, "continuation of no message")]


@pytest.mark.parametrize("ended", [ended_by_close, ended_by_violation])
def test_nothing_is_kept_of_what_comes_after_the_end(ended: Callable[[], tuple[bytes, list[Event]]]) -> None:
    """§5.5.1, §7.1.7: nothing of it is ever read, and a peer may send it without end."""
    data, events = ended()
    fed = reader()
    fed.feed(data)
    assert take(fed) == events
    piece = bytes(65536)
    with measured() as memory:
        for _ in range(20):
            fed.feed(piece)
            fed.next_event()
    assert memory.peak < 65536


def test_nothing_is_kept_of_what_comes_after_closing() -> None:
    fed = reader()
    fed.close()
    piece = bytes(65536)
    with measured() as memory:
        for _ in range(20):
            fed.feed(piece)
    assert memory.peak < 65536
