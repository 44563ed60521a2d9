"""The rows of the table: each measures one server under one load. Servers run on CPU 0, what loads them on CPU 1."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from bench.servers import COMMANDS, answers, command, compiled, cpu_seconds, free_port, rss_bytes, served

UPLOAD = 'wrk.method = "POST"\nwrk.body = string.rep("x", 262144)\n'
IDLE = 5000
MEGABYTE = 1 << 20
LOAD = ["taskset", "-c", "1"]


@dataclass(frozen=True)
class Row:
    measure: Callable[[str, float], float]
    """Called with the name of a server and the seconds that a load lasts."""
    unit: str
    skipped: tuple[str, ...] = ("C loop",)
    """Servers that have no such thing."""
    size: int = 0
    """Bytes in a message, for a second line that says how many pass in a second of CPU time."""
    rate: str = ""
    """What is counted, for a second line that says how many there may be in a second of CPU time."""


def wrk(port: int, seconds: float, script: str, path: str = "/", *, cpus: str = "1", scheme: str = "http") -> int:
    """Run wrk and return the number of requests; anything but 2xx answers is an error."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        arguments = ["wrk", "-t1", "-c64", f"-d{seconds:g}s", "-s", file.name, f"{scheme}://127.0.0.1:{port}{path}"]
        command_line = ["taskset", "-c", cpus, *arguments]
        output = subprocess.run(command_line, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    found = re.search(r"(\d+) requests in", output)
    assert found is not None, output
    return int(found[1])


def http(name: str, seconds: float, *, app: str, access_log: bool = False, script: str = "", path: str = "/") -> float:
    """Return CPU microseconds per request."""
    port = free_port()
    return request_cost(command(name, app, port, access_log=access_log), port, seconds, script=script, path=path)


def http_with_metrics(name: str, seconds: float) -> float:
    """Return CPU microseconds per request while the server counts them for Prometheus."""
    port = free_port()
    return request_cost([*command(name, "plaintext", port), *METRICS[name].format(free_port()).split()], port, seconds)


def request_cost(arguments: list[str], port: int, seconds: float, *, script: str = "", path: str = "/") -> float:
    """Return CPU microseconds per request of the server that the command line starts."""
    return cost(arguments, port, seconds, partial(wrk, script=script, path=path))


def cost(
    arguments: list[str],
    port: int,
    seconds: float,
    load: Callable[[int, float], int],
    *,
    ready: Callable[[int], bool] = answers,
) -> float:
    """Return CPU microseconds of the server for each of what `load` counts; it is called with a port and seconds."""
    with served(arguments, port, ready=ready) as pid:
        load(port, 1)
        before = cpu_seconds(pid)
        count = load(port, seconds)
        return (cpu_seconds(pid) - before) / count * 1e6


def http_idle(name: str, _: float) -> float:
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


def startup(name: str, _: float) -> float:
    """Return milliseconds from the command to the first answer."""
    port = free_port()
    arguments = command(name, "plaintext", port)
    started = time.perf_counter()
    with served(arguments, port):
        return (time.perf_counter() - started) * 1000


class Messages:
    """A run of bench/wsload.c: its connections are open until the block is left."""

    def __init__(self, port: int, connections: int, size: int, seconds: float, *words: str) -> None:
        arguments = [compiled("wsload"), str(port), str(connections), str(size), str(seconds), *words]
        self.process = subprocess.Popen(
            [*LOAD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, pattern: str) -> re.Match[str]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.match(pattern, line)
        if found is None:
            raise RuntimeError(line + self.process.stdout.read())
        return found

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


def websocket(name: str, seconds: float, *, app: str, connections: int, size: int, words: str) -> float:
    """Return CPU microseconds per message; the handshakes are not counted."""
    port = free_port()
    figure = 0.0
    with served(command(name, app, port, websocket=True), port) as pid:
        for duration in (1, seconds):
            with Messages(port, connections, size, duration, *words.split()) as messages:
                messages.wait_for("open")
                before = cpu_seconds(pid)
                messages.begin()
                count = int(messages.wait_for(r"(\d+) messages in")[1])
                figure = (cpu_seconds(pid) - before) / count * 1e6
    return figure


def websocket_idle(name: str, _: float, *, extension: str = "") -> float:
    """Return bytes of resident memory for each of 5,000 WebSockets that have echoed 16 bytes."""
    port = free_port()
    words = ["idle", "text", *extension.split()]
    with served(command(name, "websocket_echo", port, websocket=True), port) as pid:
        with Messages(port, 1, 16, 0, *words) as messages:
            messages.wait_for("1 messages")
        before = rss_bytes(pid)
        with Messages(port, IDLE, 16, 0, *words) as messages:
            messages.wait_for(f"{IDLE} messages")
            return (rss_bytes(pid) - before) / IDLE


REQUEST = "CPU us a request"
MESSAGE = "CPU us a message"
CONNECTION = "bytes a connection"
NO_WEBSOCKET = ("C loop", "fastpysgi")
METRICS = {"portico": "--metrics 127.0.0.1:{}", "granian": "--metrics --metrics-port {}"}
NO_DEFLATE = (*NO_WEBSOCKET, "granian", "gunicorn")
echo = partial(websocket, app="websocket_echo")
ROWS = {
    "plaintext": Row(partial(http, app="plaintext"), REQUEST, skipped=()),
    "access log": Row(partial(http, app="plaintext", access_log=True), REQUEST),
    "metrics": Row(http_with_metrics, REQUEST, tuple(set(COMMANDS) - set(METRICS))),
    "100 KB body": Row(partial(http, app="large"), REQUEST),
    "stream": Row(partial(http, app="stream"), REQUEST),
    "upload": Row(partial(http, app="upload", script=UPLOAD), REQUEST),
    "idle": Row(http_idle, CONNECTION),
    "startup": Row(startup, "ms to the first answer"),
    "ws echo 64": Row(partial(echo, connections=64, size=64, words="echo text"), MESSAGE, NO_WEBSOCKET),
    "ws echo 16K": Row(partial(echo, connections=64, size=16 << 10, words="echo binary"), MESSAGE, NO_WEBSOCKET),
    "ws upload 1M": Row(
        partial(websocket, app="websocket_length", connections=8, size=MEGABYTE, words="upload binary"),
        MESSAGE, NO_WEBSOCKET, size=MEGABYTE,
    ),
    "ws idle": Row(websocket_idle, CONNECTION, NO_WEBSOCKET),
    "ws idle deflate": Row(partial(websocket_idle, extension="deflate"), CONNECTION, NO_DEFLATE),
}  # fmt: skip
