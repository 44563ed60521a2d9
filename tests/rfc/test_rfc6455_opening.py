"""RFC 6455 §4, the opening handshake: who gets a 101, what it says, and what becomes of the bytes behind it.

A refused handshake is sent whole, byte by byte, and with frames and a request behind it that must not be interpreted.
"""

import asyncio
import queue
import threading
from collections.abc import Iterator

import pytest
from tests.live import LOOPS, Notes, Wire, answers, finished, live, one_by_one
from tests.websocket import (
    ACCEPT,
    BINARY,
    KEY,
    PONG,
    TEXT,
    Client,
    Echo,
    Served,
    accept_of,
    binary,
    closing,
    handshake,
    opened,
    ping,
    saying,
    text,
)

from portico.asgi import ClientDisconnected, Message, MessageError, Receive, Scope, Send

SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
LATER = text("later") + ping(b"later")


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    app = Echo()
    with live(app) as server:
        yield Served(server, app)


@pytest.fixture
def served(shared: Served, caplog: pytest.LogCaptureFixture) -> Iterator[Served]:
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0), shared.server.loop).result(5)  # the case before is over
    shared.app.visits.clear()
    yield shared
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []  # the peer's fault is no error


# --- §4.2.1: who gets a 101 -----------------------------------------------------------------------

Case = tuple[str, bytes, set[int]]
BAD = {400}


def rows(name: str, field: bytes, *values: bytes) -> list[Case]:
    """Return a case for each value of a further field."""
    return [
        (f"{name} {value.decode('latin-1')!r}", handshake(extra=b"%b: %b\r\n" % (field, value)), BAD)
        for value in values
    ]


REFUSED: list[Case] = [
    *[
        (f"{method} with a key", handshake(line=method.encode() + b" / HTTP/1.1"), {400, 405})
        for method in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE")
    ],
    ("HTTP/2.0", handshake(line=b"GET / HTTP/2.0"), {505}),
    ("no Host", handshake(host=None), BAD),
    ("two Hosts", handshake(extra=b"Host: a\r\n"), BAD),
    ("a bad Host", handshake(host=b"a b"), BAD),
    ("a fragment in the target", handshake(b"/a#b"), BAD),
    ("no Connection", handshake(connection=None), BAD),
    ("an empty Connection", handshake(connection=b""), BAD),
    ("Connection without upgrade", handshake(connection=b"keep-alive"), BAD),
    ("Connection with a longer token", handshake(connection=b"upgrades, not-upgrade"), BAD),
    ("no key", handshake(key=None), BAD),
    ("two keys", handshake(extra=b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"), BAD),
    ("the same key twice", handshake(extra=b"Sec-WebSocket-Key: %b\r\n" % KEY), BAD),
    ("two keys in a list", handshake(key=KEY + b", " + KEY), BAD),
    *[
        (f"key {key.decode()!r}", handshake(key=key), BAD)
        for key in (b"", b"=", b"a", b"AAAAAAAAAAAAAAAAAAAA", b"AAAAAAAAAAAAAAAAAAAAAAA=", b"AAAAAAAAAAAAAAAAAAAAAA",
                    b"AAAAAAAAAAAAAAAAAAAAAA=", b"AAAAAAAAAAAAAAAAAAAAAAAA", b"AAAAAAAAAAAAAAAAAAAAAA===",
                    b"-AAAAAAAAAAAAAAAAAAAAA==", b"AAAAAAAAAAA AAAAAAAAAAA==", b'"AAAAAAAAAAAAAAAAAAAAAA=="',
                    b"!!!!!!!!!!!!!!!!!!!!!!==")
    ],
    ("no version", handshake(version=None), {400, 426}),
    ("an empty version", handshake(version=b""), {400, 426}),
    ("the version twice", handshake(extra=b"Sec-WebSocket-Version: 13\r\n"), {400, 426}),
    ("two versions", handshake(extra=b"Sec-WebSocket-Version: 8\r\n"), {400, 426}),
    *[
        (f"version {version.decode()!r}", handshake(version=version), {426})
        for version in (b"0", b"7", b"8", b"12", b"14", b"255")
    ],
    *[
        (f"version {version.decode()!r}", handshake(version=version), {400, 426})
        for version in (b"013", b"13.0", b"+13", b"-13", b"0x0d", b"1 3", b"13, 8", b"8, 13", b"256", b"x")
    ],
    ("a body", handshake(extra=b"Content-Length: 5\r\n") + b"hello", BAD),
    ("a chunked body", handshake(extra=b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n", BAD),
    *rows("subprotocol", b"Sec-WebSocket-Protocol", b"a b", b"a/b", b'"a"', b"a;b", b"a, b/c", b"a=b", b"\xe9"),
    *rows("extension", b"Sec-WebSocket-Extensions", b"", b",", b";", b"=", b"a b", b"a;", b"a; ;b", b"a; =b", b"a; b=",
          b'a; b="', b'a; b="c', b'a; b="c d"', b'a; b=""', b'a; b="c\\"', b'a; b="c"d', b"a; b c", b"a; b=c d", b"a/b",
          b"a; b/c", b"a; b=c/d", b"a, ;b", b"a b, c", b'"a"', b"\xe9"),
]  # fmt: skip
SIDES = ("whole", "byte by byte", "with trailing bytes", "byte by byte with trailing bytes")


@pytest.mark.parametrize("mode", SIDES)
@pytest.mark.parametrize(("data", "statuses"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_bad_handshake_is_refused(served: Served, data: bytes, statuses: set[int], mode: str) -> None:
    """§4.2.1: a handshake that is not as described MUST be answered with an error; §9.1: so are bad extensions."""
    if "trailing" in mode:
        data += LATER + SECOND
    method = data.partition(b" ")[0].decode()
    only = answers(finished(served.port, data, pieces=one_by_one(data) if mode.startswith("byte") else None), method)
    assert [answer.status in statuses for answer in only] == [True], only
    assert b"close" in b",".join(only[0].fields(b"connection"))
    assert served.app.visits == {}


@pytest.mark.parametrize("version", [b"8", b"14", b"0"])
def test_another_version_is_told_which_there_is(served: Served, version: bytes) -> None:
    """§4.4: the answer MUST have the versions that the server knows; RFC 9110 §15.5.22: a 426 MUST have Upgrade."""
    (answer,) = answers(finished(served.port, handshake(version=version)))
    assert (answer.status, answer.field(b"sec-websocket-version")) == (426, b"13")
    assert (answer.field(b"upgrade") or b"").lower() == b"websocket"
    assert b"upgrade" in b", ".join(answer.fields(b"connection")).lower()


TAKEN: list[tuple[str, bytes]] = [
    ("as in the RFC", handshake(b"/chat", b"Origin: http://example.com\r\n")),
    ("a query", handshake(b"/chat?a=b")),
    ("absolute-form", handshake(line=b"GET http://a/chat HTTP/1.1")),
    *[
        (f"Upgrade {value.decode()!r}", handshake(upgrade=value))
        for value in (b"WebSocket", b"WEBSOCKET", b"h2c, websocket", b"websocket,h2c", b"\t websocket \t")
    ],
    ("Upgrade in two lines", handshake(upgrade=b"h2c", extra=b"Upgrade: websocket\r\n")),
    *[
        (f"Connection {value.decode()!r}", handshake(connection=value))
        for value in (b"upgrade", b"UPGRADE", b"keep-alive, Upgrade", b"Upgrade,keep-alive", b" x ,\tuPgRaDe\t, y",
                      b",Upgrade,")
    ],
    ("Connection in two lines", handshake(connection=b"keep-alive", extra=b"Connection: Upgrade\r\n")),
    ("whitespace around the version", handshake(version=b" \t13\t ")),
    ("whitespace around the key", handshake(key=b" \t%b\t " % KEY)),
    ("no whitespace", handshake().replace(b": ", b":")),
    ("names in lower case", handshake().replace(b"Sec-WebSocket-", b"sec-websocket-")),
    ("names in upper case", handshake().replace(b"Sec-WebSocket-", b"SEC-WEBSOCKET-")),
    ("a body of nothing", handshake(extra=b"Content-Length: 0\r\n")),
    ("cookies and what nobody knows", handshake(extra=b"Cookie: a=b\r\nX-Y: z\r\nSec-WebSocket-Z: z\r\n")),
    *[
        (f"extension {value.decode()!r}", handshake(extra=b"Sec-WebSocket-Extensions: %b\r\n" % value))
        for value in (b"x", b"x;a;b=c;d=\"e\"", b"x ; a = b ,y", b'x; a="b\\c"', b"x,x")
    ],
    *[
        (f"a null member {value.decode()!r}", handshake(extra=b"Sec-WebSocket-Extensions: %b\r\n" % value))
        for value in (b"x,,y", b"x, ,y", b",x", b"x,")
    ],
    ("extensions in two lines", handshake(extra=b"Sec-WebSocket-Extensions: x\r\nSec-WebSocket-Extensions: y; z\r\n")),
    *[
        (f"subprotocols {value.decode()!r}", handshake(extra=b"Sec-WebSocket-Protocol: %b\r\n" % value))
        for value in (b"a", b"a,b", b"a, b ,c", b"a,,b", b"v1.chat~x!")
    ],
]  # fmt: skip


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
@pytest.mark.parametrize("data", [case[1] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_a_handshake_is_understood(served: Served, data: bytes, mode: str) -> None:
    """§4.2.1: Upgrade and Connection are case-insensitive lists; fields that are unknown SHOULD be ignored; §9.1: a
    list may come in several lines, and RFC 2616 §2.1: have null members."""
    with Client(served.port) as client:
        data += text("hello")
        client.send(data, one_by_one(data) if mode.startswith("byte") else None)
        client.switched()
        assert client.message() == "hello"


PLAIN: list[tuple[str, bytes]] = [
    ("HTTP/1.0", handshake(line=b"GET / HTTP/1.0")),
    ("another protocol", handshake(upgrade=b"h2c")),
    ("a longer name", handshake(upgrade=b"websockets")),
    ("no Upgrade", handshake(upgrade=None)),
    ("POST without a key", handshake(line=b"POST / HTTP/1.1", key=None)),
]


@pytest.mark.parametrize("data", [case[1] for case in PLAIN], ids=[case[0] for case in PLAIN])
def test_what_is_no_handshake_gets_no_101(served: Served, data: bytes) -> None:
    """§4.2.1: HTTP/1.1 or higher, `websocket` in Upgrade; RFC 9110 §7.8: Upgrade MUST be ignored in HTTP/1.0."""
    (first, *_) = answers(finished(served.port, data + SECOND.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")))
    assert (first.status, first.body) == (200, b"http")


# --- §4.2.2: what the answer says -----------------------------------------------------------------


def test_the_accept_value_is_that_of_the_rfc(served: Served) -> None:
    """§1.3: the example's key and what answers it."""
    with served.opened() as client:
        assert client.field(b"sec-websocket-accept") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "key",
    [
        b"AAAAAAAAAAAAAAAAAAAAAA==",
        b"/////////////////////w==",
        b"x3JJHMbDL1EzLkh9GBhXDw==",
        b"+/+/+/+/+/+/+/+/+/+/+w==",
    ],
)
def test_the_accept_value_is_made_of_the_key(served: Served, key: bytes) -> None:
    """§4.2.2 item 5.4: base64 of the SHA-1 of the key, as it was written, and the GUID."""
    with opened(served.port, key=key) as client:
        assert client.field(b"sec-websocket-accept") == accept_of(key)


def test_a_101_has_nothing_that_was_not_asked_for(served: Served) -> None:
    """§4.2.2: no subprotocol and no extension unless the client offers one; §4.4: the version is for a mismatch."""
    with served.opened() as client:
        names = {name.lower() for name, _ in client.fields if name.lower().startswith(b"sec-websocket-")}
        assert names == {b"sec-websocket-accept"}


def test_an_unknown_extension_is_not_agreed_to(served: Served) -> None:
    """§9.1: a server MUST NOT accept an extension that it does not know."""
    with served.opened(b"Sec-WebSocket-Extensions: x-unknown; a=1, bbf-usp-protocol\r\n") as client:
        assert client.field(b"sec-websocket-extensions") is None


OFFER = b"Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Protocol: v2\r\n"


@pytest.mark.parametrize("subprotocol", ["chat", "superchat", "v2"])
def test_the_subprotocol_is_one_of_those_offered(subprotocol: str) -> None:
    """§4.2.2: one value, from what the client offers in however many lines."""
    app, _ = saying({**ACCEPT, "subprotocol": subprotocol})
    with live(app) as server, opened(server.port, extra=OFFER) as client:
        assert client.field(b"sec-websocket-protocol") == subprotocol.encode()


@pytest.mark.parametrize("offer", [b"", OFFER])
@pytest.mark.parametrize(
    "message",
    [
        {"subprotocol": "other"},
        {"subprotocol": "CHAT"},
        {"subprotocol": "chat, superchat"},
        {"subprotocol": ""},
        {"headers": [(b"sec-websocket-protocol", b"chat")]},
        {"headers": [(b"Sec-WebSocket-Accept", b"x")]},
        {"headers": [(b"sec-websocket-extensions", b"permessage-deflate")]},
    ],
    ids=str,
)
def test_an_answer_that_the_client_would_fail_is_never_sent(message: Message, offer: bytes) -> None:
    """§4.1: a client MUST fail on a subprotocol or an extension that it did not ask for, or on another accept value."""
    app, notes = saying({**ACCEPT, **message})
    with live(app) as server:
        (answer,) = answers(finished(server.port, handshake(extra=offer)))
    assert isinstance(notes.get(timeout=5), MessageError)
    assert answer.status == 500


def test_the_application_has_no_say_in_the_framing_of_a_101() -> None:
    """§4.2.2: Upgrade and Connection as they are; RFC 9110 §8.6: no length in a 1xx."""
    fields = [(b"connection", b"close"), (b"upgrade", b"x"), (b"content-length", b"5"), (b"x-y", b"z")]
    app, notes = saying({**ACCEPT, "headers": fields}, {"type": "websocket.send", "text": "hello"})
    with live(app) as server, Wire(server.port) as wire:
        wire.send(handshake())
        answer = wire.answer()  # which holds that a 1xx has no length
        if answer.status != 101:  # or the application is told
            assert isinstance(notes.get(timeout=5), MessageError)
            return
        assert (answer.field(b"connection") or b"").lower() == b"upgrade"
        assert answer.field(b"upgrade") == b"websocket"
        assert answer.field(b"x-y") == b"z"


def test_a_refusal_of_the_application_is_an_http_error() -> None:
    """§4.2.2: a server that does not want to accept MUST answer with an HTTP error, and has no WebSocket then."""
    app, _ = saying({"type": "websocket.close"})
    with live(app) as server:
        (answer,) = answers(finished(server.port, handshake() + LATER + SECOND))
    assert answer.status == 403


@pytest.mark.parametrize("on", list(LOOPS))
def test_a_client_that_does_not_wait_for_its_refusal_is_no_error(on: str, caplog: pytest.LogCaptureFixture) -> None:
    """§4.2.2: the error is for the client; one that is gone by then is nobody's fault, the application's least."""
    notes: Notes = queue.Queue()
    go = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        notes.put("busy")
        go.wait(5)  # the loop does not see clients come and go
        try:
            await send({"type": "websocket.close"})
        except Exception as failure:
            notes.put(failure)
        else:
            notes.put("sent")

    with live(app, on=on) as server:
        with Wire(server.port) as wire:
            wire.send(handshake() + LATER)
            assert notes.get(timeout=5) == "busy"
        for data in (handshake(key=None), handshake(version=b"8"), b"GET /\r\n\r\n"):
            with Wire(server.port) as wire:
                wire.send(data)
        go.set()
        note = notes.get(timeout=5)
        assert note == "sent" or isinstance(note, ClientDisconnected)
        assert answers(finished(server.port, handshake(key=None)))[0].status == 400
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# --- §4, §5: bytes before and behind the handshake ------------------------------------------------


@pytest.mark.parametrize("mode", ["whole", "byte by byte"])
def test_frames_right_behind_the_handshake_are_served(served: Served, mode: str) -> None:
    """RFC 9110 §7.8: what follows the request is in the new protocol, also where it did not wait for the 101."""
    data = handshake() + text("a") + binary(b"b" * 70000 if mode == "whole" else b"b") + ping(b"c") + closing()
    with Client(served.port) as client:
        client.send(data, one_by_one(data) if mode.startswith("byte") else None)
        client.switched()
        frames = [client.read_frame() for _ in range(3)]
        assert sorted(frame.opcode for frame in frames) == [TEXT, BINARY, PONG]
        assert client.closed_with() == (1000, "")


def test_frames_wait_until_the_application_accepts() -> None:
    """§4.2.2: the connection is open when the server has answered; nothing that came before is lost."""
    waiting, go = threading.Event(), threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket"
        await receive()
        waiting.set()
        await asyncio.to_thread(go.wait, 5)
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message["bytes"]})

    with live(app, limit_pipeline=1000) as server, Client(server.port) as client:
        client.send(handshake() + binary(b"0"))
        assert waiting.wait(5)
        client.send(binary(b"1" * 20000) + binary(b"2"))
        go.set()
        client.switched()
        assert [client.message() for _ in range(3)] == [b"0", b"1" * 20000, b"2"]


def test_a_handshake_behind_a_request_waits_for_its_turn(served: Served) -> None:
    """RFC 9112 §9.3.2: answers keep the order of the requests, a 101 included."""
    with Client(served.port) as client:
        client.send(SECOND + SECOND + handshake() + text("hello"))
        assert [client.answer().body, client.answer().body] == [b"http", b"http"]
        client.switched()
        assert client.message() == "hello"
