"""How many workers there are: --workers, $WEB_CONCURRENCY, SIGTTIN and SIGTTOU."""

import signal
from pathlib import Path

import pytest
from tests.supervised import gone, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]


def test_one_worker_more_and_one_fewer(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        first = server.worker()
        server.send(signal.SIGTTIN)
        server.wait_for(r"2 workers are wanted")
        (second,) = server.workers(2) - {first}
        server.send(signal.SIGTTOU)
        server.wait_for(r"1 worker is wanted")
        wait_until(lambda: gone(second), "the end of the second worker")
        assert server.worker() == first


def test_the_last_worker_stays(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = server.worker()
        server.send(signal.SIGTTOU)
        server.send(signal.SIGTTIN)  # signals are handled in order of their numbers, or as they come
        server.workers(2)
        assert not gone(before)


def test_the_number_that_was_asked_for_outlives_a_reload(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        server.send(signal.SIGTTIN)
        before = server.workers(2)
        server.send(signal.SIGHUP)
        server.wait_for(r"Reloaded")
        wait_until(lambda: all(map(gone, before)), "the end of the old workers")
        server.workers(2)


def test_the_environment_says_how_many(tmp_path: Path) -> None:
    with supervised(tmp_path, env={"WEB_CONCURRENCY": "2"}) as server:
        server.workers(2)
