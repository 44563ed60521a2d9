"""picows, a client that shows each frame as it is."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import picows
import pytest
from tests.clients.echo import ANSWER_S, Echo, echoing, in_a_loop
from tests.live import Live


@pytest.fixture
def echo() -> Iterator[tuple[Echo, Live]]:
    with echoing() as both:
        yield both


class Frames(picows.WSListener):
    """Keeps the frames that come."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[tuple[picows.WSMsgType, bytes]] = asyncio.Queue()
        self.compressed: list[bool] = []

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self.compressed.append(frame.rsv1)
        self.frames.put_nowait((frame.msg_type, frame.get_payload_as_bytes()))

    async def next(self) -> tuple[picows.WSMsgType, bytes]:
        return await self.frames.get()


@asynccontextmanager
async def picows_client(
    server: Live, path: str = "/", **options: Any
) -> AsyncIterator[tuple[picows.WSTransport, Frames]]:
    transport, listener = await picows.ws_connect(Frames, f"ws://127.0.0.1:{server.port}{path}", **options)
    assert isinstance(listener, Frames)
    try:
        yield transport, listener
    finally:
        transport.disconnect()
        await transport.wait_disconnected()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000, 9_000_000])
@pytest.mark.parametrize("kind", [picows.WSMsgType.TEXT, picows.WSMsgType.BINARY])
@in_a_loop
async def test_picows_gets_back_its_frames(echo: tuple[Echo, Live], kind: picows.WSMsgType, size: int) -> None:
    payload = (b"0123456789" * (size // 10 + 1))[:size]
    async with picows_client(echo[1]) as (transport, listener):
        transport.send(kind, payload)
        assert await listener.next() == (kind, payload)


@in_a_loop
async def test_picows_gets_a_burst_back_in_order(echo: tuple[Echo, Live]) -> None:
    async with picows_client(echo[1]) as (transport, listener):
        for number in range(2_000):
            transport.send(picows.WSMsgType.TEXT, str(number))
        assert [int((await listener.next())[1]) for _ in range(2_000)] == list(range(2_000))


@in_a_loop
async def test_the_fragments_of_picows_are_one_message(echo: tuple[Echo, Live]) -> None:
    async with picows_client(echo[1]) as (transport, listener):
        transport.send(picows.WSMsgType.TEXT, b"one ", fin=False)
        transport.send_ping(b"in between")
        transport.send(picows.WSMsgType.CONTINUATION, b"two ", fin=False)
        transport.send(picows.WSMsgType.CONTINUATION, b"three")
        assert await listener.next() == (picows.WSMsgType.PONG, b"in between")
        assert await listener.next() == (picows.WSMsgType.TEXT, b"one two three")


@in_a_loop
async def test_picows_measures_round_trips(echo: tuple[Echo, Live]) -> None:
    async with picows_client(echo[1]) as (transport, _):
        assert len(await transport.measure_roundtrip_time(20)) == 20


@in_a_loop
async def test_compressed_frames_made_by_hand_are_understood(echo: tuple[Echo, Live]) -> None:
    deflater, inflater = zlib.compressobj(wbits=-12), zlib.decompressobj(wbits=-15)
    offer = {"sec-websocket-extensions": "permessage-deflate; client_max_window_bits=12"}
    async with picows_client(echo[1], extra_headers=offer) as (transport, listener):
        for number in range(5):
            data = f"message {number} ".encode() * 50
            payload = (deflater.compress(data) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
            transport.send(picows.WSMsgType.TEXT, payload, rsv1=True)
            kind, answer = await listener.next()
            assert (kind, inflater.decompress(answer + b"\0\0\xff\xff")) == (picows.WSMsgType.TEXT, data)
    assert listener.compressed == [True] * 5


@pytest.mark.parametrize("code", [picows.WSCloseCode.OK, picows.WSCloseCode.GOING_AWAY])
@in_a_loop
async def test_the_close_of_picows_is_answered(echo: tuple[Echo, Live], code: picows.WSCloseCode) -> None:
    async with picows_client(echo[1]) as (transport, listener):
        transport.send_close(code, b"bye")
        assert await listener.next() == (picows.WSMsgType.CLOSE, code.value.to_bytes(2, "big"))
        await transport.wait_disconnected()
    assert echo[0].end() == (code.value, "bye")


@in_a_loop
async def test_picows_gets_code_and_reason_of_the_application(echo: tuple[Echo, Live]) -> None:
    async with picows_client(echo[1]) as (transport, listener):
        transport.send(picows.WSMsgType.TEXT, b"close 4999 why")
        assert await listener.next() == (picows.WSMsgType.CLOSE, (4999).to_bytes(2, "big") + b"why")
        transport.send_close(picows.WSCloseCode.OK)
        await transport.wait_disconnected()
    assert echo[0].end() == (4999, "why")


@in_a_loop
async def test_picows_vanishes_without_a_close(echo: tuple[Echo, Live]) -> None:
    async with picows_client(echo[1]) as (transport, _):
        transport.disconnect(graceful=False)
    assert echo[0].end() == (1006, "")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"msg_type": picows.WSMsgType.CONTINUATION, "message": b"of nothing"}, 1002),
        ({"msg_type": picows.WSMsgType.TEXT, "message": b"", "rsv2": True}, 1002),
        ({"msg_type": picows.WSMsgType.TEXT, "message": b"not agreed on", "rsv1": True}, 1002),
        ({"msg_type": picows.WSMsgType.PING, "message": b"", "fin": False}, 1002),
        ({"msg_type": picows.WSMsgType.PING, "message": b"x" * 126}, 1002),
        ({"msg_type": picows.WSMsgType.TEXT, "message": b"\xff"}, 1007),
    ],
)
@in_a_loop
async def test_a_frame_that_breaks_a_rule_closes(echo: tuple[Echo, Live], frame: dict[str, Any], code: int) -> None:
    async with picows_client(echo[1]) as (transport, listener):
        transport.send(**frame)
        kind, payload = await listener.next()
        assert (kind, int.from_bytes(payload[:2], "big")) == (picows.WSMsgType.CLOSE, code)
    assert echo[0].end()[0] == code


@in_a_loop
async def test_a_client_that_answers_no_ping_is_closed() -> None:
    with echoing(ws_ping_interval=0.05, ws_ping_timeout=0.1) as (echo, server):
        async with picows_client(server, enable_auto_pong=False) as (_, listener):
            assert await listener.next() == (picows.WSMsgType.PING, b"")
            kind, payload = await listener.next()
            assert (kind, payload) == (picows.WSMsgType.CLOSE, (1011).to_bytes(2, "big") + b"ping timeout")
        assert echo.end() == (1006, "")


@pytest.mark.parametrize("seconds", [0.6, 1.5])
@in_a_loop
async def test_a_pong_that_waits_while_the_application_holds_up_the_loop_counts(seconds: float) -> None:
    with echoing(ws_ping_interval=0.5, ws_ping_timeout=0.5) as (echo, server):
        async with (
            picows_client(server, enable_auto_pong=False) as (one, pings),
            picows_client(server) as (two, _),
        ):
            assert await pings.next() == (picows.WSMsgType.PING, b"")
            two.send(picows.WSMsgType.TEXT, f"block {seconds}")
            assert await asyncio.to_thread(echo.blocking.wait, ANSWER_S)
            one.send_pong()  # in time, but the server is not looking
            one.send(picows.WSMsgType.TEXT, b"on")
            kind, payload = await pings.next()
            while kind == picows.WSMsgType.PING:
                kind, payload = await pings.next()
            assert (kind, payload) == (picows.WSMsgType.TEXT, b"on")


@in_a_loop
async def test_picows_is_denied(echo: tuple[Echo, Live]) -> None:
    with pytest.raises(picows.WSInvalidStatusError) as refused:
        await picows.ws_connect(Frames, f"ws://127.0.0.1:{echo[1].port}/denied")
    assert refused.value.response is not None
    assert (refused.value.response.status, refused.value.raw_body) == (401, b"who are you?")
