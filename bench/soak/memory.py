"""Resident memory of the supervisor and its workers over time: sampled, written as CSV, and how fast it grows."""

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path

import psutil

SUPERVISOR, WORKER = "supervisor", "worker"


@dataclass(frozen=True, slots=True)
class Sample:
    time_s: float
    phase: str
    role: str
    pid: int
    rss_bytes: int


def sample(supervisor: psutil.Process, phase: str, time_s: float) -> list[Sample]:
    """Return the memory of all processes that are there."""
    found = []
    for process in [supervisor, *supervisor.children(recursive=True)]:
        role = SUPERVISOR if process.pid == supervisor.pid else WORKER
        try:
            found.append(Sample(time_s, phase, role, process.pid, process.memory_info().rss))
        except psutil.NoSuchProcess:  # it has just ended
            pass
    return [each for each in found if each.rss_bytes]


def write(samples: list[Sample], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time_s", "phase", "role", "pid", "rss_bytes"])
        writer.writerows([f"{each.time_s:.2f}", each.phase, each.role, each.pid, each.rss_bytes] for each in samples)


def growth(samples: list[Sample]) -> float:
    """Return how much the processes of the samples grow in a minute, in bytes, on average; those seen twice count."""
    by_process: dict[int, list[Sample]] = {}
    for each in samples:
        by_process.setdefault(each.pid, []).append(each)
    slopes = [
        statistics.linear_regression([each.time_s for each in life], [each.rss_bytes for each in life]).slope * 60
        for life in by_process.values()
        if len(life) > 1
    ]
    return statistics.fmean(slopes) if slopes else 0.0
