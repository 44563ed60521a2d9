"""The ASGI application that runs a WSGI one."""

import weakref
from collections.abc import Coroutine
from typing import Any

from portico.asgi import Receive, Scope, Send
from portico.wsgi.call import Call, WSGIApp, has_body
from portico.wsgi.head import WSGIProtocolError
from portico.wsgi.pool import Pool

THREADS = 16


class Gateway:
    """Run a WSGI application as an ASGI one.

    Args:
        app: The WSGI application.
        threads: How many requests it handles at a time; others wait for their turn.
    """

    def __init__(self, app: WSGIApp, *, threads: int = THREADS) -> None:
        self.app = app
        self.pool = Pool(threads)
        weakref.finalize(self, self.pool.close)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        if scope["type"] == "http":
            return Call(self.app, self.pool, scope, receive, send).run(has_body(scope))
        return self._refuse(scope, send)

    async def _refuse(self, scope: Scope, send: Send) -> None:
        if scope["type"] != "websocket":
            raise WSGIProtocolError(f"a WSGI application handles HTTP requests, got a scope of type {scope['type']!r}")
        await send({"type": "websocket.close"})
