"""Rows that measure a WSGI application on a server; their columns are servers of WSGI."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from bench.loads import REQUEST, UPLOAD, Row, request_cost
from bench.servers import command, free_port

COMMANDS = {
    "portico": "{python} -m portico run {app} --interface wsgi --port {port} --log-level warning --no-access-log",
    "granian": "{python} -m granian --interface wsgi --port {port} --log-level warning --no-access-log {app}",
    "gunicorn sync": "{python} -m gunicorn -b 127.0.0.1:{port} --log-level warning {app}",
    "gunicorn gthread": "{python} -m gunicorn -k gthread --threads 16 -b 127.0.0.1:{port} --log-level warning {app}",
}
LARGE = b"x" * 100_000
PIECE = b"y" * 1024
TEXT = ("Content-Type", "text/plain")


def plaintext(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", "13")])
    return [b"Hello, world!"]


def large(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", str(len(LARGE)))])
    return [LARGE]


def stream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [TEXT])
    return iter([PIECE] * 10)


def upload(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    size = 0
    while piece := environ["wsgi.input"].read(65536):
        size += len(piece)
    body = str(size).encode()
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


def wsgi(name: str, seconds: float, *, app: str, script: str = "") -> float:
    """Return CPU microseconds per request."""
    port = free_port()
    arguments = command(name, f"bench.wsgi:{app}", port, commands=COMMANDS)
    return request_cost(arguments, port, seconds, script=script)


ROWS = {
    "wsgi plaintext": Row(partial(wsgi, app="plaintext"), REQUEST),
    "wsgi 100 KB body": Row(partial(wsgi, app="large"), REQUEST),
    "wsgi stream": Row(partial(wsgi, app="stream"), REQUEST),
    "wsgi upload": Row(partial(wsgi, app="upload", script=UPLOAD), REQUEST),
}
