"""Measure several workers: `python -m bench.processes --seconds 3 --rounds 3`.

Server and load share all CPUs here, so that workers can run beside each other: where a request costs little, the load
generator takes as much as they leave; where it costs much, two workers answer nearly twice as many requests as one.
"""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from typing import Any

from bench.apps import START, plaintext
from bench.loads import wrk
from bench.servers import command, cpu_seconds, family, free_port, served
from bench.table import print_cells

COMMANDS = {
    "portico": "{python} -m portico run {app} --port {port} --log-level warning --no-access-log --workers {{workers}}",
    "granian": "{python} -m granian --interface asgi --loop uvloop --no-ws --port {port} --log-level warning "
    "--no-access-log --respawn-failed-workers --workers {{workers}} {app}",
    "gunicorn asgi": "{python} -m gunicorn -k asgi -w {{workers}} -b 127.0.0.1:{port} --log-level warning {app}",
    "gunicorn uvicorn": "{python} -m gunicorn -k uvicorn.workers.UvicornWorker -w {{workers}} -b 127.0.0.1:{port} "
    "--log-level warning {app}",
    "gunicorn portico": "{python} -m gunicorn -k portico.workers.PorticoWorker -w {{workers}} -b 127.0.0.1:{port} "
    "--log-level warning {app}",
    "uvicorn": "{python} -m uvicorn {app} --port {port} --log-level warning --no-access-log --workers {{workers}}",
}
CPUS = ",".join(map(str, sorted(os.sched_getaffinity(0)))) if hasattr(os, "sched_getaffinity") else "0"
WORK = 12_000
PATIENCE_S = 30

__all__ = ["plaintext"]


async def busy(scope: Any, receive: Any, send: Any) -> None:
    """Answer after about a millisecond of computing."""
    total = 0
    for number in range(WORK):
        total += number
    await send({**START, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % total})


async def number(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the number of the process."""
    await send({**START, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


def arguments(name: str, app: str, port: int, workers: int) -> list[str]:
    words = command(name, f"bench.processes:{app}", port, commands=COMMANDS)
    return [word.format(workers=workers) for word in words]


def throughput(name: str, app: str, workers: int, seconds: float) -> tuple[float, float]:
    """Return requests per second of wall time, and CPU microseconds per request of all processes of the server."""
    port = free_port()
    with served(arguments(name, app, port, workers), port, cpus=CPUS) as pid:
        wrk(port, 1, "", cpus=CPUS)
        before, started = cpu_seconds(pid), time.perf_counter()
        requests = wrk(port, seconds, "", cpus=CPUS)
        return requests / (time.perf_counter() - started), (cpu_seconds(pid) - before) / requests * 1e6


def idle(name: str, seconds: float) -> tuple[float]:
    """Return CPU microseconds a second of the process that watches over two workers, while nobody asks anything."""
    port = free_port()
    with served(arguments(name, "plaintext", port, 2), port, cpus=CPUS) as pid:
        time.sleep(1)
        before = own_cpu_seconds(pid)
        time.sleep(seconds)
        return ((own_cpu_seconds(pid) - before) / seconds * 1e6,)


def own_cpu_seconds(pid: int) -> float:
    return cpu_seconds(pid) - sum(cpu_seconds(each) for each in children(pid))


def children(pid: int) -> list[int]:
    return [each for each in family(pid)[1:] if parent(each) == pid]


def parent(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])
    return 0


def replaced(name: str) -> tuple[float]:
    """Return milliseconds from the SIGKILL of the only worker until another one answers."""
    port = free_port()
    with served(arguments(name, "number", port, 1), port, cpus=CPUS):
        before = answering(port)
        os.kill(before, signal.SIGKILL)
        started = time.perf_counter()
        while answering(port) in (before, 0):
            if time.perf_counter() - started > PATIENCE_S:
                raise RuntimeError(f"no worker after {PATIENCE_S} s")
            time.sleep(0.001)
        return ((time.perf_counter() - started) * 1000,)


def answering(port: int) -> int:
    """Return the number of the process that answers, or 0 where none does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return int(connection.getresponse().read())
    except OSError:
        return 0
    finally:
        connection.close()


def measured(
    names: list[str], rounds: int, measure: Callable[[str], tuple[float, ...]]
) -> dict[str, tuple[float, ...]]:
    """Return the medians of what `measure` returns for each name, in interleaved rounds."""
    figures: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            try:
                figures[name].append(measure(name))
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                print(f"{name}: {str(error)[-300:]}", file=sys.stderr)
    return {name: tuple(map(statistics.median, zip(*found, strict=True))) for name, found in figures.items() if found}


def column(figures: dict[str, tuple[float, ...]], number: int) -> dict[str, float]:
    return {name: found[number] for name, found in figures.items()}


def print_workers(title: str, app: str, names: list[str], rounds: int, seconds: float) -> None:
    """Measure one worker and two under the same load, in turns, and print the rows."""

    def both(name: str) -> tuple[float, ...]:
        return (*throughput(name, app, 1, seconds), *throughput(name, app, 2, seconds))

    found = measured(names, rounds, both)
    print_cells(f"{title}, 1 worker, requests a second", column(found, 0), names, ",.0f")
    print_cells(f"{title}, 2 workers, requests a second", column(found, 2), names, ",.0f")
    gained = {name: figures[2] / figures[0] for name, figures in found.items()}
    print_cells(f"{title}, 2 workers against 1", gained, names, ".2f")
    print_cells(f"{title}, 1 worker, CPU us a request", column(found, 1), names, ".1f")
    print_cells(f"{title}, 2 workers, CPU us a request", column(found, 3), names, ".1f")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.processes", description=__doc__)
    parser.add_argument("--peers", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    names = chosen.peers.split(",")
    print(f"CPython {sys.version.split()[0]}; CPUs {CPUS}; {chosen.rounds} rounds of {chosen.seconds:g} s, medians")
    print("\n| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for title, app in (("plaintext", "plaintext"), ("a computing request", "busy")):
        print_workers(title, app, names, chosen.rounds, chosen.seconds)
    idling = measured(names, chosen.rounds, partial(idle, seconds=chosen.seconds))
    print_cells("idle, CPU us a second of the supervisor", column(idling, 0), names, ",.0f")
    # One worker of uvicorn has no supervisor.
    replacing = measured([name for name in names if name != "uvicorn"], chosen.rounds, replaced)
    print_cells("killed worker, ms until the next one answers", column(replacing, 0), names, ",.0f")


if __name__ == "__main__":
    main()
