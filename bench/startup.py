"""Measure what the start of a large typed application costs: `python -m bench.startup --routes 500`.

Each figure is the median of runs in fresh interpreters on CPU 0, from the framework's import on: registering the routes
(in ten routers, of four kinds: path and query, a dependency and a list of models, a body and the
same back, all of it), the first response, the first OpenAPI document. The time is that of the processor. Memory is what
the process has more of afterwards than before the routes: resident, and, in runs of their own, as Python counts it.
"""

import argparse
import asyncio
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from bench.inprocess import Case, Messages, Source, messages_of, scope_of
from bench.table import print_cells

FRAMEWORKS = {"portico.web": "Portico", "fastapi": "FastAPI"}
MODELS = 50
ROUTES = 500
ROWS = {
    "import, ms": "import",
    "registration, ms": "registered",
    "until the first response, ms": "answered",
    "resident memory of it, MiB": "resident",
    "Python's memory of it, MiB": "traced",
    "first OpenAPI document, ms": "document",
    "resident memory with that, MiB": "resident_document",
    "Python's memory with that, MiB": "traced_document",
}
MIB = 1 << 20


# --- in the process that is measured ------------------------------------------------------------


class Memory:
    """What the process has more of than when it was made."""

    def __init__(self, *, traced: bool) -> None:
        self.traced = traced
        if traced:
            tracemalloc.start()
        self.before = self.now()

    def now(self) -> int:
        if self.traced:
            return tracemalloc.get_traced_memory()[0]
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def more(self) -> float:
        return (self.now() - self.before) / MIB


class Answer:
    """Receives an answer: a `send` that keeps the body."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


def ask(app: Any, path: str) -> bytes:
    """Return the body of the answer to a GET request."""
    messages: Messages = messages_of(b"")
    answer = Answer()
    asyncio.run(app(scope_of(Case(path, 0)), Source(messages), answer))
    if answer.status != 200:
        raise AssertionError(f"{path}: status {answer.status}, {answer.body[:200]!r}")
    return answer.body


def measured(name: str, routes: int, *, traced: bool) -> dict[str, float]:
    """Return the figures of one run in milliseconds and MiB."""
    from bench.sites.typed.vocabulary import Typed, make_models

    models = make_models(MODELS)
    began = time.process_time()
    site = Typed(name, FRAMEWORKS[name])
    importlib.import_module(f"{name}.routing")
    imported = time.process_time() - began
    figures = {"import": imported * 1000}
    memory = Memory(traced=traced)
    began = time.process_time()
    app = site.registered(routes, models)
    figures["registered"] = (time.process_time() - began) * 1000
    if ask(app, "/api/section-0/things-0/42") != b'{"id":42,"q":null}':
        raise AssertionError("another answer was expected")
    figures["answered"] = (time.process_time() - began) * 1000
    figures["traced" if traced else "resident"] = memory.more()
    began = time.process_time()
    document = json.loads(ask(app, "/openapi.json"))
    figures["document"] = (time.process_time() - began) * 1000
    figures["traced_document" if traced else "resident_document"] = memory.more()
    found = sum(len(operations) for operations in document["paths"].values())
    if found != routes:
        raise AssertionError(f"{found} operations in the document of {routes} routes")
    if traced:  # the time is that of tracing
        figures = {key: figure for key, figure in figures.items() if key.startswith("traced")}
    return figures


# --- in the process that the user starts --------------------------------------------------------


def child(name: str, routes: int, *, traced: bool) -> dict[str, float]:
    """Measure one run in an interpreter of its own, on CPU 0."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "bench.startup", "--routes", str(routes), "--one", name]
    done = subprocess.run([*command, *(["--traced"] if traced else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1])
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), help=f"of {', '.join(FRAMEWORKS)}")
    parser.add_argument("--routes", type=int, default=ROUTES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=FRAMEWORKS, help=argparse.SUPPRESS)
    parser.add_argument("--traced", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measured(chosen.one, chosen.routes, traced=chosen.traced)))
        return
    names = [name for name in chosen.frameworks.split(",") if importlib.util.find_spec(name)]
    runs: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for _ in range(chosen.rounds):
        for name in names:
            for traced in (False, True):
                for key, figure in child(name, chosen.routes, traced=traced).items():
                    runs[name].setdefault(key, []).append(figure)
    print(f"CPython {sys.version.split()[0]}; {chosen.routes} typed routes, medians of {chosen.rounds} rounds\n")
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for title, key in ROWS.items():
        print_cells(title, {name: statistics.median(found[key]) for name, found in runs.items()}, names, ".1f")


if __name__ == "__main__":
    main()
