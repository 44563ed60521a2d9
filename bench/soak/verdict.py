"""What a soak has shown: failed requests, and memory that grows."""

import statistics

from bench.soak import memory
from bench.soak.run import REPLACED, STEADY, Soak

WARM_UP = 1 / 3
"""The part of the steady time in which memory may grow: caches fill, pools find their size."""
GROWTH_LIMIT = 256 << 10
"""Bytes a minute. At 1,000 requests a second a leak of 8 bytes a request is 480,000."""
JUDGED_S = 120
"""A shorter steady time says nothing about growth."""


def judge(soak: Soak) -> tuple[list[str], list[str]]:
    """Return what is to be said of a soak, and its problems."""
    problems = list(soak.problems)
    workers = {each.pid for each in soak.samples if each.role == memory.WORKER}
    said = [
        f"{soak.answered.total():,} answered, {len(soak.failed)} failed",
        f"{soak.going_away} WebSockets were told to come back; {len(soak.reloads)} reloads, {len(workers)} workers",
    ]
    steady = [each for each in soak.samples if each.phase == STEADY and each.role == memory.WORKER]
    if steady:
        whole_s = steady[-1].time_s - steady[0].time_s
        settled = [each for each in steady if each.time_s - steady[0].time_s >= whole_s * WARM_UP]
        said.append(described("a worker that stays", settled))
        if whole_s < JUDGED_S:
            said[-1] += " (too short to judge)"
        elif memory.growth(settled) > GROWTH_LIMIT:
            problems.append(f"workers grow by more than {GROWTH_LIMIT >> 10} KiB a minute")
    supervisor = [each for each in soak.samples if each.phase == REPLACED and each.role == memory.SUPERVISOR]
    if supervisor:
        said.append(described("the supervisor of workers that are replaced", supervisor))
    if soak.failed:
        problems.append(f"{len(soak.failed)} requests failed, such as {soak.failed[0].text}")
    return said, problems


def described(who: str, samples: list[memory.Sample]) -> str:
    level = statistics.fmean(each.rss_bytes for each in samples) / (1 << 20)
    return f"{who} has {level:.1f} MiB and grows by {memory.growth(samples) / 1024:+.1f} KiB a minute"
