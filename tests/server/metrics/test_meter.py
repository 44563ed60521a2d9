"""The meter by itself: the buckets, and the numbers that are written at each beat of the clock."""

import os
import time

import pytest
from tests.server.metrics.counting import Counted

from portico.server.metrics.board import BOUNDS, BUCKETS, RSS
from portico.server.metrics.meter import Meter, resident_bytes

NANO = 1_000_000_000


@pytest.fixture
def counted() -> Counted:
    return Counted()


@pytest.fixture
def meter(counted: Counted) -> Meter:
    return Meter(counted.cells)


def test_it_says_which_process_this_is_and_since_when(counted: Counted, meter: Meter) -> None:
    assert counted.pid == os.getpid()
    assert 0 < counted.started <= time.time_ns()


def test_a_duration_is_counted_in_the_first_bucket_that_holds_it(counted: Counted, meter: Meter) -> None:
    now = time.perf_counter_ns()
    for seconds in (-1.0, 1.2, 3.0, 100.0):  # the clock goes on meanwhile, but not for so long
        meter.count("GET", 200, now - int(seconds * NANO))
    found = {number: count for number, count in enumerate(counted.cells[BUCKETS : BUCKETS + len(BOUNDS) + 1]) if count}
    assert found == {0: 1, BOUNDS.index(2.5): 1, BOUNDS.index(5.0): 1, len(BOUNDS): 1}


def test_durations_are_summed_in_nanoseconds(counted: Counted, meter: Meter) -> None:
    for _ in range(2):
        meter.count("GET", 200, time.perf_counter_ns() - 1000 * NANO)
    assert 2000 * NANO <= counted.duration < 2100 * NANO


@pytest.mark.parametrize(
    ("status", "shown"),
    [(101, "1xx"), (200, "2xx"), (304, "3xx"), (499, "4xx"), (599, "5xx"), (0, "none"), (600, "none"), (999, "none")],
)
def test_a_status_is_counted_by_its_class(status: int, shown: str, counted: Counted, meter: Meter) -> None:
    meter.count_status("DELETE", status)
    assert counted.requests == {f"DELETE {shown}": 1}


def test_methods_are_case_sensitive(counted: Counted, meter: Meter) -> None:
    meter.count_status("get", 200)
    assert counted.requests == {"OTHER 2xx": 1}


def test_a_beat_says_when_it_was_and_what_there_is(counted: Counted, meter: Meter) -> None:
    meter.beat(12.5, 0.0, 3, 4)
    assert (counted.heartbeat, counted.in_flight, counted.connections) == (12_500_000_000, 3, 4)
    assert counted.census.heartbeat(counted.place) == 12.5


def test_the_lag_is_the_largest_of_the_last_ten_to_twenty_seconds(counted: Counted, meter: Meter) -> None:
    seen = []
    for now, late in ((100.0, 0.25), (101.0, 0.5), (102.0, 0.0), (111.0, 0.125), (121.0, 0.0), (132.0, -0.001)):
        meter.beat(now, late, 0, 0)
        seen.append(counted.lag / NANO)
    assert seen == [0.25, 0.5, 0.5, 0.5, 0.125, 0.0]


def test_memory_is_looked_at_once_a_second(counted: Counted, meter: Meter) -> None:
    meter.beat(100.0, 0.0, 0, 0)
    assert counted.census.rss(counted.place) > 1 << 20
    counted.cells[RSS] = 0
    meter.beat(100.9, 0.0, 0, 0)
    assert counted.rss == 0
    meter.beat(101.0, 0.0, 0, 0)
    assert counted.rss > 1 << 20


def test_where_there_is_no_proc_the_most_that_was_ever_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", refuse)
    most = resident_bytes()
    monkeypatch.undo()
    assert most >= resident_bytes() / 2
