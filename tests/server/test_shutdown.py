"""Stopping: in process by leaving the block, in a real process by SIGINT and SIGTERM; and starts that fail."""

import asyncio
import queue
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.children import environment
from tests.live import LOOPS, Live, Wire, live, reply

from portico.asgi import Receive, Scope, Send

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HOLD = b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"

PROGRAM = """
import sys
import portico

async def app(scope, receive, send):
{app}

if __name__ == "__main__":
    sys.exit(portico.run(app, port=0, **{settings!r}))
"""

HOLDING = """
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("closed", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/hold":
        print("holding", flush=True)
        await receive()
    if scope["path"] == "/for-ever":
        print("holding", flush=True)
        import asyncio
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"ok"})
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, folder: Path, app: str, **settings: Any) -> None:
        program = folder / "program.py"
        body = textwrap.indent(textwrap.dedent(app).strip("\n"), "    ")
        program.write_text(PROGRAM.format(app=body, settings=settings))
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(program)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out, self.err = self.process.stdout, self.process.stderr
        self.log = ""

    def ready(self) -> int:
        """Block until the address is announced; return the port."""
        for line in self.err:
            self.log += line.decode()
            if match := re.search(r"Portico running on http://127\.0\.0\.1:(\d+) \(Press CTRL\+C to quit\)", self.log):
                return int(match[1])
        raise AssertionError(self.log)

    def until(self, word: str) -> None:
        """Block until the application prints `word`."""
        for line in self.out:
            if line.decode().strip() == word:
                return
        raise AssertionError(f"no {word!r}; {self.log}{self.err.read().decode()}")

    def stop(self, *signals: signal.Signals) -> int:
        """Send the signals, wait for the end, return the exit code."""
        for number in signals:
            self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait for the end; return the exit code. The log holds all of stderr then."""
        out, err = self.process.communicate(timeout=20)
        self.printed = out.decode()
        self.log += err.decode()
        return self.process.returncode


@contextmanager
def serving(folder: Path, app: str = HOLDING, **settings: Any) -> Iterator[Process]:
    """Run a server process; kill it if the test leaves it alive."""
    child = Process(folder, app, **settings)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.process.kill()
        child.process.wait()
        child.out.close()
        child.err.close()


BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.mark.process
@BOTH
def test_an_idle_server_stops_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, the lifespan closed, no traceback, idle connections closed."""
    with serving(tmp_path) as child:
        port = child.ready()
        with Wire(port) as idle, Wire(port) as silent:
            idle.send(GET)
            assert idle.answer().status == 200
            assert child.stop(number) == 0
            assert idle.rest() == silent.rest() == b""
        assert "closed" in child.printed
        assert "Traceback" not in child.log


@pytest.mark.process
def test_the_log_lines_that_users_expect(tmp_path: Path) -> None:
    """Process id, waiting, complete, address; and the same on the way out."""
    with serving(tmp_path) as child:
        child.ready()
        pid = child.process.pid
        child.stop(signal.SIGINT)
    lines = [
        f"Started server process [{pid}]",
        "Waiting for application startup",
        "Application startup complete",
        "Portico running on http://127.0.0.1:",
        "Shutting down",
        "Waiting for application shutdown",
        "Application shutdown complete",
        f"Finished server process [{pid}]",
    ]
    places = [child.log.find(line) for line in lines]
    assert -1 not in places, child.log
    assert places == sorted(places), child.log


@pytest.mark.process
@BOTH
def test_answers_in_flight_are_finished(tmp_path: Path, number: signal.Signals) -> None:
    """No new connection is accepted, the answer in flight comes with `Connection: close`, then the process ends."""
    with serving(tmp_path) as child:
        port = child.ready()
        with Wire(port) as wire, Wire(port) as idle:
            wire.send(HOLD)
            child.until("holding")
            child.process.send_signal(number)
            assert idle.rest() == b""  # the stop has begun
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=5)
            wire.send(b"x")
            answer = wire.answer()
            assert (answer.status, answer.body, answer.closes) == (200, b"ok", True)
            assert wire.rest() == b""
        assert child.end() == 0
        assert "Traceback" not in child.log


@pytest.mark.process
def test_a_second_signal_cuts(tmp_path: Path) -> None:
    """An application that never ends does not hold up a user who insists."""
    with serving(tmp_path, timeout_graceful_shutdown=60) as child:
        port = child.ready()
        with Wire(port) as wire, Wire(port) as idle:
            wire.send(b"GET /for-ever HTTP/1.1\r\nHost: a\r\n\r\n")
            child.until("holding")
            child.process.send_signal(signal.SIGINT)
            assert idle.rest() == b""
            child.process.send_signal(signal.SIGINT)
            child.end()
            assert wire.rest() == b""
        assert "Traceback" not in child.log


@pytest.mark.process
def test_the_grace_is_bounded(tmp_path: Path) -> None:
    """timeout_graceful_shutdown: what has not ended by then is cut; the lifespan is still closed."""
    with serving(tmp_path, timeout_graceful_shutdown=0.3) as child:
        port = child.ready()
        with Wire(port) as wire:
            wire.send(b"GET /for-ever HTTP/1.1\r\nHost: a\r\n\r\n")
            child.until("holding")
            child.stop(signal.SIGTERM)
            assert wire.rest() == b""
        assert "closed" in child.printed
        assert "Traceback" not in child.log


@pytest.mark.process
def test_a_failed_start_exits_3(tmp_path: Path) -> None:
    """The application's message is printed, nothing is served."""
    app = """
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
    """
    with serving(tmp_path, app) as child:
        assert child.end() == 3
        assert "no database" in child.log
        assert "Portico running" not in child.log


@pytest.mark.process
def test_lifespan_on_with_an_application_without_it_exits_3(tmp_path: Path) -> None:
    """`--lifespan on` insists; the application's error is shown."""
    with serving(tmp_path, 'raise NotImplementedError("only HTTP here")', lifespan="on") as child:
        assert child.end() == 3
        assert "only HTTP here" in child.log


@pytest.mark.process
@BOTH
def test_a_signal_during_start_up_ends_the_process(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl+C while the application starts: no traceback, no hang."""
    app = """
    print("starting", flush=True)
    await receive()
    import asyncio
    await asyncio.Event().wait()
    """
    with serving(tmp_path, app) as child:
        child.until("starting")
        child.stop(number)
        assert "Traceback" not in child.log
        assert "Portico running" not in child.log


@pytest.mark.process
def test_an_address_in_use_is_a_short_message(tmp_path: Path) -> None:
    """No traceback, exit code 1, and the address is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, HOLDING, bind=(f"127.0.0.1:{port}",)) as child:
            assert child.end() == 1
            assert str(port) in child.log
            assert "Traceback" not in child.log


# --- in process ---------------------------------------------------------------------------------------


def test_leaving_the_block_closes_idle_connections() -> None:
    """As a signal, without one."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await reply(send)

    with live(app) as server:
        wire = Wire(server.port)
        wire.send(GET)
        assert wire.answer().status == 200
    with wire:
        assert wire.rest() == b""


@pytest.mark.parametrize("on", LOOPS)
@pytest.mark.parametrize("rounds", range(4))
def test_a_connection_that_comes_as_the_stop_begins_does_not_hold_it_up(
    rounds: int, on: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Accepted, and not yet known to the server when it closes those that are idle."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"

    async def connect_and_stop(server: Live) -> list[socket.socket]:
        clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
        for _ in range(rounds):  # of the loop
            await asyncio.sleep(0)
        await server.server.shutdown()
        return clients

    with live(app, on=on, timeout_graceful_shutdown=0.5) as server:
        for client in asyncio.run_coroutine_threadsafe(connect_and_stop(server), server.loop).result(10):
            client.close()
    assert "took too long" not in caplog.text


def test_the_application_sees_the_cut() -> None:
    """When the grace is over, a waiting application sees the disconnect or its cancellation."""
    notes: queue.Queue[Any] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        notes.put("in")
        try:
            await receive()
            notes.put((await receive())["type"])
        except BaseException as error:
            notes.put(type(error).__name__)
            raise

    with live(app, timeout_graceful_shutdown=0.2) as server:
        wire = Wire(server.port)
        wire.send(GET)
        assert notes.get(timeout=5) == "in"
    assert notes.get(timeout=5) in ("http.disconnect", "CancelledError")
    wire.socket.close()
