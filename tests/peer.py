"""The application behind the suites of RFC 9113, and the way to it: in clear text or over TLS."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

from tests.http2 import Client, Response
from tests.live import Echo, Live, reply

from portico.asgi import Receive, Scope, Send

OF_HTTP_1 = [
    (b"Connection", b"X-Other, close"),
    (b"Keep-Alive", b"timeout=5"),
    (b"Proxy-Connection", b"close"),
    (b"Transfer-Encoding", b"chunked"),
    (b"Upgrade", b"h2c"),
    (b"X-Kept", b" spaced "),
]


class Site(Echo):
    """Answers with what it saw, but for some paths, and keeps the path of every request it was called for.

    /wait      waits until the client has gone
    /early     answers without reading
    /http1     answers with fields and names as HTTP/1.1 has them
    /bytes/N   answers with N octets in one piece
    /status/N  answers with this status
    /held      answers more than any window takes, and reads nothing
    /hints     sends early hints first
    /trailers  sends trailers behind its body
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path.startswith("/bytes/"):
            await reply(send, bytes(int(path[7:])))
        elif path.startswith("/status/"):
            await reply(send, b"", int(path[8:]))
        elif path == "/early":
            await reply(send)
        elif path == "/http1":
            await reply(send, headers=OF_HTTP_1)
        elif path == "/wait":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif path == "/held":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        elif path == "/hints":
            await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
            await reply(send)
        elif path == "/trailers":
            await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": True})
            await send({"type": "http.response.body", "body": b"ok"})
            await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"5")]})
        else:
            await super().__call__(scope, receive, send)
            return
        self.calls.append(path)


@dataclass
class Peer:
    """A server, how to reach it, and the application behind it."""

    server: Live
    site: Site
    tls: SSLContext | None

    @property
    def scheme(self) -> bytes:
        """The scheme of its requests."""
        return b"https" if self.tls else b"http"

    @property
    def calls(self) -> list[str]:
        """The paths of the requests that the application was called for."""
        return self.site.calls

    def client(self, initial: Mapping[int, int] | None = None, **rest: Any) -> Client:
        """Return a connection to it, with these settings."""
        return Client(self.server.port, initial, tls=self.tls, **rest)


def seen(response: Response) -> dict[str, Any]:
    """Return what `Site` saw."""
    assert response.status == 200, response
    view: dict[str, Any] = ast.literal_eval(response.body.decode())
    return view


def refused(peer: Peer, sent: bytes, code: int) -> None:
    """Check that these frames end the connection with this code."""
    with peer.client() as client:
        for stream in (1, 3):
            client.expect(stream)
        client.send(sent)
        assert client.goodbye().code == code
