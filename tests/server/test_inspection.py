"""What the supervisor finds wrong with a worker, by the board and the clock, and what it leaves alone."""

import math
import socket
from collections.abc import Iterator

import pytest

from portico.server.config import Config
from portico.server.metrics.board import HEARTBEAT, RSS, STATUSES, Board
from portico.server.metrics.census import Census
from portico.server.processes.channel import Channel
from portico.server.processes.children import DRAINING, GONE, SERVING, Child
from portico.server.processes.inspection import RETRY_S, Finding, inspect
from portico.server.processes.limits import Limits

NOW = 1000.0  # seconds of the monotonic clock
LIMITS = {"timeout_worker_hang": 30.0, "timeout_worker_startup": 300.0}


class Worker:
    """A worker without a process, which became ready at 900 s and had its last heartbeat at 999 s."""

    def __init__(self, channel: Channel) -> None:
        self.census = Census(Board.create())
        self.place = self.census.enter(1)
        self.child = Child(1, self.place, channel, -1, Limits(), lambda child: None)
        self.child.state = SERVING
        self.child.started_at = 890.0
        self.child.ready_at = 900.0
        self.show(HEARTBEAT, 999 * 10**9)

    def show(self, cell: int, number: int) -> None:
        """Put a number on the board."""
        self.census.board.place(self.place)[cell] = number

    def found(self, now: float = NOW, **settings: float | None) -> Finding | None:
        """Return what is found with these settings."""
        return inspect(self.child, self.census, Config(app="a:b", **{**LIMITS, **settings}), now)  # type: ignore[arg-type]


@pytest.fixture
def worker() -> Iterator[Worker]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Worker(Channel(ours))


def test_nothing_is_wrong_with_a_worker_whose_heart_beats(worker: Worker) -> None:
    assert worker.found() is None


def test_a_worker_without_a_heartbeat_for_longer_than_the_limit_hangs(worker: Worker) -> None:
    assert worker.found(now=1029.0) is None
    found = worker.found(now=1030.0)
    assert found == Finding("hang", "has been blocked for 31.0 s", hangs=True)


def test_it_hangs_too_where_it_had_no_heartbeat_since_it_was_ready(worker: Worker) -> None:
    worker.show(HEARTBEAT, 0)
    assert worker.found(now=929.0) is None
    found = worker.found(now=931.0)
    assert found is not None
    assert found.hangs


def test_hangs_are_allowed_where_there_is_no_limit(worker: Worker) -> None:
    for unlimited in (None, 0.0):
        assert worker.found(now=1e6, timeout_worker_hang=unlimited) is None


def test_a_start_is_bounded(worker: Worker) -> None:
    worker.child.state = "starting"
    assert worker.found(now=1190.0) is None
    assert worker.found(now=1191.0) == Finding("startup", "did not start within 300 s", hangs=True)


@pytest.mark.parametrize("state", [SERVING, DRAINING])
def test_who_was_given_a_time_to_end_is_killed_after_it(worker: Worker, state: str) -> None:
    worker.child.state = state
    worker.child.kill_at = NOW
    assert worker.found() is None
    found = worker.found(now=NOW + 1)
    assert found is not None
    assert found.hangs


def test_a_worker_that_drains_may_be_blocked_until_its_time_is_up(worker: Worker) -> None:
    worker.child.state = DRAINING
    assert worker.found(now=5000.0) is None


def test_nothing_is_found_twice_of_who_is_being_killed_or_has_gone(worker: Worker) -> None:
    worker.child.condemned = True
    assert worker.found(now=5000.0) is None
    worker.child.condemned, worker.child.state = False, GONE
    assert worker.found(now=5000.0) is None


@pytest.mark.parametrize(
    ("limits", "cell", "number", "finding"),
    [
        (Limits(requests=5), STATUSES, 5, Finding("requests", "has served 5 requests", hangs=False)),
        (Limits(lifetime_s=100.0), STATUSES, 0, Finding("lifetime", "has served for 100 s", hangs=False)),
        (Limits(rss=100 << 20), RSS, 200 << 20, Finding("memory", "has grown to 200 MiB", hangs=False)),
    ],
    ids=["requests", "lifetime", "memory"],
)
def test_a_worker_that_has_served_enough_is_to_be_replaced(
    worker: Worker, limits: Limits, cell: int, number: int, finding: Finding
) -> None:
    worker.child.limits = limits
    worker.show(cell, number)
    assert worker.found() == finding


def test_a_worker_that_could_not_be_replaced_is_left_alone_for_a_while(worker: Worker) -> None:
    worker.child.limits = Limits(requests=0)
    assert worker.found() is not None
    assert worker.found(now=NOW + 1) is None
    worker.show(HEARTBEAT, int((NOW + RETRY_S) * 1e9))
    assert worker.found(now=NOW + RETRY_S) is not None


def test_the_jitter_is_added_to_the_limits() -> None:
    config = Config(app="a:b", limit_max_requests=100, limit_max_requests_jitter=50)
    limits = [Limits.of(config) for _ in range(200)]
    assert all(100 <= each.requests <= 150 for each in limits)
    assert len({each.requests for each in limits}) > 1
    assert {(each.lifetime_s, each.rss) for each in limits} == {(math.inf, math.inf)}
