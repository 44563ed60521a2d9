"""What a handler sees of a request: the scope by name, and its body as a stream, bytes, JSON or a form."""

import json
import re
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, NoReturn, cast

import msgspec

from portico.asgi import ClientDisconnected, Message, PorticoError, Receive, Scope, Send
from portico.web.datastructures.headers import Headers, field_value
from portico.web.datastructures.multidict import QueryParams
from portico.web.datastructures.state import State
from portico.web.datastructures.uploads import FormData
from portico.web.datastructures.urls import URL, Address
from portico.web.exceptions import HTTPException
from portico.web.incoming import Incoming, Replay, find, find_or_note, look

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    StateT = TypeVar("StateT", bound=Mapping[str, Any] | State, default=State)
else:
    from typing import TypeVar

    StateT = TypeVar("StateT")  # before Python 3.13 a type variable has no default

__all__ = ["ClientDisconnect", "HTTPConnection", "InvalidJSON", "MissingMiddleware", "Request", "cookie_parser"]

PUSHED_FIELDS = ("accept", "accept-encoding", "accept-language", "cache-control", "user-agent")
MOST_FILES = 1000
MOST_FIELDS = 1000
MOST_PART_BYTES = 1024 * 1024
# Messages that `is_disconnected()` comes by are kept for the reader of the body, up to this.
MOST_HELD_BYTES = 64 * 1024
UNREAD = object()
COOKIE_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")

decode_json = msgspec.json.decode


class ClientDisconnect(ClientDisconnected):
    """The client has gone before its request was read, or its response was written, to the end."""


class InvalidJSON(json.JSONDecodeError, HTTPException):
    """The body of the request is no JSON: answered with 400 where nobody catches it."""

    def __init__(self, msg: str, doc: str, pos: int) -> None:
        json.JSONDecodeError.__init__(self, msg, doc, pos)
        text = f"{msg}: line {self.lineno} column {self.colno} (char {pos})"
        HTTPException.__init__(self, 400, f"The body of the request is not JSON. {text}")

    __str__ = ValueError.__str__


class MissingMiddleware(PorticoError, AssertionError):
    """An attribute of a request was asked for that a middleware provides, which the application does not have."""


def cookie_parser(cookie_string: str) -> dict[str, str]:
    """Return the cookies in the value of a Cookie field, as browsers read and write them: only `;` separates.

    A cookie without `=` is a value without a name. Of those with one name the last counts.
    """
    cookies = {}
    for pair in cookie_string.split(";"):
        name, equals, value = pair.partition("=")
        if not equals:
            name, value = "", name
        # Only these: who strips every kind of space lets `\xa0__Host-a` pass for a cookie with a prefix.
        name = name.strip(" \t")
        value = value.strip(" \t")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = COOKIE_ESCAPE.sub(_unescaped, value[1:-1])
        if name or value:
            cookies[name] = value
    return cookies


def _unescaped(match: re.Match[str]) -> str:
    octal: str | None = match[1]
    return match[2] if octal is None else chr(int(octal, 8))


class HTTPConnection(Mapping[str, Any], Generic[StateT]):
    """What a request and a WebSocket have in common: the scope, as a mapping and by names.

    Args:
        scope: The scope of the connection.
        receive: Ignored; so that both kinds are made in one way.
    """

    # Found out when asked for. They are here, and not made with the object, so that making it costs nothing.
    _url: URL | None = None
    _base_url: URL | None = None
    _headers: Headers | None = None
    _query_params: QueryParams | None = None
    _cookies: dict[str, str] | None = None
    _state: State | None = None

    def __init__(self, scope: Scope, receive: Receive | None = None) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise _wrong_scope(self, "'http' or 'websocket'", scope)
        self.scope = scope

    def __getitem__(self, key: str) -> Any:
        return self.scope[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scope)

    def __len__(self) -> int:
        return len(self.scope)

    # Two connections are never equal, whatever their scopes hold.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def app(self) -> Any:
        """The application that the connection was routed by."""
        return self.scope["app"]

    @property
    def url(self) -> URL:
        if self._url is None:
            self._url = URL.of_scope(self.scope)
        return self._url

    @property
    def base_url(self) -> URL:
        """The URL of the application's root, which is that of the outermost one where it is mounted."""
        if self._base_url is None:
            scope = self.scope
            root: str = scope["app_root_path"] if "app_root_path" in scope else scope.get("root_path", "")
            self._base_url = URL.of_scope(scope, root if root.endswith("/") else root + "/", b"")
        return self._base_url

    @property
    def headers(self) -> Headers:
        if self._headers is None:
            self._headers = Headers(None, None, self.scope)
        return self._headers

    @property
    def query_params(self) -> QueryParams:
        if self._query_params is None:
            self._query_params = QueryParams(self.scope["query_string"])
        return self._query_params

    @property
    def path_params(self) -> dict[str, Any]:
        """The parameters that the route found in the path."""
        found: dict[str, Any] = self.scope.get("path_params", {})
        return found

    @property
    def cookies(self) -> dict[str, str]:
        if self._cookies is None:
            cookies: dict[str, str] = {}
            for field in self.headers.getlist("cookie"):
                cookies.update(cookie_parser(field))
            self._cookies = cookies
        return self._cookies

    @property
    def client(self) -> Address | None:
        """The other end of the connection, None where it has no address."""
        address = self.scope.get("client")
        return None if address is None else Address(*address)

    @property
    def session(self) -> dict[str, Any]:
        session: dict[str, Any] = self._provided("session", "SessionMiddleware")
        mark_accessed = getattr(session, "mark_accessed", None)
        if mark_accessed is not None:
            mark_accessed()
        return session

    @property
    def auth(self) -> Any:
        return self._provided("auth", "AuthenticationMiddleware")

    @property
    def user(self) -> Any:
        return self._provided("user", "AuthenticationMiddleware")

    def _provided(self, key: str, middleware: str) -> Any:
        try:
            return self.scope[key]
        except KeyError:
            raise MissingMiddleware(
                f"{middleware} must be installed to access request.{key}: give it to the application's `middleware`"
            ) from None

    @property
    def state(self) -> StateT:
        """What the lifespan, middleware and handlers keep with the connection."""
        if self._state is None:
            self._state = State(self.scope.setdefault("state", {}))
        return cast(StateT, self._state)

    def url_for(self, name: str, /, **path_params: Any) -> URL:
        """Return the URL of the route that has the name, with these parameters in its path."""
        scope = self.scope
        provider = scope.get("router") or scope.get("app")
        if provider is None:
            raise RuntimeError("The `url_for` method can only be used inside a Starlette application or with a router.")
        url: URL = provider.url_path_for(name, **path_params).make_absolute_url(base_url=self.base_url)
        return url


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
        elif noted.disconnected:
            raise ClientDisconnect()
        else:
            message = await self._receive()
        kind = message["type"]
        if kind == "http.disconnect":
            self._is_disconnected = noted.disconnected = True
            raise ClientDisconnect()
        if kind != "http.request":
            raise RuntimeError(f"a request receives 'http.request' and 'http.disconnect' messages, not {kind!r}")
        noted.started = True
        if not message.get("more_body", False):
            self._stream_consumed = noted.complete = noted.ended = True
        body: bytes = message.get("body", b"")
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
            whole = not noted.started
            body = await self._rest(noted)
            if whole:
                noted.body = body
        self._body = body
        return body

    async def _rest(self, noted: Incoming) -> bytes:
        """Return what has not been read of the body."""
        parts = []
        if type(self).stream is not Request.stream:  # a subclass has a way of its own to read
            async with aclosing(self.stream()) as stream:
                async for part in stream:
                    parts.append(part)
            return b"".join(parts)
        if self._stream_consumed or noted.ended:
            raise _consumed()
        first = await self._next_part(noted)
        if noted.ended:
            return first
        parts.append(first)
        while not noted.ended:
            parts.append(await self._next_part(noted))
        return b"".join(parts)

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
        from portico.http.media_types import parse_media_type
        from portico.web.formparsers import FormParser, MultiPartException, MultiPartParser

        kind, _ = parse_media_type(self.headers.get("content-type", ""))
        if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
            return FormData()
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
                raise HTTPException(400, error.message) from error
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
        if noted is not None and noted.disconnected:
            self._is_disconnected = True
            return True
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


def parse_json(body: bytes) -> Any:
    """Return what the bytes mean as JSON, to the letter as `json.loads` reads it; raises InvalidJSON."""
    try:
        return decode_json(body)
    except (ValueError, RecursionError):
        pass
    # msgspec keeps to RFC 8259. The standard library reads more (NaN, UTF-16), and its errors are those users know.
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise InvalidJSON(error.msg, error.doc, error.pos) from None
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"{error.encoding} expected", body.decode("utf-8", "replace"), 0) from error
    except (ValueError, RecursionError) as error:
        raise InvalidJSON(str(error), body.decode("utf-8", "replace"), 0) from None


def _consumed() -> RuntimeError:
    return RuntimeError("Stream consumed: the body was read as a stream, which gives it once; `body()` keeps it")


def _wrong_scope(connection: object, expected: str, scope: Scope) -> ValueError:
    return ValueError(f"{type(connection).__name__} needs a scope of type {expected}, got {scope['type']!r}")
