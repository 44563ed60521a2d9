"""What a handler sees of a request: the scope by name, and its body as a stream, bytes, JSON or a form."""

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any, NoReturn

from portico.asgi import ClientDisconnected, Message, Receive, Scope, Send
from portico.http.media_types import parse_media_type
from portico.web.connections import HTTPConnection, MissingMiddleware, StateT, cookie_parser
from portico.web.datastructures.headers import Headers, field_value
from portico.web.datastructures.multidict import QueryParams
from portico.web.datastructures.state import State
from portico.web.datastructures.uploads import FormData
from portico.web.datastructures.urls import URL, Address
from portico.web.exceptions import HTTPException
from portico.web.incoming import Incoming, Replay, find, find_or_note, look
from portico.web.jsonbody import InvalidJSON, parse_json

__all__ = [
    "URL",
    "Address",
    "ClientDisconnect",
    "FormData",
    "HTTPConnection",
    "Headers",
    "InvalidJSON",
    "MissingMiddleware",
    "QueryParams",
    "Request",
    "State",
    "cookie_parser",
]

PUSHED_FIELDS = ("accept", "accept-encoding", "accept-language", "cache-control", "user-agent")
MOST_FILES = 1000
MOST_FIELDS = 1000
MOST_PART_BYTES = 1024 * 1024
# Messages that `is_disconnected()` comes by are kept for the reader of the body, up to this.
MOST_HELD_BYTES = 64 * 1024
UNREAD = object()


class ClientDisconnect(ClientDisconnected):
    """The client has gone before its request was read, or its response was written, to the end."""


async def empty_receive() -> NoReturn:
    raise RuntimeError("Receive channel has not been made available: the request was made of its scope alone")


async def empty_send(message: Message) -> NoReturn:
    raise RuntimeError("Send channel has not been made available: the request was made without `send`")


class Opening:
    """A form that is being read: awaited it gives the form, and `async with` closes its files in the end."""

    __slots__ = ("form", "limits", "request")

    def __init__(self, request: "Request[Any]", limits: dict[str, Any]) -> None:
        self.request = request
        self.limits = limits

    def __await__(self) -> Generator[Any, None, FormData]:
        return self.request._get_form(**self.limits).__await__()

    async def __aenter__(self) -> FormData:
        self.form = await self
        return self.form

    async def __aexit__(self, *args: object) -> None:
        await self.form.close()


class Request(HTTPConnection[StateT]):
    """A request.

    The body can be read as a whole as often as one likes, also through another `Request` of the same scope: what a
    middleware has read is there for the endpoint.

    Args:
        scope: The scope of the request.
        receive: What the body comes from.
        send: What early hints go to.
    """

    _stream_consumed: bool = False
    _is_disconnected: bool = False
    _form: FormData | None = None
    _body: bytes
    _json: Any

    def __init__(self, scope: Scope, receive: Receive = empty_receive, send: Send = empty_send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method

    @property
    def receive(self) -> Receive:
        """The channel that the body comes from, with what was taken from it but not read yet."""
        noted = find(self.scope, self._receive)
        return Replay(self._receive, noted) if noted is not None and noted.pending else self._receive

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Give the body in parts as it comes, then one that is empty.

        Raises:
            ClientDisconnect: If the client goes away before the end.
            RuntimeError: If the body has been read as a stream before.
        """
        body = getattr(self, "_body", None)
        if body is None:
            noted = find_or_note(self.scope, self._receive)
            body = noted.body
        if body is not None:
            yield body
            yield b""
            return
        if self._stream_consumed or noted.ended:
            raise _consumed()
        while not noted.ended:
            part = await self._next_part(noted)
            if part:
                yield part
        yield b""

    async def _next_part(self, noted: Incoming) -> bytes:
        """Return the body that the next message has."""
        if noted.pending:
            message = noted.release()
            self._stream_consumed = noted.ended = noted.complete and not noted.pending
            body: bytes = message.get("body", b"")
            return body
        if noted.disconnected:
            raise ClientDisconnect()
        noted.reading = True
        try:
            message = await self._receive()
        finally:
            noted.reading = False
        kind = message["type"]
        if kind == "http.disconnect":
            self._is_disconnected = noted.disconnected = True
            raise ClientDisconnect()
        if kind != "http.request":
            raise RuntimeError(f"a request receives 'http.request' and 'http.disconnect' messages, not {kind!r}")
        body = noted.take(message)
        self._stream_consumed = noted.ended = noted.complete
        return body

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            ClientDisconnect: If the client goes away before the end.
            RuntimeError: If the body has been read as a stream.
        """
        body: bytes | None = getattr(self, "_body", None)
        if body is not None:
            return body
        noted = find_or_note(self.scope, self._receive)
        body = noted.body
        if body is None:
            if type(self).stream is not Request.stream:  # a subclass has a way of its own to read
                body = b"".join([part async for part in self.stream()])
            elif self._stream_consumed or noted.ended:
                raise _consumed()
            else:
                body = await self._next_part(noted)
                if not noted.ended:
                    parts = [body]
                    while not noted.ended:
                        parts.append(await self._next_part(noted))
                    body = b"".join(parts)
                if len(body) == noted.size_bytes:  # nothing of it was streamed before
                    noted.body = body
        self._body = body
        return body

    async def json(self) -> Any:
        """Return what the body means as JSON.

        Raises:
            InvalidJSON: If it is none; this is a `json.JSONDecodeError`, and answered with 400 where nobody catches it.
        """
        value = getattr(self, "_json", UNREAD)
        if value is UNREAD:
            value = self._json = parse_json(await self.body())
        return value

    def form(
        self,
        *,
        max_files: int | float = MOST_FILES,
        max_fields: int | float = MOST_FIELDS,
        max_part_size: int = MOST_PART_BYTES,
    ) -> Opening:
        """Return the form in the body, when awaited; with `async with` its files are closed in the end.

        Args:
            max_files: How many files a multipart form may have.
            max_fields: How many fields a form may have.
            max_part_size: How many bytes a field may have.
        """
        return Opening(self, {"max_files": max_files, "max_fields": max_fields, "max_part_size": max_part_size})

    async def _get_form(
        self,
        *,
        max_files: int | float = MOST_FILES,
        max_fields: int | float = MOST_FIELDS,
        max_part_size: int = MOST_PART_BYTES,
    ) -> FormData:
        if self._form is None:
            noted = find_or_note(self.scope, self._receive)
            if noted.form is None:
                noted.form = await self._parse_form(max_files, max_fields, max_part_size)
            self._form = noted.form
        return self._form

    async def _parse_form(self, max_files: int | float, max_fields: int | float, max_part_size: int) -> FormData:
        kind, _ = parse_media_type(self.headers.get("content-type", ""))
        if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
            return FormData()
        from portico.web.formparsers import FormParser, MultiPartException, MultiPartParser

        try:
            async with aclosing(self.stream()) as stream:
                if kind == "multipart/form-data":
                    return await MultiPartParser(
                        self.headers,
                        stream,
                        max_files=max_files,
                        max_fields=max_fields,
                        max_part_size=max_part_size,
                    ).parse()
                return await FormParser(
                    self.headers, stream, max_fields=max_fields, max_part_size=max_part_size
                ).parse()
        except MultiPartException as error:
            if "app" in self.scope:
                raise HTTPException(error.status_code, error.message) from error
            raise

    async def close(self) -> None:
        """Close the files of the form."""
        if self._form is not None:
            await self._form.close()

    async def is_disconnected(self) -> bool:
        """Tell whether the client has gone, without waiting.

        It may be asked before the body is read, and as often as one likes. While much of a body is there and nobody
        reads it (64 KiB), what comes behind it is not seen.
        """
        if self._is_disconnected:
            return True
        noted = find(self.scope, self._receive)
        if noted is not None and (noted.disconnected or noted.reading):  # who is reading will see it
            self._is_disconnected = noted.disconnected
            return noted.disconnected
        while noted is None or noted.complete or noted.held_bytes < MOST_HELD_BYTES:
            message = await look(self._receive())
            if message is None:
                return False
            if noted is None:
                noted = find_or_note(self.scope, self._receive)
            if message["type"] == "http.disconnect":
                self._is_disconnected = noted.disconnected = True
                return True
            if noted.complete:  # nothing but a disconnect may follow
                return False
            noted.hold(message)
        return False

    async def send_push_promise(self, path: str) -> None:
        """Have the server push the response to a GET of the path, where the server and the client know how."""
        if "http.response.push" in self.scope.get("extensions", {}):
            fields = [
                (name.encode("latin-1"), value.encode("latin-1"))
                for name in PUSHED_FIELDS
                for value in self.headers.getlist(name)
            ]
            await self._send({"type": "http.response.push", "path": path, "headers": fields})

    async def send_early_hints(self, link: str, /, *additional_links: str) -> None:
        """Send a 103 response with Link fields, so that the client may load what they name; where the server can.

        Args:
            link: The value of the field, such as `</style.css>; rel=preload; as=style`.
            additional_links: More of them.
        """
        if "http.response.early_hint" in self.scope.get("extensions", {}):
            links = [field_value(value) for value in (link, *additional_links)]
            await self._send({"type": "http.response.early_hint", "links": links})


def _consumed() -> RuntimeError:
    return RuntimeError("Stream consumed: the body was read as a stream, which gives it once; `body()` keeps it")
