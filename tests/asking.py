"""Ask an ASGI application one thing, without a server: a scope in, the messages of its response out."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from portico.asgi import ASGIApp, Message, Scope

PATHSEND = {"http.response.pathsend": {}}


@dataclass
class Answer:
    """What came back."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def fields(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


def scope_for(
    path: str = "/", method: str = "GET", headers: dict[str, str] | None = None, spec: str = "2.5", **more: Any
) -> Scope:
    fields = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    asgi = {"version": "3.0", "spec_version": spec}
    base = {"type": "http", "method": method, "path": path, "root_path": "", "headers": fields, "query_string": b""}
    return {**base, "asgi": asgi, "extensions": {}, **more}


async def ask_async(app: ASGIApp, *args: Any, **kwargs: Any) -> Answer:
    """Ask within a running loop."""
    answer = Answer()

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        answer.messages.append(message)

    await app(scope_for(*args, **kwargs), receive, send)
    return answer


def ask(app: ASGIApp, *args: Any, **kwargs: Any) -> Answer:
    """Ask; the client stays until the end."""
    return asyncio.run(asyncio.wait_for(ask_async(app, *args, **kwargs), 10))
