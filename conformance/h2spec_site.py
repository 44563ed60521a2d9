"""The application that h2spec asks: every request is read and answered with a few bytes."""

from portico.asgi import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"Hello, h2spec!\n"})
