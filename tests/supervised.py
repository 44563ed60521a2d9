"""A real `portico run` with its supervisor, whose workers a test can tell apart, end and replace.

The application is written into a directory of the test's, so that it can change; every answer names its version and the
process that gave it. Connections are not kept, so that each request may come to another worker.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from tests.children import PORTICO, environment
from tests.served import RUNNING, STOP_S, Served

DEADLINE_S = 30.0
POLL_S = 0.02

# One write for a line: several workers print to one pipe.
APP = """
import asyncio
import os
import time

VERSION = "one"
IMPORTED_BY = os.getpid()


def blocked_for_good():
    time.sleep(3600)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print(f"closed by {os.getpid()}\\n", end="", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    text = f"{VERSION} {os.getpid()} {IMPORTED_BY}"
    if scope["path"] == "/block":
        blocked_for_good()
    if scope["path"] == "/slow":
        print("slowly", flush=True)
        await asyncio.sleep(1)
    if scope["path"] == "/hold":
        print("holding", flush=True)
        await asyncio.Event().wait()
    if scope["path"] == "/grow":
        globals()["kept"] = bytearray(os.urandom(1) * (128 << 20))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""


class Supervised(Served):
    """A running supervisor and its workers."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        super().__init__(process)
        self.folder = folder
        self.client.headers["connection"] = "close"

    def write(self, source: str = APP, name: str = "app.py") -> None:
        """Write the application anew, or another file."""
        (self.folder / name).write_text(source)

    def send(self, number: int) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def version(self) -> str:
        """Return the version of the application that answers."""
        return self.client.get("/").text.split()[0]

    def worker(self) -> int:
        """Return the number of a process that answers."""
        return int(self.client.get("/").text.split()[1])

    def imported_by(self) -> int:
        """Return the number of the process that has imported the application that answers."""
        return int(self.client.get("/").text.split()[2])

    def workers(self, count: int) -> set[int]:
        """Return the numbers of the processes that answer, once there have been so many."""
        seen: set[int] = set()

        def all_seen() -> bool:
            seen.add(self.worker())
            return len(seen) >= count

        wait_until(all_seen, f"{count} workers that answer")
        return seen

    def another_than(self, *pids: int) -> int:
        """Return the number of a process that answers, once one does that is none of those."""
        seen = pids[0]

        def is_other() -> bool:
            nonlocal seen
            seen = self.worker()
            return seen not in pids

        wait_until(is_other, f"another worker than {pids}")
        return seen

    def exit_status(self) -> int:
        """Wait for the supervisor's end."""
        return self.process.wait(STOP_S)

    def read_all(self) -> str:
        """Return everything that was printed, after the end."""
        self._pump.join()
        return self.log


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Poll until it holds; fail with `what` after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(POLL_S)


def processes(supervisor: int) -> list[psutil.Process]:
    """Return the processes that a supervisor has started, and those that these have."""
    return psutil.Process(supervisor).children(recursive=True)


def gone(pid: int) -> bool:
    """Tell whether the process has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def started(
    folder: Path,
    *options: str,
    source: str = APP,
    env: Mapping[str, str] | None = None,
    target: str = "app:app",
    **more: Any,
) -> Iterator[Supervised]:
    """Start `portico run app:app` in the folder, on a free port; what is left of it at the end is killed.

    Args:
        folder: The current directory of the server.
        options: Options of `portico run`.
        source: The application.
        env: Variables beside ours.
        target: What is served, where it is not that application.
        more: Keywords for Popen.
    """
    (folder / "app.py").write_text(source)
    # Two versions of a file that are written within a second would share the bytecode.
    variables = environment({"PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
    process = subprocess.Popen(
        [*PORTICO, "run", target, "--port", "0", *options],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )
    server = Supervised(process, folder)
    children: list[psutil.Process] = []
    try:
        yield server
    finally:
        if process.poll() is None:
            children = processes(process.pid)
        process.kill()
        process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        server.close()


@contextmanager
def supervised(
    folder: Path, *options: str, source: str = APP, env: Mapping[str, str] | None = None, **more: Any
) -> Iterator[Supervised]:
    """The same, once it runs; leaving the block stops it and expects a clean exit."""
    with started(folder, *options, source=source, env=env, **more) as server:
        server.client.base_url = server.wait_for(RUNNING)[1]
        yield server
        if server.process.poll() is None:
            server.send(signal.SIGTERM)
        assert server.exit_status() == 0, server.read_all()
