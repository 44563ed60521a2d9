"""Stopping: gracefully, at once, and when somebody insists."""

import os
import signal
import threading
from pathlib import Path

import httpx
import pytest
from tests.supervised import gone, processes, started, supervised

pytestmark = [pytest.mark.process, pytest.mark.once]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_under_way_is_finished(tmp_path: Path, number: int) -> None:
    answers: list[int] = []
    with supervised(tmp_path, "--workers", "2") as server:
        workers = [each.pid for each in processes(server.process.pid)]
        asking = threading.Thread(target=lambda: answers.append(server.client.get("/slow").status_code))
        asking.start()
        server.wait_for("slowly")
        server.send(number)
        assert server.exit_status() == 0
        asking.join()
        log = server.read_all()
    assert answers == [200]
    assert log.count("closed by") == 2
    assert "Finished supervisor" in log
    assert "Traceback" not in log
    assert all(map(gone, workers))


@pytest.mark.parametrize(
    "numbers",
    [
        (signal.SIGQUIT,),
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGQUIT),
    ],
    ids=lambda numbers: "-".join(number.name for number in numbers),
)
def test_who_insists_does_not_wait(tmp_path: Path, numbers: tuple[signal.Signals, ...]) -> None:
    """Connections are cut; the application's shutdown is run nevertheless."""
    failures: list[Exception] = []
    with supervised(tmp_path, "--timeout-graceful-shutdown", "60") as server:

        def hold() -> None:
            try:
                server.client.get("/hold", timeout=60)
            except httpx.TransportError as error:
                failures.append(error)

        holding = threading.Thread(target=hold)
        holding.start()
        server.wait_for("holding")
        for number in numbers[:-1]:
            server.send(number)
            server.wait_for("Waiting for connections to close")
        server.send(numbers[-1])
        assert server.exit_status() == 0
        holding.join()
        log = server.read_all()
    assert len(failures) == 1
    assert "closed by" in log
    assert "Traceback" not in log


def test_a_stop_while_workers_start_does_not_wait_for_them(tmp_path: Path) -> None:
    source = "import time\nprint('importing', flush=True)\ntime.sleep(3600)\n"
    with started(tmp_path, source=source) as server:
        server.wait_for("importing")
        server.send(signal.SIGINT)
        assert server.exit_status() == 0
        assert "Traceback" not in server.read_all()


def test_a_worker_that_is_told_to_stop_by_hand_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = server.worker()
        os.kill(before, signal.SIGTERM)
        assert server.another_than(before) != before
