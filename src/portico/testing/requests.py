"""What both test clients put into their requests: the user agent, and all that asks for a WebSocket."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from portico.testing.library import httpx
from portico.testing.session import Session
from portico.testing.target import SESSION

if TYPE_CHECKING:
    from httpx._types import HeaderTypes

AGENT = "testclient"


def with_agent(headers: "HeaderTypes | None") -> httpx.Headers:
    """Return the header fields of a client, with the test client's own user agent if they have none."""
    fields = httpx.Headers(headers)
    fields.setdefault("user-agent", AGENT)
    return fields


def upgrade_headers(headers: "HeaderTypes | None", subprotocols: Sequence[str] | None) -> httpx.Headers:
    """Return the header fields of the request for a WebSocket."""
    fields = httpx.Headers(headers)
    fields.setdefault("connection", "upgrade")
    fields.setdefault("sec-websocket-key", "testserver==")
    fields.setdefault("sec-websocket-version", "13")
    if subprotocols is not None:
        fields.setdefault("sec-websocket-protocol", ", ".join(subprotocols))
    return fields


def websocket_url(base_url: httpx.URL, url: str) -> str:
    """Return the URL of a WebSocket on the host of the client; one that is relative is relative to the host's root."""
    scheme = "wss" if base_url.scheme in ("https", "wss") else "ws"
    return urljoin(f"{scheme}://{base_url.netloc.decode('ascii')}", url)


def opened(response: httpx.Response) -> Session:
    """Return the session that the response brought."""
    session = response.extensions.get(SESSION)
    if not isinstance(session, Session):
        raise ValueError(f"a WebSocket needs a URL with 'ws' or 'wss', not {str(response.request.url)!r}")
    return session
