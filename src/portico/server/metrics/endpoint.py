"""Where metrics are read: a small HTTP server of its own, so that they are neither public nor in the application's way.

`/metrics` is for Prometheus, `/workers` for `portico top`. Nothing is logged of what is asked here.
"""

import asyncio
import socket
from collections.abc import MutableMapping, Sequence
from types import TracebackType
from typing import Any

from portico.asgi import Receive, Scope, Send
from portico.server.accepting import Acceptor
from portico.server.config import Config
from portico.server.http1 import Http1Connection
from portico.server.listeners import Listener, ListenError, close_listeners, describe, open_listeners
from portico.server.metrics.board import Board
from portico.server.metrics.census import Census
from portico.server.metrics.exposition import choose, render, workers_json
from portico.server.service import Service

DEFAULT_PORT = 9100
MAX_CONNECTIONS = 64  # beyond, those that are idle make room: whoever reads metrics comes again


def open_metrics(address: str, inherited: MutableMapping[str, list[int]] | None = None) -> list[Listener]:
    """Return the sockets of an address in the forms of `bind`; `open_listeners` says what may be inherited.

    Raises:
        ListenError: the address cannot be had; the text says that it is that of the metrics.
    """
    try:
        return open_listeners(Config(app="metrics", bind=(address,), port=DEFAULT_PORT), inherited=inherited)
    except ListenError as error:
        raise ListenError(f"metrics: {error}") from None


def where(address: str) -> str:
    """Return what Prometheus is told: the URL, or the unix socket, whose address has no path of requests."""
    return f"{address}/metrics" if address.startswith("http") else address


class MetricsEndpoint:
    """Serves what a census says.

    Args:
        address: Where to listen, in the forms of `bind`.
        census: What is served.
        sockets: What to listen on, bound already, in place of the address; whoever has opened them closes them.
    """

    def __init__(self, address: str, census: Census, sockets: Sequence[socket.socket] | None = None) -> None:
        self._address = address
        self._config = Config(
            app="metrics",
            bind=(address,),
            port=DEFAULT_PORT,
            proxy_headers=False,
            ws="none",
            limit_connections=MAX_CONNECTIONS,
            limit_request_body=0,
        )
        self._census = census
        self._given = sockets
        self._sockets: Sequence[socket.socket] = ()
        self._acceptors: list[Acceptor] = []
        self._service: Service | None = None

    @property
    def addresses(self) -> list[str]:
        """Where it listens, such as `http://127.0.0.1:9100` or `unix:/run/metrics.sock`."""
        return [describe(sock) for sock in self._sockets]

    async def start(self) -> None:
        """Begin to serve; raises ListenError."""
        config = self._config
        service = self._service = Service(config, self._answer, asyncio.get_running_loop(), None)
        self._sockets = open_metrics(self._address) if self._given is None else self._given
        service.start()

        def protocol() -> Any:
            return Http1Connection(service)

        for sock in self._sockets:
            sock.listen(config.backlog)
            acceptor = Acceptor(sock, protocol)
            self._acceptors.append(acceptor)
            await acceptor.start()

    async def stop(self) -> None:
        """Stop serving at once."""
        service = self._service
        if service is None:
            return
        self._service = None
        for acceptor in self._acceptors:
            acceptor.stop(0)
            await acceptor.opened()
        self._acceptors.clear()
        if self._given is None:
            close_listeners(self._sockets)
        for connection in list(service.connections):
            connection.abort()
        service.stop()

    async def __aenter__(self) -> "MetricsEndpoint":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, kind = 200, "text/plain; charset=utf-8"
        allow = []
        if scope["path"] not in ("/metrics", "/workers"):
            status, body = 404, b"There are /metrics and /workers.\n"
        elif scope["method"] not in ("GET", "HEAD"):
            status, body = 405, b"Only GET is allowed.\n"
            allow = [(b"allow", b"GET, HEAD")]
        elif scope["path"] == "/metrics":
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
            kind = choose(accept.decode("latin-1"))
            body = render(self._census, kind)
        else:
            kind = "application/json"
            body = workers_json(self._census)
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store"), (b"vary", b"accept"), *allow]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class OwnMetrics:
    """The board, the census and the endpoint of a process that is its own and only worker."""

    def __init__(self, address: str | None) -> None:
        self.board = Board.create()
        self.census = Census(self.board)
        self.place = self.census.enter(1)
        self.cells = self.board.place(self.place)
        """What the `Server` counts in."""
        self._endpoint = None if address is None else MetricsEndpoint(address, self.census)

    @property
    def addresses(self) -> list[str]:
        """Where metrics are read."""
        return [] if self._endpoint is None else self._endpoint.addresses

    async def start(self) -> None:
        """Begin to serve; raises ListenError."""
        if self._endpoint is not None:
            await self._endpoint.start()

    def set_state(self, state: str) -> None:
        """Say what the server is doing: `starting`, which it is first, `serving` or `draining`."""
        self.census.set_state(self.place, state)

    async def stop(self) -> None:
        """Stop serving at once."""
        if self._endpoint is not None:
            await self._endpoint.stop()
