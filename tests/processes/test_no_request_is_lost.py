"""Under load that forgives nothing: workers and whole servers are replaced, and every request gets its answer."""

import os
import signal
import socket
from pathlib import Path

import pytest
from tests.live import LOOPS, Wire
from tests.load import Load
from tests.supervised import Supervised, gone, supervised, wait_until

pytestmark = pytest.mark.process

OK = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
# Says at once which process answers, and the rest when the body of the request has come.
ASKING = """
import os

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid(), "more_body": True})
    await receive()
    await send({"type": "http.response.body", "body": b" has answered"})
"""
HOLD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
WORKERS = ("--workers", "2", "--no-access-log")


def port_of(server: Supervised) -> int:
    """Return the port that the server listens on."""
    return int(server.url.rsplit(":", 1)[1])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_rolling_reload(tmp_path: Path, loop: str) -> None:
    with supervised(tmp_path, *WORKERS, "--loop", loop, source=OK) as server, Load(port_of(server)) as load:
        for _ in range(3):
            load.more(50)
            server.send(signal.SIGHUP)
            server.wait_for("Reloaded")
        load.more(50)
    assert load.failures == []


def test_workers_that_have_served_enough(tmp_path: Path) -> None:
    """They are replaced while others go on, each several times."""
    options = ("--limit-max-requests", "300", "--limit-max-requests-jitter", "100")
    with supervised(tmp_path, *WORKERS, *options, source=OK) as server, Load(port_of(server)) as load:
        for _ in range(3):
            server.wait_for(r"is replaced")
        load.more(50)
    assert load.failures == []


@pytest.mark.parametrize("loop", LOOPS)
def test_a_server_that_is_stopped_and_started_on_a_socket_that_lives_on(tmp_path: Path, loop: str) -> None:
    """As with systemd's socket activation: who comes meanwhile waits."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        inherited = ("--fd", str(listener.fileno()))
        with Load(listener.getsockname()[1]) as load:
            for _ in range(3):
                with supervised(
                    tmp_path, *WORKERS, *inherited, "--loop", loop, source=OK, pass_fds=(listener.fileno(),)
                ):
                    load.more(50)
            with supervised(tmp_path, *inherited, source=OK, pass_fds=(listener.fileno(),)):
                load.more(50)
                load.stop()
    assert load.failures == []


def test_a_killed_worker_takes_only_the_requests_with_it_that_it_was_answering(tmp_path: Path) -> None:
    with supervised(tmp_path, *WORKERS, source=ASKING) as server:
        held: dict[int, list[Wire]] = {}

        def both_are_busy() -> bool:
            wire = Wire(port_of(server))
            wire.send(HOLD)
            pid = int(wire.until(b"\r\n\r\n") and wire.until(b"\r\n") and wire.until(b"\r\n"))
            held.setdefault(pid, []).append(wire)
            return len(held) == 2

        wait_until(both_are_busy, "requests that both workers are answering")
        victim, survivor = held
        os.kill(victim, signal.SIGKILL)
        for _ in range(20):
            with Wire(port_of(server)) as wire:
                wire.send(HOLD + b"x")
                assert b" has answered" in wire.answer().body
        wait_until(lambda: gone(victim), "the end of the killed worker")
        for wire in held[survivor]:
            with wire:
                wire.send(b"x")
                assert wire.until(b" has answered")
        for wire in held[victim]:
            with wire:
                assert b" has answered" not in wire.rest()
