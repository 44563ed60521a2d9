"""What is written about a census, read back by the parsers of the formats' own authors."""

import json
import time

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from tests.server.metrics.counting import Counted

from portico import __version__
from portico.server.metrics.exposition import OPENMETRICS, TEXT, choose, render, workers_json
from portico.server.metrics.meter import Meter

READERS = {TEXT: read_text, OPENMETRICS: read_openmetrics}
NAMES = {
    "portico": "info",
    "portico_connections": "counter",
    "portico_open_connections": "gauge",
    "portico_open_websocket_sessions": "gauge",
    "portico_received_bytes": "counter",
    "portico_request_duration_seconds": "histogram",
    "portico_requests": "counter",
    "portico_requests_in_flight": "gauge",
    "portico_responses_cut": "counter",
    "portico_sent_bytes": "counter",
    "portico_start_time_seconds": "gauge",
    "portico_websocket_sessions": "counter",
    "portico_worker_event_loop_lag_seconds": "gauge",
    "portico_worker_open_connections": "gauge",
    "portico_worker_requests": "counter",
    "portico_worker_resident_memory_bytes": "gauge",
    "portico_worker_restarts": "counter",
    "portico_worker_start_time_seconds": "gauge",
    "portico_workers": "gauge",
}


@pytest.fixture
def counted() -> Counted:
    """Two workers, one of which has been replaced."""
    counted = Counted()
    gone = counted.census.enter(2)
    for place in (counted.place, gone):
        meter = Meter(counted.board.place(place))
        for seconds, status in ((0.0, 200), (3.0, 500)):
            meter.count("GET", status, time.perf_counter_ns() - int(seconds * 1e9))
        meter.count_status("", 400)
        meter.count_cut(True)
        meter.receive(100)
        meter.send(2_000_000_000_000)
        meter.open_connection()
        meter.open_websocket()
        meter.beat(time.monotonic(), 0.25, 3, 4)
    counted.census.leave(gone)
    counted.census.count_restart("death")
    counted.census.count_restart('odd "reason"\\\nof two lines')
    counted.census.set_state(counted.place, "serving")
    return counted


@pytest.fixture(params=[TEXT, OPENMETRICS], ids=["text", "openmetrics"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def samples(counted: Counted, kind: str) -> dict[tuple[str, ...], float]:
    """Return every value by the name of its sample and the values of its labels."""
    found: dict[tuple[str, ...], float] = {}
    for family in READERS[kind](render(counted.census, kind).decode()):
        for sample in family.samples:
            key = (sample.name, *sample.labels.values())
            assert key not in found
            found[key] = sample.value
    return found


def test_every_family_has_a_type_and_a_help(counted: Counted, kind: str) -> None:
    families = list(READERS[kind](render(counted.census, kind).decode()))
    # The text format knows no infos.
    expected = NAMES if kind == OPENMETRICS else {**NAMES, "portico_info": "gauge"}
    if kind == TEXT:
        del expected["portico"]
    assert {family.name: family.type for family in families} == expected
    assert all(family.documentation.endswith(".") for family in families)


def test_families_are_named_for_their_units(counted: Counted) -> None:
    for family in read_openmetrics(render(counted.census, OPENMETRICS).decode()):
        assert family.unit == (family.name.rpartition("_")[2] if family.name.endswith(("_seconds", "_bytes")) else "")


def test_requests_are_summed_by_method_and_class(counted: Counted, kind: str) -> None:
    found = samples(counted, kind)
    assert found["portico_requests_total", "GET", "2xx"] == 2
    assert found["portico_requests_total", "GET", "5xx"] == 2
    assert found["portico_requests_total", "OTHER", "4xx"] == 2
    assert found["portico_requests_total", "PUT", "2xx"] == 0


def test_the_histogram_is_cumulative_and_agrees_with_its_count(counted: Counted, kind: str) -> None:
    found = samples(counted, kind)
    buckets = {key[1]: value for key, value in found.items() if key[0] == "portico_request_duration_seconds_bucket"}
    assert list(buckets.values()) == sorted(buckets.values())
    assert (buckets["0.1"], buckets["2.5"], buckets["5.0"]) == (2, 2, 4)
    assert buckets["+Inf"] == found["portico_request_duration_seconds_count",] == 4
    assert 6 <= found["portico_request_duration_seconds_sum",] < 60


def test_what_was_counted_is_summed_and_what_is_so_now_is_of_those_who_are_there(counted: Counted, kind: str) -> None:
    found = samples(counted, kind)
    assert (found["portico_connections_total",], found["portico_open_connections",]) == (2, 4)
    assert (found["portico_websocket_sessions_total",], found["portico_open_websocket_sessions",]) == (2, 1)
    assert (found["portico_received_bytes_total",], found["portico_sent_bytes_total",]) == (200, 4_000_000_000_000)
    assert found["portico_responses_cut_total", "application"] == 2
    assert found["portico_requests_in_flight",] == 3


def test_each_worker_has_its_own_figures(counted: Counted, kind: str) -> None:
    found = samples(counted, kind)
    assert found["portico_worker_event_loop_lag_seconds", "1"] == 0.25
    assert found["portico_worker_resident_memory_bytes", "1"] > 1 << 20
    assert found["portico_worker_requests_total", "1"] == 3
    assert ("portico_worker_requests_total", "2") not in found
    assert [found["portico_workers", state] for state in ("starting", "serving", "draining")] == [0, 1, 0]


def test_restarts_are_told_by_reason_from_the_start_and_whatever_its_words(counted: Counted, kind: str) -> None:
    found = samples(counted, kind)
    assert found["portico_worker_restarts_total", "death"] == 1
    assert found["portico_worker_restarts_total", "hang"] == 0
    assert found["portico_worker_restarts_total", 'odd "reason"\\\nof two lines'] == 1


def test_a_worker_has_one_series_while_it_is_replaced(counted: Counted, kind: str) -> None:
    counted.census.set_state(counted.place, "draining")
    counted.census.enter(1)
    assert samples(counted, kind)["portico_workers", "draining"] == 1


def test_the_version_is_told(counted: Counted, kind: str) -> None:
    assert samples(counted, kind)["portico_info", __version__] == 1


def test_nothing_at_all_can_be_written(kind: str) -> None:
    counted = Counted()
    counted.census.leave(counted.place)
    assert samples(counted, kind)["portico_requests_total", "GET", "2xx"] == 0


def test_openmetrics_has_an_end(counted: Counted) -> None:
    assert render(counted.census, OPENMETRICS).endswith(b"\n# EOF\n")
    assert b"# EOF" not in render(counted.census, TEXT)


@pytest.mark.parametrize(("accept", "kind"), [
    ("", TEXT),
    ("*/*", TEXT),
    ("text/plain", TEXT),
    (";;,=,", TEXT),
    ("application/openmetrics-text", OPENMETRICS),
    ("application/openmetrics-text; version=1.0.0", OPENMETRICS),
    ("Application/OpenMetrics-Text;Version=1.0.0", OPENMETRICS),
    ("application/openmetrics-text; version=2.0.0", TEXT),
    ("application/openmetrics-text; q=0", TEXT),
    ("application/openmetrics-text; q=nan", TEXT),
    ("application/openmetrics-text;q=0.2,text/plain;q=0.3", TEXT),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPENMETRICS),
    (
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
        OPENMETRICS,
    ),
])  # fmt: skip
def test_openmetrics_is_written_for_those_who_like_it_no_less(accept: str, kind: str) -> None:
    assert choose(accept) == kind


def test_the_workers_are_told_one_by_one_in_json(counted: Counted) -> None:
    counted.census.enter(1)
    said = json.loads(workers_json(counted.census))
    first, second = said["workers"]
    assert (first["number"], first["state"], first["requests"], first["lag"]) == (1, "serving", 3, 0.25)
    assert (second["number"], second["state"], second["pid"], second["silence"]) == (1, "starting", 0, None)
    assert 0 <= first["silence"] < 60
    assert said["total"]["requests"] == 6
    assert sum(said["total"]["buckets"]) == 4
