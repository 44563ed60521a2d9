"""`--health`: what a load balancer or an orchestrator asks, answered by the worker itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.live import LOOPS, Answer, Live, Wire, answers, finished, live, reply

from portico.asgi import Receive, Scope, Send
from portico.server.health import answering


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await reply(send, b"application at " + scope["path"].encode())


def asked(server: Live, path: str = "/healthz", method: str = "GET") -> Answer:
    request = f"{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    [answer] = answers(finished(server.port, request), method)
    return answer


@pytest.mark.parametrize("on", LOOPS)
def test_a_worker_that_serves_is_well(on: str) -> None:
    with live(app, on=on, health="/healthz") as server:
        answer = asked(server)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.field(b"cache-control") == b"no-store"
        assert asked(server, method="HEAD").status == 200
        assert asked(server, "/healthz?verbose=1").body == b"ok"


def test_all_other_paths_are_the_applications() -> None:
    with live(app, health="/healthz") as server:
        for path in ("/", "/healthz/", "/healthz/deep", "/HEALTHZ"):
            assert asked(server, path).body == b"application at " + path.encode()


def test_without_the_setting_the_path_is_the_applications() -> None:
    with live(app) as server:
        assert asked(server).body == b"application at /healthz"


def test_other_methods_are_refused() -> None:
    with live(app, health="/healthz") as server:
        answer = asked(server, method="POST")
        assert (answer.status, answer.field(b"allow")) == (405, b"GET, HEAD")


@pytest.mark.parametrize("path", ["/healthz", "/shop/healthz"])
def test_below_a_root_path_a_probe_may_come_with_or_without_it(path: str) -> None:
    with live(app, health="/healthz", root_path="/shop") as server:
        assert asked(server, path).body == b"ok"


def test_health_fails_at_once_while_the_worker_still_accepts() -> None:
    with live(app, health="/healthz", shutdown_delay=60.0) as server:
        stopping = asyncio.run_coroutine_threadsafe(server.server.shutdown(), server.loop)
        while asked(server).status == 200:
            pass
        answer = asked(server)
        assert (answer.status, answer.body) == (503, b"stopping")
        assert answer.field(b"cache-control") == b"no-store"
        assert asked(server, "/").body == b"application at /"
        server.loop.call_soon_threadsafe(lambda: server.server.stop(force=True))
        stopping.result(10)


def test_a_worker_that_drains_is_not_well() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        entered.set()
        await leave.wait()
        await reply(send)

    with live(slow, health="/healthz") as server, Wire(server.port) as wire, Wire(server.port) as other:
        other.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert other.answer().status == 200
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        asyncio.run_coroutine_threadsafe(_until(entered), server.loop).result(10)
        other.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")  # a head that has begun is read to its end
        stopping = asyncio.run_coroutine_threadsafe(server.server.shutdown(), server.loop)
        while server.server.is_ready():
            pass
        other.send(b"\r\n")
        assert other.answer().status == 503
        server.loop.call_soon_threadsafe(leave.set)
        assert wire.answer().status == 200
        stopping.result(10)


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def test_who_is_busy_is_not_ill() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        entered.set()
        await leave.wait()
        await reply(send)

    with live(slow, health="/healthz", limit_concurrency=1) as server, Wire(server.port) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        asyncio.run_coroutine_threadsafe(_until(entered), server.loop).result(10)
        assert asked(server, "/").status == 503
        assert asked(server).status == 200
        server.loop.call_soon_threadsafe(leave.set)
        assert wire.answer().status == 200


def test_probes_leave_no_line_in_the_access_log(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with live(app, health="/healthz", access_log=True, access_log_file=str(path)) as server:
        asked(server)
        asked(server, "/one")
        asked(server, "/healthz?again")
        asked(server, "/two")
    lines = path.read_text().splitlines()
    assert ["/one" in lines[0], "/two" in lines[1], len(lines)] == [True, True, 2]


def test_websockets_and_lifespan_pass_by() -> None:
    seen: list[str] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*message: Any) -> Any:
        raise AssertionError

    async def main() -> None:
        served = answering(noting, "/healthz", lambda: True)
        await served({"type": "websocket", "path": "/healthz"}, nothing, nothing)
        await served({"type": "lifespan"}, nothing, nothing)

    asyncio.run(main())
    assert seen == ["websocket", "lifespan"]
