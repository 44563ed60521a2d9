"""What a client puts on the wire, and a reader that it is fed to in every way that it may arrive.

Masking is written here as RFC 6455 §5.3 defines it, and heads as §5.2 draws them: nothing comes from the code under
test but the reader and its events.
"""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from portico.codec.websocket.deflate import TAIL, Agreement, accept
from portico.codec.websocket.events import Close, Event, Ping, Violation
from portico.codec.websocket.reader import MessageReader

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
OPCODES = [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG]
RESERVED_OPCODES = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]
RSV1, RSV2, RSV3 = 0x40, 0x20, 0x10
KEY = b"\x37\xfa\x21\x3d"  # the one of the examples in RFC 6455 §5.7
MAX_SIZE = 100_000
SHORT = 100  # inputs up to this length are split at every point
LONGEST_FORM = 8  # the octets of the largest of the three forms of a length


def mask(payload: bytes, key: bytes = KEY) -> bytes:
    """Return the payload masked, or unmasked: octet i is XORed with octet i modulo 4 of the key."""
    return bytes(octet ^ key[index % 4] for index, octet in enumerate(payload))


def head(
    opcode: int, length: int, *, fin: bool = True, rsv: int = 0, form: int | None = None, masked: bool = True
) -> bytes:
    """Return the head of a frame up to its length.

    Args:
        form: The octets of the extended length: 0, 2 or 8; None for the fewest.
    """
    if form is None:
        form = 0 if length < 126 else 2 if length < 65536 else LONGEST_FORM
    short = {0: length, 2: 126, LONGEST_FORM: 127}[form]
    first = (0x80 if fin else 0) | rsv | opcode
    return bytes((first, (0x80 if masked else 0) | short)) + (length.to_bytes(form, "big") if form else b"")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    form: int | None = None,
    key: bytes | None = KEY,
) -> bytes:
    """Return a client's frame; a key of None leaves it unmasked."""
    start = head(opcode, len(payload), fin=fin, rsv=rsv, form=form, masked=key is not None)
    return start + payload if key is None else start + key + mask(payload, key)


def fragments(opcode: int, pieces: list[bytes], *, rsv: int = 0) -> list[bytes]:
    """Return the frames of a message that is sent in these pieces; the RSV bits go on the first one."""
    last = len(pieces) - 1
    return [
        frame(CONTINUATION if index else opcode, piece, fin=index == last, rsv=0 if index else rsv)
        for index, piece in enumerate(pieces)
    ]


def close_payload(code: int, reason: bytes = b"") -> bytes:
    """Return the payload of a close frame."""
    return code.to_bytes(2, "big") + reason


# --- compression, with zlib itself as the peer ---------------------------------------------------


class Compressor:
    """A client that compresses."""

    def __init__(self, window_bits: int = 15, level: int = 6) -> None:
        self.stream = zlib.compressobj(level, zlib.DEFLATED, -window_bits)

    def payload(self, data: bytes) -> bytes:
        """Return the payload of a message (RFC 7692 §7.2.1)."""
        return self.part(data).removesuffix(TAIL)

    def part(self, data: bytes) -> bytes:
        """Return the payload of a fragment that can be decompressed before the next one comes."""
        return self.stream.compress(data) + self.stream.flush(zlib.Z_SYNC_FLUSH)


def compressed(data: bytes, opcode: int = BINARY) -> bytes:
    """Return a frame with a message compressed for itself."""
    return frame(opcode, Compressor().payload(data), rsv=RSV1)


def agreed(*parameters: tuple[str, str | None]) -> Agreement:
    """Return the agreement that an offer comes to."""
    agreement = accept(parameters)
    assert agreement is not None
    return agreement


# --- reading -------------------------------------------------------------------------------------


def reader(max_size: int = MAX_SIZE, agreement: Agreement | None = None) -> MessageReader:
    """Return a reader at the beginning of a connection."""
    return MessageReader(max_size, None if agreement is None else agreement.inflater())


def take(reader: MessageReader) -> list[Event]:
    """Return the events that the reader has, with a Violation once although it comes again and again."""
    events: list[Event] = []
    while (event := reader.next_event()) is not None:
        events.append(event)
        if isinstance(event, Violation):
            assert reader.next_event() == event
            break
    return events


def feed(pieces: Iterable[bytes], max_size: int = MAX_SIZE, agreement: Agreement | None = None) -> list[Event]:
    """Return the events of pieces that are fed one by one, the events of each taken before the next."""
    fed = reader(max_size, agreement)
    events: list[Event] = []
    for piece in pieces:
        fed.feed(piece)
        events += take(fed)
        if is_over(events):
            break
    return events


def is_over(events: list[Event]) -> bool:
    """Tell whether nothing may follow these events."""
    return bool(events) and isinstance(events[-1], Close | Violation)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """Yield the data in pieces of this size."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def read(
    data: bytes, *, max_size: int = MAX_SIZE, agreement: Agreement | None = None, whole_frames: bool = True
) -> list[Event]:
    """Return the events of a client's bytes, having seen that they do not depend on how the bytes arrive.

    Args:
        whole_frames: The data ends where a frame does, or is refused, so that another frame may follow.
    """
    events = feed([data], max_size, agreement)
    assert feed(cut(data, 1 if len(data) <= 20 * SHORT else 997), max_size, agreement) == events
    late = reader(max_size, agreement)
    for piece in cut(data, 7):
        late.feed(piece)
    assert take(late) == events
    if len(data) <= SHORT:
        for at in range(1, len(data)):
            assert feed([data[:at], data[at:]], max_size, agreement) == events
    if whole_frames:
        ping = frame(PING, b"behind")
        expected = events if is_over(events) else [*events, Ping(b"behind")]
        assert feed([data + ping], max_size, agreement) == expected
        assert feed([data, ping], max_size, agreement) == expected
        assert feed([data + ping[:1], ping[1:]], max_size, agreement) == expected
    return events


def violation(data: bytes, *, max_size: int = MAX_SIZE, agreement: Agreement | None = None) -> int:
    """Return the code of the violation that is all that the data comes to."""
    (event,) = read(data, max_size=max_size, agreement=agreement)
    assert isinstance(event, Violation)
    return event.code


def last_violation(events: list[Event]) -> int:
    """Return the code of the violation that ends the events."""
    event = events[-1]
    assert isinstance(event, Violation)
    return event.code


# --- memory --------------------------------------------------------------------------------------


class Memory:
    """What was allocated at most, and what is still there at the end, in bytes above what there was before."""

    peak = 0
    kept = 0


@contextmanager
def measured() -> Iterator[Memory]:
    """Measure the memory that the body of a `with` allocates."""
    import gc
    import tracemalloc

    memory = Memory()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield memory
        memory.kept, memory.peak = (size - before for size in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
