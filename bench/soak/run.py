"""A soak's course: a server for each phase, loaded, sampled every second, and stopped."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.soak import memory
from bench.soak.load import Failure, Load

ROOT = Path(__file__).resolve().parents[2]
STEADY, REPLACED = "steady", "replaced"
START_S, STOP_S, REPLACED_S = 60, 60, 60
SHORTEST_S = 0.1


@dataclass(slots=True)
class Soak:
    """What was seen, over all phases."""

    folder: Path
    workers: int
    reload_every_s: float
    samples: list[memory.Sample] = field(default_factory=list)
    rates: list[tuple[float, float]] = field(default_factory=list)
    reloads: list[float] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[Failure] = field(default_factory=list)
    going_away: int = 0
    problems: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    async def phase(self, name: str, seconds: float, *options: str) -> None:
        """Start a server with the options, load it, and stop it gracefully while it is idle."""
        log = self.folder / "soak.log"
        command = [sys.executable, "-m", "portico", "run", "bench.soak.app:app", "--port", "0"]
        command += ["--workers", str(self.workers), "--no-access-log", *options]
        with log.open("ab") as output:
            begin = output.tell()
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)
        try:
            port = await self._port(process, log, begin)
            await self._loaded(psutil.Process(process.pid), name, seconds, Load(port))
            process.send_signal(signal.SIGTERM)
            status = await asyncio.to_thread(process.wait, STOP_S)
            if status != 0:
                self.problems.append(f"{name}: the exit status was {status}")
        except subprocess.TimeoutExpired:
            self.problems.append(f"{name}: the server did not stop within {STOP_S} s")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    async def _port(self, process: "subprocess.Popen[bytes]", log: Path, begin: int) -> int:
        async with asyncio.timeout(START_S):
            while not (found := re.search(rb"running on http://127\.0\.0\.1:(\d+)", log.read_bytes()[begin:])):
                if process.poll() is not None:
                    raise RuntimeError(f"exit status {process.returncode}: {log.read_text()[begin:]}")
                await asyncio.sleep(0.02)
        return int(found[1])

    async def _loaded(self, supervisor: psutil.Process, name: str, seconds: float, load: Load) -> None:
        loading = asyncio.create_task(load.run())
        end = time.monotonic() + seconds
        next_reload = time.monotonic() + self.reload_every_s
        answered, before = 0, time.monotonic()
        workers: set[int] = set()
        # On a machine that has no time, what the phase is about may come late.
        while not loading.done() and (
            (now := time.monotonic()) < end
            or (name == REPLACED and len(workers) <= self.workers and now < end + REPLACED_S)
        ):
            await asyncio.sleep(max(SHORTEST_S, min(1.0, end - now)))
            now = time.monotonic()
            seen = memory.sample(supervisor, name, now - self.began)
            workers |= {each.pid for each in seen if each.role == memory.WORKER}
            self.samples += seen
            self.rates.append((now - self.began, (load.answered.total() - answered) / (now - before)))
            answered, before = load.answered.total(), now
            if name == REPLACED and now >= next_reload:
                supervisor.send_signal(signal.SIGHUP)
                self.reloads.append(now - self.began)
                next_reload = now + self.reload_every_s
        load.stopping = True
        await loading
        self.answered += load.answered
        self.failed += load.failed
        self.going_away += load.going_away
