"""Measure what a framework does to a request, without a server: `python -m bench.inprocess --rows "JSON;import"`.

The application is called with a scope, and with a `receive` and a `send` that never wait; each figure is of a process
of its own on CPU 0, the least of several repetitions, so that noise is small. `--instructions` counts them with
valgrind instead, exactly and slowly.
"""

import argparse
import asyncio
import importlib
import importlib.util
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.frameworks import TYPED_SITES
from bench.sites import LARGE, SIZES, SMALL, fill
from bench.sites.typed import BODY, LAST
from bench.table import print_cells

SITES = {
    "portico.web": "bench.sites.portico_web",
    "starlette": "bench.sites.starlette_site",
    "bare": "bench.sites.bare",
    "fastapi": "bench.sites.fastapi_site",
    "litestar": "bench.sites.litestar_site",
    "falcon": "bench.sites.falcon_site",
    "blacksheep": "bench.sites.blacksheep_site",
}
IMPORTS = {
    "portico.web": "portico.web, portico.web.applications",
    "starlette": "starlette.applications",
    "fastapi": "fastapi",
    "litestar": "litestar",
    "falcon": "falcon.asgi",
    "blacksheep": "blacksheep",
}
REPETITIONS = 7
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gWk"
PARTS = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nA title\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
)
# As a browser sends it: a long boundary, and bytes of every kind, among which searching for it is quick.
FORM = PARTS.encode() + random.Random(1).randbytes(100_000) + f"\r\n--{BOUNDARY}--\r\n".encode()
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
PIECE = 1 << 16
"""Bytes of a body that one message brings."""

Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    path: str
    answer: int
    """Bytes in the body of the right answer; 0 for any."""
    calls: int = 4000
    """Requests in a repetition."""
    body: bytes = b""
    routes: int = 0
    """Routes of each kind, of which the last is asked for."""
    skipped: tuple[str, ...] = ()
    kind: str = FORM_TYPE
    """The media type of the body."""
    query: bytes = b""
    typed: str = ""
    """The name of the application in the typed sites."""


def typed(path: str, *skipped: str, app: str = "app", **more: Any) -> Case:
    return Case(path, 0, skipped=("starlette", *skipped), kind="application/json", typed=app, **more)


def routed(count: int) -> dict[str, Case]:
    """Return the cases of a router with `count` static and as many parametrised routes."""
    last, calls, none = count - 1, 100 if count > 100 else 2000, ("bare",)
    return {
        f"{count} routes, static": Case(f"/section/page-{last}", 13, calls, b"", count, none),
        f"{count} routes, int": Case(f"/shop-{last}/items/42", 13, calls, b"", count, none),
    }


CASES = {
    "plaintext": Case("/", 13),
    "JSON": Case("/json", 0),
    "path parameter": Case("/items/42", 0),
    "100 KB upload form": Case("/upload", 6, 300, FORM, skipped=("bare",)),
    "10 KB file": Case(f"/files/{SMALL}", SIZES[SMALL], 300),
    "1 MB file": Case(f"/files/{LARGE}", SIZES[LARGE], 50),
    **routed(1),
    **routed(100),
    **routed(2000),
    "typed GET": typed("/items/42", query=b"q=x"),
    "typed body": typed("/items", body=BODY),
    "typed dependencies": typed("/chain", "falcon", "bare", query=b"limit=5"),
    "300 typed routes": typed(LAST, "bare", query=b"q=x", app="many"),
}
IMPORT = "import"


# --- in the process that is measured ------------------------------------------------------------


def scope_of(case: Case) -> dict[str, Any]:
    """Return the scope of a request such as a browser sends."""
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"),
        (b"accept", b"*/*"),
        (b"accept-encoding", b"gzip, deflate, br"),
        (b"connection", b"keep-alive"),
    ]
    if case.body:
        headers += [(b"content-type", case.kind.encode()), (b"content-length", b"%d" % len(case.body))]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST" if case.body else "GET",
        "scheme": "http",
        "path": case.path,
        "raw_path": case.path.encode(),
        "query_string": case.query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }


class Sink:
    """Receives an answer: a `send` that adds up the bytes of its body."""

    def __init__(self) -> None:
        self.status = 0
        self.size = 0

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.size += len(message.get("body", b""))


class Source:
    """Sends a request's body: a `receive` that hands out its pieces."""

    def __init__(self, messages: Messages) -> None:
        self.left = iter(messages)

    async def __call__(self) -> dict[str, Any]:
        message = next(self.left, None)
        if message is None:
            await asyncio.Event().wait()  # the client stays
        assert message is not None
        return message


def messages_of(body: bytes) -> Messages:
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)] or [b""]
    last = len(pieces) - 1
    return [{"type": "http.request", "body": piece, "more_body": n < last} for n, piece in enumerate(pieces)]


async def started(app: Any) -> Callable[[], Awaitable[None]]:
    """Run the application's startup; returns what ends its lifespan. One that has none is as good."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    state: dict[str, Any] = {}
    running = asyncio.ensure_future(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, told.get, said.put)
    )
    told.put_nowait({"type": "lifespan.startup"})
    first = asyncio.ensure_future(said.get())
    await asyncio.wait([running, first], return_when=asyncio.FIRST_COMPLETED)

    async def stop() -> None:
        first.cancel()
        told.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait([running], timeout=1)
        if running.done():
            running.exception()

    return stop


async def measured(name: str, case: Case, repetitions: int, calls: int) -> float:
    """Return the least CPU microseconds of one request."""
    site = importlib.import_module((TYPED_SITES if case.typed else SITES)[name])
    app = site.routed(case.routes) if case.routes else getattr(site, case.typed or "app")
    scope, messages = scope_of(case), messages_of(case.body)
    stop = await started(app)

    async def ask(number: int) -> None:
        for _ in range(number):
            sink = Sink()
            await app({**scope, "headers": list(scope["headers"])}, Source(messages), sink)
            if sink.status // 100 != 2 or (case.answer and sink.size != case.answer):
                raise AssertionError(f"{name}, {case.path}: status {sink.status}, {sink.size} bytes")

    await ask(max(2, calls // 10))
    figures = []
    for _ in range(repetitions):
        before = time.process_time()
        await ask(calls)
        figures.append((time.process_time() - before) / calls * 1e6)
    await stop()
    return min(figures)


# --- in the process that the user starts --------------------------------------------------------


def child(*words: str, before: tuple[str, ...] = ()) -> str:
    """Run this module in a process of its own on CPU 0; returns what it prints, on both streams."""
    command = ["taskset", "-c", "0", *before, sys.executable, "-m", "bench.inprocess", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1])
    return done.stdout + done.stderr


def instructions(name: str, title: str) -> float:
    """Return the instructions of one request: what a run of more requests takes beyond one of fewer."""
    few, many = 100, 400
    counts = []
    for calls in (few, many):
        tool = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
        said = child("--one", name, title, "1", str(calls), before=tool)
        found = re.search(r"Collected : (\d+)", said)
        assert found is not None, said
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / (many - few + (many // 10 - max(2, few // 10)))


def import_ms(name: str, rounds: int) -> float:
    """Return the median milliseconds of importing a framework in a fresh interpreter."""
    text = f"import time; before = time.perf_counter(); import {IMPORTS[name]}; print(time.perf_counter() - before)"
    command = ["taskset", "-c", "0", sys.executable, "-c", text]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(rounds)]
    return statistics.median(map(float, runs)) * 1000


def figure(name: str, title: str, rounds: int, *, exact: bool) -> float | None:
    """Return the figure of one cell, or None where there is no such thing."""
    if title == IMPORT:
        return import_ms(name, 5 * rounds) if name in IMPORTS else None
    if name in CASES[title].skipped:
        return None
    if exact:
        return instructions(name, title)
    words = ("--one", name, title, str(REPETITIONS), str(CASES[title].calls))
    return statistics.median(float(child(*words).split()[0]) for _ in range(rounds))


def main() -> None:
    titles = [*CASES, IMPORT]
    parser = argparse.ArgumentParser(prog="python -m bench.inprocess", description=__doc__)
    parser.add_argument("--rows", help=f"of {'; '.join(titles)}; separated by semicolons")
    parser.add_argument("--frameworks", default=",".join(SITES), help=f"of {', '.join(SITES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--instructions", action="store_true", help="count instructions with valgrind")
    parser.add_argument("--one", nargs=4, metavar=("FRAMEWORK", "ROW", "REPETITIONS", "CALLS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        name, title, repetitions, calls = chosen.one
        print(asyncio.run(measured(name, CASES[title], int(repetitions), int(calls))))
        return
    names = [name for name in chosen.frameworks.split(",") if name == "bare" or importlib.util.find_spec(name)]
    unit = "instructions" if chosen.instructions else "CPU us"
    print(f"CPython {sys.version.split()[0]}; {unit} a request in process, medians of {chosen.rounds} rounds\n")
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    with tempfile.TemporaryDirectory() as files:
        fill(Path(files))
        os.environ["BENCH_FILES"] = files
        for title in chosen.rows.split(";") if chosen.rows else titles:
            figures = {}
            for name in names:
                try:
                    found = figure(name, title.strip(), chosen.rounds, exact=chosen.instructions)
                except (RuntimeError, AssertionError) as error:
                    print(f"{name}, {title}: {str(error)[:300]}", file=sys.stderr)
                    continue
                if found is not None:
                    figures[name] = found
            print_cells(f"{title}{', ms' if title == IMPORT else ''}", figures, names, ".1f")


if __name__ == "__main__":
    main()
