"""Stopping: gracefully, at once, and when somebody insists."""

import signal
import threading
from pathlib import Path

import httpx
import pytest
from tests.supervised import gone, processes, supervised

pytestmark = pytest.mark.process
GRACEFUL = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@GRACEFUL
def test_an_answer_under_way_is_finished(tmp_path: Path, number: int) -> None:
    answers: list[httpx.Response] = []
    with supervised(tmp_path, "--workers", "2") as server:
        started = [each.pid for each in processes(server.process.pid)]
        asking = threading.Thread(target=lambda: answers.append(server.client.get("/slow")))
        asking.start()
        server.client.get("/")
        server.send(number)
        assert server.exit_status() == 0
        asking.join()
        log = server.read_all()
    assert [answer.status_code for answer in answers] in ([200], [])
    assert log.count("closed by") == 2
    assert "Finished supervisor" in log
    assert all(map(gone, started))
    assert "Traceback" not in log


@pytest.mark.parametrize("first", [None, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGQUIT])
def test_who_insists_does_not_wait(tmp_path: Path, first: int | None, second: int) -> None:
    """SIGQUIT, or a second SIGINT, cuts; the application's shutdown is run nevertheless."""
    if first is None and second == signal.SIGINT:
        pytest.skip("the first SIGINT waits")
    with supervised(tmp_path, "--timeout-graceful-shutdown", "60") as server:
        failures: list[Exception] = []

        def hold() -> None:
            try:
                server.client.get("/hold", timeout=60)
            except httpx.TransportError as error:
                failures.append(error)

        holding = threading.Thread(target=hold)
        holding.start()
        server.wait_for("holding")
        if first is not None:
            server.send(first)
            server.wait_for("Waiting for connections to close")
        server.send(second)
        assert server.exit_status() == 0
        holding.join()
        log = server.read_all()
    assert len(failures) == 1
    assert "closed by" in log
    assert "Traceback" not in log


def test_a_stop_while_workers_start_does_not_wait_for_them(tmp_path: Path) -> None:
    source = "import time\nprint('importing', flush=True)\ntime.sleep(3600)\n"
    from tests.supervised import started

    with started(tmp_path, source=source) as server:
        server.wait_for("importing")
        server.send(signal.SIGINT)
        assert server.exit_status() == 0
        assert "Traceback" not in server.read_all()


def test_a_worker_that_is_told_to_stop_by_hand_is_replaced(tmp_path: Path) -> None:
    import os

    with supervised(tmp_path) as server:
        before = server.worker()
        os.kill(before, signal.SIGTERM)
        assert server.another_than(before) != before
