"""Stream an answer piece by piece; its length is not known beforehand, so it leaves in chunks.

`send()` waits while the client is slower than the application, and raises an `OSError` when the client has gone.
"""

import asyncio

from portico.asgi import Receive, Scope, Send

PIECES = 5
PAUSE_S = 0.05


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for number in range(1, PIECES + 1):
        await send({"type": "http.response.body", "body": b"piece %d\n" % number, "more_body": True})
        await asyncio.sleep(PAUSE_S)
    await send({"type": "http.response.body"})
