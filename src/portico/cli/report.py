"""What `portico top` shows of two reports of the metrics' address: rates and percentiles between them, line by line."""

from collections.abc import Sequence
from typing import Any

from portico.cli.terminal import Line

Report = dict[str, Any]
"""What /workers says, and `at`: when, by our own clock."""

SILENCE_S = 3.0  # without a heartbeat a worker's event loop is shown as blocked
SLOW_S = 0.1  # an event loop that was later than that is pointed out
HEADINGS = ("WORKER", "PID", "STATE", "UPTIME", "REQ/S", "P50", "P99", "IN FLIGHT", "CONNS", "WS", "RSS", "LAG")
WIDTHS = (6, 8, 13, 8, 9, 8, 8, 9, 7, 6, 8, 8)
LEFT = ("WORKER", "STATE")
NONE = "-"


def table(report: Report, before: Report | None) -> list[Line]:
    """Return the view of a report, with rates since the one before; None where there is none yet."""
    elapsed = 0.0
    if before is not None and before["started"] == report["started"]:
        elapsed = report["at"] - before["at"]
    known = {} if not elapsed or before is None else {_key(worker): worker for worker in before["workers"]}
    lines = [("bar", _row(HEADINGS))]
    for worker in report["workers"]:
        lines.append(_worker(worker, known.get(_key(worker)), elapsed, report))
    total = report["total"]
    earlier = before["total"] if elapsed and before is not None else None
    rss = sum(worker["rss"] for worker in report["workers"])
    lag = max((worker["lag"] for worker in report["workers"]), default=0.0)
    cells = [
        "total",
        "",
        "",
        "",
        *_traffic(total, earlier, elapsed, report["bounds"]),
        *_load(total),
        size(rss),
        duration(lag),
    ]
    lines.append(("bold", _row(cells)))
    return [*summary(report, earlier, elapsed), ("", ""), *lines]


def summary(report: Report, earlier: Report | None, elapsed: float) -> list[Line]:
    """Return the lines above the table."""
    restarts = {reason: count for reason, count in report["restarts"].items() if count}
    why = ", ".join(f"{reason} {count}" for reason, count in sorted(restarts.items()))
    total = report["total"]
    parts = [
        f"portico {report['version']}",
        f"up {span(report['now'] - report['started'])}",
        _count(len(report["workers"]), "worker"),
        _count(sum(restarts.values()), "restart") + (f" ({why})" if why else ""),
        _count(total["requests"], "request"),
    ]
    if earlier is not None and elapsed:
        received, sent = ((total[name] - earlier[name]) / elapsed for name in ("received", "sent"))
        parts.append(f"in {size(received)}/s   out {size(sent)}/s")
    return [("bold", "   ".join(parts))]


def _worker(worker: Report, before: Report | None, elapsed: float, report: Report) -> Line:
    silence = worker["silence"]
    state, style = worker["state"], "" if worker["state"] == "serving" else "yellow"
    if silence is not None and silence > SILENCE_S:
        state, style = f"blocked {span(silence)}", "red"
    elif worker["lag"] > SLOW_S:
        style = "yellow"
    started = worker["started"]
    if before is None and elapsed:  # it is new: all that it has counted was since
        before = dict.fromkeys(worker, 0) | {"buckets": [0] * len(worker["buckets"])}
    cells = [
        str(worker["number"]),
        str(worker["pid"] or NONE),
        state,
        span(report["now"] - started) if started else NONE,
        *_traffic(worker, before, elapsed, report["bounds"]),
        *_load(worker),
        size(worker["rss"]),
        duration(worker["lag"]),
    ]
    return style, _row(cells)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _key(worker: Report) -> tuple[int, int]:
    return worker["number"], worker["pid"]


def _traffic(now: Report, before: Report | None, elapsed: float, bounds: Sequence[float]) -> list[str]:
    if before is None or not elapsed:
        return [NONE] * 3
    buckets = [new - old for new, old in zip(now["buckets"], before["buckets"], strict=True)]
    rate = (now["requests"] - before["requests"]) / elapsed
    shown = f"{rate:,.1f}" if 0 < rate < 100 else f"{rate:,.0f}"
    return [shown, *(percentile(buckets, bounds, share) for share in (0.5, 0.99))]


def _load(now: Report) -> list[str]:
    return [f"{now[name]:,}" for name in ("in_flight", "connections", "websockets")]


def percentile(buckets: Sequence[int], bounds: Sequence[float], share: float) -> str:
    """Return the duration that this share of the requests did not pass, as if they lay evenly in each bucket."""
    wanted = sum(buckets) * share
    if not wanted:
        return NONE
    below = 0
    for count, bound, before in zip(buckets, bounds, (0.0, *bounds), strict=False):
        if below + count >= wanted:
            return duration(before + (bound - before) * (wanted - below) / count)
        below += count
    return f">{duration(bounds[-1])}"


def duration(seconds: float) -> str:
    """Return a duration as `0.35ms`, `12ms` or `1.2s`."""
    if seconds >= 9.95:
        return f"{seconds:.0f}s"
    if seconds >= 0.9995:
        return f"{seconds:.1f}s"
    thousandths = seconds * 1000
    return f"{thousandths:.0f}ms" if thousandths >= 9.95 else f"{thousandths:.2g}ms"


def span(seconds: float) -> str:
    """Return a time as `42s`, `7m 05s`, `3h 12m` or `2d 04h`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def size(count: float) -> str:
    """Return bytes as `512B`, `3.4K`, `120M`: powers of 1024."""
    for unit in "BKMG":
        if count < 999.5 or unit == "G":
            return f"{count:.0f}{unit}" if unit == "B" or count >= 9.95 else f"{count:.1f}{unit}"
        count /= 1024
    raise AssertionError


def _row(cells: Sequence[str]) -> str:
    parts = (
        cell.ljust(width) if heading in LEFT else cell.rjust(width)
        for cell, width, heading in zip(cells, WIDTHS, HEADINGS, strict=True)
    )
    return " ".join(parts).rstrip()
