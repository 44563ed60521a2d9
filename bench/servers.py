"""Servers under test: how each is started, pinned to CPU 0, and what it has used."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
COMMANDS = {
    "portico": "{python} -m portico run {app} --port {port} --log-level warning {log:--no-access-log}",
    "uvicorn": "{python} -m uvicorn {app} --port {port} --log-level {level} --loop uvloop --http httptools "
    "{log:--no-access-log}",
    "granian": "{python} -m granian --interface asgi --loop uvloop {granian_ws} --port {port} --log-level warning "
    "{granian_log} {app}",
    "fastpysgi": "{python} -m fastpysgi --host 127.0.0.1 -p {port} {app}",
    "gunicorn": "{python} -m gunicorn -k asgi -b 127.0.0.1:{port} --log-level warning {app}",
    "hypercorn": "{python} -m hypercorn -k uvloop -b 127.0.0.1:{port} --log-level warning {app}",
    "C loop": "{cloop} {port}",
}


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def command(
    name: str,
    app: str,
    port: int,
    *,
    commands: Mapping[str, str] = COMMANDS,
    access_log: bool = False,
    websocket: bool = False,
    python: str = sys.executable,
) -> list[str]:
    """Return the command line that serves `app`: a name in `bench.apps`, or `module:name`."""
    text = commands[name].replace("{log:--no-access-log}", "" if access_log else "--no-access-log")
    return text.format(
        python=python,
        app=app if ":" in app else f"bench.apps:{app}",
        port=port,
        level="info" if access_log else "warning",
        granian_log="--access-log" if access_log else "--no-access-log",
        granian_ws="--ws" if websocket else "--no-ws",
        cloop=compiled("cloop") if "{cloop}" in text else "",
    ).split()


def compiled(name: str) -> str:
    """Return the path of the program that `bench/{name}.c` makes, built again where the source is newer."""
    source, target = HERE / f"{name}.c", HERE / name
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        subprocess.run([shutil.which("cc") or "cc", "-O2", "-o", str(target), str(source)], check=True)
    return str(target)


@contextlib.contextmanager
def served(
    arguments: list[str], port: int, *, cpus: str = "0", ready: Callable[[int], bool] | None = None
) -> Iterator[int]:
    """Run a server on CPU 0, or those named, until the block is left; yields its process id once it answers."""
    ready = ready or answers
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["taskset", "-c", cpus, *arguments], stdout=output, stderr=output, start_new_session=True, cwd=HERE.parent
        )
        try:
            deadline = time.monotonic() + 20
            while not ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise RuntimeError(f"{' '.join(arguments)}: {output.read().decode(errors='replace')[-2000:]}")
                time.sleep(0.002)
            yield process.pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return bool(sock.recv(1))
    except OSError:
        return False


def family(pid: int) -> list[int]:
    """Return the process and all that it started."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the time on a processor of the process and its children, in seconds."""
    total = 0
    for each in family(pid):
        for task in Path(f"/proc/{each}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_bytes(pid: int) -> int:
    """Return the resident memory of the largest process of the family: the worker."""
    pages = max(int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE")
