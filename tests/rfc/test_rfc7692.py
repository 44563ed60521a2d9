"""RFC 7692, permessage-deflate: what is agreed on, and messages that are compressed as was agreed.

The client's half is zlib itself. What the server compresses is inflated with exactly the window and the memory of
earlier messages that were agreed on, so that a server which uses more is found out.
"""

import re
import zlib
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from tests.live import LOOPS, live, one_by_one
from tests.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Client,
    Echo,
    Served,
    binary,
    closing,
    cut,
    fragments,
    frame,
    opened,
    ping,
    text,
)

TAIL = b"\x00\x00\xff\xff"
RSV1 = 4
LATER = text("later") + ping(b"later")
SERVER_BITS, CLIENT_BITS = "server_max_window_bits", "client_max_window_bits"
SERVER_FORGETS, CLIENT_FORGETS = "server_no_context_takeover", "client_no_context_takeover"
NAMES = (SERVER_BITS, CLIENT_BITS, SERVER_FORGETS, CLIENT_FORGETS)
PLAIN = "permessage-deflate"
Agreed = dict[str, int]


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    app = Echo()
    with live(app) as server:
        yield Served(server, app)


@pytest.fixture
def served(shared: Served, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    yield shared
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []  # the peer's fault is no error


def offer(*values: str) -> bytes:
    """Return a field line for each value."""
    return b"".join(b"Sec-WebSocket-Extensions: %b\r\n" % value.encode() for value in values)


def agreed(client: Client) -> Agreed | None:
    """Return what the server has agreed to, or None; a flag is 0. It must be in the grammar of §7.1."""
    value = client.field(b"sec-websocket-extensions")
    if value is None:
        return None
    name, *parameters = value.decode().split(";")
    assert name == PLAIN
    found: Agreed = {}
    for parameter in parameters:
        match = re.fullmatch(r" *([a-z_]+)(?:=([0-9]+))?", parameter)
        assert match is not None, value
        key, bits = match[1], match[2]
        assert key in NAMES, value
        assert key not in found, value
        assert (bits is not None) == key.endswith("bits"), value
        assert bits is None or bits in map(str, range(8, 16)), value
        found[key] = int(bits or 0)
    return found


class Peer:
    """A client's two ends of compression, as agreed."""

    def __init__(self, client: Client) -> None:
        found = agreed(client)
        assert found is not None
        self.client = client
        self.agreed = found
        self.deflater: zlib._Compress | None = None
        self.inflater: zlib._Decompress | None = None

    def deflated(self, data: bytes) -> bytes:
        """Return the payload of a compressed message."""
        if self.deflater is None or CLIENT_FORGETS in self.agreed:
            self.deflater = zlib.compressobj(wbits=-max(9, self.agreed.get(CLIENT_BITS, 15)))
        data = self.deflater.compress(data) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(TAIL)
        return data[:-4]

    def sent(self, message: str | bytes, pieces: int = 1) -> None:
        """Send a compressed message in this many fragments."""
        payload = self.deflated(message.encode() if isinstance(message, str) else message)
        opcode = TEXT if isinstance(message, str) else BINARY
        self.client.send(b"", fragments(opcode, *cut(payload, -(-len(payload) // pieces)), rsv=RSV1))

    def inflated(self, data: bytes) -> bytes:
        """Return what a compressed payload of the server's says."""
        if self.inflater is None or SERVER_FORGETS in self.agreed:
            self.inflater = zlib.decompressobj(wbits=-self.agreed.get(SERVER_BITS, 15))
        data += TAIL
        found = b""
        while piece := self.inflater.decompress(data, 256):  # at once, zlib would see further back than its window
            found += piece
            data = self.inflater.unconsumed_tail
        return found

    def message(self) -> str | bytes:
        """Return the next message, compressed or not (§6: a server MAY send either)."""
        fin, rsv, opcode, payload = self.client.read_frame()
        assert fin
        assert opcode in (TEXT, BINARY), (opcode, payload)
        assert rsv in (0, RSV1)
        if rsv:
            payload = self.inflated(payload)
        return payload.decode() if opcode == TEXT else payload

    def echoed(self, message: str | bytes, pieces: int = 1) -> None:
        """Send a message; assert that it comes back."""
        self.sent(message, pieces)
        assert self.message() == message


def refused(served: Served, data: bytes, codes: set[int], before: Sequence[str] = ()) -> None:
    """Send what must end the connection on which compression was agreed on, with one of these codes."""
    data += LATER
    for pieces in (None, one_by_one(data)):
        with served.opened(offer(PLAIN)) as client:
            client.send(data, pieces)
            peer = Peer(client)
            assert [peer.message() for _ in before] == list(before)
            code, _ = client.closed_with()
            assert code in codes
            visit = served.visit(client)
            assert visit.end()[0] == code
            assert visit.received == list(before)


# --- §5, §7.1: negotiation ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "parameters"),
    [
        ([PLAIN], set()),
        ([f"{PLAIN}; {SERVER_FORGETS}"], {SERVER_FORGETS}),
        ([f"{PLAIN}; {SERVER_FORGETS}; {CLIENT_FORGETS}"], {SERVER_FORGETS}),
        ([f"{PLAIN}; {SERVER_BITS}=10"], {SERVER_BITS}),
        ([f"{PLAIN};{SERVER_BITS}=15;{SERVER_FORGETS}"], {SERVER_BITS, SERVER_FORGETS}),
        ([f'{PLAIN}; {SERVER_BITS}="9"'], {SERVER_BITS}),
        ([f"{PLAIN} ; {SERVER_BITS} = 9"], {SERVER_BITS}),
        ([f"x-unknown; a=b, {PLAIN}"], set()),
        (["x-unknown", PLAIN], set()),
        ([f"{PLAIN}; unknown, {PLAIN}; {SERVER_FORGETS}"], {SERVER_FORGETS}),
        ([f"{PLAIN}; {SERVER_BITS}=16", f"{PLAIN}; {SERVER_BITS}=9"], {SERVER_BITS}),
        ([f"{PLAIN}; {SERVER_FORGETS}, {PLAIN}"], {SERVER_FORGETS}),
    ],
)
def test_the_first_offer_that_can_be_met_is(served: Served, values: list[str], parameters: set[str]) -> None:
    """§5.1: offers are in the order of preference; §7.1.1.1, §7.1.2.1: what is asked of the server MUST be echoed."""
    with served.opened(offer(*values)) as client:
        found = agreed(client)
        assert found is not None
        assert parameters <= found.keys()
        assert CLIENT_BITS not in found  # which was not offered


@pytest.mark.parametrize("bits", range(9, 16))
def test_the_servers_window_is_no_larger_than_asked(served: Served, bits: int) -> None:
    """§7.1.2.1: the answer MUST have the parameter, with the same or a smaller value."""
    with served.opened(offer(f"{PLAIN}; {SERVER_BITS}={bits}")) as client:
        assert 8 <= (agreed(client) or {})[SERVER_BITS] <= bits


@pytest.mark.parametrize("bits", [*range(8, 16), None])
def test_the_clients_window_is_no_larger_than_it_can_be(served: Served, bits: int | None) -> None:
    """§7.1.2.2: the answer MAY have the parameter where the offer has it, with the same or a smaller value."""
    with served.opened(offer(f"{PLAIN}; {CLIENT_BITS}" + (f"={bits}" if bits else ""))) as client:
        found = agreed(client)
        assert found is not None
        assert 8 <= found.get(CLIENT_BITS, 8) <= (bits or 15)


@pytest.mark.parametrize(
    "value",
    [
        "x-webkit-deflate-frame",
        "permessage-bzip2",
        f"{PLAIN}x",
        f"{PLAIN}; unknown",
        f"{PLAIN}; unknown=1",
        f"{PLAIN}; {SERVER_FORGETS}=1",
        f"{PLAIN}; {SERVER_FORGETS}=true",
        f'{PLAIN}; {CLIENT_FORGETS}="x"',
        f"{PLAIN}; {SERVER_FORGETS}; {SERVER_FORGETS}",
        f"{PLAIN}; {SERVER_BITS}=9; {SERVER_BITS}=9",
        f"{PLAIN}; {CLIENT_BITS}; {CLIENT_BITS}=10",
        f"{PLAIN}; {SERVER_BITS}",
        *[f"{PLAIN}; {name}={bits}" for name in (SERVER_BITS, CLIENT_BITS)
          for bits in ("0", "7", "16", "08", "010", "-9", "+9", "9.0", "x", "99999999999999999999")],
    ],
)  # fmt: skip
def test_an_offer_that_cannot_be_met_is_declined(served: Served, value: str) -> None:
    """§7.1: a server MUST decline an offer with a parameter that is unknown, comes twice or has a bad value; §5.1: no
    extension is no failure."""
    with served.opened(offer(value)) as client:
        assert agreed(client) is None
        client.send(text("x" * 1000))
        assert client.message() == "x" * 1000


def test_a_window_of_256_bytes_is_honoured_or_declined(served: Served) -> None:
    """§7.1.2.1: a server MAY decline what it cannot do, and zlib cannot compress with 8 bits."""
    with served.opened(offer(f"{PLAIN}; {SERVER_BITS}=8")) as client:
        found = agreed(client)
        assert found is None or found[SERVER_BITS] == 8
        if found is not None:
            Peer(client).echoed("".join(chr(33 + i * i % 90) for i in range(300)) * 8)


def test_nothing_is_agreed_on_that_was_not_offered(served: Served) -> None:
    """§5.1: the server answers with one of the offers, or none."""
    with served.opened() as client:
        assert agreed(client) is None


def test_compression_can_be_switched_off() -> None:
    """§5.1: a server need not accept; RFC 6455 §5.2: RSV1 is then a protocol error."""
    app = Echo()
    line = offer(PLAIN, f"{PLAIN}; {SERVER_FORGETS}; {CLIENT_BITS}")
    with live(app, ws_per_message_deflate=False) as server, opened(server.port, extra=line) as client:
        assert agreed(client) is None
        client.send(text("x" * 1000))
        assert client.message() == "x" * 1000
        client.send(frame(b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=RSV1))
        assert client.closed_with()[0] == 1002


# --- §6, §7.2: messages ---------------------------------------------------------------------------

WORDS = " ".join(f"{i} žluťoučký" for i in range(300))
OFFERS = [
    PLAIN,
    f"{PLAIN}; {SERVER_FORGETS}",
    f"{PLAIN}; {CLIENT_FORGETS}",
    f"{PLAIN}; {SERVER_FORGETS}; {CLIENT_FORGETS}",
    f"{PLAIN}; {SERVER_BITS}=9",
    f"{PLAIN}; {SERVER_BITS}=9; {SERVER_FORGETS}",
    f"{PLAIN}; {SERVER_BITS}=15; {CLIENT_BITS}=15",
    f"{PLAIN}; {CLIENT_BITS}",
    f"{PLAIN}; {CLIENT_BITS}=9; {CLIENT_FORGETS}",
]


@pytest.mark.parametrize("pieces", [1, 3, 50])
@pytest.mark.parametrize("value", OFFERS)
def test_messages_are_compressed_both_ways(served: Served, value: str, pieces: int) -> None:
    """§7.2.1, §7.2.2: as was agreed; §6.1: only the first fragment has RSV1."""
    with served.opened(offer(value)) as client:
        peer = Peer(client)
        for message in ("", "a", "Hello", WORDS, WORDS, WORDS.encode(), b"", bytes(70000), WORDS[::-1], "x" * 200000):
            peer.echoed(message, pieces)
        client.send(closing())
        assert client.closed_with() == (1000, "")


@pytest.mark.parametrize("bits", range(9, 16))
def test_the_servers_window_is_kept_to(served: Served, bits: int) -> None:
    """§7.1.2.1: nothing in the server's output refers further back than it has agreed to."""
    noise = Random(bits).randbytes
    block = noise(200)
    with served.opened(offer(f"{PLAIN}; {SERVER_BITS}={bits}")) as client:
        peer = Peer(client)
        for distance in (0, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 40000):
            peer.echoed(block + noise(distance) + block)
        for size in (100, 1000, 10000):
            peer.echoed(noise(size) * 8)


def test_what_is_repetitive_gets_smaller(served: Served) -> None:
    """§7.2.1: compression is what was agreed on; a server that never does it has wasted the client's memory."""
    with served.opened(offer(PLAIN)) as client:
        client.send(text("x" * 100000))
        fin, rsv, opcode, payload = client.read_frame()
        assert (fin, rsv, opcode) == (True, RSV1, TEXT)
        assert len(payload) < 1000


def test_what_has_been_said_is_remembered(served: Served) -> None:
    """§7.1.1: with context takeover a message is compressed with what came before it."""
    message = Random(0).randbytes(1000)
    with served.opened(offer(PLAIN)) as client:
        sizes = []
        for _ in range(2):
            client.send(binary(message))
            sizes.append(len(client.read_frame().payload))
        assert sizes[1] < sizes[0] / 2


def test_without_takeover_each_message_stands_for_itself(served: Served) -> None:
    """§7.1.1.1: the server MUST NOT use what it has said before."""
    with served.opened(offer(f"{PLAIN}; {SERVER_FORGETS}")) as client:
        payloads = []
        for _ in range(3):
            client.send(text(WORDS))
            payloads.append(client.read_frame().payload)
        assert [zlib.decompress(data + TAIL + b"\x03\x00", -15) for data in payloads] == [WORDS.encode()] * 3


EXAMPLES: list[tuple[str, list[str], str]] = [
    ("§7.2.3.1: one block", ["f248cdc9c90700"], "Hello"),
    ("§7.2.3.1: fragments", ["f248cd", "c9c90700"], "Hello"),
    ("§7.2.3.3: a stored block", ["000500faff48656c6c6f00"], "Hello"),
    ("§7.2.3.4: a final block", ["f348cdc9c9070000"], "Hello"),
    ("§7.2.3.5: two blocks", ["f24805000000ffffcac9c90700"], "Hello"),
    ("§7.2.3.6: an empty message", ["00"], ""),
    ("an empty fixed block", ["0200"], ""),
    ("fragments of nothing", ["", "f248cdc9c90700", ""], "Hello"),
    ("a fragment for each byte", ["f2", "48", "cd", "c9", "c9", "07", "00"], "Hello"),
    ("an empty message in fragments", ["", "00"], ""),
]


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
@pytest.mark.parametrize(("parts", "expected"), [case[1:] for case in EXAMPLES], ids=[case[0] for case in EXAMPLES])
def test_the_examples_of_the_rfc_are_understood(served: Served, parts: list[str], expected: str, mode: str) -> None:
    """§7.2.3: whatever DEFLATE has; §7.2.2: each message is read as if the tail were there."""
    with served.opened(offer(PLAIN)) as client:
        peer = Peer(client)
        for _ in range(2):
            data = b"".join(fragments(TEXT, *map(bytes.fromhex, parts), rsv=RSV1))
            client.send(data, one_by_one(data) if mode.startswith("byte") else None)
            assert peer.message() == expected


def test_the_example_of_takeover_is_understood(served: Served) -> None:
    """§7.2.3.2: the second message refers to the first."""
    with served.opened(offer(PLAIN)) as client:
        for payload in ("f248cdc9c90700", "f200110000"):
            client.send(frame(bytes.fromhex(payload), rsv=RSV1))
            assert client.message() == "Hello"


def test_messages_may_be_sent_as_they_are(served: Served) -> None:
    """§6: an endpoint MAY send any message uncompressed, between compressed ones too; they are in no window."""
    with served.opened(offer(PLAIN)) as client:
        peer = Peer(client)
        for _ in range(2):
            peer.echoed(WORDS)
            client.send(b"".join(fragments(TEXT, b"pl", b"ain")) + binary(WORDS.encode()))
            assert [peer.message(), peer.message()] == ["plain", WORDS.encode()]


def test_control_frames_are_not_compressed(served: Served) -> None:
    """§5: per-message extensions have nothing to do with control frames, inside a message either."""
    with served.opened(offer(PLAIN)) as client:
        peer = Peer(client)
        *parts, last = fragments(TEXT, *cut(peer.deflated(WORDS.encode()), 100), rsv=RSV1)
        assert len(parts) > 3
        for i, part in enumerate(parts):
            client.send(part + ping(b"x" * i))
            assert client.pong() == b"x" * i
        client.send(last)
        assert peer.message() == WORDS


def test_text_of_a_compressed_message_may_be_cut_anywhere(served: Served) -> None:
    """RFC 6455 §5.4: characters may lie across fragments, compressed or not."""
    with served.opened(offer(PLAIN)) as client:
        peer = Peer(client)
        for size in range(1, 12):
            payload = peer.deflated("žluť 🐎".encode())
            client.send(b"", fragments(TEXT, *cut(payload, size), rsv=RSV1))
            assert peer.message() == "žluť 🐎"


# --- what breaks the rules ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        *[frame(b"", opcode, rsv=RSV1) for opcode in (CLOSE, PING, PONG)],
        frame(b"a", fin=False) + frame(b"b", CONTINUATION, rsv=RSV1),
        frame(b"\xf2\x48", fin=False, rsv=RSV1) + frame(b"\xcd\xc9\xc9\x07\x00", CONTINUATION, rsv=RSV1),
        frame(b"\xf2\x48", fin=False, rsv=RSV1) + frame(b"", PING, rsv=RSV1),
        frame(b"", CONTINUATION, rsv=RSV1),
        *[frame(b"\xf2\x48\xcd\xc9\xc9\x07\x00", rsv=rsv) for rsv in (1, 2, 3, 5, 6, 7)],
        frame(b"\x00", 3, rsv=RSV1),
        frame(b"\x00", rsv=RSV1, mask=None),
    ],
    ids=bytes.hex,
)
def test_rsv1_has_its_place(served: Served, data: bytes) -> None:
    """§6: RSV1 is for the first frame of a message, MUST NOT be in another, and not in control frames; RFC 6455 §5.2:
    the other two bits MUST be 0."""
    refused(served, text("before") + data, {1002}, before=["before"])


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"\x07", b"Hello", b"\x00\x05\x00\xfa\xfeHello\x00", b"\xf2\x00\x11\x00\x00"],
)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_what_is_not_deflate_fails(served: Served, payload: bytes, opcode: int) -> None:
    """§7.2.2: data that cannot be inflated fails the connection."""
    refused(served, frame(payload, opcode, rsv=RSV1), {1002, 1007})
    refused(served, b"".join(fragments(opcode, *one_by_one(payload), rsv=RSV1)), {1002, 1007})


def test_what_the_client_must_forget_cannot_be_referred_to(served: Served) -> None:
    """§7.1.1.2: a client that has agreed to forget MUST NOT refer to an earlier message: nothing of it is kept."""
    with served.opened(offer(f"{PLAIN}; {CLIENT_FORGETS}")) as client:
        assert CLIENT_FORGETS in (agreed(client) or {})
        for payload in ("f248cdc9c90700", "f200110000"):
            client.send(frame(bytes.fromhex(payload), rsv=RSV1))
        assert client.message() == "Hello"
        assert client.closed_with()[0] in (1002, 1007)


def squeezed(data: bytes) -> bytes:
    """Return the payload of a compressed message that refers to nothing."""
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("data", [b"\xff", b"ok\xc3", b"\xed\xa0\x80" + b"x" * 1000, b"x" * 100000 + b"\x80"])
def test_compressed_text_is_utf_8(served: Served, data: bytes) -> None:
    """RFC 6455 §8.1: text is held to UTF-8 when it is inflated."""
    payload = squeezed(data)
    refused(served, frame(payload, rsv=RSV1), {1007})
    refused(served, b"".join(fragments(TEXT, *cut(payload, 3), rsv=RSV1)), {1007})


def test_bad_utf_8_is_noticed_before_a_compressed_frame_is_whole(served: Served) -> None:
    """RFC 6455 §8.1: a text is inflated as it comes."""
    payload = squeezed(b"ok\xff")
    with served.opened(offer(PLAIN)) as client:
        client.send(frame(payload, length=len(payload) + 1000, rsv=RSV1))
        assert client.closed_with()[0] == 1007


# --- limits ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> Iterator[Served]:
    app = Echo()
    with live(app, ws_max_size=1 << 20) as server:
        yield Served(server, app)


@pytest.mark.parametrize("pieces", [1, 10, 100])
def test_a_bomb_is_defused(small: Served, pieces: int) -> None:
    """§8.1, RFC 6455 §10.4: the limit is on what comes out, and is 1009."""
    bomb = squeezed(bytes(1 << 25))
    assert len(bomb) < 1 << 16
    with small.opened(offer(PLAIN)) as client:
        client.send(b"", fragments(BINARY, *cut(bomb, -(-len(bomb) // pieces)), rsv=RSV1))
        assert client.closed_with()[0] == 1009
        assert small.visit(client).end()[0] == 1009


def test_a_bomb_is_noticed_before_its_frame_is_whole(small: Served) -> None:
    """§8.1: what has come out already is too much."""
    bomb = squeezed(bytes(1 << 22))
    with small.opened(offer(PLAIN)) as client:
        client.send(frame(bomb, BINARY, length=len(bomb) + 1000, rsv=RSV1))
        assert client.closed_with()[0] == 1009


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("noise", [False, True])
def test_a_message_may_be_as_large_as_the_limit(small: Served, noise: bool, pieces: int) -> None:
    """RFC 6455 §10.4: of what comes out, also where compressing has gained nothing; the limit is included."""
    size = 1 << 20
    data = Random(0).randbytes(size) if noise else bytes(size)
    for extra, level in ((b"", 0), (b"", 6), (b"x", 6)):
        deflater = zlib.compressobj(level, wbits=-15)
        payload = (deflater.compress(data + extra) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        with small.opened(offer(PLAIN)) as client:
            client.send(b"", fragments(BINARY, *cut(payload, -(-len(payload) // pieces)), rsv=RSV1))
            if extra:
                assert client.closed_with()[0] == 1009
            else:
                assert Peer(client).message() == data


@pytest.mark.parametrize("on", list(LOOPS))
def test_every_loop_compresses(on: str) -> None:
    """§7.2: the same, whatever carries the bytes."""
    app = Echo()
    with live(app, on=on) as server:
        for value in OFFERS:
            with opened(server.port, extra=offer(value)) as client:
                peer = Peer(client)
                for message in (WORDS, bytes(200000), WORDS):
                    peer.echoed(message, 3)
