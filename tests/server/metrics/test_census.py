"""Places and sums: nothing that was counted is lost, whoever has counted it and however that ended."""

import signal
import subprocess
import sys

import pytest
from tests.children import environment
from tests.server.metrics.counting import until

from portico.asgi import PorticoError
from portico.server.metrics.board import CONNECTIONS, HEARTBEAT, PLACES, SENT, STATUSES, Board
from portico.server.metrics.census import Census
from portico.server.metrics.meter import Meter

WORKER = """
import sys, time
from portico.server.metrics.board import Board
from portico.server.metrics.meter import Meter

meter = Meter(Board(int(sys.argv[1])).place(int(sys.argv[2])))
meter.count("GET", 200, time.perf_counter_ns())
meter.send(5)
meter.beat(time.monotonic(), 0.0, 1, 1)
print("counted", flush=True)
time.sleep(60)
"""


@pytest.fixture
def census() -> Census:
    return Census(Board.create())


def test_each_worker_has_a_place_of_its_own(census: Census) -> None:
    assert len({census.enter(number) for number in range(100)}) == 100


def test_a_place_that_was_left_is_given_again_cleared(census: Census) -> None:
    place = census.enter(1)
    census.board.place(place)[HEARTBEAT] = 7
    census.leave(place)
    assert (census.enter(2), census.heartbeat(place)) == (place, 0.0)


def test_more_workers_than_places_are_refused(census: Census) -> None:
    for number in range(PLACES):
        census.enter(number)
    with pytest.raises(PorticoError, match=str(PLACES)):
        census.enter(PLACES)


def test_what_grows_is_kept_when_a_worker_leaves_and_what_is_so_now_is_not(census: Census) -> None:
    first, second = census.enter(1), census.enter(2)
    for place in (first, second):
        cells = census.board.place(place)
        cells[SENT], cells[CONNECTIONS] = 10, 3
    census.leave(first)
    sums = census.totals()
    assert (sums[SENT], sums[CONNECTIONS]) == (20, 3)
    census.leave(first)
    assert census.totals() == sums


def test_the_requests_of_a_worker_are_those_of_all_methods_and_classes(census: Census) -> None:
    place = census.enter(1)
    meter = Meter(census.board.place(place))
    for method, status in (("GET", 200), ("BREW", 418), ("PUT", 0)):
        meter.count_status(method, status)
    meter.send(3)
    assert census.requests(place) == 3


def test_a_worker_is_starting_until_somebody_says_otherwise(census: Census) -> None:
    first = census.enter(1)
    census.enter(2)
    census.set_state(first, "serving")
    assert census.count_states() == {"starting": 1, "serving": 1, "draining": 0}
    with pytest.raises(ValueError, match="'asleep'"):
        census.set_state(first, "asleep")


def test_while_a_worker_is_replaced_its_number_stands_for_the_one_that_serves(census: Census) -> None:
    old = census.enter(1)
    census.set_state(old, "serving")
    new = census.enter(1)
    assert census.seats() == {1: old}
    census.set_state(new, "serving")
    census.set_state(old, "draining")
    assert census.seats() == {1: new}


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are inherited by number on POSIX only")
def test_what_a_killed_process_has_counted_stays_in_the_sums(census: Census) -> None:
    place = census.enter(1)
    fd = census.board.fd
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(fd), str(place)],
        env=environment(),
        pass_fds=[fd],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        until(lambda: census.heartbeat(place) > 0)
        before = census.totals()
        process.send_signal(signal.SIGKILL)
    census.leave(place)
    after = census.totals()
    assert (before[SENT], before[CONNECTIONS]) == (5, 1)
    assert (after[SENT], after[CONNECTIONS]) == (5, 0)
    assert sum(after[STATUSES : STATUSES + 48]) == 1
