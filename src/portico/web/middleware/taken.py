"""What a layer outside has taken from `receive` before a layer that reads the body itself gets to it."""

from portico.asgi import Message, Receive, Scope
from portico.web.incoming import find


def taken_before(scope: Scope, receive: Receive) -> list[Message]:
    """Return the messages of the body that a `Request` has read already; it still has them for others to read."""
    noted = find(scope, receive)
    if noted is None:
        return []
    if noted.body is not None:
        return [{"type": "http.request", "body": noted.body, "more_body": False}]
    return list(noted.pending)
