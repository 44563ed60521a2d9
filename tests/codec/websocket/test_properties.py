"""What holds for every conversation, and for every string of bytes."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.codec.websocket.wire import (
    BINARY,
    CONTINUATION,
    MAX_SIZE,
    PING,
    RSV1,
    TEXT,
    Compressor,
    agreed,
    compressed,
    feed,
    frame,
    head,
    is_over,
)

from portico.codec.websocket.deflate import Agreement
from portico.codec.websocket.events import Close, Event, Ping, Pong, Violation

AGREEMENTS: list[Agreement] = [
    agreed(),
    agreed(("client_no_context_takeover", None)),
    agreed(("client_max_window_bits", "9")),
]
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MESSAGES = st.lists(st.text(max_size=40) | st.binary(max_size=300) | st.text("ab", max_size=300), max_size=5)


class Conversation:
    """What a client sends, at random: messages in fragments, each with its own key, and pings between."""

    def __init__(self, messages: list[str | bytes], chance: random.Random, agreement: Agreement | None) -> None:
        self.chance = chance
        self.data = b""
        self.events: list[Event] = []
        compressor = None
        for message in messages:
            payload = message.encode() if isinstance(message, str) else message
            opcode = TEXT if isinstance(message, str) else BINARY
            compresses = agreement is not None and chance.random() < 0.8
            if agreement is not None and compresses:
                if compressor is None or agreement.client_no_context_takeover:
                    compressor = Compressor(agreement.client_window_bits, chance.randrange(10))
                payload = compressor.payload(payload)
            self.send(opcode, payload, RSV1 if compresses else 0)
            self.events.append(message)
        self.ping()

    def send(self, opcode: int, payload: bytes, rsv: int) -> None:
        """Send a message in fragments, and pings between them."""
        *pieces, last = self.split(payload)
        for piece in pieces:
            self.ping()
            self.data += frame(opcode, piece, fin=False, rsv=rsv, key=self.chance.randbytes(4))
            opcode, rsv = CONTINUATION, 0
        self.ping()
        self.data += frame(opcode, last, rsv=rsv, key=self.chance.randbytes(4))

    def ping(self) -> None:
        """Perhaps send a ping."""
        if self.chance.random() < 0.3:
            data = self.chance.randbytes(self.chance.choice((0, 1, 4, 125)))
            self.data += frame(PING, data, key=self.chance.randbytes(4))
            self.events.append(Ping(data))

    def split(self, data: bytes) -> list[bytes]:
        """Return the data in pieces of any size, some of them empty."""
        points = sorted(self.chance.randint(0, len(data)) for _ in range(self.chance.choice((0, 0, 1, 2, 7))))
        return [data[start:end] for start, end in zip([0, *points], [*points, len(data)], strict=True)]


@SLOW
@given(MESSAGES, st.randoms(use_true_random=False), st.sampled_from([None, *AGREEMENTS]))
def test_messages_come_out_as_they_were_sent(
    messages: list[str | bytes], chance: random.Random, agreement: Agreement | None
) -> None:
    """RFC 6455 §6, RFC 7692 §6: however they are masked, fragmented, compressed, interleaved with pings and cut."""
    sent = Conversation(messages, chance, agreement)
    assert feed([sent.data], agreement=agreement) == sent.events
    assert feed(sent.split(sent.data), agreement=agreement) == sent.events
    assert feed([sent.data[at : at + 1] for at in range(len(sent.data))], agreement=agreement) == sent.events


# What looks like frames gets further than what does not.
FRAMES = st.builds(
    lambda opcode, payload, fin, rsv, form, masked: frame(
        opcode, payload, fin=fin, rsv=rsv, form=form, key=b"\x01\x02\x03\x04" if masked else None
    ),
    st.sampled_from([0, 0, 1, 1, 2, 2, 8, 9, 10, 3, 15]),
    st.binary(max_size=20) | st.text(max_size=5).map(str.encode) | st.just(b"a" * 130),
    st.booleans(),
    st.sampled_from([0, 0, 0, 0, 0, RSV1, RSV1, 0x20]),
    st.sampled_from([None, None, None, None, 8]),
    st.sampled_from([True] * 9 + [False]),
)
HEADS = st.builds(head, st.sampled_from([0, 1, 2, 9]), st.integers(0, 2**64 - 1))
COMPRESSED = st.builds(compressed, st.text(max_size=50).map(str.encode), st.sampled_from([TEXT, BINARY]))
ANYTHING = st.lists(FRAMES | FRAMES | COMPRESSED | HEADS | st.binary(max_size=30), max_size=8).map(b"".join)
KINDS = (str, bytes, Ping, Pong, Close, Violation)


@SLOW
@given(ANYTHING, st.sampled_from([None, *AGREEMENTS]), st.sampled_from([0, 10, 100, MAX_SIZE]))
def test_whatever_comes_is_an_event_that_is_known(data: bytes, agreement: Agreement | None, limit: int) -> None:
    """No bytes raise; nothing comes after a close or a violation; no message is larger than the limit."""
    events = feed([data], limit, agreement)
    assert all(type(event) in KINDS for event in events)
    assert not any(isinstance(event, Close | Violation) for event in events[:-1])
    assert all(len(event.encode()) <= limit for event in events if isinstance(event, str))
    assert all(len(event) <= limit for event in events if isinstance(event, bytes))
    assert all(event.code in (1002, 1007, 1009) for event in events if isinstance(event, Violation))


@SLOW
@given(ANYTHING, st.sampled_from([10, 100, MAX_SIZE]), st.data())
def test_whatever_comes_is_the_same_in_any_pieces(data: bytes, limit: int, draw: st.DataObject) -> None:
    """RFC 6455 §5: frames are a matter of bytes, not of packets."""
    events = feed([data], limit)
    points = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    pieces = [data[start:end] for start, end in zip([0, *points], [*points, len(data)], strict=True)]
    assert feed(pieces, limit) == events
    assert feed([data[at : at + 1] for at in range(len(data))], limit) == events


@SLOW
@given(ANYTHING, st.sampled_from(AGREEMENTS), st.sampled_from([10, 100, MAX_SIZE]))
def test_whatever_comes_compressed_ends_alike_in_any_pieces(data: bytes, agreement: Agreement, limit: int) -> None:
    """A message that is wrong in two ways may be refused for either, depending on how much of it was seen at once."""
    events = feed([data], limit, agreement)
    found = feed([data[at : at + 1] for at in range(len(data))], limit, agreement)
    if is_over(events) and isinstance(events[-1], Violation):
        assert isinstance(found.pop(), Violation)
        events.pop()
    assert found == events
