"""ASGI 3.0, the WebSocket format 2.5: the scope, and what an application that does everything right sees and sends."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.live import Wire, live
from tests.stage import Notes, dial, stage
from tests.websocket import (
    BINARY,
    TEXT,
    Client,
    binary,
    closing,
    fragments,
    frame,
    handshake,
    opened,
    ping,
    saying,
    text,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send

CONNECT = {"type": "websocket.connect"}
ACCEPT: Message = {"type": "websocket.accept"}
CLOSE: Message = {"type": "websocket.close"}
SEND: Message = {"type": "websocket.send"}


def scope_of(data: bytes, **settings: Any) -> dict[str, Any]:
    """Return the scope that an opening handshake makes."""
    scopes: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] != "lifespan"
        scopes.append(dict(scope))
        await send(CLOSE)

    with live(app, **settings) as server, Wire(server.port) as wire:
        wire.send(data)
        assert wire.answer().status == 403
    return scopes[0]


# --- the scope ------------------------------------------------------------------------------------


def test_every_key_has_its_type() -> None:
    """WebSocket connection scope: the keys, their types, and nothing the specification does not name: no method."""
    scope = scope_of(handshake(b"/p%20q/%C3%A9?a=%20b", b"X-Y: Z\r\nX-y: 2\r\n", host=b"Example"))
    assert isinstance(scope.pop("client"), tuple)
    assert isinstance(scope.pop("server"), tuple)
    headers = [tuple(pair) for pair in scope.pop("headers")]
    assert {type(part) for pair in headers for part in pair} == {bytes}
    assert [pair for pair in headers if not pair[0].startswith(b"sec-")] == [
        (b"host", b"Example"),
        (b"upgrade", b"websocket"),
        (b"connection", b"Upgrade"),
        (b"x-y", b"Z"),
        (b"x-y", b"2"),
    ]
    scope.pop("state", None)
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/p q/é",
        "raw_path": b"/p%20q/%C3%A9",
        "query_string": b"a=%20b",
        "root_path": "",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    assert {key: type(scope[key]) for key in ("raw_path", "query_string", "subprotocols")} == {
        "raw_path": bytes,
        "query_string": bytes,
        "subprotocols": list,
    }


def test_client_and_server_are_the_ends_of_the_connection() -> None:
    """client, server: host and port, a text and a number."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        notes.put((scope["client"], scope["server"]))

    with stage(app) as there, Wire(there.port) as wire:
        wire.send(handshake())
        assert there.note() == (wire.socket.getsockname(), wire.socket.getpeername())


@pytest.mark.parametrize(("proto", "scheme"), [(b"https", "wss"), (b"wss", "wss"), (b"http", "ws"), (b"ws", "ws")])
def test_a_trusted_proxy_says_the_scheme(proto: bytes, scheme: str) -> None:
    """scheme: "ws" or "wss", whether the proxy calls it by the name of HTTP or of WebSocket."""
    assert scope_of(handshake(b"/", b"X-Forwarded-Proto: %b\r\n" % proto))["scheme"] == scheme


def test_others_do_not_say_the_scheme() -> None:
    """X-Forwarded-* of a peer that is not trusted counts for nothing."""
    data = handshake(b"/", b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n")
    scope = scope_of(data, forwarded_allow_ips="192.0.2.9")
    assert (scope["scheme"], scope["client"][0]) == ("ws", "127.0.0.1")


def test_a_trusted_proxy_says_the_client() -> None:
    """client: the one behind the proxy, as for a request."""
    assert scope_of(handshake(b"/", b"X-Forwarded-For: 192.0.2.1\r\n"))["client"] == ("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("target", "path"), [(b"/a%2Fb", "/a/b"), (b"/a+b", "/a+b"), (b"/%25%32%30", "/%20"), (b"/a/../b", "/a/../b")]
)
def test_the_path_is_decoded_once(target: bytes, path: str) -> None:
    """path: percent-encoding and UTF-8 decoded; raw_path: the bytes as received, without the query."""
    scope = scope_of(handshake(target + b"?%41"))
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == (path, target, b"%41")


@pytest.mark.parametrize(("target", "path"), [(b"/mount/a", "/mount/a"), (b"/a", "/mount/a")])
def test_path_includes_root_path(target: bytes, path: str) -> None:
    """root_path: the mount point; path includes it, whether the proxy in front has stripped it or not."""
    scope = scope_of(handshake(target), root_path="/mount")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/mount", path, target)


@pytest.mark.parametrize(
    "fields",
    [
        b"Sec-WebSocket-Protocol: b, a,c\r\n",
        b"Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Protocol: a, c\r\n",
        b"sec-websocket-protocol:b ,\ta, ,c\r\n",
    ],
)
def test_subprotocols_keep_their_order(fields: bytes) -> None:
    """subprotocols: as the client prefers them, from all fields."""
    assert scope_of(handshake(b"/", fields))["subprotocols"] == ["b", "a", "c"]


def test_state_is_a_shallow_copy_for_each_connection() -> None:
    """state: the lifespan's namespace; what a connection puts in stays its own, what is in there is shared."""
    found: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["shared"] = []
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        found.append({"shared": list(scope["state"]["shared"]), "keys": set(scope["state"])})
        scope["state"]["mine"] = 1
        scope["state"]["shared"].append("seen")
        await send(CLOSE)

    with live(app) as server:
        for _ in range(2):
            with Wire(server.port) as wire:
                wire.send(handshake())
                assert wire.answer().status == 403
    assert found == [{"shared": [], "keys": {"shared"}}, {"shared": ["seen"], "keys": {"shared"}}]


def test_scopes_share_nothing_an_application_may_change() -> None:
    """What one application call writes into its scope, the next does not see."""
    found: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        found.append({key: list(scope[key]) for key in ("extensions", "asgi", "subprotocols")})
        scope["extensions"]["mine"] = {}
        scope["asgi"]["mine"] = ""
        scope["subprotocols"].append("mine")
        await send(CLOSE)

    with stage(app) as there:
        for _ in range(2):
            with Wire(there.port) as wire:
                wire.send(handshake())
                assert wire.answer().status == 403
    assert found[0] == found[1]


# --- connect and accept -----------------------------------------------------------------------------


def test_connect_is_first_and_the_handshake_waits_for_the_answer() -> None:
    """websocket.connect: the server must not complete the handshake until it gets a reply."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        notes.put(await receive())
        await notes.go.wait()
        await send(ACCEPT)

    with stage(app) as there, Client(there.port, timeout=0.1) as client:
        client.send(handshake())
        assert there.note() == CONNECT
        with pytest.raises(TimeoutError):
            client.fill()
        there.go()
        client.socket.settimeout(5)
        client.switched()


def test_nothing_is_received_between_connect_and_accept() -> None:
    """A frame that the client sent without waiting for the handshake is for later."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        assert await receive() == CONNECT
        reading = asyncio.ensure_future(receive())
        done, _ = await asyncio.wait([reading], timeout=0.05)
        notes.put(len(done))
        await send(ACCEPT)
        notes.put(await reading)

    with stage(app) as there, Client(there.port) as client:
        client.send(handshake() + text("early"))
        assert there.note() == 0
        assert there.note() == {"type": "websocket.receive", "text": "early"}


def test_connect_need_not_be_received() -> None:
    """An application may accept at once; the event stays there for whoever asks."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        notes.put(await receive())

    with stage(app) as there, opened(there.port):
        assert there.note() == CONNECT


@pytest.mark.parametrize("more", [{}, {"subprotocol": None, "headers": []}, {"headers": None}, {"unknown": 1}])
def test_accept_needs_nothing_but_its_type(more: dict[str, Any]) -> None:
    """websocket.accept: subprotocol and headers are optional, keys that nobody knows are ignored."""
    app, _ = saying({**ACCEPT, **more})
    with live(app) as server, opened(server.port, "/", b"Sec-WebSocket-Protocol: a\r\n") as client:
        assert {name for name, _ in client.fields} == {
            b"date",
            b"server",
            b"upgrade",
            b"connection",
            b"sec-websocket-accept",
        }


@pytest.mark.parametrize("name", ["a", "b"])
def test_accept_names_a_subprotocol(name: str) -> None:
    """websocket.accept: subprotocol is one of those that the client offers."""
    app, _ = saying({**ACCEPT, "subprotocol": name})
    with live(app) as server, dial(server.port, subprotocols=[Subprotocol("a"), Subprotocol("b")]) as client:
        assert client.subprotocol == name


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_accept_has_headers(kind: Callable[[Any], Any]) -> None:
    """websocket.accept: headers are an iterable of [name, value], order kept, duplicates kept."""
    app, _ = saying({**ACCEPT, "headers": kind([[b"x-a", b"1"], (b"set-cookie", b"a=b"), [b"x-a", b"2"]])})
    with live(app) as server, opened(server.port) as client:
        found = [pair for pair in client.fields if pair[0] in (b"x-a", b"set-cookie")]
    assert found == [(b"x-a", b"1"), (b"set-cookie", b"a=b"), (b"x-a", b"2")]


def test_configured_headers_are_in_the_101() -> None:
    """--header, and no Server and Date where they are turned off."""
    app, _ = saying(ACCEPT)
    settings: dict[str, Any] = {"headers": ("X-A: 1",), "server_header": False, "date_header": False}
    with live(app, **settings) as server, opened(server.port) as client:
        assert (b"x-a", b"1") in client.fields
        assert {name for name, _ in client.fields} & {b"server", b"date"} == set()


# --- receive and send -------------------------------------------------------------------------------

MESSAGES: list[str | bytes] = ["hello", "", "grüß 🙂\x00", b"\x00\xff", b"", "x" * 300_000, b"y" * 300_000]
NAMES = ["text", "empty text", "unicode", "bytes", "empty bytes", "long text", "long bytes"]


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_a_message_is_received_whole(message: str | bytes) -> None:
    """websocket.receive: exactly one of text and bytes is not None."""
    app, notes = saying(ACCEPT)
    with live(app) as server, dial(server.port) as client:
        client.send(message)
        event = notes.get(timeout=5)
    assert event.pop("type") == "websocket.receive"
    assert {key: value for key, value in event.items() if value is not None} == {
        "text" if isinstance(message, str) else "bytes": message
    }


@pytest.mark.parametrize("message", MESSAGES, ids=NAMES)
def test_a_message_is_sent_whole(message: str | bytes) -> None:
    """websocket.send: text or bytes."""
    app, _ = saying(ACCEPT, {**SEND, "text" if isinstance(message, str) else "bytes": message})
    with live(app) as server, dial(server.port) as client:
        assert client.recv(5) == message


@pytest.mark.parametrize(
    ("opcode", "pieces", "event"),
    [(TEXT, [b"he", b"", b"llo"], {"text": "hello"}), (BINARY, [b"he", b"", b"llo"], {"bytes": b"hello"})],
)
def test_a_fragmented_message_is_one_event(opcode: int, pieces: list[bytes], event: dict[str, Any]) -> None:
    """websocket.receive: whole messages, whatever the frames were; control frames are the server's own."""
    app, notes = saying(ACCEPT)
    with live(app) as server, opened(server.port) as client:
        client.send(ping(b"1").join([b"", *fragments(opcode, *pieces)]))
        assert notes.get(timeout=5) == {"type": "websocket.receive", **event}


class Text(str):
    """What a library may give in place of a str."""

    __slots__ = ()


class Bytes(bytes):
    """What a library may give in place of bytes."""


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        ({"text": "a", "bytes": None}, "a"),
        ({"text": None, "bytes": b"a"}, b"a"),
        ({"text": Text("a")}, "a"),
        ({"bytes": Bytes(b"a")}, b"a"),
        ({"bytes": bytearray(b"a")}, b"a"),
        ({"bytes": memoryview(b"abc")[::2]}, b"ac"),
        ({"text": "a", "unknown": 1}, "a"),
    ],
    ids=["no bytes", "no text", "kind of str", "kind of bytes", "bytearray", "memoryview", "unknown key"],
)
def test_what_a_message_may_be(given: dict[str, Any], arrives: str | bytes) -> None:
    """websocket.send: a key may be there and None; anything that is bytes is taken."""
    app, _ = saying(ACCEPT, {**SEND, **given})
    with live(app) as server, opened(server.port) as client:
        assert client.message() == arrives


def test_what_was_sent_cannot_be_changed_any_more() -> None:
    """`send` has taken the bytes when it returns."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        data = bytearray(100_000)
        await send({**SEND, "bytes": data})
        data[:] = b"x" * 100_000
        await send(CLOSE)

    with stage(app) as there, opened(there.port) as client:
        assert client.message() == bytes(100_000)


def test_messages_keep_their_order() -> None:
    """A thousand, in both directions, short and long."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            await send({**SEND, "text": message["text"]})

    texts = [f"{number} " * (number % 50) for number in range(1000)]
    with stage(app) as there, dial(there.port) as client:
        for line in texts:
            client.send(line)
        assert [client.recv(5) for _ in texts] == texts


# --- close by the application -------------------------------------------------------------------------


def closed_by(client: ClientConnection) -> tuple[int, str]:
    """Return the code and the reason that the client library was closed with."""
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(5)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        ({}, (1000, "")),
        ({"reason": None}, (1000, "")),
        ({"code": 1001, "reason": ""}, (1001, "")),
        ({"code": 3000, "reason": "bye"}, (3000, "bye")),
        ({"code": 4999, "reason": "ü" * 61 + "u"}, (4999, "ü" * 61 + "u")),
        ({"code": 1011, "unknown": 1}, (1011, "")),
    ],
)
def test_close_has_a_code_and_a_reason(given: dict[str, Any], arrives: tuple[int, str]) -> None:
    """websocket.close: code 1000 and reason "" unless it says otherwise."""
    app, _ = saying(ACCEPT, {**CLOSE, **given})
    with live(app) as server, dial(server.port) as client:
        assert closed_by(client) == arrives


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000])
def test_close_may_have_every_code_of_the_registry(code: int) -> None:
    """RFC 6455 §7.4, and what was registered since."""
    app, _ = saying(ACCEPT, {**CLOSE, "code": code})
    with live(app) as server, opened(server.port) as client:
        assert client.read_close() == (code, "")


def test_after_its_close_the_application_receives_the_disconnect() -> None:
    """websocket.disconnect: also when the server closes; with the code and the reason that were sent."""
    app, notes = saying(ACCEPT, {**CLOSE, "code": 4001, "reason": "bye"})
    with live(app) as server, opened(server.port) as client:
        assert notes.get(timeout=5) == {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
        client.send(closing(4001))
        assert client.closed_with() == (4001, "bye")


def test_what_was_not_received_before_the_own_close_is_dropped() -> None:
    """Who closes does not wait for more."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        await send(ACCEPT)
        notes.put(await receive())
        await send(CLOSE)
        notes.put((await receive())["type"])

    with stage(app) as there, opened(there.port) as client:
        client.send(text("one") + text("two") + text("three"))
        assert there.note()["text"] == "one"
        assert there.note() == "websocket.disconnect"
        client.send(text("four") + closing())
        assert client.closed_with() == (1000, "")


def test_a_close_before_accept_is_a_403() -> None:
    """websocket.close: before the socket is accepted the server must answer 403 and not complete the handshake."""
    app, notes = saying({**CLOSE, "code": 4000, "reason": "secret"})
    with live(app) as server, Wire(server.port) as wire:
        wire.send(handshake())
        answer = wire.answer()
        assert (answer.status, answer.closes, b"secret" in answer.body) == (403, True, False)
        assert wire.rest() == b""
        assert notes.get(timeout=5) == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


# --- close by the peer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (1011, ""), (3000, "ü"), (4999, "x" * 123)])
def test_a_disconnect_has_the_code_and_the_reason_of_the_peer(code: int, reason: str) -> None:
    """websocket.disconnect: as they were sent; the answer to the peer has the same code."""
    app, notes = saying(ACCEPT)
    with live(app) as server, opened(server.port) as client:
        client.send(closing(code, reason.encode()))
        assert notes.get(timeout=5) == {"type": "websocket.disconnect", "code": code, "reason": reason}
        assert client.closed_with()[0] == code


def test_a_disconnect_without_a_code_is_1005() -> None:
    """websocket.disconnect: code 1005 where the close frame had none, and so has the answer."""
    app, notes = saying(ACCEPT)
    with live(app) as server, opened(server.port) as client:
        client.send(closing(None))
        assert notes.get(timeout=5) == {"type": "websocket.disconnect", "code": 1005, "reason": ""}
        assert client.closed_with() == (1005, "")


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
def test_a_peer_that_vanishes_is_1006(resets: bool) -> None:
    """websocket.disconnect: code 1006 for the loss of the socket."""
    app, notes = saying(ACCEPT)
    with live(app) as server, opened(server.port) as client:
        if resets:
            client.abort()
        else:
            client.socket.close()
        assert notes.get(timeout=5) == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


def test_a_peer_that_breaks_the_protocol_is_a_disconnect_with_the_code_it_was_closed_with() -> None:
    """websocket.disconnect: the application learns why, the peer as well."""
    app, notes = saying(ACCEPT)
    with live(app) as server, opened(server.port) as client:
        client.send(frame(b"\xff"))
        assert client.closed_with()[0] == 1007
        event = notes.get(timeout=5)
    assert (event["type"], event["code"], type(event["reason"])) == ("websocket.disconnect", 1007, str)


@pytest.mark.parametrize("vanishes", [False, True], ids=["closes", "vanishes"])
def test_what_came_before_the_close_is_received_before_it(vanishes: bool) -> None:
    """The end keeps its place behind the messages, however late they are received."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        await send(ACCEPT)
        await notes.go.wait()
        events = [await receive() for _ in range(4)]
        notes.put([event.get("text") or event.get("bytes") or event["code"] for event in events])

    with stage(app) as there, opened(there.port) as client:
        client.send(text("one") + binary(b"two") + text("three") + (b"" if vanishes else closing(4000)))
        if vanishes:
            client.socket.close()
        there.go()
        assert there.note() == ["one", b"two", "three", 1006 if vanishes else 4000]


def test_receive_after_the_disconnect_gives_it_again() -> None:
    """Who asks again is not left waiting."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        await send(ACCEPT)
        for _ in range(3):
            notes.put(await receive())

    with stage(app) as there, opened(there.port) as client:
        client.send(closing(4000, b"bye"))
        assert [there.note() for _ in range(3)] == [{"type": "websocket.disconnect", "code": 4000, "reason": "bye"}] * 3


@pytest.mark.parametrize("vanishes", [False, True], ids=["closes", "vanishes"])
def test_send_after_the_disconnect_is_an_oserror_and_close_is_harmless(vanishes: bool) -> None:
    """websocket.send: on a closed connection the server should raise a subclass of OSError (2.4)."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        with pytest.raises(ClientDisconnected) as caught:
            await send({**SEND, "text": "late"})
        notes.put(caught.value)
        await send(CLOSE)
        await send(CLOSE)
        notes.put("closed")

    with stage(app) as there, opened(there.port) as client:
        if vanishes:
            client.abort()
        else:
            client.send(closing())
        assert isinstance(there.note(), OSError)
        assert there.note() == "closed"


def test_a_loss_that_nobody_has_received_is_noticed_by_send() -> None:
    """An application that only sends comes to its end too."""

    async def app(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await send(ACCEPT)
        while True:
            await send({**SEND, "text": "tick"})
            await asyncio.sleep(0)

    with stage(app) as there, opened(there.port) as client:
        assert client.message() == "tick"
        client.abort()
        assert isinstance(there.note(), ClientDisconnected)
