"""`portico top`: its figures one by one, one table on a pipe, and the live view in a real terminal (tmux)."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.children import PORTICO, ROOT, environment
from tests.served import served

from portico.cli.report import duration, percentile, size, span, table
from portico.cli.top import Source
from portico.server.metrics.board import BOUNDS, Board
from portico.server.metrics.census import Census
from portico.server.metrics.exposition import workers_json
from portico.server.metrics.meter import Meter

TMUX = shutil.which("tmux")
APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
"""
HEADINGS = ["WORKER", "PID", "STATE", "UPTIME", "REQ/S", "P50", "P99", "IN", "FLIGHT", "CONNS", "WS", "RSS", "LAG"]


# --- the figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0ms"), (0.000051, "0.051ms"), (0.00035, "0.35ms"), (0.0123, "12ms"), (0.9994, "999ms"), (0.9996, "1.0s"),
     (1.25, "1.2s"), (42.4, "42s")],
)  # fmt: skip
def test_durations_are_shown_with_two_figures(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1.0, "0s"), (59.9, "59s"), (60, "1m 00s"), (3599, "59m 59s"), (3600, "1h 00m"), (90_000, "1d 01h")],
)
def test_times_are_shown_in_two_units(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0B"), (999, "999B"), (1000, "1.0K"), (1536, "1.5K"), (125_829_120, "120M"), (5 << 40, "5120G")],
)
def test_sizes_are_shown_in_powers_of_1024(count: int, shown: str) -> None:
    assert size(count) == shown


def buckets(**counts: int) -> list[int]:
    found = [0] * (len(BOUNDS) + 1)
    for name, count in counts.items():
        found[int(name[1:])] = count
    return found


@pytest.mark.parametrize(
    ("counts", "share", "shown"),
    [
        ({}, 0.5, "-"),
        ({"b0": 10}, 0.5, "0.05ms"),
        ({"b9": 10}, 0.5, f"{0.175 * 1000:.0f}ms"),
        ({"b0": 98, "b11": 2}, 0.99, f"{0.75 * 1000:.0f}ms"),
        ({"b16": 1}, 0.99, ">30s"),
    ],
)
def test_a_percentile_lies_evenly_in_its_bucket(counts: dict[str, int], share: float, shown: str) -> None:
    assert percentile(buckets(**counts), BOUNDS, share) == shown


# --- the table ----------------------------------------------------------------------------------


class Fleet:
    """Workers that do what a test says."""

    def __init__(self, *numbers: int) -> None:
        self.census = Census(Board.create())
        self.meters = {}
        for number in numbers:
            place = self.census.enter(number)
            self.census.set_state(place, "serving")
            meter = self.meters[number] = Meter(self.census.board.place(place))
            meter.beat(time.monotonic(), 0.0, 2, 3)

    def serve(self, number: int, requests: int, seconds: float = 0.0) -> None:
        for _ in range(requests):
            self.meters[number].count("GET", 200, time.perf_counter_ns() - int(seconds * 1e9))

    def report(self, at: float) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(workers_json(self.census))
        return found | {"at": at}


def rows(report: dict[str, Any], before: dict[str, Any] | None) -> dict[str, list[str]]:
    """Return the cells of the table by the number of the worker, `total` included."""
    lines = [text for _, text in table(report, before)]
    start = next(index for index, text in enumerate(lines) if text.startswith("WORKER"))
    return {cells[0]: cells for cells in (re.split(r" {1,}", text) for text in lines[start + 1 :])}


def test_the_first_look_has_no_rates() -> None:
    fleet = Fleet(1)
    assert rows(fleet.report(0.0), None)["1"][4:7] == ["-", "-", "-"]


def test_rates_and_percentiles_are_of_what_happened_between_two_looks() -> None:
    fleet = Fleet(1, 2)
    fleet.serve(1, 1000, 20.0)
    before = fleet.report(10.0)
    fleet.serve(1, 40)
    fleet.serve(2, 2, 3.0)
    found = rows(fleet.report(12.0), before)
    assert found["1"][4] == "20.0"
    assert found["1"][5].endswith("ms")
    assert found["2"][4:7] == ["1.0", "3.8s", "5.0s"]
    assert found["total"][1] == "21.0"


def test_a_worker_that_is_new_has_counted_everything_since() -> None:
    fleet = Fleet(1)
    before = fleet.report(10.0)
    before["workers"] = []
    fleet.serve(1, 6)
    assert rows(fleet.report(12.0), before)["1"][4] == "3.0"


def test_another_server_at_the_same_address_is_looked_at_anew() -> None:
    fleet = Fleet(1)
    fleet.serve(1, 6)
    before = fleet.report(10.0) | {"started": 1.0}
    assert rows(fleet.report(12.0), before)["1"][4] == "-"


def test_a_worker_without_a_heartbeat_is_blocked() -> None:
    fleet = Fleet(1)
    fleet.meters[1].beat(time.monotonic() - 65.5, 0.0, 0, 0)
    assert "blocked 1m 05s" in "\n".join(text for _, text in table(fleet.report(0.0), None))


def test_restarts_are_summed_and_named() -> None:
    fleet = Fleet(1)
    for reason in ("death", "hang", "death"):
        fleet.census.count_restart(reason)
    first = table(fleet.report(0.0), None)[0][1]
    assert "3 restarts (death 2, hang 1)" in first


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["9100", ":9100", "localhost:9100", "[::1]:9100", "0.0.0.0:9100", "http://a:9100", "http://a:9100/metrics"],
)
def test_an_address_is_given_as_for_metrics_or_as_a_url(address: str) -> None:
    assert Source(address).address == address


@pytest.mark.parametrize("address", ["", "a/b", "fd://3", "localhost", "127.0.0.1:0", "https://a:1"])
def test_what_cannot_be_connected_to_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Source(address)


# --- one table ----------------------------------------------------------------------------------


class _Endpoint(HTTPServer):
    """Answers /workers as `fleet` is."""

    allow_reuse_address = True
    answer: Callable[[], bytes]


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Endpoint)
        body = self.server.answer()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def endpoint(answer: Callable[[], bytes], port: int = 0) -> Iterator[int]:
    """Answer whoever asks; yields the port."""
    with _Endpoint(("127.0.0.1", port), _Handler) as server:
        server.answer = answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def ran(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PORTICO, "top", *arguments],
        env=environment(variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.once
@pytest.mark.process
def test_one_table_is_printed_without_a_terminal() -> None:
    fleet = Fleet(1, 2)
    with endpoint(lambda: workers_json(fleet.census)) as port:
        done = ran(f"127.0.0.1:{port}", "--once", "--interval", "0.1")
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(done.stdout.splitlines()[2].split()) == " ".join(HEADINGS)
    assert [line.split()[0] for line in done.stdout.splitlines()[3:]] == ["1", "2", "total"]
    assert "\x1b" not in done.stdout


@pytest.mark.once
@pytest.mark.process
def test_the_address_is_the_setting_that_the_server_was_started_with() -> None:
    fleet = Fleet(1)
    with endpoint(lambda: workers_json(fleet.census)) as port:
        done = ran("--once", "--interval", "0.1", PORTICO_METRICS=f"127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr


@pytest.mark.once
@pytest.mark.process
def test_a_server_that_is_not_there_is_said_to_be() -> None:
    port = free_port()
    done = ran(f"127.0.0.1:{port}", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: no answer from 127.0.0.1:{port}: Connection refused\n"


@pytest.mark.once
@pytest.mark.process
def test_another_server_is_told_from_portico() -> None:
    with endpoint(lambda: b"<html>") as port:
        done = ran(f"127.0.0.1:{port}", "--once")
    assert done.stderr == f"Error: 127.0.0.1:{port} answers, but not as the metrics of Portico do\n"


@pytest.mark.once
@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "said"), [((), "which server?"), (("9100",), "--once"), (("a/b",), "no address")]
)
def test_what_cannot_be_done_is_an_error_of_usage(arguments: tuple[str, ...], said: str) -> None:
    done = ran(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


# --- the live view ------------------------------------------------------------------------------


class Terminal:
    """A terminal of tmux with a shell in it."""

    def __init__(self, socket_path: Path) -> None:
        self.tmux = [str(TMUX), "-S", str(socket_path), "-f", os.devnull]
        shell = environment({"TERM": "xterm", "ENV": ""})
        subprocess.run(
            [*self.tmux, "new-session", "-d", "-x", "110", "-y", "20", "-s", "t", "sh"], env=shell, cwd=ROOT, check=True
        )

    def type(self, *keys: str) -> None:
        subprocess.run([*self.tmux, "send-keys", "-t", "t", *keys], check=True)

    def run(self, *arguments: str) -> None:
        self.type("-l", " ".join([*PORTICO, "top", *arguments]))
        self.type("Enter")

    def resize(self, columns: int, lines: int) -> None:
        subprocess.run([*self.tmux, "resize-window", "-t", "t", "-x", str(columns), "-y", str(lines)], check=True)

    def child(self) -> int:
        """Return the process that the shell has started."""
        shell = subprocess.run(
            [*self.tmux, "display-message", "-p", "-t", "t", "#{pane_pid}"], capture_output=True, text=True, check=True
        )
        found = subprocess.run(["pgrep", "-P", shell.stdout.strip()], capture_output=True, text=True, check=True)
        return int(found.stdout)

    @property
    def screen(self) -> str:
        shown = subprocess.run(
            [*self.tmux, "capture-pane", "-p", "-t", "t"], capture_output=True, text=True, check=True
        )
        return shown.stdout

    def until(self, pattern: str) -> str:
        """Return the screen once it has the pattern."""
        deadline = time.monotonic() + 30
        while not re.search(pattern, screen := self.screen, re.MULTILINE):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{screen}"
            time.sleep(0.05)
        return screen


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    if TMUX is None:
        pytest.skip("tmux is not installed")
    terminal = Terminal(tmp_path / "tmux")
    terminal.type("-l", "PS1='ready> '; clear")
    terminal.type("Enter")
    terminal.until(r"\Aready>")
    yield terminal
    subprocess.run([*terminal.tmux, "kill-server"], check=True)


@pytest.mark.once
@pytest.mark.process
def test_the_view_is_live_and_q_gives_the_terminal_back(terminal: Terminal) -> None:
    fleet = Fleet(1, 2)
    with endpoint(lambda: workers_json(fleet.census)) as port:
        terminal.run(f"127.0.0.1:{port}", "--interval", "0.2")
        terminal.until(r"^total ")
        fleet.serve(2, 5)
        screen = terminal.until(r" 5 requests ")
        assert [line.split()[0] for line in screen.splitlines() if line.strip()][:5] == [
            "portico", "WORKER", "1", "2", "total",
        ]  # fmt: skip
        assert "ready>" not in screen
        terminal.type("q")
        terminal.until("^ready> .*top.*\n+ready>")
        terminal.type("-l", "stty -a | tr ' ' '\\n' | grep -cx -e '-icanon' -e '-echo'; echo left $?")
        terminal.type("Enter")
        assert re.search("^0\nleft 1$", terminal.until("^left "), re.MULTILINE)


@pytest.mark.once
@pytest.mark.process
@pytest.mark.parametrize("how", ["C-c", "TERM"])
def test_the_terminal_is_given_back_however_the_view_ends(how: str, terminal: Terminal) -> None:
    fleet = Fleet(1)
    with endpoint(lambda: workers_json(fleet.census)) as port:
        terminal.run(f"127.0.0.1:{port}")
        terminal.until(r"^total ")
        if how == "TERM":
            os.kill(terminal.child(), signal.SIGTERM)
        else:
            terminal.type(how)
        screen = terminal.until("ready>.*\n(.*\n)*ready>")
    assert "Traceback" not in screen


@pytest.mark.once
@pytest.mark.process
def test_the_view_is_put_aside_and_taken_up_again(terminal: Terminal) -> None:
    fleet = Fleet(1)
    with endpoint(lambda: workers_json(fleet.census)) as port:
        terminal.type("-l", "set -m")
        terminal.type("Enter")
        terminal.run(f"127.0.0.1:{port}", "--interval", "0.2")
        terminal.until(r"^total ")
        terminal.type("C-z")
        terminal.until("Stopped")
        terminal.type("fg", "Enter")
        terminal.until(r"^total ")
        terminal.type("q")
        terminal.until("Stopped(.*\n)*ready>")


@pytest.mark.once
@pytest.mark.process
def test_the_view_follows_the_size_of_the_terminal(terminal: Terminal) -> None:
    fleet = Fleet(*range(1, 31))
    with endpoint(lambda: workers_json(fleet.census)) as port:
        terminal.run(f"127.0.0.1:{port}", "--interval", "3600")
        assert not re.search(r"^total ", terminal.until(r"^17 "), re.MULTILINE)
        terminal.resize(110, 40)
        terminal.until(r"^total ")
        terminal.resize(30, 40)
        terminal.until(r"^WORKER +PID STATE$")


@pytest.mark.once
@pytest.mark.process
def test_a_server_that_goes_away_may_come_back(terminal: Terminal) -> None:
    fleet = Fleet(1)
    port = free_port()
    terminal.run(f"127.0.0.1:{port}", "--interval", "0.2")
    terminal.until(f"^No answer from 127.0.0.1:{port}: Connection refused")
    with endpoint(lambda: workers_json(fleet.census), port):
        terminal.until(r"^total ")
    terminal.until("^No answer")
    with endpoint(lambda: workers_json(fleet.census), port):
        terminal.until(r"^total ")


@pytest.mark.once
@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="the supervisor needs POSIX")
def test_the_workers_of_a_real_server_are_seen_at_work(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(APP)
    port = free_port()
    options = ("--workers", "2", "--metrics", f"127.0.0.1:{port}")
    with served("hello:app", *options, supervised=True, cwd=tmp_path) as server:
        terminal.run(f"127.0.0.1:{port}", "--interval", "0.2")
        terminal.until(r"^2 +\d+ serving ")
        for _ in range(5):
            server.client.get("/")
        screen = terminal.until(r" 5 requests ")
        assert re.search(r" 2 workers ", screen)
        terminal.type("q")
        terminal.until("ready>.*\n(.*\n)*ready>")
