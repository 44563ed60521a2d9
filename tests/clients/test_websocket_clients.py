"""WebSocket clients that people use: `websockets` in a loop and in threads, aiohttp, and httpx beside them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from tests.clients.echo import ANSWER_S, Echo, echoing, in_a_loop
from tests.live import LOOPS, Live
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect as connect_sync

COMPRESSION = pytest.mark.parametrize("compression", [None, "deflate"])
MESSAGES = pytest.mark.parametrize(
    "message", ["", "schön 🙂", "x" * 126, "ab" * 50_000, b"", b"\x00\xff", bytes(range(256)) * 300]
)
LIMIT = 16 * 1024 * 1024  # what --ws-max-size is by default
QUIET_S = 0.8  # so long nothing but pings is said


@pytest.fixture
def echo() -> Iterator[tuple[Echo, Live]]:
    with echoing() as both:
        yield both


def url(server: Live, path: str = "/") -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


# --- websockets, in a loop ----------------------------------------------------------------------


def dial(server: Live, path: str = "/", **options: Any) -> connect:
    """Return what opens a WebSocket; without a proxy from the environment."""
    return connect(url(server, path), proxy=None, **options)


async def hear_all(client: ClientConnection) -> None:
    while True:
        await client.recv()


async def ending(client: ClientConnection) -> tuple[int, str]:
    """Return code and reason of the server's close frame, whatever comes before it."""
    with pytest.raises(ConnectionClosed) as closed:
        await hear_all(client)
    assert closed.value.rcvd is not None, "the connection was lost without a close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason


@COMPRESSION
@MESSAGES
@in_a_loop
async def test_websockets_gets_back_what_it_sends(
    echo: tuple[Echo, Live], message: str | bytes, compression: str | None
) -> None:
    async with dial(echo[1], compression=compression) as client:
        for _ in range(3):
            await client.send(message)
            assert await client.recv() == message


@pytest.mark.parametrize("loop", LOOPS)
@in_a_loop
async def test_either_loop_serves_websockets(loop: str) -> None:
    with echoing(on=loop) as (echo, server):
        async with dial(server) as client:
            await client.send(b"\x00\xff" * 500_000)
            assert await client.recv() == b"\x00\xff" * 500_000
            await client.close(4001, "bye")
            assert client.close_code == 4001
        assert echo.end() == (4001, "bye")


@in_a_loop
async def test_websockets_come_over_unix_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with echoing(uds=path):
        async with unix_connect(path, "ws://localhost/") as client:
            await client.send("over a file")
            assert await client.recv() == "over a file"


@pytest.mark.parametrize(
    ("offered", "allowed", "names"),
    [("deflate", True, ["permessage-deflate"]), ("deflate", False, []), (None, True, []), (None, False, [])],
)
@in_a_loop
async def test_websockets_compresses_where_both_want_it(offered: str | None, allowed: bool, names: list[str]) -> None:
    with echoing(ws_per_message_deflate=allowed) as (_, server):
        async with dial(server, compression=offered) as client:
            assert [extension.name for extension in client.protocol.extensions] == names


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
        {"server_max_window_bits": 9, "client_max_window_bits": 9},
        {"server_max_window_bits": 15, "client_max_window_bits": 15},
        {"client_max_window_bits": True},
    ],
)
@in_a_loop
async def test_websockets_agrees_on_parameters_of_compression(echo: tuple[Echo, Live], asked: dict[str, Any]) -> None:
    words = [f"{number} " * (number * 7 % 900) for number in range(60)]
    async with dial(echo[1], extensions=[ClientPerMessageDeflateFactory(**asked)], compression=None) as client:
        assert client.protocol.extensions
        for word in words:
            await client.send(word)
            assert await client.recv() == word


@in_a_loop
async def test_a_window_that_zlib_cannot_have_is_declined(echo: tuple[Echo, Live]) -> None:
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=8)
    async with dial(echo[1], extensions=[offer], compression=None) as client:
        assert not client.protocol.extensions
        await client.send("x" * 1_000)
        assert await client.recv() == "x" * 1_000


@COMPRESSION
@pytest.mark.parametrize("pieces", [["one ", "two ", "three"], ["", "x", ""], ["schön"] * 5_000, [b"\xc3", b"\xb6"]])
@in_a_loop
async def test_websockets_sends_fragments(
    echo: tuple[Echo, Live], pieces: list[str] | list[bytes], compression: str | None
) -> None:
    async with dial(echo[1], compression=compression) as client:
        await client.send(pieces)
        assert await client.recv() == type(pieces[0])().join(pieces)  # type: ignore[arg-type]


@in_a_loop
async def test_a_ping_between_fragments_is_answered_before_the_message_ends(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1]) as client:

        async def pieces() -> AsyncIterator[str]:
            yield "before "
            await (await client.ping())
            yield "after"

        await client.send(pieces())
        assert await client.recv() == "before after"


@pytest.mark.parametrize("data", ["", "hello", b"\x00" * 125])
@in_a_loop
async def test_websockets_waits_for_the_pong(echo: tuple[Echo, Live], data: str | bytes) -> None:
    async with dial(echo[1]) as client:
        assert await (await client.ping(data)) >= 0


@in_a_loop
async def test_websockets_sends_many_pings_at_once(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1]) as client:
        await asyncio.gather(*[await client.ping(str(number)) for number in range(100)])


@in_a_loop
async def test_a_pong_that_nobody_asked_for_is_ignored(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1]) as client:
        await client.pong("unasked")
        await client.send("on")
        assert await client.recv() == "on"


@in_a_loop
async def test_the_pings_of_websockets_keep_it_open(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1], ping_interval=0.05, ping_timeout=ANSWER_S) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), QUIET_S)
        assert client.latency > 0  # of the last pong
        await client.send("on")
        assert await client.recv() == "on"


@in_a_loop
async def test_a_client_that_answers_the_servers_pings_stays() -> None:
    with echoing(ws_ping_interval=0.1, ws_ping_timeout=0.3) as (_, server):
        async with dial(server, ping_interval=None) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), QUIET_S)
            await client.send("on")
            assert await client.recv() == "on"


@COMPRESSION
@in_a_loop
async def test_a_message_of_the_largest_size_passes(echo: tuple[Echo, Live], compression: str | None) -> None:
    message = b"0123456789abcdef" * (LIMIT // 16)
    async with dial(echo[1], compression=compression, max_size=None) as client:
        await client.send(message)
        assert await client.recv() == message


@COMPRESSION
@pytest.mark.parametrize("fragments", [1, 4])
@in_a_loop
async def test_a_message_that_is_too_large_is_a_1009_for_both(
    echo: tuple[Echo, Live], fragments: int, compression: str | None
) -> None:
    message = [b"x" * (LIMIT // fragments)] * fragments + [b"x"]
    async with dial(echo[1], compression=compression, max_size=None) as client:
        with suppress(ConnectionClosed):
            await client.send(message)
        assert (await ending(client))[0] == 1009
    assert echo[0].end()[0] == 1009
    assert echo[0].lengths == []


@COMPRESSION
@in_a_loop
async def test_a_limit_counts_what_is_decompressed(compression: str | None) -> None:
    with echoing(ws_max_size=1_000) as (echo, server):
        async with dial(server, compression=compression) as client:
            await client.send("x" * 1_000)
            assert await client.recv() == "x" * 1_000
            await client.send("x" * 1_001)
            assert (await ending(client))[0] == 1009
        assert echo.lengths == [1_000]


@COMPRESSION
@in_a_loop
async def test_the_application_learns_that_the_client_takes_no_more(
    echo: tuple[Echo, Live], compression: str | None
) -> None:
    async with dial(echo[1], compression=compression, max_size=1_000) as client:
        await client.send("send 1000")
        assert len(await client.recv()) == 1_000
        await client.send("send 1001")
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert echo[0].end()[0] == 1009


@in_a_loop
async def test_websockets_streams_a_large_message(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1]) as client:
        await client.send("send 1000000")
        assert b"".join([piece async for piece in client.recv_streaming(decode=False)]) == b"x" * 1_000_000


@COMPRESSION
@in_a_loop
async def test_sending_and_receiving_at_once_loses_nothing(echo: tuple[Echo, Live], compression: str | None) -> None:
    messages = [bytes([number]) * 40_000 for number in range(200)]  # much more than buffers on the way hold
    async with dial(echo[1], compression=compression) as client:

        async def send() -> None:
            for message in messages:
                await client.send(message)

        sending = asyncio.create_task(send())
        assert [await client.recv() for _ in messages] == messages
        await sending


@in_a_loop
async def test_many_clients_get_their_own_messages(echo: tuple[Echo, Live]) -> None:
    async def talk(number: int) -> bool:
        async with dial(echo[1]) as client:
            for step in range(10):
                await client.send(f"{number} {step}")
                if await client.recv() != f"{number} {step}":
                    return False
            return True

    assert all(await asyncio.gather(*map(talk, range(50))))


CODES = pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "bye"), (1011, "schön"), (3000, ""), (4999, "x" * 123)]
)


@CODES
@in_a_loop
async def test_the_application_gets_code_and_reason_of_websockets(
    echo: tuple[Echo, Live], code: int, reason: str
) -> None:
    async with dial(echo[1]) as client:
        await client.close(code, reason)
        assert client.close_code == code
    assert echo[0].end() == (code, reason)


@CODES
@in_a_loop
async def test_websockets_gets_code_and_reason_of_the_application(
    echo: tuple[Echo, Live], code: int, reason: str
) -> None:
    async with dial(echo[1]) as client:
        await client.send(f"close {code} {reason}")
        assert await ending(client) == (code, reason)
    assert echo[0].end() == (code, reason)


@in_a_loop
async def test_a_lost_connection_is_a_1006_for_the_application(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1]) as client:
        await client.send("here")
        await client.recv()
        client.transport.abort()
    assert echo[0].end() == (1006, "")


@in_a_loop
async def test_websockets_connects_anew_after_a_restart(echo: tuple[Echo, Live]) -> None:
    ends = []
    async for client in dial(echo[1]):
        await client.send("close 1012")
        ends.append(await ending(client))
        if len(ends) == 3:
            break
    assert ends == [(1012, "")] * 3


@in_a_loop
async def test_websockets_gets_its_subprotocol(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1], subprotocols=["chat.v2", "chat.v1"]) as client:
        assert client.subprotocol == "chat.v2"


@in_a_loop
async def test_websockets_gets_the_denial_response(echo: tuple[Echo, Live]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await dial(echo[1], "/denied")
    answer = refused.value.response
    assert (answer.status_code, answer.body, answer.headers["x-why"]) == (401, b"who are you?", "because")


@in_a_loop
async def test_a_server_without_websockets_answers_as_to_any_request() -> None:
    with echoing(ws="none") as (_, server), pytest.raises(InvalidStatus) as refused:
        await dial(server)
    assert (refused.value.response.status_code, refused.value.response.body) == (200, b"plain")


# --- websockets, in threads ---------------------------------------------------------------------


@COMPRESSION
@MESSAGES
def test_a_thread_gets_back_what_it_sends(
    echo: tuple[Echo, Live], message: str | bytes, compression: str | None
) -> None:
    with connect_sync(url(echo[1]), proxy=None, compression=compression) as client:
        client.send(message)
        assert client.recv(ANSWER_S) == message


def test_a_thread_sends_fragments_and_receives_a_stream(echo: tuple[Echo, Live]) -> None:
    pieces = [f"piece {number}\n" for number in range(1_000)]
    with connect_sync(url(echo[1]), proxy=None) as client:
        client.send(pieces)
        assert "".join(client.recv_streaming(decode=True)) == "".join(pieces)


def test_a_thread_waits_for_the_pong(echo: tuple[Echo, Live]) -> None:
    with connect_sync(url(echo[1]), proxy=None) as client:
        assert client.ping("hello").wait(ANSWER_S)


def test_one_thread_sends_while_another_receives(echo: tuple[Echo, Live]) -> None:
    messages = [str(number) * 2_000 for number in range(500)]
    with connect_sync(url(echo[1]), proxy=None) as client:

        def send() -> None:
            for message in messages:
                client.send(message)

        sender = threading.Thread(target=send)
        sender.start()
        assert [client.recv(ANSWER_S) for _ in messages] == messages
        sender.join(ANSWER_S)


def test_the_application_gets_code_and_reason_of_a_thread(echo: tuple[Echo, Live]) -> None:
    with connect_sync(url(echo[1]), proxy=None) as client:
        client.close(4001, "bye")
        assert client.close_code == 4001
    assert echo[0].end() == (4001, "bye")


# --- aiohttp ------------------------------------------------------------------------------------


@asynccontextmanager
async def aiohttp_client(
    server: Live, path: str = "/", **options: Any
) -> AsyncIterator["aiohttp.ClientWebSocketResponse[bool]"]:
    async with aiohttp.ClientSession() as session, session.ws_connect(url(server, path), **options) as client:
        yield client


@pytest.mark.parametrize("compress", [0, 9, 12, 15])
@MESSAGES
@in_a_loop
async def test_aiohttp_gets_back_what_it_sends(echo: tuple[Echo, Live], message: str | bytes, compress: int) -> None:
    async with aiohttp_client(echo[1], compress=compress) as client:
        assert bool(client.compress) == bool(compress)
        for _ in range(3):
            if isinstance(message, str):
                await client.send_str(message)
            else:
                await client.send_bytes(message)
            assert (await client.receive()).data == message


@in_a_loop
async def test_the_heartbeat_of_aiohttp_is_answered(echo: tuple[Echo, Live]) -> None:
    async with aiohttp_client(echo[1], heartbeat=0.6) as client:  # half of that is the time for the pong
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.receive(), 1.5)
        await client.send_json({"on": True})
        assert await client.receive_json() == {"on": True}


@in_a_loop
async def test_aiohttp_sees_the_pings_of_the_server() -> None:
    with echoing(ws_ping_interval=0.05) as (_, server):
        async with aiohttp_client(server, autoping=False) as client:
            ping = await client.receive()
            assert (ping.type, ping.data) == (aiohttp.WSMsgType.PING, b"")


@in_a_loop
async def test_aiohttp_sees_the_pong_of_its_own_ping(echo: tuple[Echo, Live]) -> None:
    async with aiohttp_client(echo[1], autoping=False) as client:
        await client.ping(b"hello")
        pong = await client.receive()
        assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"hello")


@CODES
@in_a_loop
async def test_the_application_gets_code_and_reason_of_aiohttp(echo: tuple[Echo, Live], code: int, reason: str) -> None:
    async with aiohttp_client(echo[1]) as client:
        await client.close(code=code, message=reason.encode())
        assert client.close_code == code
    assert echo[0].end() == (code, reason)


@CODES
@in_a_loop
async def test_aiohttp_gets_code_and_reason_of_the_application(echo: tuple[Echo, Live], code: int, reason: str) -> None:
    async with aiohttp_client(echo[1]) as client:
        await client.send_str(f"close {code} {reason}")
        end = await client.receive()
        assert (end.type, end.data, end.extra) == (aiohttp.WSMsgType.CLOSE, code, reason)
    assert echo[0].end() == (code, reason)


@pytest.mark.parametrize("compress", [0, 15])
@in_a_loop
async def test_the_application_learns_that_aiohttp_takes_no_more(echo: tuple[Echo, Live], compress: int) -> None:
    async with aiohttp_client(echo[1], compress=compress, max_msg_size=1_000) as client:
        await client.send_str("send 2000")
        assert (await client.receive()).type == aiohttp.WSMsgType.ERROR
    assert echo[0].end()[0] == 1009


@in_a_loop
async def test_aiohttp_gets_its_subprotocol(echo: tuple[Echo, Live]) -> None:
    async with aiohttp_client(echo[1], protocols=("chat.v2", "chat.v1")) as client:
        assert client.protocol == "chat.v2"


@in_a_loop
async def test_aiohttp_is_denied(echo: tuple[Echo, Live]) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with aiohttp_client(echo[1], "/denied"):
            pass
    assert refused.value.status == 401


@in_a_loop
async def test_a_session_of_aiohttp_asks_pages_beside_a_websocket(echo: tuple[Echo, Live]) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url(echo[1])) as client:
        async with session.get(f"http://127.0.0.1:{echo[1].port}/") as answer:
            assert await answer.text() == "plain"
        await client.send_str("on")
        assert await client.receive_str() == "on"


# --- httpx --------------------------------------------------------------------------------------


@in_a_loop
async def test_requests_are_answered_beside_an_open_websocket(echo: tuple[Echo, Live]) -> None:
    async with dial(echo[1]) as client, httpx.AsyncClient(trust_env=False) as pages:
        for number in range(20):
            await client.send(str(number))
            assert (await pages.get(f"http://127.0.0.1:{echo[1].port}/")).text == "plain"
            assert await client.recv() == str(number)


def test_a_connection_that_has_served_requests_becomes_a_websocket(echo: tuple[Echo, Live]) -> None:
    address = f"http://127.0.0.1:{echo[1].port}/"
    handshake = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with httpx.Client(trust_env=False) as client:
        before = client.get(address).extensions["network_stream"].get_extra_info("client_addr")
        with client.stream("GET", address, headers=handshake) as answer:
            assert (answer.status_code, answer.headers["sec-websocket-accept"]) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            stream = answer.extensions["network_stream"]
            assert stream.get_extra_info("client_addr") == before
            stream.write(b"\x81\x82\0\0\0\0hi")
            assert stream.read(100, timeout=ANSWER_S) == b"\x81\x02hi"
