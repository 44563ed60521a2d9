"""RFC 6455 §5 to §8, WebSockets: what a frame and a message are, and how a connection ends.

Frames are sent whole, byte by byte, and with more behind them: what follows a good message is served, what follows a
close frame or a broken rule must never be interpreted.
"""

import asyncio
import queue
import threading
import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from tests.live import LOOPS, Notes, live, one_by_one
from tests.websocket import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    Client,
    Echo,
    Served,
    Visit,
    binary,
    closing,
    cut,
    fragments,
    frame,
    opened,
    ping,
    saying,
    text,
)

from portico.asgi import ClientDisconnected, MessageError, Receive, Scope, Send

LATER = text("later") + ping(b"later") + closing(4999, b"later")
MODES = ("whole", "byte by byte", "with trailing bytes", "byte by byte with trailing bytes")
CONTROLS = (CLOSE, PING, PONG)
OPCODES = (CONTINUATION, TEXT, BINARY, *CONTROLS)


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    app = Echo()
    with live(app, ws_ping_interval=None) as server:
        yield Served(server, app)


@pytest.fixture
def served(shared: Served, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    yield shared
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []  # the peer's fault is no error


def ended(
    served: Served, data: bytes, mode: str, code: int, before: Sequence[str | bytes] = (), said: int | None = None
) -> tuple[Visit, str]:
    """Send what must end the connection with this code; return what the app saw of it, and the reason given.

    Args:
        before: The messages that come back first, and nothing else.
        said: The code that the app is told, if it is another one.
    """
    if "trailing" in mode:
        data += LATER
    with served.opened() as client:
        client.send(data, one_by_one(data) if mode.startswith("byte") else None)
        assert [client.message() for _ in before] == list(before)
        closed, reason = client.closed_with()
        assert closed == code
        visit = served.visit(client)
        assert visit.end()[0] == (code if said is None else said)
        assert visit.received == list(before)
    return visit, reason


# --- §5.1, §5.2, §5.4, §5.5: what a frame may not be ----------------------------------------------

Break = tuple[str, bytes, int]


def head(opcode: int, *, fin: bool = True, rsv: int = 0, length: int = 0, form: int | None = None) -> bytes:
    """Return the head of a masked frame up to its key."""
    return frame(b"", opcode, fin=fin, rsv=rsv, length=length, form=form, mask=b"")


HEADS: list[Break] = [
    *[(f"RSV {rsv:03b} in {opcode}", head(opcode, rsv=rsv), 1002) for rsv in range(1, 8) for opcode in OPCODES],
    *[(f"opcode {opcode}", head(opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    *[(f"a fragment {opcode}", head(opcode, fin=False), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)],
    *[(f"{opcode} without a mask", bytes((0x80 | opcode, 5)), 1002) for opcode in OPCODES],
    *[(f"a fragmented control frame {opcode}", head(opcode, fin=False), 1002) for opcode in CONTROLS],
    *[(f"a control frame {opcode} of 126", head(opcode, length=126), 1002) for opcode in CONTROLS],
    *[(f"a control frame {opcode} of 65536", head(opcode, length=65536), 1002) for opcode in CONTROLS],
    *[(f"{size} in 16 bits", head(BINARY, length=size, form=16), 1002) for size in (0, 1, 125)],
    *[(f"{size} in 64 bits", head(BINARY, length=size, form=64), 1002) for size in (0, 125, 126, 65535)],
    *[(f"a length of {size:#x}", head(BINARY, length=size), 1002) for size in (1 << 63, (1 << 64) - 1)],
    ("a continuation of nothing", head(CONTINUATION), 1002),
    ("a first continuation of nothing", head(CONTINUATION, fin=False), 1002),
    ("a text inside a text", frame(b"a", fin=False) + head(TEXT), 1002),
    ("a binary inside a text", frame(b"a", fin=False) + head(BINARY), 1002),
    ("a fragment inside a binary", frame(b"a", BINARY, fin=False) + head(BINARY, fin=False), 1002),
    ("a text inside a text of nothing yet", frame(b"", fin=False) + head(TEXT), 1002),
    ("RSV in the second fragment", frame(b"a", fin=False) + head(CONTINUATION, rsv=4), 1002),
    ("no mask in the second fragment", frame(b"a", fin=False) + b"\x80\x01", 1002),
    ("no mask in a ping inside a message", frame(b"a", fin=False) + b"\x89\x00", 1002),
    ("a message of 16 MiB and 1", head(BINARY, length=(1 << 24) + 1), 1009),
    ("a message of 2**63 - 1", head(TEXT, length=(1 << 63) - 1), 1009),
    ("fragments of 16 MiB and 1", frame(b"ab", fin=False) + head(CONTINUATION, length=(1 << 24) - 1), 1009),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("data", "code"), [case[1:] for case in HEADS], ids=[case[0] for case in HEADS])
def test_a_bad_frame_is_noticed_in_its_head(served: Served, data: bytes, code: int, mode: str) -> None:
    """§5.1, §5.2, §5.4, §5.5, §10.4: a peer that breaks a rule MUST be failed; no rule here needs the payload."""
    ended(served, text("before") + data, mode, code, ["before"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "data",
    [
        *[frame(b"hello", opcode, mask=None) for opcode in (TEXT, BINARY, PING, PONG)],
        frame(b"\x03\xe8", CLOSE, mask=None),
        frame(b"hello", rsv=4),
        frame(b"hello", 3),
        frame(bytes(126), PING),
        frame(b"\x03\xe8" + bytes(124), CLOSE),
        frame(b"hello", form=16),
        frame(b"hello", form=64),
        frame(b"hello", PING, form=16),
        frame(b"hello", CONTINUATION),
    ],
    ids=bytes.hex,
)
def test_a_bad_frame_is_never_interpreted(served: Served, data: bytes, mode: str) -> None:
    """§7.1.7: nothing of a bad frame is taken, nor of what follows it; what came before is served first."""
    ended(served, text("before") + data, mode, 1002, ["before"])


def test_a_message_that_is_over_cannot_be_continued(served: Served) -> None:
    """§5.4: the fragment with FIN is the last."""
    ended(served, b"".join(fragments(TEXT, b"a", b"b")) + frame(b"c", CONTINUATION), "whole", 1002, ["ab"])


# --- §5: what a message is ------------------------------------------------------------------------

GOOD: list[tuple[str, bytes, Sequence[str | bytes]]] = [
    ("a text", text("hello"), ["hello"]),
    ("a binary", binary(b"\x00\xff"), [b"\x00\xff"]),
    ("a text of nothing", text(""), [""]),
    ("a binary of nothing", binary(b""), [b""]),
    ("binary is not decoded", binary(b"abc"), [b"abc"]),
    ("the example of §5.7", bytes.fromhex("818537fa213d7f9f4d5158"), ["Hello"]),
    ("two fragments", b"".join(fragments(TEXT, b"Hel", b"lo")), ["Hello"]),
    ("three binary fragments", b"".join(fragments(BINARY, b"a", b"\xff", b"c")), [b"a\xffc"]),
    ("a fragment for each byte", b"".join(fragments(TEXT, *one_by_one("kůň 🐎".encode()))), ["kůň 🐎"]),
    ("fragments of nothing", b"".join(fragments(TEXT, b"", b"", b"")), [""]),
    ("fragments of nothing around one", b"".join(fragments(BINARY, b"", b"a", b"")), [b"a"]),
    ("a last fragment of nothing", b"".join(fragments(TEXT, b"a", b"")), ["a"]),
    ("many fragments of nothing", b"".join(fragments(TEXT, b"a", *[b""] * 100, b"b")), ["ab"]),
    ("each fragment has its mask", frame(b"abc", mask=b"1234", fin=False) + frame(b"de", 0, mask=b"5678"), ["abcde"]),
    ("messages of both kinds", text("a") + binary(b"b") + text("c"), ["a", b"b", "c"]),
    ("fragmented messages", b"".join(fragments(TEXT, b"a", b"b") + fragments(BINARY, b"c", b"d")), ["ab", b"cd"]),
    ("a pong that nobody asked for", frame(b"x", PONG) + text("a"), ["a"]),
    ("a pong of nothing", frame(b"", PONG) + text("a"), ["a"]),
    ("a pong inside a message", frame(b"a", fin=False) + frame(b"x", PONG) + frame(b"b", CONTINUATION), ["ab"]),
    *[(f"{size} bytes", text("x" * size), ["x" * size]) for size in (1, 125, 126, 127, 128, 255, 256)],
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_a_message_is_understood(served: Served, data: bytes, expected: Sequence[str | bytes], mode: str) -> None:
    """§5.4: fragments MUST be put together, of whatever size; §5.5.3: a pong that was not asked for needs no answer."""
    data += closing()
    ended(served, data, mode, 1000, expected)


@pytest.mark.parametrize("size", [65535, 65536, 65537, 1 << 20, (1 << 24) - 1, 1 << 24])
@pytest.mark.parametrize("pieces", [1, 3])
def test_a_large_message_is_understood(served: Served, size: int, pieces: int) -> None:
    """§5.2: lengths of 16 and of 64 bits; the limit is 16 MiB, and includes it."""
    payload = (b"0123456789abcde" * (size // 15 + 1))[:size]
    with served.opened() as client:
        client.send(b"", fragments(BINARY, *cut(payload, -(-size // pieces))))
        assert client.message() == payload


@pytest.mark.parametrize("mask", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04", b"\x80\x00\x00\x7f"])
def test_every_octet_is_unmasked_with_its_own(served: Served, mask: bytes) -> None:
    """§5.3: octet i of the payload is XORed with octet i modulo 4 of the key, whatever the length."""
    sizes = (*range(20), 125, 126, 1021, 65536, 70001)
    payloads = [bytes(i * 7 & 255 for i in range(size)) for size in sizes]
    with served.opened() as client:
        for payload in payloads:
            client.send(frame(payload, BINARY, mask=mask))
            assert client.message() == payload


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_the_key_goes_on_where_a_frame_is_cut(served: Served, size: int) -> None:
    """§5.3: how the bytes of a frame arrive has nothing to do with their mask."""
    payload = bytes(range(256)) * 2
    with served.opened() as client:
        client.send(b"", cut(frame(payload, BINARY, mask=b"\x01\x23\x45\x67"), size))
        assert client.message() == payload


# --- §5.5.2, §5.5.3: ping and pong ------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
@pytest.mark.parametrize("data", [b"", b"a", b"\x00\xff\xfe", b"x" * 125])
def test_a_ping_is_answered_with_its_data(served: Served, data: bytes, mode: str) -> None:
    """§5.5.2: a pong MUST be sent; §5.5.3: with the same data, which need not be UTF-8."""
    with served.opened() as client:
        client.send(ping(data), one_by_one(ping(data)) if mode.startswith("byte") else None)
        assert client.pong() == data


def test_pings_are_answered_in_order(served: Served) -> None:
    """§5.5.3: one pong for each where the peer reads them."""
    with served.opened() as client:
        client.send(b"".join(ping(b"%d" % i) for i in range(10)))
        assert [client.pong() for _ in range(10)] == [b"%d" % i for i in range(10)]


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
def test_a_ping_inside_a_message_is_answered_at_once(served: Served, mode: str) -> None:
    """§5.4: control frames MAY come inside a fragmented message, and do not change it."""
    first, second, third = fragments(TEXT, b"a\xc3", b"\xa9", b"b")
    with served.opened() as client:
        for data, pong in ((first + ping(b"1"), b"1"), (second + ping(b"2"), b"2")):
            client.send(data, one_by_one(data) if mode.startswith("byte") else None)
            assert client.pong() == pong
        client.send(third)
        assert client.message() == "aéb"


def test_a_peer_that_reads_no_pongs_gets_the_last_one(served: Served) -> None:
    """§5.5.3: an endpoint MAY answer only the latest ping, so that pings need not be kept; the latest it MUST."""
    count = 60000
    with served.opened(receive_buffer=4096) as client:
        client.send(b"".join(ping(b"%0100d" % i) for i in range(count)))
        last = -1
        while last < count - 1:
            data = int(client.pong())
            assert data > last
            last = data


# --- §5.5.1, §7: the closing handshake ------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
)
def test_a_close_is_answered_with_its_code(served: Served, code: int, mode: str) -> None:
    """§5.5.1: a close MUST be answered, typically with its code; §7.1.1: and the server MUST close TCP at once."""
    ended(served, closing(code), mode, code)


@pytest.mark.parametrize("mode", MODES)
def test_a_close_without_a_code_is_answered(served: Served, mode: str) -> None:
    """§7.1.5: no code is 1005 to the application; §7.4.1: and 1005 MUST NOT be sent."""
    with served.opened() as client:
        data = closing(None) + (LATER if "trailing" in mode else b"")
        client.send(data, one_by_one(data) if mode.startswith("byte") else None)
        assert client.closed_with()[0] in (NO_CODE, 1000)
        assert served.visit(client).end() == (NO_CODE, "")


@pytest.mark.parametrize("reason", ["", "a", "žluť 🐎", "x" * 123])
def test_the_application_is_told_the_reason(served: Served, reason: str) -> None:
    """§7.1.6: the reason is UTF-8, of up to 123 bytes."""
    with served.opened() as client:
        client.send(closing(4000, reason.encode()))
        assert client.closed_with()[0] == 4000
        assert served.visit(client).end() == (4000, reason)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32768, 65535])
def test_a_code_that_may_not_be_sent_is_a_protocol_error(served: Served, code: int, mode: str) -> None:
    """§7.4.1: 1004, 1005, 1006 and 1015 MUST NOT be sent; §7.4.2: below 1000 and to 2999 nobody may but by an RFC."""
    ended(served, closing(code), mode, 1002)
    ended(served, closing(code, b"reason"), mode, 1002)


@pytest.mark.parametrize("mode", MODES)
def test_a_close_of_one_byte_is_a_protocol_error(served: Served, mode: str) -> None:
    """§5.5.1: if there is a body, its first two bytes MUST be a code."""
    ended(served, frame(b"\x03", CLOSE), mode, 1002)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reason", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"a" * 122 + b"\xe2"])
def test_a_reason_that_is_not_utf_8_fails(served: Served, reason: bytes, mode: str) -> None:
    """§5.5.1, §8.1: the reason MUST be UTF-8."""
    ended(served, closing(1000, reason), mode, 1007)


@pytest.mark.parametrize("mode", MODES)
def test_messages_before_a_close_are_served_first(served: Served, mode: str) -> None:
    """§5.5.1, §6.2: a close frame comes after what was sent before it, and an answer is no less in order."""
    messages = [f"{i}" * i for i in range(40)]
    ended(served, b"".join(map(text, messages)) + closing(1001), mode, 1001, messages)


@pytest.mark.parametrize("end", [closing(1001), frame(b"", 3)], ids=["a close", "a violation"])
@pytest.mark.parametrize("size", [65535, 65536, 100000])
def test_a_message_that_fills_the_queue_is_served_before_the_end(served: Served, size: int, end: bytes) -> None:
    """§5.5.1: as above, where reading goes on only because the application takes a message."""
    ended(served, binary(bytes(size)) + end, "whole", 1001 if end == closing(1001) else 1002, [bytes(size)])


@pytest.mark.parametrize(
    ("end", "code"), [(closing(1001), 1001), (frame(b"", 3), 1002)], ids=["a close", "a violation"]
)
def test_the_end_waits_for_a_slow_answer_to_what_came_before(end: bytes, code: int) -> None:
    """§5.5.1, §7.1.7: as above, while the application is still at the last message and the peer goes on talking."""
    notes: Notes = queue.Queue()
    go = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send(ACCEPT)
        message = await receive()
        if scope["path"] == "/slow":
            notes.put("busy")
            await asyncio.to_thread(go.wait, 5)
        await send({"type": "websocket.send", "text": message["text"]})
        await receive()

    with live(app) as server, opened(server.port, "/slow") as client:
        client.send(text("a") + end)
        assert notes.get(timeout=5) == "busy"
        for _ in range(2):
            client.send(LATER)
            with opened(server.port) as other:  # whose answer says that the server has seen what was sent before
                other.send(text("b"))
                assert other.message() == "b"
        go.set()
        assert client.message() == "a"
        assert client.closed_with()[0] == code


@pytest.mark.parametrize("mode", MODES)
def test_a_message_that_a_close_cuts_off_is_no_message(served: Served, mode: str) -> None:
    """§6.2: a message is received when its last fragment is."""
    data = frame(b"a", fin=False) + closing() + frame(b"b", CONTINUATION)
    ended(served, data, mode, 1000)


def test_nothing_is_read_after_a_close(served: Served) -> None:
    """§1.4, §5.5.1: data behind a close is discarded, also when it comes later."""
    with served.opened() as client:
        client.send(closing())
        assert client.read_close() == (1000, "")
        client.send(LATER)
        assert client.rest() == b""
        assert served.visit(client).received == []


@pytest.mark.parametrize("end", [closing(), frame(b"", 3)], ids=["a close", "a violation"])
def test_what_follows_the_end_is_not_kept_while_the_application_is_busy(end: bytes) -> None:
    """§5.5.1, §7.1.7: it is discarded, or not read: it costs no memory, however long the messages before it wait."""
    go = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send(ACCEPT)
        await asyncio.to_thread(go.wait, 5)
        while (await receive())["type"] != "websocket.disconnect":
            pass

    with live(app) as server, opened(server.port) as client:
        client.send(text("a") + end)
        client.socket.settimeout(0.5)
        tracemalloc.start()
        try:
            piece = bytes(1 << 20)
            for _ in range(32):
                client.send(piece)
        except TimeoutError:  # the server has stopped reading
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            go.set()
    assert peak < 8 << 20


@pytest.mark.parametrize("on", list(LOOPS))
def test_a_peer_that_does_not_wait_for_the_answer_is_no_error(on: str, caplog: pytest.LogCaptureFixture) -> None:
    """§7.1.1: a peer may be gone before its close is answered; what it said last still counts."""
    notes: Notes = queue.Queue()
    go = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        await send(ACCEPT)
        notes.put(await receive())
        go.wait(5)  # the loop does not see the peer go
        notes.put(await receive())

    with live(app, on=on) as server:
        with opened(server.port) as client:
            client.send(text("a") + closing(4000))
            assert notes.get(timeout=5) == {"type": "websocket.receive", "text": "a"}
        go.set()
        assert notes.get(timeout=5) == {"type": "websocket.disconnect", "code": 4000, "reason": ""}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_connection_that_just_ends_is_1006(served: Served) -> None:
    """§7.1.5: without a close frame the code is 1006, which nobody sends."""
    for leave in (Client.half_close, Client.abort):
        with served.opened() as client:
            client.send(text("a") + frame(b"b", fin=False))
            assert client.message() == "a"
            leave(client)
            assert served.visit(client).end()[0] == 1006
            assert served.visit(client).received == ["a"]


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_application_closes(code: int) -> None:
    """§5.5.1, §7.1.2: code and reason are sent; §7.1.1: TCP is closed when both sides have sent their close."""
    app, notes = saying(ACCEPT, {"type": "websocket.close", "code": code, "reason": "žluť"})
    with live(app) as server, opened(server.port) as client:
        assert client.read_close() == (code, "žluť")
        client.send(text("late") + closing(4321))
        assert client.rest() == b""
        assert notes.get(timeout=5)["type"] == "websocket.disconnect"


def test_a_ping_is_answered_until_the_peer_has_closed() -> None:
    """§5.5.2: a pong MUST be sent unless a close was received; §5.5.1: only data frames end with our own close."""
    app, _ = saying(ACCEPT, {"type": "websocket.close"})
    with live(app) as server, opened(server.port) as client:
        assert client.read_close() == (1000, "")
        client.send(text("late") + ping(b"late"))
        assert client.pong() == b"late"
        client.send(closing() + LATER)
        assert client.rest() == b""


def test_a_close_waits_for_the_peers() -> None:
    """§7.1.1: a server that has sent a close waits for the answer before it closes TCP."""
    app, _ = saying(ACCEPT, {"type": "websocket.close"})
    with live(app) as server, opened(server.port) as client:
        assert client.read_close() == (1000, "")
        client.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.fill()
        client.socket.settimeout(5)
        client.send(closing())
        assert client.rest() == b""


def test_two_closes_that_cross_are_enough() -> None:
    """§7.1.3: both have sent and received a close: no second answer."""
    app, _ = saying(ACCEPT, {"type": "websocket.close", "code": 4001})
    with live(app) as server, opened(server.port) as client:
        client.send(closing(4002))
        assert client.closed_with()[0] in (4001, 4002)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
def test_the_application_cannot_send_a_code_that_may_not_be_sent(code: int) -> None:
    """§7.4.1: 1005, 1006 and 1015 MUST NOT be in a close frame; §7.4.2: nor what nobody has registered."""
    app, notes = saying(ACCEPT, {"type": "websocket.close", "code": code})
    with live(app) as server, opened(server.port) as client:
        assert isinstance(notes.get(timeout=5), MessageError)
        assert client.read_close()[0] == 1011  # the application has failed
        client.send(closing(1011))
        assert client.rest() == b""


def test_a_reason_has_no_more_than_123_bytes() -> None:
    """§5.5: a control frame MUST have 125 bytes or fewer."""
    app, notes = saying(ACCEPT, {"type": "websocket.close", "reason": "é" * 62})
    with live(app) as server, opened(server.port):
        assert isinstance(notes.get(timeout=5), MessageError)


@pytest.mark.parametrize("message", [{"text": "a"}, {"bytes": b"a"}])
def test_nothing_is_sent_after_a_close(message: dict[str, str | bytes]) -> None:
    """§5.5.1: the application MUST NOT send any more data frames after sending a close."""
    app, notes = saying(ACCEPT, {"type": "websocket.close"}, {"type": "websocket.send", **message})
    with live(app) as server, opened(server.port) as client:
        assert isinstance(notes.get(timeout=5), MessageError | ClientDisconnected)
        assert client.read_close() == (1000, "")
        client.send(closing())
        assert client.rest() == b""


# --- §5.6, §8: text is UTF-8 ------------------------------------------------------------------------

INVALID = [
    b"\x80", b"\xbf", b"a\x80b", b"\xc0\x80", b"\xc1\xbf", b"\xc3", b"\xc3a", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
    b"\xe2", b"\xe2\x82", b"\xe2\x82a", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x90", b"\xf0\x9f\x90a", b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", "aé".encode("utf-16"), "aé".encode("latin-1"),
]  # fmt: skip
VALID = ["", "\x00", "a", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufeffa", "\ufffd", "\ufffe",
         "\uffff", "\U00010000", "\U0001fffe", "\U0010ffff", "κόσμε", "e\u0301"]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("payload", INVALID, ids=bytes.hex)
def test_text_that_is_not_utf_8_fails(served: Served, payload: bytes, mode: str) -> None:
    """§8.1: the connection MUST be failed; §7.4.1: 1007."""
    ended(served, text("before") + frame(payload), mode, 1007, ["before"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("payload", INVALID, ids=bytes.hex)
def test_a_fragmented_text_that_is_not_utf_8_fails(served: Served, payload: bytes, mode: str) -> None:
    """§8.1: of the whole message, however it was cut."""
    ended(served, b"".join(fragments(TEXT, b"ok", *one_by_one(payload), b"")), mode, 1007)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("message", VALID, ids=ascii)
def test_all_that_is_utf_8_is_text(served: Served, message: str, mode: str) -> None:
    """§5.6, RFC 3629: every scalar value, those that are no characters included; a BOM is one of them."""
    payload = message.encode()
    data = text(message) + b"".join(fragments(TEXT, *one_by_one(payload), b"")) + closing()
    ended(served, data, mode, 1000, [message, message])


@pytest.mark.parametrize("payload", [b"ok\xff", b"\xed\xa0\x80", b"\xf4\x90", b"\xc0", b"\xe2\x28"], ids=bytes.hex)
def test_bad_utf_8_is_noticed_before_the_frame_is_whole(served: Served, payload: bytes) -> None:
    """§8.1: as soon as it is there; a peer that announces much and sends it slowly is not waited for."""
    for opening in (b"", frame("é".encode()[:1], fin=False)):
        good = "é".encode()[1:] if opening else b""
        data = frame(good + payload, CONTINUATION if opening else TEXT, length=1000)
        ended(served, opening + data, "whole", 1007)
        ended(served, opening + data, "byte by byte", 1007)


def test_binary_is_not_held_to_utf_8(served: Served) -> None:
    """§5.6: how a binary message is read is the application's affair."""
    ended(served, b"".join(map(binary, INVALID)) + closing(), "whole", 1000, INVALID)


def test_the_server_sends_no_text_that_is_not_utf_8() -> None:
    """§8.1, §5.6: a lone surrogate has no UTF-8."""
    app, notes = saying(ACCEPT, {"type": "websocket.send", "text": "\ud800"})
    with live(app) as server, opened(server.port) as client:
        assert isinstance(notes.get(timeout=5), MessageError)
        assert client.read_close()[0] == 1011


# --- §10.4: limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [1, 2, 100])
@pytest.mark.parametrize("payload", [b"x" * 1000, "é".encode() * 500], ids=["ASCII", "UTF-8"])
def test_a_message_may_be_as_large_as_the_limit(payload: bytes, pieces: int) -> None:
    """§10.4: a limit SHOULD be imposed on frames and on messages; it is in bytes. §7.4.1: 1009."""
    app = Echo()
    with live(app, ws_max_size=1000) as server:
        data = b"".join(fragments(TEXT, *cut(payload, 1000 // pieces)))
        over = b"".join(fragments(TEXT, *cut(payload, 1000 // pieces), b"y"))
        ended(Served(server, app), data + over, "with trailing bytes", 1009, [payload.decode()])


@pytest.mark.parametrize("on", list(LOOPS))
def test_every_loop_serves_websockets(on: str) -> None:
    """§5, §7: the same, whatever carries the bytes."""
    app = Echo()
    with live(app, on=on) as server:
        served = Served(server, app)
        messages: list[str | bytes] = ["a", b"b" * 200000, "č" * 70000]
        for mode in ("whole", "with trailing bytes"):
            ended(served, text("a") + binary(b"b" * 200000) + text("č" * 70000) + closing(4000), mode, 4000, messages)
            ended(served, text("a") + frame(b"\xff"), mode, 1007, ["a"])
        with served.opened() as client:
            client.send(ping(b"x"))
            assert client.pong() == b"x"
            client.half_close()
            assert client.rest() == b""
            assert served.visit(client).end()[0] == 1006
