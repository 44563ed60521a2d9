"""Workers that die, and workers that never come up."""

import os
import signal
from pathlib import Path

import pytest
from tests.supervised import APP, started, supervised

pytestmark = pytest.mark.process

NEEDS_FILE = (
    APP
    + """
open("wanted").close()
"""
)
NEVER_STARTS = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = server.worker()
        os.kill(before, signal.SIGKILL)
        server.wait_for(rf"Worker 1 \[{before}\] has died: it was ended by SIGKILL")
        assert server.another_than(before) != before


def test_the_others_go_on_when_a_worker_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, "--workers", "2") as server:
        first, second = server.workers(2)
        os.kill(first, signal.SIGKILL)
        server.wait_for(r"has died")
        assert second in server.workers(2)


def test_a_worker_that_ends_by_itself_is_replaced(tmp_path: Path) -> None:
    source = APP.replace("        blocked_for_good()", "        os._exit(7)")
    with supervised(tmp_path, source=source) as server:
        before = server.worker()
        with pytest.raises(Exception, match="disconnected"):
            server.client.get("/block")
        server.wait_for(rf"Worker 1 \[{before}\] has died: it ended with exit status 7")
        assert server.another_than(before) != before


def test_a_worker_that_cannot_come_back_is_tried_again_until_it_can(tmp_path: Path) -> None:
    (tmp_path / "wanted").touch()
    with supervised(tmp_path, source=NEEDS_FILE) as server:
        before = server.worker()
        (tmp_path / "wanted").unlink()
        os.kill(before, signal.SIGKILL)
        server.wait_for(r"Worker 1 \[\d+\] has not started: .*FileNotFoundError")
        server.wait_for(r"Worker 1 is started again in 1 s")
        (tmp_path / "wanted").touch()
        assert server.another_than(before) != before
        assert server.process.poll() is None


@pytest.mark.parametrize(
    ("source", "status", "says"),
    [
        (NEEDS_FILE, 1, "FileNotFoundError"),
        (NEVER_STARTS, 3, "no database"),
        ("import os\nos._exit(9)\n", 9, "ended with exit status 9"),
    ],
    ids=["import", "startup", "exit"],
)
def test_a_supervisor_whose_workers_never_come_up_ends_with_their_status(
    tmp_path: Path, source: str, status: int, says: str
) -> None:
    with started(tmp_path, "--workers", "2", source=source) as server:
        assert server.exit_status() == status
        log = server.read_all()
    assert says in log
    assert log.count("has not started") == 2
    assert "No worker has started. Exiting." in log
    assert "Portico running" not in log


def test_a_slow_import_is_no_hang(tmp_path: Path) -> None:
    source = "import time\ntime.sleep(1.5)\n" + APP
    with supervised(tmp_path, "--timeout-worker-hang", "0.3", source=source) as server:
        assert server.version() == "one"
    assert "killed" not in server.log


def test_an_import_that_does_not_end_is_bounded(tmp_path: Path) -> None:
    source = "import time\ntime.sleep(3600)\n"
    with started(tmp_path, "--timeout-worker-startup", "0.5", source=source) as server:
        assert server.exit_status() != 0
        log = server.read_all()
    assert "did not start within 0.5 s" in log
    assert "No worker has started. Exiting." in log


def test_the_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "2") as server:
        server.client.base_url = server.wait_for(r"Portico running on (http://\S+)")[1]
        workers = server.workers(2)
        server.process.kill()
        server.process.wait()
        log = server.read_all()  # nobody holds the pipe any more
    for pid in workers:
        assert f"[{pid}] stops" in log
        assert f"closed by {pid}" in log
