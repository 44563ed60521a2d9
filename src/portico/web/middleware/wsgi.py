"""WSGI applications (PEP 3333) under an ASGI one, each request in a thread, their bodies streamed both ways.

It is what the server runs them with (`portico.wsgi`), under the names that Starlette has for it.
"""

import io
import sys
from typing import Any

from portico.asgi import Receive, Scope, Send
from portico.wsgi import Gateway
from portico.wsgi import WSGIProtocolError as WSGIProtocolError
from portico.wsgi.call import Call, WSGIApp, has_body
from portico.wsgi.environ import make_environ, wsgi_text
from portico.wsgi.gateway import THREADS
from portico.wsgi.pool import Pool

# What this environment has more than Starlette's.
MORE = ("RAW_URI", "REMOTE_PORT", "REQUEST_URI", "SERVER_SOFTWARE", "wsgi.input_terminated")

_pool = Pool(THREADS)  # of responders that are used by themselves


def build_environ(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a request whose body is there as a whole."""
    environ = make_environ(scope)
    for name in MORE:
        environ.pop(name, None)
    if not scope.get("client"):
        del environ["REMOTE_ADDR"]
    root = wsgi_text(scope.get("root_path", ""))
    if root.endswith("/"):
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = root, environ["PATH_INFO"].removeprefix("/")
    environ["SERVER_PORT"] = int(environ["SERVER_PORT"])
    return {**environ, "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stdout}


class WSGIMiddleware:
    """Run a WSGI application as an ASGI one: `Mount("/old", WSGIMiddleware(app))`.

    Args:
        app: The WSGI application.
        threads: How many requests it handles at a time; others wait for their turn.
    """

    def __init__(self, app: WSGIApp, threads: int = THREADS) -> None:
        self.app = app
        self.gateway = Gateway(app, threads=threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise WSGIProtocolError(f"a WSGI application handles HTTP requests, got a scope of type {scope['type']!r}")
        await WSGIResponder(self.app, scope, self.gateway.pool)(receive, send)


class WSGIResponder:
    """One request of a WSGI application; an error that it has made an error page of is raised after that."""

    def __init__(self, app: WSGIApp, scope: Scope, pool: Pool | None = None) -> None:
        self.app = app
        self.scope = scope
        self.pool = pool or _pool

    async def __call__(self, receive: Receive, send: Send) -> None:
        call = Call(self.app, self.pool, self.scope, receive, send)
        await call.run(has_body(self.scope))
        if call.error_shown is not None:
            raise call.error_shown
