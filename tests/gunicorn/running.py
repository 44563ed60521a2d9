"""A real gunicorn with our worker class, in a process of its own; leaving the block stops it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
from gunicorn.config import KNOWN_SETTINGS
from tests.children import environment
from tests.served import Served

LISTENING = re.compile(r"Listening at: (https?://[^ ,]+) \(")
WORKER = re.compile(r"Booting worker with pid: ([0-9]+)")
READY = "Application startup complete"
STOP_S = 40  # more than gunicorn's own 30: a worker that was just forked may miss its SIGTERM, and is killed then
# Newer ones open a socket by default, in one place for all that run.
QUIET = ("--no-control-socket",) if any(each.name == "control_socket_disable" for each in KNOWN_SETTINGS) else ()


class Gunicorn(Served):
    """A running gunicorn."""

    def signal(self, number: int) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def pid(self) -> int:
        """Return which worker answers."""
        return int(self.client.get("/pid").text)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.client.base_url.port or 0)

    def wait(self) -> int:
        """Return the exit status of the master, which was told to stop."""
        return self.process.wait(STOP_S)


def start(app: str, *options: str, cwd: Path, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """Start gunicorn."""
    command = [sys.executable, "-m", "gunicorn", app, "-k", "portico.workers.PorticoWorker", *QUIET, *options]
    return subprocess.Popen(
        command, cwd=cwd, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@contextmanager
def gunicorn(
    app: str,
    *options: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    bind: str = "127.0.0.1:0",
    ready: str = READY,
) -> Iterator[Gunicorn]:
    """Serve `app` with one worker, on a free port; leaving the block stops what still runs, and expects status 0."""
    running = Gunicorn(start(app, "-b", bind, *options, cwd=cwd, env=env))
    try:
        if bind.startswith("unix:"):
            transport = httpx.HTTPTransport(uds=bind.removeprefix("unix:"), verify=False)
            running.client = httpx.Client(transport=transport, base_url="http://host", timeout=10)
        else:
            address = running.wait_for(LISTENING)[1] if bind.endswith(":0") else f"http://{bind}"
            running.client.base_url = httpx.URL(address)
        running.wait_for(ready)
        yield running
        running.client.close()  # a stop waits a second for what may be coming on a connection that was just used
        if running.process.poll() is None:
            running.signal(signal.SIGTERM)
        assert running.wait() == 0, running.log
    finally:
        running.close()


def fails(app: str, *options: str, cwd: Path, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Return the exit status and the output of a gunicorn that ends by itself."""
    process = start(app, "-b", "127.0.0.1:0", *options, cwd=cwd, env=env)
    try:
        output, _ = process.communicate(timeout=STOP_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, output
