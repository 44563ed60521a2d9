"""A WebSocket client for servers that run for real: opens, or tells how it was refused or closed."""

from typing import Any

import pytest
from tests.served import Served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect

ANSWER_S = 10


def dial(server: Served, path: str, **options: Any) -> ClientConnection:
    """Open a WebSocket; without a proxy from the environment."""
    url = f"ws{server.url.removeprefix('http')}{path}"
    client: ClientConnection = connect(url, proxy=None, open_timeout=ANSWER_S, close_timeout=ANSWER_S, **options)
    return client


def refusal(server: Served, path: str, **options: Any) -> Response:
    """Return the HTTP answer to a WebSocket that is not to be opened."""
    try:
        dial(server, path, **options).close()
    except InvalidStatus as refused:
        return refused.response
    raise AssertionError(f"{path} was opened")


def hear(client: ClientConnection) -> str | bytes:
    """Return the next message."""
    return client.recv(ANSWER_S)


def ending(client: ClientConnection) -> tuple[int, str]:
    """Return the code and the reason that the server closes with, which is the next that it says."""
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(ANSWER_S)
    assert closed.value.rcvd is not None, "the connection was lost without a close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason
