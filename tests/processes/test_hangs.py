"""A worker whose event loop is blocked."""

import threading
from pathlib import Path

import httpx
import pytest
from tests.supervised import gone, supervised

pytestmark = [pytest.mark.process, pytest.mark.once]
HANG = ("--timeout-worker-hang", "0.5")


def test_a_blocked_worker_is_shown_and_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, *HANG) as server:
        before = server.worker()
        with pytest.raises(httpx.TransportError):
            server.client.get("/block", timeout=30)
        server.wait_for(rf"CRITICAL: Worker 1 \[{before}\] has been blocked for [\d.]+ s and is killed\. Its stacks:")
        server.wait_for(r'File ".*app\.py", line \d+ in blocked_for_good')
        assert server.another_than(before) != before
        assert gone(before)


def test_the_others_answer_while_a_worker_is_blocked(tmp_path: Path) -> None:
    with supervised(tmp_path, *HANG, "--workers", "2") as server:
        server.workers(2)

        def block() -> None:
            with pytest.raises(httpx.TransportError):
                server.client.get("/block", timeout=30)

        blocking = threading.Thread(target=block)
        blocking.start()
        blocked = int(server.wait_for(r"Worker \d \[(\d+)\] has been blocked")[1])
        blocking.join()
        assert blocked not in server.workers(2)


def test_a_slow_answer_is_no_hang(tmp_path: Path) -> None:
    with supervised(tmp_path, *HANG) as server:
        before = server.worker()
        assert server.client.get("/slow").status_code == 200, server.log
        assert server.worker() == before
    assert "killed" not in server.log
