"""What a census says, in Prometheus' text format (0.0.4), in OpenMetrics (1.0.0), and in JSON for `portico top`."""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from portico.server.metrics.board import (
    BOUNDS,
    BUCKETS,
    CLASSES,
    CONNECTIONS,
    CONNECTIONS_TOTAL,
    CUT_BY_APPLICATION,
    CUT_BY_PEER,
    DURATION,
    HEARTBEAT,
    IN_FLIGHT,
    LAG,
    METHODS,
    PID,
    RECEIVED,
    RSS,
    SENT,
    STARTED,
    STATUSES,
    WEBSOCKETS,
    WEBSOCKETS_TOTAL,
)
from portico.server.metrics.census import STATUSES_END, Census
from portico.version import __version__

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BUCKETS_END = BUCKETS + len(BOUNDS) + 1

Labels = Mapping[str, object]
Sample = tuple[str, Labels, float]
"""What follows the family's name, the labels, the value."""
Family = tuple[str, str, str, Iterable[Sample]]
"""Name, type, help, samples."""

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def choose(accept: str) -> str:
    """Return the media type to answer with: OpenMetrics where it is named and liked no less than plain text."""
    openmetrics = plain = 0.0
    for item in accept.lower().split(","):
        kind, *given = (part.strip() for part in item.split(";"))
        parameters = dict(part.partition("=")[::2] for part in given)
        quality = _quality(parameters.get("q", "1"))
        if kind == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0":
            openmetrics = max(openmetrics, quality)
        elif kind == "text/plain":
            plain = max(plain, quality)
    return OPENMETRICS if openmetrics > 0 and openmetrics >= plain else TEXT


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.[0-9]{0,3})?", text, re.ASCII) else 0.0


def render(census: Census, kind: str) -> bytes:
    """Return the metrics in the format of this media type: `TEXT` or `OPENMETRICS`."""
    is_open = kind == OPENMETRICS
    lines = []
    for name, type_, help_, samples in families(census):
        # A counter's `_total` and an `_info` belong to the name in one format, and to the samples in the other.
        suffix = "" if is_open else {"counter": "_total", "info": "_info"}.get(type_, "")
        shown = "gauge" if type_ == "info" and not is_open else type_
        lines.append(f"# HELP {name}{suffix} {help_}\n# TYPE {name}{suffix} {shown}\n")
        if is_open and name.endswith(("_seconds", "_bytes")):
            lines.append(f"# UNIT {name} {name.rpartition('_')[2]}\n")
        lines += [f"{name}{ending}{_labels(labels)} {value}\n" for ending, labels, value in samples]
    if is_open:
        lines.append("# EOF\n")
    return "".join(lines).encode()


def _labels(labels: Labels) -> str:
    pairs = (f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}" if labels else ""


def families(census: Census) -> Iterator[Family]:
    """Return every family of metrics."""
    sums = census.totals()
    workers = {number: census.board.place(place).tolist() for number, place in census.seats().items()}

    def one(cell: int, ending: str = "") -> list[Sample]:
        return [(ending, {}, sums[cell])]

    def each(cell: int, scale: float | None = None) -> list[Sample]:
        return [
            ("", {"worker": number}, cells[cell] if scale is None else cells[cell] * scale)
            for number, cells in workers.items()
        ]

    yield "portico", "info", "The server.", [("_info", {"version": __version__}, 1)]
    yield (
        "portico_start_time_seconds",
        "gauge",
        "When the server was started, in seconds since 1970.",
        [("", {}, census.started)],
    )
    yield "portico_requests", "counter", "Requests that have ended, by method and class of status.", _requests(sums)
    yield "portico_request_duration_seconds", "histogram", "Time from a request's head to its end.", _durations(sums)
    yield "portico_requests_in_flight", "gauge", "Requests that the application is answering.", one(IN_FLIGHT)
    yield (
        "portico_responses_cut",
        "counter",
        "Responses that ended before they were whole, by whose doing.",
        [
            ("_total", {"by": "peer"}, sums[CUT_BY_PEER]),
            ("_total", {"by": "application"}, sums[CUT_BY_APPLICATION]),
        ],
    )
    yield "portico_open_connections", "gauge", "Connections that are open.", one(CONNECTIONS)
    yield "portico_connections", "counter", "Connections that were opened.", one(CONNECTIONS_TOTAL, "_total")
    yield "portico_received_bytes", "counter", "Bytes of HTTP and WebSocket that have come.", one(RECEIVED, "_total")
    yield "portico_sent_bytes", "counter", "Bytes of HTTP and WebSocket that were written.", one(SENT, "_total")
    yield "portico_open_websocket_sessions", "gauge", "WebSockets that are open.", one(WEBSOCKETS)
    yield "portico_websocket_sessions", "counter", "WebSockets that were accepted.", one(WEBSOCKETS_TOTAL, "_total")
    yield (
        "portico_workers",
        "gauge",
        "Workers by what they are doing.",
        [("", {"state": state}, count) for state, count in census.count_states().items()],
    )
    yield (
        "portico_worker_restarts",
        "counter",
        "Workers that were replaced, by reason.",
        [("_total", {"reason": reason}, count) for reason, count in sorted(census.restarts.items())],
    )
    yield (
        "portico_worker_start_time_seconds",
        "gauge",
        "When the worker was started, in seconds since 1970.",
        [("", {"worker": number}, cells[STARTED] / 1e9) for number, cells in workers.items() if cells[STARTED]],
    )
    yield (
        "portico_worker_requests",
        "counter",
        "Requests that the worker has ended; from 0 again when replaced.",
        [("_total", {"worker": number}, sum(cells[STATUSES:STATUSES_END])) for number, cells in workers.items()],
    )
    yield "portico_worker_open_connections", "gauge", "Connections of the worker.", each(CONNECTIONS)
    yield "portico_worker_resident_memory_bytes", "gauge", "Memory that the worker has in use.", each(RSS)
    yield (
        "portico_worker_event_loop_lag_seconds",
        "gauge",
        "How late the event loop was lately, at most.",
        each(LAG, 1e-9),
    )


def _requests(sums: list[int]) -> Iterator[Sample]:
    for row, method in enumerate(METHODS):
        for column, status in enumerate(CLASSES):
            count = sums[STATUSES + row * len(CLASSES) + column]
            yield "_total", {"method": method, "status": status}, count


def _durations(sums: list[int]) -> Iterator[Sample]:
    counts = list(accumulate(sums[BUCKETS:BUCKETS_END]))
    for bound, count in zip((*BOUNDS, "+Inf"), counts, strict=True):
        yield "_bucket", {"le": bound}, count
    yield "_sum", {}, sums[DURATION] / 1e9
    yield "_count", {}, counts[-1]


def workers_json(census: Census) -> bytes:
    """Return each worker's numbers and the sums of all, in JSON; times are in seconds."""
    now = time.monotonic()
    workers = []
    for place, holder in sorted(census.holders.items(), key=lambda pair: (pair[1].number, pair[1].order)):
        cells = census.board.place(place).tolist()
        workers.append(
            {
                "number": holder.number,
                "state": holder.state,
                "pid": cells[PID],
                "started": cells[STARTED] / 1e9,
                "silence": max(0.0, now - cells[HEARTBEAT] / 1e9) if cells[HEARTBEAT] else None,
                "lag": cells[LAG] / 1e9,
                "rss": cells[RSS],
                **_figures(cells),
            }
        )
    return json.dumps(
        {
            "version": __version__,
            "now": time.time(),
            "started": census.started,
            "bounds": BOUNDS,
            "restarts": census.restarts,
            "workers": workers,
            "total": _figures(census.totals()),
        }
    ).encode()


def _figures(cells: list[int]) -> dict[str, object]:
    return {
        "requests": sum(cells[STATUSES:STATUSES_END]),
        "buckets": cells[BUCKETS:BUCKETS_END],
        "duration": cells[DURATION] / 1e9,
        "in_flight": cells[IN_FLIGHT],
        "connections": cells[CONNECTIONS],
        "websockets": cells[WEBSOCKETS],
        "received": cells[RECEIVED],
        "sent": cells[SENT],
    }
