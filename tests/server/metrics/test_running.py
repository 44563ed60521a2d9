"""Metrics of real servers: with a supervisor whose workers come and go, and without one."""

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text
from tests.served import Served, served
from tests.server.metrics.counting import until

pytestmark = pytest.mark.process

# This machine is asked: no proxy from the environment may stand between.
OPENER = build_opener(ProxyHandler({}))
APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello.py").write_text(APP)
    return tmp_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


class Metrics:
    """Reads the metrics of a server."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"

    def read(self, path: str) -> str:
        with OPENER.open(f"http://{self.address}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def samples(self) -> dict[tuple[str, ...], float]:
        text = self.read("/metrics")
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in read_text(text)
            for sample in family.samples
        }

    def workers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.read("/workers"))["workers"]
        return found

    def pids(self) -> set[int]:
        """Return the processes of the workers that serve."""
        return {worker["pid"] for worker in self.workers() if worker["state"] == "serving"}


def ask(server: Served, times: int) -> None:
    for _ in range(times):
        assert server.client.get("/", headers={"connection": "close"}).text == "hello"


def test_sums_do_not_fall_when_a_worker_is_killed(folder: Path) -> None:
    metrics = Metrics(free_port())
    with served("hello:app", "--workers", "2", "--metrics", metrics.address, supervised=True, cwd=folder) as server:
        until(lambda: len(metrics.pids()) == 2)
        ask(server, 20)
        until(lambda: metrics.samples()["portico_requests_total", "GET", "2xx"] == 20)
        for pid in metrics.pids():
            os.kill(pid, signal.SIGKILL)
            until(lambda gone=pid: gone not in metrics.pids() and len(metrics.pids()) == 2)  # type: ignore[misc]
            assert metrics.samples()["portico_requests_total", "GET", "2xx"] == 20
        ask(server, 1)
        until(lambda: metrics.samples()["portico_requests_total", "GET", "2xx"] == 21)
        found = metrics.samples()
    assert found["portico_worker_restarts_total", "death"] == 2
    assert found["portico_request_duration_seconds_count",] == 21


def test_sums_do_not_fall_when_the_workers_are_reloaded(folder: Path) -> None:
    metrics = Metrics(free_port())
    with served("hello:app", "--workers", "2", "--metrics", metrics.address, supervised=True, cwd=folder) as server:
        ask(server, 10)
        before = metrics.pids()
        server.process.send_signal(signal.SIGHUP)
        until(lambda: len(metrics.pids()) == 2 and not metrics.pids() & before)
        until(lambda: len(metrics.workers()) == 2)
        found = metrics.samples()
    assert found["portico_requests_total", "GET", "2xx"] == 10
    assert found["portico_worker_restarts_total", "reload"] == 2


def test_one_process_that_does_it_all_tells_of_itself(folder: Path) -> None:
    metrics = Metrics(free_port())
    with served("hello:app", "--metrics", metrics.address, cwd=folder) as server:
        ask(server, 3)
        assert metrics.pids() == {server.process.pid}
        until(lambda: metrics.samples()["portico_requests_total", "GET", "2xx"] == 3)


def test_a_server_without_the_setting_does_not_listen_for_it(folder: Path) -> None:
    with served("hello:app", "--metrics", "none", cwd=folder) as server:
        ask(server, 1)
        assert "etrics" not in server.log
