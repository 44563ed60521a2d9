"""Measure Portico beside its peers: `python -m bench --rows plaintext,upload --peers granian,uvicorn`.

Servers run on CPU 0, wrk on CPU 1, in interleaved rounds; the figures are medians of CPU microseconds per request of
the whole server, and a ratio over 1 says how many times more a peer needs than Portico.
"""

import argparse
import importlib.util
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from bench.servers import COMMANDS, command, cpu_seconds, free_port, rss_bytes, served

LOADS = {
    "plaintext": "plaintext",
    "access log": "plaintext",
    "100 KB body": "large",
    "stream": "stream",
    "upload": "upload",
}
ROWS = [*LOADS, "idle", "startup"]
UPLOAD = 'wrk.method = "POST"\nwrk.body = string.rep("x", 262144)\n'
IDLE = 5000


def load(port: int, seconds: float, script: str | None) -> int:
    """Run wrk and return the number of requests; anything but 2xx answers is an error."""
    arguments = ["taskset", "-c", "1", "wrk", "-t1", "-c64", f"-d{seconds:g}s"]
    output = subprocess.run(
        [*arguments, *(["-s", script] if script else []), f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    found = re.search(r"(\d+) requests in", output)
    assert found is not None, output
    return int(found[1])


def measure_load(name: str, row: str, seconds: float, script: str) -> float:
    """Return CPU microseconds per request."""
    port = free_port()
    arguments = command(name, LOADS[row], port, access_log=row == "access log")
    with served(arguments, port) as pid:
        chosen = script if row == "upload" else None
        load(port, 1, chosen)
        before = cpu_seconds(pid)
        requests = load(port, seconds, chosen)
        return (cpu_seconds(pid) - before) / requests * 1e6


def measure_idle(name: str) -> float:
    """Return bytes of resident memory for each of 5,000 connections that have made one request."""
    port = free_port()
    with served(command(name, "plaintext", port), port) as pid:
        before = rss_bytes(pid)
        sockets = []
        for _ in range(IDLE):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
            sock.recv(4096)
            sockets.append(sock)
        after = rss_bytes(pid)
        for sock in sockets:
            sock.close()
        return (after - before) / IDLE


def measure_startup(name: str) -> float:
    """Return milliseconds from the command to the first answer."""
    port = free_port()
    arguments = command(name, "plaintext", port)
    started = time.perf_counter()
    with served(arguments, port):
        return (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--peers", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    chosen = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = [name for name in chosen.peers.split(",") if name == "C loop" or importlib.util.find_spec(name)]
    names = ["portico", *(name for name in names if name != "portico")]
    print(f"CPython {sys.version.split()[0]}; {chosen.rounds} rounds of {chosen.seconds:g} s, medians\n")
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(UPLOAD)
        script.flush()
        for row in chosen.rows.split(","):
            figures: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(chosen.rounds):
                for name in names:
                    if name == "C loop" and row != "plaintext":
                        continue
                    try:
                        figures[name].append(measure(name, row, chosen.seconds, script.name))
                    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                        print(f"{name}, {row}: {str(error)[:300]}", file=sys.stderr)
            print_row(row, figures)


def measure(name: str, row: str, seconds: float, script: str) -> float:
    if row == "idle":
        return measure_idle(name)
    if row == "startup":
        return measure_startup(name)
    return measure_load(name, row, seconds, script)


def print_row(row: str, figures: dict[str, list[float]]) -> None:
    unit = {"idle": "bytes a connection", "startup": "ms to the first answer"}.get(row, "CPU us a request")
    own = statistics.median(figures["portico"]) if figures["portico"] else float("nan")
    cells = []
    for name, found in figures.items():
        if not found:
            cells.append("-")
            continue
        middle = statistics.median(found)
        cells.append(f"{middle:.1f}" if name == "portico" else f"{middle:.1f} ({middle / own:.2f}x)")
    print(f"| {row}, {unit} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
