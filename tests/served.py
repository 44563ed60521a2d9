"""A real `portico run` in a process of its own, as a user would start it, and an httpx client that asks it.

Whatever the server prints is kept; leaving the block stops it with SIGINT and expects exit status 0. One process does
it all, which is there in half the time, unless a test asks for the supervisor that a user has.
"""

import queue
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
from tests.children import PORTICO, ROOT, environment

RUNNING = re.compile(r"Portico running on (https?://\S+) \(Press CTRL\+C to quit\)")
START_S, STOP_S = 30, 20


class Served:
    """A running server: its address, a client, and what it has printed so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        self.lines: list[str] = []
        self._unread: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._pump = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        self._pump.start()
        # The client asks this machine: no proxy from the environment may stand between, and certificates cost time.
        self.client = httpx.Client(trust_env=False, verify=False, timeout=10)

    @property
    def url(self) -> str:
        """The address the server has printed."""
        return str(self.client.base_url).rstrip("/")

    @property
    def log(self) -> str:
        """Everything printed up to now."""
        return "".join(self.lines)

    def wait_for(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Return the match of the next printed line that has one; fail if none comes."""
        while True:
            try:
                line = self._unread.get(timeout=START_S)
            except queue.Empty:
                raise AssertionError(f"no line with {pattern!r} in {START_S} s; printed:\n{self.log}") from None
            assert line, f"ended before a line with {pattern!r}; printed:\n{self.log}"
            if match := re.search(pattern, line):
                return match

    def stop(self) -> int:
        """Ask the server to stop as Ctrl+C does, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S)

    def close(self) -> None:
        """End the process, whatever state it is in, and read what it still printed."""
        self.client.close()
        self.process.kill()
        self.process.wait()
        self._pump.join()

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self.lines.append(line)
                self._unread.put(line)
        self._unread.put("")


@contextmanager
def launched(
    command: Sequence[str],
    running: str | re.Pattern[str] = RUNNING,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = ROOT,
    **more: Any,
) -> Iterator[Served]:
    """Run the command of a server, whose address `running` finds in what it prints; the block has to stop it."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )
    server = Served(process)
    try:
        server.client.base_url = server.wait_for(running)[1]
        yield server
    finally:
        server.close()


@contextmanager
def served(
    app: str, *options: str, supervised: bool = False, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Iterator[Served]:
    """Serve `app` on a free port; leaving the block stops the server and expects a clean exit."""
    alone = () if supervised else ("--no-supervise",)
    with launched([*PORTICO, "run", app, "--port", "0", *alone, *options], env=env, cwd=cwd) as server:
        yield server
        server.client.close()  # a stop waits a second for what may be coming on a connection that was just used
        status = server.stop()
        assert status == 0, f"exit status {status}; printed:\n{server.log}"
