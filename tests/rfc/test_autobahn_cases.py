"""The shape of Autobahn's case list, in miniature: sections 1 to 7, 9, 10, 12 and 13, held to its strict answers.

Its cases are those of a peer that fuzzes: each is what is sent, in which pieces, and what must come back, in order, up
to the close. The suite itself is run by `conformance/autobahn.py`. A client here that expects no more sends a close, so
that nothing is left unread.
"""

import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from random import Random

import pytest
from tests.live import live, one_by_one
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
    ping,
    text,
)

Answers = Sequence[tuple[int, bytes]]
Case = tuple[str, list[bytes], Answers]
OK, PROTOCOL, UTF_8 = 1000, 1002, 1007
MODES = ("in one write", "frame by frame", "byte by byte")
KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    app = Echo()
    with live(app) as server:
        yield Served(server, app)


@pytest.fixture
def served(shared: Served, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    yield shared
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []  # the peer's fault is no error


def check(served: Served, frames: list[bytes], expected: Answers, code: int, mode: str = "in one write") -> None:
    """Send the frames; exactly these messages and pongs must come back, and then a close with this code."""
    data = b"".join(frames)
    pieces = {"in one write": [data], "frame by frame": frames, "byte by byte": one_by_one(data)}[mode]
    with served.opened() as client:
        client.send(b"", pieces)
        for opcode, payload in expected:
            assert client.read_frame() == (True, 0, opcode, payload)
        assert client.closed_with()[0] == code
        assert served.visit(client).end()[0] == code


def table(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Parametrise over these cases."""
    cases = list(cases)
    return pytest.mark.parametrize(
        ("frames", "expected"), [case[1:] for case in cases], ids=[case[0] for case in cases]
    )


def words(size: int, opcode: int) -> bytes:
    """Return a payload of this size; text has characters of two bytes."""
    if opcode == BINARY:
        return bytes(range(256)) * (size // 256) + bytes(size % 256)
    return ("é*" * (size // 3)).encode() + b"*" * (size % 3)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
class TestFraming:
    """1.1, 1.2: messages of one frame."""

    @pytest.mark.parametrize("size", [0, 125, 126, 127, 128, 65535, 65536])
    def test_a_message_is_echoed(self, served: Served, opcode: int, size: int) -> None:
        """1.*.1 to 1.*.7: each form of the length, at its ends."""
        payload = words(size, opcode)
        check(served, [frame(payload, opcode), closing()], [(opcode, payload)], OK)

    @pytest.mark.parametrize("size", [1, 997, 65535, 65544])
    def test_a_frame_in_pieces_is_echoed(self, served: Served, opcode: int, size: int) -> None:
        """1.*.8: the same, in writes that have nothing to do with frames."""
        payload = words(65536 if size > 1 else 300, opcode)
        with served.opened() as client:
            client.send(b"", cut(frame(payload, opcode), size))
            assert client.read_frame() == (True, 0, opcode, payload)


PINGS: list[Case] = [
    ("2.1", [ping()], [(PONG, b"")]),
    ("2.2", [ping(b"Hello, world!")], [(PONG, b"Hello, world!")]),
    ("2.3", [ping(b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")], [(PONG, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]),
    ("2.4", [ping(b"\xfe" * 125)], [(PONG, b"\xfe" * 125)]),
    ("2.7", [frame(b"", PONG)], []),
    ("2.8", [frame(b"unsolicited", PONG)], []),
    ("2.9", [frame(b"unsolicited", PONG), ping(b"ping")], [(PONG, b"ping")]),
    ("2.10", [ping(b"payload-%d" % i) for i in range(10)], [(PONG, b"payload-%d" % i) for i in range(10)]),
]


@pytest.mark.parametrize("mode", MODES)
class TestControlFrames:
    """2: pings and pongs."""

    @table(PINGS)
    def test_pings_are_answered(self, served: Served, frames: list[bytes], expected: Answers, mode: str) -> None:
        """2.1 to 2.4, 2.6 to 2.11: each by a pong with its data, and pongs by nothing."""
        check(served, [*frames, closing()], expected, OK, mode)

    def test_a_ping_of_126_bytes_fails(self, served: Served, mode: str) -> None:
        """2.5: control frames are short."""
        check(served, [ping(b"\xfe" * 126), ping(b"later")], [], PROTOCOL, mode)


HELLO = text("Hello, world!")
ECHOED: Answers = [(TEXT, b"Hello, world!")]
LATER = [ping(b"later"), text("later"), closing(4000)]
BAD_FRAMES: list[Case] = [
    *[(f"3.{rsv} in {op}", [frame(b"Hello, world!", op, rsv=rsv)], []) for rsv in range(1, 8) for op in (TEXT, BINARY)],
    *[(f"3.6 RSV {rsv} in a ping", [frame(b"Hello, world!", PING, rsv=rsv)], []) for rsv in range(1, 8)],
    *[(f"3.7 RSV {rsv} in a close", [frame(b"\x03\xe8", CLOSE, rsv=rsv)], []) for rsv in range(1, 8)],
    *[(f"4.1, 4.2: opcode {op}", [frame(b"", op)], []) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    *[(f"4.1, 4.2: opcode {op}, payload", [frame(b"reserved", op)], []) for op in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    ("5.1: a fragmented ping", fragments(PING, b"fragment1", b"fragment2"), []),
    ("5.2: a fragmented pong", fragments(PONG, b"fragment1", b"fragment2"), []),
    ("5.9: a continuation of nothing", [frame(b"x", CONTINUATION), HELLO], []),
    ("5.12: the beginning of one", [frame(b"x", CONTINUATION, fin=False), HELLO], []),
    (
        "5.15: a continuation of what is over",
        [*fragments(TEXT, b"a", b"b"), frame(b"c", CONTINUATION)],
        [(TEXT, b"ab")],
    ),
    ("5.16: twice", [frame(b"x", CONTINUATION, fin=False), HELLO, frame(b"y", CONTINUATION)] * 2, []),
    ("5.17: twice, with FIN", [frame(b"x", CONTINUATION), HELLO, frame(b"y", CONTINUATION)] * 2, []),
    ("5.18: a text inside a text", [frame(b"a", fin=False), frame(b"b")], []),
]


@pytest.mark.parametrize("mode", MODES)
@table(BAD_FRAMES)
class TestStrictness:
    """3, 4, 5: reserved bits, reserved opcodes, fragments out of order. Strict: what came before is still answered."""

    def test_a_bad_frame_fails(self, served: Served, frames: list[bytes], expected: Answers, mode: str) -> None:
        """3.1, 3.5 to 3.7, 4.*.1, 4.*.2, 5.*: whatever else is in the same write is not looked at."""
        check(served, [*frames, *LATER], expected, PROTOCOL, mode)

    def test_what_came_before_is_echoed(
        self, served: Served, frames: list[bytes], expected: Answers, mode: str
    ) -> None:
        """3.2 to 3.4, 4.*.3 to 4.*.5: the good message's echo comes before the close, and no pong for a later ping."""
        check(served, [HELLO, *frames, *LATER], [*ECHOED, *expected], PROTOCOL, mode)


A, B, C = fragments(TEXT, b"frag\xc3", b"\xa9me", b"nts")
ABC = (TEXT, "fragéments".encode())
FRAGMENTED: list[Case] = [
    ("5.3", fragments(TEXT, b"fragment1", b"fragment2"), [(TEXT, b"fragment1fragment2")]),
    ("5.6", [A, ping(b"ping"), B, C], [(PONG, b"ping"), ABC]),
    ("5.9, a pong", [A, frame(b"pong", PONG), B, C], [ABC]),
    ("5.19", [A, ping(b"1"), B, ping(b"2"), C], [(PONG, b"1"), (PONG, b"2"), ABC]),
    ("5.20", [A, ping(b"1"), ping(b"2"), B, ping(b"3"), C], [(PONG, b"1"), (PONG, b"2"), (PONG, b"3"), ABC]),
    ("6.1.1", [text("")], [(TEXT, b"")]),
    ("6.1.2", fragments(TEXT, b"", b"", b""), [(TEXT, b"")]),
    ("6.1.3", fragments(TEXT, b"", b"middle frame payload", b""), [(TEXT, b"middle frame payload")]),
]


@pytest.mark.parametrize("mode", MODES)
@table(FRAGMENTED)
def test_fragments_are_put_together(served: Served, frames: list[bytes], expected: Answers, mode: str) -> None:
    """5.3 to 5.8, 5.19, 5.20, 6.1: with control frames in between, which are answered at once."""
    check(served, [*frames, closing()], expected, OK, mode)


# --- 6: UTF-8 -------------------------------------------------------------------------------------

KOSME = "κόσμε".encode()
VALID: list[tuple[str, bytes]] = [
    ("6.2", "Hello-µ@ßöäüàá-UTF-8!!".encode()),
    ("6.5", KOSME),
    *[(f"6.7.{i}", chr(code).encode()) for i, code in enumerate((0, 0x80, 0x800, 0x10000), 1)],
    *[(f"6.9.{i}", chr(code).encode()) for i, code in enumerate((0x7F, 0x7FF, 0xFFFF, 0x10FFFF), 1)],
    *[(f"6.11.{i}", chr(code).encode()) for i, code in enumerate((0xD7FF, 0xE000, 0xFFFD, 0x10FFFF), 1)],
    *[(f"6.22 {plane}FFFE", chr(plane << 16 | 0xFFFE).encode()) for plane in range(17)],
    *[(f"6.22 {plane}FFFF", chr(plane << 16 | 0xFFFF).encode()) for plane in range(17)],
    ("6.23", "\ufffd\ufeff\u2028".encode()),
]
INVALID: list[tuple[str, bytes]] = [
    ("6.3", KOSME + b"\xed\xa0\x80" + b"edited"),
    ("6.4", KOSME + b"\xf4\x90\x80\x80" + b"edited"),
    *[(f"6.6.{size}", KOSME[:size]) for size in range(1, len(KOSME)) if size % 2],
    *[(f"6.8.{i}", data) for i, data in enumerate((b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"), 1)],
    ("6.10.1", b"\xf7\xbf\xbf\xbf"),
    ("6.10.2", b"\xfb\xbf\xbf\xbf\xbf"),
    ("6.10.3", b"\xfd\xbf\xbf\xbf\xbf\xbf"),
    ("6.11.5", b"\xf4\x90\x80\x80"),
    *[(f"6.12 {size}", b"\x80\xbf"[:size] * (size // 3 + 1)) for size in (1, 2, 3, 6)],
    *[(f"6.13 {first:#x}", b"%c " % first) for first in (0xC0, 0xC1, 0xDF, 0xE0, 0xEF, 0xF0, 0xF7, 0xF8, 0xFC)],
    *[
        (f"6.14 {data.hex()}", data)
        for data in (b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf")
    ],
    ("6.15", b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf"),
    *[(f"6.16 {data.hex()}", data) for data in (b"\xfe", b"\xff", b"\xfe\xfe\xff\xff")],
    *[(f"6.17 {data.hex()}", data) for data in (b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf")],
    *[(f"6.18 {data.hex()}", data) for data in (b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf")],
    *[(f"6.19 {data.hex()}", data) for data in (b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80")],
    *[(f"6.20 {data.hex()}", data) for data in (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xbe\x80", b"\xed\xbf\xbf")],
    *[(f"6.21 {data.hex()}", data) for data in (b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf")],
]  # fmt: skip
VALID_TABLE = pytest.mark.parametrize("payload", [case[1] for case in VALID], ids=[case[0] for case in VALID])
INVALID_TABLE = pytest.mark.parametrize("payload", [case[1] for case in INVALID], ids=[case[0] for case in INVALID])


@pytest.mark.parametrize("mode", MODES)
class TestUTF8:
    """6: text, whole, cut into fragments of a byte, and in pieces."""

    @VALID_TABLE
    def test_what_is_utf_8_is_echoed(self, served: Served, payload: bytes, mode: str) -> None:
        """6.2, 6.5, 6.7, 6.9, 6.11, 6.22, 6.23: every scalar value."""
        frames = [frame(payload), *fragments(TEXT, *one_by_one(payload)), closing()]
        check(served, frames, [(TEXT, payload), (TEXT, payload)], OK, mode)

    @INVALID_TABLE
    def test_what_is_not_fails(self, served: Served, payload: bytes, mode: str) -> None:
        """6.3, 6.6, 6.8, 6.10 to 6.21: with 1007, after what came before."""
        check(served, [HELLO, frame(payload), *LATER], ECHOED, UTF_8, mode)
        check(served, [HELLO, *fragments(TEXT, *one_by_one(payload)), *LATER], ECHOED, UTF_8, mode)


@pytest.mark.parametrize("bad", [b"\xf4\x90\x80\x80", b"\xf4\x90", b"\xed\xa0\x80", b"\xff", b"\xc0"])
class TestFailsFast:
    """6.4: the peer that has sent something wrong is told so, before it has sent the rest."""

    def test_in_an_unfinished_message(self, served: Served, bad: bytes) -> None:
        """6.4.1, 6.4.2: the bad bytes end a fragment, the message has more."""
        check(served, [frame(KOSME, fin=False), frame(bad, CONTINUATION, fin=False)], [], UTF_8)

    @pytest.mark.parametrize("mode", ["in one write", "byte by byte"])
    def test_in_an_unfinished_frame(self, served: Served, bad: bytes, mode: str) -> None:
        """6.4.3, 6.4.4: the frame has more."""
        check(served, [frame(KOSME + bad, length=len(KOSME) + 1000)], [], UTF_8, mode)


# --- 7: closing -----------------------------------------------------------------------------------

CLOSES: list[tuple[str, list[bytes], Answers, int]] = [
    ("7.1.1", [HELLO, closing()], ECHOED, OK),
    ("7.1.2", [closing(), closing()], [], OK),
    ("7.1.3", [closing(), ping(b"late")], [], OK),
    ("7.1.4", [closing(), text("late")], [], OK),
    ("7.1.5", [frame(b"fragment1", fin=False), closing(), frame(b"fragment2", CONTINUATION)], [], OK),
    ("7.1.6", [binary(b"BAsd7&jh23" * 26215), HELLO, closing(), ping(b"late")],
     [(BINARY, b"BAsd7&jh23" * 26215), *ECHOED], OK),
    ("7.3.2", [frame(b"a", CLOSE)], [], PROTOCOL),
    ("7.3.3", [closing()], [], OK),
    ("7.3.4", [closing(1000, b"Hello World!")], [], OK),
    ("7.3.5", [closing(1000, b"*" * 123)], [], OK),
    ("7.3.6", [closing(1000, b"*" * 124)], [], PROTOCOL),
    ("7.5.1", [closing(1000, b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64")], [], UTF_8),
    *[(f"7.7 {code}", [closing(code, b"reason")], [], code)
      for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)],
    *[(f"7.9 {code}", [closing(code)], [], PROTOCOL)
      for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535)],
    *[(f"7.9 {code} and a reason", [closing(code, b"reason")], [], PROTOCOL) for code in (0, 1005, 1015, 2999)],
]  # fmt: skip


@pytest.mark.parametrize("mode", ["in one write", "frame by frame"])
@pytest.mark.parametrize(
    ("frames", "expected", "code"), [case[1:] for case in CLOSES], ids=[case[0] for case in CLOSES]
)
def test_a_close_is_answered(served: Served, frames: list[bytes], expected: Answers, code: int, mode: str) -> None:
    """7: once, after everything before it; what is behind it is ignored."""
    check(served, frames, expected, code, mode)


def test_a_close_of_nothing_is_answered(served: Served) -> None:
    """7.3.1: with no code, or 1000."""
    with served.opened() as client:
        client.send(closing(None))
        assert client.closed_with()[0] in (1000, 1005)


# --- 9, 10: sizes ---------------------------------------------------------------------------------


def exchange(client: Client, pieces: Iterable[bytes], opcode: int, payload: bytes) -> None:
    """Send the pieces, one write each; the payload must come back as one message."""
    client.send(b"", pieces)
    assert client.read_frame() == (True, 0, opcode, payload)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
class TestLimits:
    """9.1 to 9.8, 10.1: large messages, whole, in fragments and in small writes; many messages."""

    @pytest.mark.parametrize("size", [64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB])
    def test_a_large_message_is_echoed(self, served: Served, opcode: int, size: int) -> None:
        """9.1, 9.2: in one frame."""
        payload = words(size, opcode)
        with served.opened() as client:
            exchange(client, [frame(payload, opcode)], opcode, payload)

    @pytest.mark.parametrize(
        ("size", "step"),
        [(MIB // 2, 64), (MIB, 256), (MIB, KIB), (MIB, 4 * KIB), (4 * MIB, 16 * KIB), (4 * MIB, 64 * KIB),
         (16 * MIB, 256 * KIB), (65536, 1300)],
    )  # fmt: skip
    def test_a_fragmented_message_is_echoed(self, served: Served, opcode: int, size: int, step: int) -> None:
        """9.3, 9.4, 10.1: in fragments of one size."""
        payload = words(size, opcode)
        with served.opened() as client:
            exchange(client, [b"".join(fragments(opcode, *cut(payload, step)))], opcode, payload)

    @pytest.mark.parametrize("step", [64, 128, 256, 512, KIB, 2 * KIB])
    def test_a_frame_in_small_writes_is_echoed(self, served: Served, opcode: int, step: int) -> None:
        """9.5, 9.6: one frame, in many writes."""
        payload = words(64 * KIB * (1 + step // 256), opcode)
        with served.opened() as client:
            exchange(client, cut(frame(payload, opcode), step), opcode, payload)

    @pytest.mark.parametrize("size", [0, 16, 64, 256, KIB, 4 * KIB])
    def test_many_messages_are_echoed(self, served: Served, opcode: int, size: int) -> None:
        """9.7, 9.8: one after the other, and then as many at once."""
        payload = words(size, opcode)
        data = frame(payload, opcode)
        with served.opened() as client:
            for _ in range(50):
                exchange(client, [data], opcode, payload)
            writer = threading.Thread(target=client.send, args=(data * 500,))
            writer.start()
            assert {client.read_frame() for _ in range(500)} == {(True, 0, opcode, payload)}
            writer.join()


# --- 12, 13: compression --------------------------------------------------------------------------

DEFLATE = "permessage-deflate"
OFFERS = {
    "13.1": (f"{DEFLATE}", 15, False),
    "13.2": (f"{DEFLATE}; server_no_context_takeover", 15, True),
    "13.3": (f"{DEFLATE}; server_max_window_bits=9", 9, False),
    "13.4": (f"{DEFLATE}; server_max_window_bits=15", 15, False),
    "13.5": (f"{DEFLATE}; server_max_window_bits=9; server_no_context_takeover", 9, True),
    "13.6": (f"{DEFLATE}; server_max_window_bits=15; server_no_context_takeover", 15, True),
    "13.7": (
        f"{DEFLATE}; server_max_window_bits=9; unknown, {DEFLATE}; server_no_context_takeover, {DEFLATE}",
        15,
        True,
    ),
}
SAMPLE = Random(7).randbytes(20000).hex().encode() + "κόσμε ".encode() * 3000


def converse(client: Client, opcode: int, bits: int, forgets: bool, sizes: Iterable[int], step: int = 0) -> None:
    """Send compressed messages, in fragments of `step` bytes; each must come back, with no more window than asked."""
    deflater = zlib.compressobj(wbits=-15)
    inflater = zlib.decompressobj(wbits=-bits)
    for size in sizes:
        payload = (SAMPLE * (size // len(SAMPLE) + 1))[:size]
        payload = payload.decode(errors="ignore").encode()
        data = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
        client.send(b"", fragments(opcode, *cut(data, step or len(data)), rsv=4))
        fin, rsv, answered, answer = client.read_frame()
        assert (fin, answered) == (True, opcode)
        if rsv:
            assert rsv == 4
            if forgets:
                inflater = zlib.decompressobj(wbits=-bits)
            answer = inflater.decompress(answer + b"\x00\x00\xff\xff")
        assert answer == payload


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
class TestCompression:
    """12, 13: messages of each size, many of them, over what can be agreed on."""

    @pytest.mark.parametrize("size", [16, 64, 256, KIB, 4 * KIB, 8 * KIB, 16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB])
    def test_compressed_messages_are_echoed(self, served: Served, opcode: int, offer: str, size: int) -> None:
        """12.*.1 to 12.*.10, 13.*: the same size again and again."""
        value, bits, forgets = OFFERS[offer]
        with served.opened(b"Sec-WebSocket-Extensions: %b\r\n" % value.encode()) as client:
            converse(client, opcode, bits, forgets, [size] * (20 if size < 8 * KIB else 3))

    def test_compressed_fragments_are_echoed(self, served: Served, opcode: int, offer: str) -> None:
        """12.*.11 to 12.*.18, 13.*: sizes that change, in fragments."""
        value, bits, forgets = OFFERS[offer]
        with served.opened(b"Sec-WebSocket-Extensions: %b\r\n" % value.encode()) as client:
            converse(client, opcode, bits, forgets, [0, 1, 70000, 5, 30000, MIB], 256)
            client.send(closing())
            assert client.closed_with() == (1000, "")
