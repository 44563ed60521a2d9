"""Workers that have served long enough are replaced, without having been asked for by anybody."""

from pathlib import Path

import pytest
from tests.supervised import gone, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]


def test_a_worker_is_replaced_after_so_many_requests(tmp_path: Path) -> None:
    with supervised(tmp_path, "--limit-max-requests", "5") as server:
        before = server.worker()
        for _ in range(4):
            assert server.worker() == before
        server.wait_for(rf"Worker 1 \[{before}\] has served [56] requests and is replaced")
        assert server.another_than(before) != before
        wait_until(lambda: gone(before), "the end of the old worker")
    assert "has died" not in server.log


def test_a_worker_is_replaced_after_its_lifetime(tmp_path: Path) -> None:
    with supervised(tmp_path, "--limit-max-lifetime", "1") as server:
        before = server.worker()
        server.wait_for(rf"Worker 1 \[{before}\] has served for \d+ s and is replaced")
        assert server.another_than(before) != before


def test_a_worker_that_has_grown_is_replaced(tmp_path: Path) -> None:
    with supervised(tmp_path, "--limit-max-rss", "100M") as server:
        before = server.worker()
        assert server.client.get("/grow").status_code == 200
        server.wait_for(rf"Worker 1 \[{before}\] has grown to \d+ MiB and is replaced")
        assert server.another_than(before) != before


def test_the_replacement_serves_before_the_old_worker_ends(tmp_path: Path) -> None:
    with supervised(tmp_path, "--limit-max-requests", "1") as server:
        server.worker()
        server.wait_for(r"and is replaced")
        fresh = int(server.wait_for(r"Started worker 1 \[(\d+)\]")[1])
        server.wait_for(r"Application startup complete")
        server.wait_for(r"Shutting down")
        assert not gone(fresh)
