"""What holds for every connection: whatever bytes come, however they are cut, and whatever both sides say in order."""

import random
from collections.abc import Iterable

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import frames as f

from portico.codec.events import Data, End, Fault, Request
from portico.codec.http2.bounds import Bounds
from portico.codec.http2.events import Pong, Reset, Violation
from portico.codec.http2.multiplexer import Multiplexer
from portico.codec.limits import Limits

SLOW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Told = tuple[object, ...]

# --- any bytes ------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([0, 1, 1, 1, 3, 3, 5, 7, 2, 99, (1 << 31) - 1])
BLOCKS = st.sampled_from(
    [
        f.block(f.request()),
        f.block(f.request(b"/?a=b", method=b"POST", extra=[(b"content-length", b"3")])),
        f.block(f.request(method=b"CONNECT", extra=[(b":protocol", b"websocket")])),
        f.block(f.request(without=[b":path"])),
        f.block([(b"a", b"b")]),
        f.literal(b"kept", b"x" * 50, store=True) + f.indexed(62),
        f.indexed(62),
        b"",
        f.table_size(0),
        b"\xff\xff\xff\xff\xff\xff",
    ]
)
SETTINGS = st.dictionaries(st.integers(0, 10), st.sampled_from([0, 1, 100, 16384, 65535, 1 << 20, 1 << 31]), max_size=4)
BYTES = st.binary(max_size=40)
FRAMES = st.one_of(
    st.builds(f.headers, NUMBERS, BLOCKS, end=st.booleans(), end_headers=st.booleans()),
    st.builds(f.headers, NUMBERS, BLOCKS, end=st.booleans(), padding=st.integers(0, 255)),
    st.builds(f.headers, NUMBERS, BLOCKS, end=st.just(True)),
    st.builds(f.headers, NUMBERS, BLOCKS, depends=NUMBERS, declared=st.none() | st.integers(0, 255)),
    st.builds(f.continuation, NUMBERS, BLOCKS, end_headers=st.booleans()),
    st.builds(f.data, NUMBERS, BYTES, end=st.booleans(), padding=st.none() | st.integers(0, 255)),
    st.builds(f.data, NUMBERS, BYTES, declared=st.none() | st.integers(0, 255)),
    st.builds(f.rst_stream, NUMBERS, st.integers(0, 20)),
    st.builds(f.window_update, NUMBERS, st.sampled_from([0, 1, 1000, (1 << 31) - 1, (1 << 32) - 1])),
    st.builds(f.settings, SETTINGS, ack=st.booleans()),
    st.builds(f.ping, BYTES, ack=st.booleans()),
    st.builds(f.ping),
    st.builds(f.priority, NUMBERS, NUMBERS),
    st.builds(f.priority_update, NUMBERS, BYTES),
    st.builds(f.goaway, NUMBERS, st.integers(0, 20), BYTES),
    st.builds(f.push_promise, NUMBERS, NUMBERS, BLOCKS),
    st.builds(f.frame, st.integers(0, 255), st.integers(0, 255), NUMBERS, BYTES),
    st.builds(f.frame, st.integers(0, 255), st.integers(0, 255), NUMBERS, BYTES, length=st.integers(0, 1 << 17)),
)
SESSIONS = st.lists(FRAMES, max_size=25).map(lambda frames: f.PREFACE + f.settings() + b"".join(frames))
NOISE = SESSIONS | st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: f.PREFACE + data)


def told(multiplexer: Multiplexer, event: object) -> Told:
    """Return an event as it can be compared, with the number of its stream."""
    match event:
        case Request():
            said: Told = (event.method, event.target, tuple(event.headers), event.has_body, event.content_length)
        case Data():
            said = (event.data,)
        case End():
            said = (tuple(event.trailers),)
        case Pong():
            return ("Pong", event.data)
        case Violation():
            return ("Violation", event.code, event.reason)
        case Fault() | Reset():
            said = (repr(event),)
        case _:
            raise AssertionError(event)
    assert multiplexer.stream is not None
    return (type(event).__name__, multiplexer.stream.id, *said)


def run(pieces: Iterable[bytes]) -> tuple[list[Told], bytes]:
    """Feed the pieces one after the other; return the events and what is to be written."""
    bounds = Bounds(Limits(head=1000, fields=10), streams=3, window=100)
    multiplexer = Multiplexer(bounds, 0.0)
    events = []
    out = b"".join(multiplexer.take())
    for piece in pieces:
        multiplexer.feed(piece, 0.0)
        while (event := multiplexer.next_event()) is not None:
            events.append(told(multiplexer, event))
            assert len(multiplexer.streams) <= bounds.streams
            assert multiplexer.block_size <= bounds.limits.head * 4 + bounds.frame_size
        multiplexer.pump()
        out += b"".join(multiplexer.take())
    return events, out


def split(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Return the frames in what a server has written; all of them must be whole."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "big")
        assert len(data) >= 9 + size
        found.append((data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + size]))
        data = data[9 + size :]
    return found


@SLOW
@given(NOISE)
def test_any_bytes_are_read_or_end_the_connection(data: bytes) -> None:
    """No exception; nothing follows a violation, which the last frame tells the client."""
    events, out = run([data])
    written = split(out)
    violations = [event for event in events if event[0] == "Violation"]
    if violations:
        assert violations == events[-1:]
        assert written[-1][0] == f.GOAWAY
        assert int.from_bytes(written[-1][3][4:8], "big") == violations[0][1] != f.NO_ERROR
    else:
        assert all(kind != f.GOAWAY for kind, *_ in written)


@SLOW
@given(NOISE, st.randoms(use_true_random=False))
def test_it_makes_no_difference_where_the_bytes_are_cut(data: bytes, chance: random.Random) -> None:
    whole = run([data])
    assert run(data[i : i + 1] for i in range(len(data))) == whole
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(6)))
    assert run(data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)) == whole


# --- a conversation with another implementation ---------------------------------------------------


class Server:
    """Answers each request with the body that it brought, in pieces, and uses bodies when it likes to."""

    def __init__(self, chance: random.Random, bounds: Bounds) -> None:
        self.chance = chance
        self.now = 0.0
        self.multiplexer = Multiplexer(bounds, self.now)
        self.bodies: dict[int, list[bytes]] = {}
        self.unused: list[tuple[object, int]] = []

    def feed(self, data: bytes) -> None:
        """Take bytes, cut at random; seconds go by, so that no number of small frames is a flood."""
        self.now += 10.0
        while data:
            size = self.chance.choice((1, 5, 100, len(data)))
            self.multiplexer.feed(data[:size], self.now)
            data = data[size:]
            while (event := self.multiplexer.next_event()) is not None:
                self.act(event)

    def act(self, event: object) -> None:
        multiplexer, stream = self.multiplexer, self.multiplexer.stream
        assert not isinstance(event, Violation | Fault | Reset), event
        if isinstance(event, Request):
            assert stream is not None
            self.bodies[stream.id] = []
            if not event.has_body:
                self.answer([])
        elif isinstance(event, Data):
            assert stream is not None
            self.bodies[stream.id].append(event.data)
            if self.chance.random() < 0.5:
                multiplexer.use(stream, len(event.data))
            else:
                self.unused.append((stream, len(event.data)))
        elif isinstance(event, End):
            self.answer(event.trailers)

    def answer(self, trailers: list[tuple[bytes, bytes]]) -> None:
        multiplexer, stream, chance = self.multiplexer, self.multiplexer.stream, self.chance
        assert stream is not None
        body = b"".join(self.bodies[stream.id])
        if chance.random() < 0.3:
            multiplexer.send_headers(stream, 103, [(b"link", b"</a>")], False)
        multiplexer.send_headers(stream, 200, [(b"x-size", b"%d" % len(body)), (b"x-kept", b"always")], False)
        while body and chance.random() < 0.9:
            size = chance.randrange(1, len(body) + 1)
            multiplexer.send_data(stream, body[:size], False)
            body = body[size:]
        if trailers:
            multiplexer.send_data(stream, body, False)
            multiplexer.send_trailers(stream, trailers)
        else:
            multiplexer.send_data(stream, body, True)

    def take(self) -> bytes:
        """Return what is to be written now, using now and then what is unused."""
        while self.unused and self.chance.random() < 0.7:
            self.multiplexer.use(*self.unused.pop())
        self.multiplexer.full = self.chance.random() < 0.2
        if not self.multiplexer.full:
            self.multiplexer.pump()
        return b"".join(self.multiplexer.take())


class Asker:
    """The client: an `h2` connection that uploads bodies within its windows, and gives windows back as it likes to."""

    def __init__(self, chance: random.Random, bodies: list[bytes]) -> None:
        self.chance = chance
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
        self.h2.initiate_connection()
        self.h2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: chance.choice((0, 1, 100, 65535, 1 << 20)),
                SettingCodes.MAX_FRAME_SIZE: chance.choice((16384, 20_000, 1 << 20)),
                SettingCodes.HEADER_TABLE_SIZE: chance.choice((0, 60, 4096, 1 << 16)),
            }
        )
        self.left = dict(zip(range(1, 2 * len(bodies), 2), bodies, strict=True))
        self.waiting = list(self.left)
        self.received = dict.fromkeys(self.left, b"")
        self.trailers: dict[int, list[tuple[bytes, bytes]]] = {}
        self.ended: set[int] = set()
        self.owed: list[tuple[int, int]] = []

    def act(self, most: int) -> bytes:
        """Do something or other, with at most so many streams open; return what is to be sent."""
        chance = self.chance
        if self.waiting and self.h2.open_outbound_streams < most:
            number = self.waiting.pop(0)
            fields = f.request(b"/%d" % number, method=b"POST", extra=[(b"x-kept", b"always"), (b"te", b"trailers")])
            self.h2.send_headers(number, fields)
        for number in [number for number in self.left if number not in self.waiting]:
            body = self.left[number]
            room = min(max(0, self.h2.local_flow_control_window(number)), self.h2.max_outbound_frame_size, len(body))
            size = chance.randrange(room + 1)
            if size == len(body):
                padding = chance.choice((None, 0, 7)) if room >= size + 8 else None
                self.h2.send_data(number, body, pad_length=padding)
                if number in self.trailers:
                    continue
                del self.left[number]
                if chance.random() < 0.3:
                    self.trailers[number] = [(b"x-sum", b"%d" % number)]
                    self.h2.send_headers(number, self.trailers[number], end_stream=True)
                else:
                    self.h2.end_stream(number)
            elif size:
                self.h2.send_data(number, body[:size])
                self.left[number] = body[size:]
        while self.owed and chance.random() < 0.7:
            number, size = self.owed.pop()
            if number in self.ended:
                self.h2.increment_flow_control_window(size)
            else:
                self.h2.acknowledge_received_data(size, number)
        if not self.owed:
            for number in self.received:
                open_ = number not in self.ended and number not in self.waiting
                if open_ and self.h2.remote_flow_control_window(number) < 10:
                    self.h2.increment_flow_control_window(100, number)
        return self.h2.data_to_send()

    def feed(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self.received[event.stream_id] += event.data
                if event.flow_controlled_length:
                    self.owed.append((event.stream_id, event.flow_controlled_length))
            elif isinstance(event, h2.events.TrailersReceived):
                assert list(map(tuple, event.headers)) == self.trailers[event.stream_id]
                self.trailers[event.stream_id] = []
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
            else:
                assert not isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated), event


SIZES = st.lists(st.integers(0, 30) | st.integers(0, 300_000), max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SIZES, st.sampled_from([65535, 262144]), st.integers(0, 1 << 32))
def test_bodies_arrive_whole_both_ways(sizes: list[int], window: int, seed: int) -> None:
    """Held against `h2`: any windows, frame sizes, tables and cuts; nothing gets lost, and nothing gets stuck."""
    chance = random.Random(seed)
    bodies = [chance.randbytes(size) for size in sizes]
    server = Server(chance, Bounds(Limits(), streams=5, window=window))
    client = Asker(chance, bodies)
    idle = 0
    while len(client.ended) < len(bodies):
        asked = client.act(5)
        server.feed(asked)
        answered = server.take()
        client.feed(answered)
        idle = 0 if asked or answered else idle + 1
        assert idle < 200, "both sides wait"
    assert client.received == dict(zip(range(1, 2 * len(bodies), 2), bodies, strict=True))
    assert not any(client.trailers.values())
    assert not server.multiplexer.streams
