"""RFC 8441, WebSockets over HTTP/2: the extended CONNECT, and a stream as the connection of a WebSocket."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests import websocket as ws
from tests.frames import (
    CANCEL,
    ENABLE_CONNECT_PROTOCOL,
    INITIAL_WINDOW_SIZE,
    PROTOCOL_ERROR,
    SETTINGS,
    Fields,
    block,
    data,
    headers,
    request,
    rst_stream,
    settings,
)
from tests.http2 import Client, Response
from tests.live import Live, live

from portico.asgi import Receive, Scope, Send

VERSION = (b"sec-websocket-version", b"13")
HELLO = b"\x81\x05hello"  # as the server sends it
NORMAL = b"\x88\x02\x03\xe8"  # a close frame with 1000


@dataclass
class Room:
    """A server of WebSockets; `app` has what each path has seen."""

    server: Live
    app: ws.Echo

    def client(self, initial: dict[int, int] | None = None, *, refill: bool = True) -> Client:
        """Return a connection."""
        return Client(self.server.port, initial, refill=refill)


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    app = ws.Echo()
    with live(app) as server:
        yield Room(server, app)


def connect(
    path: bytes = b"/", *, protocol: bytes = b"websocket", extra: Fields = (VERSION,), without: tuple[bytes, ...] = ()
) -> list[tuple[bytes, bytes]]:
    """Return the fields of an extended CONNECT."""
    fields = request(path, method=b"CONNECT", without=without)
    return [*fields, (b":protocol", protocol), *extra]


def answered(client: Client, fields: list[tuple[bytes, bytes]]) -> Response:
    """Send a request that stays open; return its response once its fields are there, or its reset."""
    response = client.expect(client.ask(fields, end=False))
    client.until_true(lambda: bool(response.status) or response.reset is not None)
    return response


def opened(client: Client, path: bytes = b"/", extra: Fields = ()) -> int:
    """Open a WebSocket; return its stream."""
    stream = client.next_stream
    response = answered(client, connect(path, extra=[VERSION, *extra]))
    assert (response.status, response.ended) == (200, False), response
    return stream


def received(client: Client, stream: int, expected: bytes) -> None:
    """Block until the server has sent as many bytes as are expected on the stream, which must be these."""
    body = client.streams[stream].body
    client.until_true(lambda: len(body) >= len(expected))
    assert bytes(body) == expected
    body.clear()


# --- 3 the setting -----------------------------------------------------------------------------------


def test_the_server_says_that_it_takes_extended_connect(room: Room) -> None:
    """§3: SETTINGS_ENABLE_CONNECT_PROTOCOL is 1, and MUST NOT become 0 again."""
    with room.client() as client:
        opened(client)
        assert client.settings[ENABLE_CONNECT_PROTOCOL] == 1
        assert len([each for each in client.frames if each.kind == SETTINGS and not each.flags]) == 1


@pytest.mark.parametrize("value", [0, 1])
def test_the_clients_setting_has_no_effect(room: Room, value: int) -> None:
    """§3: receipt by a server does not have any impact."""
    with room.client({ENABLE_CONNECT_PROTOCOL: value}) as client:
        opened(client)


@pytest.mark.parametrize("value", [2, 0xFFFFFFFF])
def test_the_setting_is_0_or_1(room: Room, value: int) -> None:
    """§3: the value MUST be 0 or 1."""
    with room.client() as client:
        client.send(settings({ENABLE_CONNECT_PROTOCOL: value}))
        assert client.goodbye().code == PROTOCOL_ERROR


# --- 4 extended CONNECT ---------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [b":scheme", b":path"])
def test_scheme_and_path_are_there(room: Room, missing: bytes) -> None:
    """§4: they MUST be included with :protocol."""
    with room.client() as client:
        assert answered(client, connect(b"/missing", without=(missing,))).reset == PROTOCOL_ERROR
    assert "/missing" not in room.app.visits


def test_the_authority_is_there(room: Room) -> None:
    """§4: it is that of the target, as in other requests."""
    with room.client() as client:
        response = answered(client, connect(b"/nowhere", without=(b":authority",)))
        assert response.status == 400 or response.reset == PROTOCOL_ERROR
    assert "/nowhere" not in room.app.visits


@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS"])
def test_protocol_belongs_to_connect(room: Room, method: bytes) -> None:
    """§4: :protocol is of CONNECT; elsewhere it is a pseudo-header field out of place."""
    with room.client() as client:
        fields = [*request(b"/method", method=method), (b":protocol", b"websocket"), VERSION]
        assert answered(client, fields).reset == PROTOCOL_ERROR
    assert "/method" not in room.app.visits


@pytest.mark.parametrize(
    "fields",
    [
        [*connect(b"/twice", extra=()), (b":protocol", b"websocket"), VERSION],
        [*request(b"/late", method=b"CONNECT"), VERSION, (b":protocol", b"websocket")],
        connect(b"/empty", protocol=b""),
        connect(b"/space", protocol=b"web socket"),
    ],
    ids=["twice", "late", "empty", "no token"],
)
def test_protocol_is_a_pseudo_field(room: Room, fields: list[tuple[bytes, bytes]]) -> None:
    """§4, RFC 9113 §8.3: once, before the others, and with a value that is one."""
    with room.client() as client:
        assert answered(client, fields).reset == PROTOCOL_ERROR


@pytest.mark.parametrize("protocol", [b"connect-udp", b"webtransport", b"h2c"])
def test_other_protocols_are_not_known(room: Room, protocol: bytes) -> None:
    """§4, RFC 9220 §3: an unknown protocol is answered by 501."""
    with room.client() as client:
        assert answered(client, connect(b"/other", protocol=protocol)).status == 501
        assert client.is_alive()
    assert "/other" not in room.app.visits


def test_a_tunnel_does_not_begin_with_its_end(room: Room) -> None:
    """§4: the stream is a tunnel, as that of CONNECT; a request that has ended opens none."""
    with room.client() as client:
        response = client.response(client.ask(connect(b"/ended")))
        assert response.reset == PROTOCOL_ERROR or response.status >= 400
        assert client.is_alive()
    assert "/ended" not in room.app.visits


# --- 5 WebSockets -----------------------------------------------------------------------------------------


def test_a_websocket_is_opened_by_200(room: Room) -> None:
    """§5: 2xx takes the place of 101, and no field of the connection is needed."""
    with room.client() as client:
        stream = opened(client, b"/opened")
        names = {name for name, _ in client.streams[stream].headers}
        assert not names & {b"sec-websocket-accept", b"connection", b"upgrade", b"content-length"}


def test_messages_go_both_ways(room: Room) -> None:
    """§5: DATA carries what would be sent over TCP."""
    with room.client() as client:
        stream = opened(client)
        for message in (b"hello", b"", b"x" * 100):
            client.send_data(stream, ws.text(message.decode()))
            received(client, stream, bytes((0x81, len(message))) + message)


def test_frames_do_not_follow_the_frames_of_http2(room: Room) -> None:
    """§5: it is a stream of octets."""
    with room.client() as client:
        stream = opened(client)
        octets = ws.text("hello") * 3
        for i in range(len(octets)):
            client.send_data(stream, octets[i : i + 1])
        received(client, stream, HELLO * 3)
        client.send_data(stream, octets, padding=7)
        received(client, stream, HELLO * 3)


def test_data_may_follow_the_request_at_once(room: Room) -> None:
    """§5: what comes before the 200 waits for it."""
    with room.client() as client:
        stream = client.open(b"CONNECT")
        client.send(headers(stream, block(connect())) + data(stream, ws.text("hello")))
        received(client, stream, HELLO)
        assert client.streams[stream].status == 200


def test_several_websockets_share_a_connection(room: Room) -> None:
    """§1: and other requests, too."""
    with room.client() as client:
        streams = [opened(client, b"/shared/%d" % i) for i in range(5)]
        assert client.answer_of().body == b"http"
        for stream in streams:
            client.send_data(stream, ws.text("hello"))
        for stream in streams:
            received(client, stream, HELLO)


@pytest.mark.parametrize(
    ("version", "statuses"), [(None, {400}), (b"8", {400, 426}), (b"", {400}), (b"13, 8", {400, 426})]
)
def test_the_version_is_13(room: Room, version: bytes | None, statuses: set[int]) -> None:
    """§5, RFC 6455 §4.2.1: Sec-WebSocket-Version is as in HTTP/1.1."""
    with room.client() as client:
        extra = [] if version is None else [(b"sec-websocket-version", version)]
        assert answered(client, connect(b"/version", extra=extra)).status in (400, 426)
    assert "/version" not in room.app.visits


def test_extensions_are_agreed_on(room: Room) -> None:
    """§5: Sec-WebSocket-Extensions is as in HTTP/1.1."""
    with room.client() as client:
        stream = opened(client, extra=[(b"sec-websocket-extensions", b"permessage-deflate")])
        assert (client.streams[stream].field(b"sec-websocket-extensions") or b"").startswith(b"permessage-deflate")


def test_a_subprotocol_is_agreed_on() -> None:
    """§5: Sec-WebSocket-Protocol is as in HTTP/1.1."""
    app, _ = ws.saying({"type": "websocket.accept", "subprotocol": "chat"})
    with live(app) as server, Client(server.port) as client:
        stream = opened(client, extra=[(b"sec-websocket-protocol", b"chat, other")])
        assert client.streams[stream].field(b"sec-websocket-protocol") == b"chat"


def test_the_application_sees_a_websocket_as_ever() -> None:
    """§5: but for the version of HTTP."""
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket", "lifespan is not supported here"
        scopes.append(scope)
        await receive()
        await send({"type": "websocket.close"})

    with live(app) as server, Client(server.port) as client:
        assert answered(client, connect(b"/a%20b?c", extra=[VERSION, (b"origin", b"https://a")])).status == 403
    (scope,) = scopes
    assert (scope["type"], scope["http_version"], scope["scheme"]) == ("websocket", "2", "ws")
    assert (scope["path"], scope["query_string"]) == ("/a b", b"c")
    assert (b"host", b"a") in scope["headers"]
    assert (b"origin", b"https://a") in scope["headers"]


def test_a_refusal_is_a_response() -> None:
    """§5: anything but 2xx refuses."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket", "lifespan is not supported here"
        await receive()
        head = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"no")]}
        await send(head)
        await send({"type": "websocket.http.response.body", "body": b"who are you?"})

    with live(app) as server, Client(server.port) as client:
        response = client.response(client.ask(connect(), end=False))
        assert (response.status, response.field(b"x-why"), bytes(response.body)) == (401, b"no", b"who are you?")
        assert client.is_alive()


def test_origins_are_checked() -> None:
    """§5: Origin is as in HTTP/1.1."""
    with live(ws.Echo(), ws_origins=["https://a"]) as server, Client(server.port) as client:
        assert answered(client, connect(extra=[VERSION, (b"origin", b"https://b")])).status == 403
        assert answered(client, connect(extra=[VERSION, (b"origin", b"https://a")])).status == 200


# --- 5 its end --------------------------------------------------------------------------------------------


def test_an_orderly_end_is_end_stream(room: Room) -> None:
    """§5: the end of the TCP connection is END_STREAM, from both sides."""
    with room.client() as client:
        stream = opened(client, b"/orderly")
        client.send_data(stream, ws.closing(1000), end=True)
        response = client.response(stream)
        assert (bytes(response.body), response.ended, response.reset) == (NORMAL, True, None)
        assert room.app.visits["/orderly"].end()[0] == 1000
        assert client.is_alive()


def test_the_server_ends_the_stream_after_a_close_frame(room: Room) -> None:
    """§5, RFC 6455 §7.1.1: the server closes first."""
    with room.client() as client:
        stream = opened(client, b"/first")
        client.send_data(stream, ws.closing(1000))
        response = client.response(stream)
        assert (bytes(response.body), response.ended) == (NORMAL, True)
        client.send_data(stream, b"", end=True)
        assert client.is_alive()


def test_the_end_of_a_stream_without_a_close_frame_is_abnormal(room: Room) -> None:
    """§5, RFC 6455 §7.1.5: 1006."""
    with room.client() as client:
        stream = opened(client, b"/vanished")
        client.send_data(stream, b"", end=True)
        assert room.app.visits["/vanished"].end()[0] == 1006
        response = client.response(stream)
        assert response.ended or response.reset is not None
        assert client.is_alive()


def test_a_reset_of_the_connection_is_a_reset_of_the_stream(room: Room) -> None:
    """§5: RST of TCP is RST_STREAM with CANCEL."""
    with room.client() as client:
        stream = opened(client, b"/reset")
        client.drop(stream, rst_stream(stream, CANCEL))
        assert room.app.visits["/reset"].end()[0] == 1006
        assert client.is_alive()


@pytest.mark.parametrize("bad", [ws.frame(b"hello", mask=None), ws.frame(b"", 3), ws.frame(b"\xff")])
def test_a_broken_frame_ends_the_websocket_only(room: Room, bad: bytes) -> None:
    """§5: what is wrong with WebSocket's frames is no error of HTTP/2's."""
    with room.client() as client:
        stream = opened(client, b"/broken")
        client.send_data(stream, bad)
        response = client.response(stream)
        assert response.body[:2] == b"\x88" + bytes((len(response.body) - 2,))
        assert int.from_bytes(response.body[2:4], "big") in (1002, 1007)
        assert client.answer_of().body == b"http"


def test_trailers_have_no_place_in_a_tunnel(room: Room) -> None:
    """§5, RFC 9113 §8.5: frames other than DATA and what steers the stream MUST be an error of the stream."""
    with room.client() as client:
        stream = opened(client, b"/trailers")
        client.send(headers(stream, block([(b"x-sum", b"1")]), end=True))
        assert client.reset_of(stream) == PROTOCOL_ERROR
        assert room.app.visits["/trailers"].end()[0] == 1006


# --- 5 flow control ------------------------------------------------------------------------------------------


def test_messages_wait_for_the_window(room: Room) -> None:
    """§5, RFC 9113 §6.9: DATA of a tunnel is flow controlled like any other."""
    with room.client({INITIAL_WINDOW_SIZE: 3}, refill=False) as client:
        stream = opened(client)
        client.send_data(stream, ws.text("hello"))
        received(client, stream, HELLO[:3])
        assert client.is_alive()
        client.give(stream, 10)
        received(client, stream, HELLO[3:])


def test_the_window_of_a_tunnel_is_given_back(room: Room) -> None:
    """§5, RFC 9113 §6.9: or it would stand still."""
    with room.client() as client:
        stream = opened(client)
        message = ws.binary(bytes(60000))
        for _ in range(30):
            assert client.upload(stream, message, end=False) == len(message)
        client.until_true(lambda: len(client.streams[stream].body) == 30 * 60004)
