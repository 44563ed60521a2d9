"""TLS below a connection: what goes through it, in which records, and how it is closed."""

import asyncio
import queue
import socket
import ssl
import sys
from collections.abc import Iterator

import pytest
from tests.certificates import local
from tests.live import LOOPS, Echo, Live, Notes, answers, live, noted, read_body, reply, seen
from tests.secured import ALERT, DATA, TLS_1_2, TLS_1_3, Secured

from portico.asgi import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BIG = bytes(range(256)) * 20_000  # 5 MB
VERSIONS = [TLS_1_2, TLS_1_3]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was sent, or with a large body."""
    assert scope["type"] == "http"
    if scope["path"] == "/big":
        await reply(send, BIG)
    elif scope["path"] == "/pieces":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(BIG))]})
        for at in range(0, len(BIG), 10_000):
            piece = BIG[at : at + 10_000]
            await send({"type": "http.response.body", "body": piece, "more_body": at + 10_000 < len(BIG)})
    else:
        await reply(send, await read_body(receive) or scope["path"].encode())


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Live]:
    with live(app, on=request.param, **local().settings) as running:
        yield running


@pytest.fixture(params=VERSIONS, ids=["1.2", "1.3"])
def client(server: Live, request: pytest.FixtureRequest) -> Iterator[Secured]:
    with Secured(server.port, version=request.param) as secured:
        yield secured


# --- data -----------------------------------------------------------------------------------------------


def test_requests_are_answered_one_after_the_other(client: Secured) -> None:
    for _ in range(3):
        client.send(GET)
        assert client.until(b"\r\n\r\n/").startswith(b"HTTP/1.1 200 OK\r\n")


def test_the_scope_says_https() -> None:
    with live(Echo(), **local().settings) as server, Secured(server.port) as client:
        client.send(BYE)
        (answer,) = answers(client.rest()[0])
    assert seen(answer)["scheme"] == "https"


def test_records_may_come_in_single_bytes(client: Secured) -> None:
    for byte in client.seal(GET):
        client.push(bytes([byte]))
    assert client.until(b"\r\n\r\n/")


@pytest.mark.parametrize("at", [1, 4, 5, 6, -1])
def test_records_may_be_cut_anywhere(client: Secured, at: int) -> None:
    """The first packet has a record and a part of the next one, the second one the rest and one more."""
    first, second, third = client.seal(GET), client.seal(GET), client.seal(BYE)
    client.push(first + second[:at])
    client.until(b"\r\n\r\n/")
    client.push(second[at:] + third)
    data, ended = client.rest()
    assert data.count(b"HTTP/1.1 200") == 2
    assert data.endswith(b"/bye")
    assert ended


def test_a_request_may_come_with_the_last_message_of_the_handshake(server: Live) -> None:
    with Secured(server.port, handshake=False) as client:
        client.push(client.hello())
        while True:
            try:
                client.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.fill()
        finished = client.outgoing.read()
        client.push(finished + client.seal(BYE))
        assert client.rest()[0].endswith(b"/bye")


def test_a_handshake_may_come_in_single_bytes(server: Live) -> None:
    with Secured(server.port, handshake=False) as client:
        for byte in client.hello():
            client.push(bytes([byte]))
        client.handshake()
        client.send(BYE)
        assert client.rest()[0].endswith(b"/bye")


@pytest.mark.parametrize("path", [b"/big", b"/pieces"])
def test_a_large_response_is_whole(client: Secured, path: bytes) -> None:
    client.send(BYE.replace(b"/bye", path))
    data, ended = client.rest()
    assert data.partition(b"\r\n\r\n")[2] == BIG
    assert ended


def test_a_large_request_is_whole(client: Secured) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BIG)
    client.send(head + BIG)
    assert client.rest()[0].partition(b"\r\n\r\n")[2] == BIG


def test_a_websocket_is_served(server: Live) -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": event["bytes"] * 10_000})

    with live(echo, **local().settings) as server, Secured(server.port) as client:
        client.send(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        client.send(b"\x82\x83\x00\x00\x00\x00abc")
        assert client.until(b"abc" * 10_000) == b"\x82\x7e\x75\x30" + b"abc" * 10_000


def test_bytes_are_counted_as_they_are_before_encryption() -> None:
    from portico.server.metrics.board import CELLS, RECEIVED, SENT

    cells = memoryview(bytearray(CELLS * 8)).cast("q")
    with live(app, cells=cells, **local().settings) as server, Secured(server.port) as client:
        client.send(BYE)
        data, _ = client.rest()
    assert (cells[RECEIVED], cells[SENT]) == (len(BYE), len(data))


# --- records --------------------------------------------------------------------------------------------


def records_of_data(client: Secured) -> list[bytes]:
    return [record.body for record in client.taken() if record.kind == DATA]


def test_a_response_is_one_record(client: Secured) -> None:
    client.send(GET)
    client.until(b"\r\n\r\n/")  # with what follows a handshake
    client.taken()
    client.send(GET)
    client.until(b"\r\n\r\n/")
    assert len(records_of_data(client)) == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks begin in the loop's next round")
def test_responses_to_requests_that_came_together_are_one_record(client: Secured) -> None:
    client.send(GET)
    client.until(b"\r\n\r\n/")
    client.taken()
    client.send(GET * 5)
    for _ in range(5):
        client.until(b"\r\n\r\n/")
    assert len(records_of_data(client)) == 1


def test_a_large_response_fills_its_records(client: Secured) -> None:
    """Apart from the head, records have 16 KB; each costs as much as it costs to begin one."""
    client.send(GET.replace(b"/ ", b"/big "))
    client.until(b"\r\n\r\n" + BIG)
    assert len(records_of_data(client)) <= len(BIG) // 16384 + len(BIG) // 65536 + 5


# --- the end --------------------------------------------------------------------------------------------


def test_the_last_response_is_followed_by_a_close_notify(client: Secured) -> None:
    """RFC 9112 §9.8: a server MUST attempt to initiate an exchange of closure alerts."""
    client.send(BYE)
    data, ended = client.rest()
    assert data.endswith(b"/bye")
    assert ended


def test_a_close_notify_is_answered(client: Secured) -> None:
    """RFC 8446 §6.1: each party MUST send a close_notify before closing."""
    client.push(client.close_notify())
    assert client.rest() == (b"", True)


def test_a_close_notify_is_answered_by_one_record_and_the_end(client: Secured) -> None:
    client.send(GET)
    client.until(b"\r\n\r\n/")
    client.taken()
    client.push(client.close_notify())
    while client.fill():
        pass
    assert [record.kind for record in client.taken()] in ([ALERT], [DATA])  # TLS 1.3 hides the kind


def test_a_request_before_a_close_notify_is_answered(client: Secured) -> None:
    client.push(client.seal(GET) + client.close_notify())
    data, ended = client.rest()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert ended


def test_what_comes_after_a_close_notify_is_ignored(client: Secured) -> None:
    """RFC 8446 §6.1: data received after a closure alert MUST be ignored."""
    first, end = client.seal(GET), client.close_notify()
    client.push(first + end + b"\x17\x03\x03\x00\x05later" * 3)
    data, ended = client.rest()
    assert data.count(b"HTTP/1.1") == 1
    assert ended


def test_a_client_that_has_closed_its_socket_still_gets_its_answer(client: Secured) -> None:
    """RFC 9112 §9.8: a server SHOULD be prepared for an incomplete close from the client."""
    client.send(GET)
    client.socket.shutdown(socket.SHUT_WR)
    data, ended = client.rest()
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert ended


def test_a_body_cut_off_by_the_end_of_the_socket_is_400(client: Secured) -> None:
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
    client.socket.shutdown(socket.SHUT_WR)
    data, ended = client.rest()
    assert data.startswith(b"HTTP/1.1 400 ")
    assert ended


def test_a_refused_upload_gets_its_answer_while_it_goes_on() -> None:
    """No reset overtakes the answer, though the client has not stopped sending."""
    with live(app, limit_request_body=1000, **local().settings) as server, Secured(server.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
        client.push(client.seal(BIG[:4_000_000]))
        data, ended = client.rest()
    assert data.startswith(b"HTTP/1.1 413 ")
    assert ended


def test_a_connection_that_is_not_used_is_closed_in_order() -> None:
    with live(app, timeout_keep_alive=0.2, **local().settings) as server, Secured(server.port) as client:
        client.send(GET)
        client.until(b"\r\n\r\n/")
        assert client.rest() == (b"", True)


def test_idle_connections_are_closed_in_order_when_the_server_stops() -> None:
    with live(app, **local().settings) as server, Secured(server.port) as client:
        client.send(GET)
        client.until(b"\r\n\r\n/")
        stopped = asyncio.run_coroutine_threadsafe(server.server.shutdown(), server.loop)
        assert client.rest() == (b"", True)
        stopped.result(10)


def test_an_application_learns_that_the_client_has_gone(server: Live) -> None:
    async def waits(scope: Scope, receive: Receive, send: Send, notes: Notes) -> None:
        await receive()
        notes.put("waits")
        notes.put((await receive())["type"])

    app, notes = noted(waits)
    with live(app, **local().settings) as server:
        with Secured(server.port) as client:
            client.send(GET)
            assert notes.get(timeout=5) == "waits"
        assert notes.get(timeout=5) == "http.disconnect"
    with pytest.raises(queue.Empty):
        notes.get_nowait()
