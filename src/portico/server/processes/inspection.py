"""What the supervisor looks for in its workers each second: those that hang, and those that have served long enough."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass

from portico.server.config import Config
from portico.server.logs import logger
from portico.server.metrics.census import Census
from portico.server.processes.children import GONE, SERVING, STARTING, Child

RETRY_S = 30.0  # before a worker that could not be replaced is looked at again
DUMP_S = 2.0  # for a worker's stacks to be written before it is killed
LOOK_S = 0.05
MAX_DUMP = 1 << 18  # bytes of them


@dataclass(frozen=True)
class Finding:
    """What is wrong with a worker: a word for the metrics, words for the log, and whether it can be asked to end."""

    reason: str
    words: str
    hangs: bool


def inspect(child: Child, census: Census, config: Config, now: float) -> Finding | None:
    """Return what has to be done something about."""
    if child.state == GONE or child.condemned:
        return None
    if child.kill_at and now > child.kill_at:
        deaf = child.state == SERVING
        return Finding("hang", "cannot be told anything any more" if deaf else "did not end in time", True)
    if child.state == STARTING and now - child.started_at > config.timeout_worker_startup:
        return Finding("startup", f"did not start within {config.timeout_worker_startup:g} s", True)
    if child.state != SERVING:
        return None
    heartbeat = max(census.heartbeat(child.place), child.ready_at)
    if config.timeout_worker_hang and now - heartbeat > config.timeout_worker_hang:
        return Finding("hang", f"has been blocked for {now - heartbeat:.1f} s", True)
    if now < child.inspect_at:
        return None
    reached = child.limits.reached(census, child.place, now - child.ready_at)
    if reached is None:
        return None
    child.inspect_at = now + RETRY_S
    return Finding(*reached, hangs=False)


async def kill(child: Child, finding: Finding) -> None:
    """Log where the worker's threads are, and kill it."""
    child.condemned = True
    child.failure = finding.words
    try:
        await _log_stacks(child, finding)
    finally:
        child.kill(finding.reason)


async def _log_stacks(child: Child, finding: Finding) -> None:
    child.signal(signal.SIGUSR2)
    deadline = time.monotonic() + DUMP_S
    size = -1
    while child.state != GONE and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_S)
        if child.state != GONE:
            written = os.fstat(child.dump).st_size
            if 0 < written == size:
                break
            size = written
    if child.state == GONE:
        return
    stacks = os.pread(child.dump, MAX_DUMP, 0).decode(errors="replace").rstrip() or "(it has written none)"
    logger.critical("Worker %d [%d] %s and is killed. Its stacks:\n%s", child.number, child.pid, finding.words, stacks)
