"""Compressed responses: gzip, brotli and zstd, as the client and the content allow.

The start of a response says most of what decides: status, type, coding, length. A response that stays as it is goes
through from its start. One that may be compressed is held until its first piece of body: only then is it known
whether there is enough of it. Each piece is flushed, so nothing that is streamed waits for more.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from portico.asgi import ASGIApp, Message, MessageError, Receive, Scope, Send
from portico.web.concurrency import run_in_threadpool
from portico.web.middleware.encoders import Encoder, encoder_factory, installed_codings
from portico.web.middleware.fields import Field, joined_value, vary_on, with_fields
from portico.web.middleware.negotiation import Negotiator

# What is compressed already; and events, which browsers and proxies are known to hold back when they are compressed.
DEFAULT_EXCLUDED_CONTENT_TYPES = (
    "application/grpc",
    "application/gzip",
    "application/x-gzip",
    "application/zip",
    "audio/*",
    "font/woff",
    "font/woff2",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/event-stream",
    "video/*",
)
MORE_EXCLUDED_CONTENT_TYPES = (
    *DEFAULT_EXCLUDED_CONTENT_TYPES,
    "application/epub+zip",
    "application/java-archive",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-bzip2",
    "application/x-rar-compressed",
    "application/x-xz",
    "application/zstd",
    "image/apng",
    "image/heic",
    "image/heif",
    "image/jxl",
)
DEFAULT_LEVELS = {"gzip": 6, "br": 4, "zstd": 3}
FILE_PIECE = 256 * 1024
MAX_KNOWN_TYPES = 256

# Statuses without content, and parts of content, which a coding would change the meaning of.
UNTOUCHED_STATUSES = frozenset((204, 205, 206, 304))
# A response with one of these is encoded already, or tells a digest of the very bytes that the application sends.
FINISHED = frozenset((b"content-encoding", b"content-md5", b"digest", b"content-digest", b"repr-digest"))


class Policy:
    """Which responses are compressed, by what the application says of them."""

    def __init__(self, minimum_size: int, thread_minimum_size: int, exclude_content_types: Sequence[str]) -> None:
        self.minimum_size = minimum_size
        self.thread_minimum_size = thread_minimum_size
        self.excluded = frozenset(_essence(content_type) for content_type in exclude_content_types)
        self.known_types: dict[bytes, bool] = {}

    def excludes(self, content_type: bytes) -> bool:
        """Tell whether content of that type stays as it is."""
        known = self.known_types.get(content_type)
        if known is None:
            essence = _essence(content_type.decode("latin-1"))
            names = {essence, essence.partition("/")[0] + "/*"}
            if essence.startswith("application/grpc+"):
                names.add("application/grpc")
            known = not names.isdisjoint(self.excluded)
            if len(self.known_types) < MAX_KNOWN_TYPES:
                self.known_types[content_type] = known
        return known

    def leaves(self, start: Message, all_types: bool, minimum_size: int) -> bool:
        """Tell whether the response that starts so stays as it is, whatever its body."""
        if start["status"] in UNTOUCHED_STATUSES:
            return True
        for name, value in start.get("headers", ()):
            if name == b"content-length":
                if value.isdigit() and int(value[:18]) < minimum_size:
                    return True
            elif name == b"content-type":
                if not all_types and self.excludes(value):
                    return True
            elif name == b"cache-control":
                if b"no-transform" in value.lower():
                    return True
            elif name in FINISHED:
                return True
        return False


class CompressionMiddleware:
    """Compress responses in the coding that the client likes best.

    Args:
        app: The application inside.
        minimum_size: Bodies of fewer bytes stay as they are.
        encodings: The codings to offer, the preferred first; all of `zstd`, `br` and `gzip` that are installed by
            default. The client's weights come first, this order decides among equals.
        levels: The level of each coding, where not the default (gzip 6, br 4, zstd 3).
        thread_minimum_size: Pieces of at least as many bytes are compressed in the thread pool.
        exclude_content_types: Media types that stay as they are; `audio/*` stands for all of a kind.

    Raises:
        ValueError: If a coding or a level does not exist.
        ImportError: If a coding that is asked for needs a package that is not installed.
    """

    def __init__(
        self,
        app: ASGIApp,
        minimum_size: int = 500,
        *,
        encodings: Sequence[str] | None = None,
        levels: dict[str, int] | None = None,
        thread_minimum_size: int = 32 * 1024,
        exclude_content_types: Sequence[str] = MORE_EXCLUDED_CONTENT_TYPES,
    ) -> None:
        self.app = app
        self.encodings = installed_codings() if encodings is None else tuple(encodings)
        if not self.encodings:
            raise ValueError("encodings is empty: name one of 'zstd', 'br' and 'gzip', or leave the middleware out")
        self.policy = Policy(minimum_size, thread_minimum_size, exclude_content_types)
        self.negotiator = Negotiator(self.encodings)
        chosen = {**DEFAULT_LEVELS, **(levels or {})}
        for unknown in chosen.keys() - DEFAULT_LEVELS.keys():
            raise ValueError(f"levels names {unknown!r}, which is none of the codings 'zstd', 'br' and 'gzip'")
        self.factories = {coding: encoder_factory(coding, chosen.get(coding, 0)) for coding in self.encodings}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        choice = self.negotiator.choose(joined_value(scope["headers"], b"accept-encoding"))
        coding = choice.coding
        if coding is None:
            send = varying_send(self.policy, send)
        else:
            head = scope.get("method") == "HEAD"
            factory = self.factories[coding]
            send = CompressingSend(self.policy, coding, factory, send, head=head, always=choice.identity_refused)
        await self.app(scope, receive, send)


def varying_send(policy: Policy, send: Send) -> Send:
    """Return a `send` for a client that takes no coding: caches are told that others would have got one."""

    def send_varying(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start" and not policy.leaves(message, False, policy.minimum_size):
            fields = list(message.get("headers", ()))
            vary_on(fields, b"Accept-Encoding")
            message = with_fields(message, fields)
        return send(message)

    return send_varying


class CompressingSend:
    """A `send` for one response, which it compresses if the response is fit for it."""

    __slots__ = ("always", "coding", "encoder", "factory", "head", "minimum_size", "policy", "send", "start")

    def __init__(
        self,
        policy: Policy,
        coding: str,
        factory: Callable[[], Encoder],
        send: Send,
        *,
        head: bool = False,
        always: bool = False,
    ) -> None:
        self.policy = policy
        self.coding = coding
        self.factory = factory
        self.send = send
        self.head = head
        self.always = always
        self.minimum_size = 0 if always else policy.minimum_size
        self.start: Message | None = None
        self.encoder: Encoder | None = None

    def __call__(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start":
            if self.policy.leaves(message, self.always, self.minimum_size):
                return self.send(message)
            self.start = message
            return _held()
        start = self.start
        if start is None:
            if self.encoder is None:
                return self.send(message)
            return self._next(message)
        if kind == "http.response.body":
            self.start = None
            return self._first(start, message)
        if kind == "http.response.pathsend":
            self.start = None
            return self._file(start, message)
        if kind == "http.response.zerocopysend":
            self.start = None
            return _both(self.send, start, message)
        return self.send(message)

    def _first(self, start: Message, message: Message) -> Awaitable[None]:
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if self.head:
            return self._head(start, body, more)
        if not more and (not body or len(body) < self.minimum_size):
            return _both(self.send, start, message)
        self.encoder = self.factory()
        if len(body) >= self.policy.thread_minimum_size:
            return self._first_in_thread(start, message, body)
        return self._open(start, message, self.encoder.encode(body, not more))

    async def _first_in_thread(self, start: Message, message: Message, body: bytes) -> None:
        assert self.encoder is not None
        last = not message.get("more_body", False)
        await self._open(start, message, await run_in_threadpool(self.encoder.encode, body, last))

    def _open(self, start: Message, message: Message, body: bytes) -> Awaitable[None]:
        length = None if message.get("more_body", False) or start.get("trailers", False) else len(body)
        return _both(self.send, self._encoded_start(start, length), {**message, "body": body})

    def _next(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind != "http.response.body":
            if kind in ("http.response.pathsend", "http.response.zerocopysend"):
                raise MessageError(f"{kind} follows http.response.body in a response that is compressed: send one kind")
            return self.send(message)
        assert self.encoder is not None
        body = message.get("body", b"")
        last = not message.get("more_body", False)
        if len(body) >= self.policy.thread_minimum_size:
            return self._next_in_thread(message, body, last)
        return self.send({**message, "body": self.encoder.encode(body, last)})

    async def _next_in_thread(self, message: Message, body: bytes, last: bool) -> None:
        assert self.encoder is not None
        await self.send({**message, "body": await run_in_threadpool(self.encoder.encode, body, last)})

    def _head(self, start: Message, body: bytes, more: bool) -> Awaitable[None]:
        """Answer HEAD with the fields that GET would get, but for the length, which only GET's work would tell."""
        sized = more or body or joined_value(start.get("headers", ()), b"content-length") is not None
        if sized and (more or not body or len(body) >= self.minimum_size):
            start = self._encoded_start(start, None)
            self.encoder = NO_CONTENT
            body = b""
        return _both(self.send, start, {"type": "http.response.body", "body": body, "more_body": more})

    async def _file(self, start: Message, message: Message) -> None:
        """Send a file that the server was to read: it is read here, piece by piece, for it has to be compressed."""
        if self.head:
            await self._head(start, b"", False)
            return
        file = await run_in_threadpool(open, message["path"], "rb")
        try:
            self.encoder = encoder = self.factory()
            await self.send(self._encoded_start(start, None))
            more = True
            while more:
                body, more = await run_in_threadpool(_encoded_piece, file, encoder)
                await self.send({"type": "http.response.body", "body": body, "more_body": more})
        finally:
            file.close()

    def _encoded_start(self, start: Message, length: int | None) -> Message:
        fields: list[Field] = []
        for name, value in start.get("headers", ()):
            if name == b"content-length" or name == b"accept-ranges":
                continue  # both are of the plain content
            if name == b"etag" and value[:2] != b"W/":
                fields.append((name, b"W/" + value))  # the same content, but other bytes (RFC 9110 §8.8.1)
            else:
                fields.append((name, value))
        fields.append((b"content-encoding", self.coding.encode("ascii")))
        if length is not None:
            fields.append((b"content-length", b"%d" % length))
        vary_on(fields, b"Accept-Encoding")
        return with_fields(start, fields)


class NoContent:
    """What encodes the body of an answer to HEAD, which no client is to see."""

    def encode(self, data: bytes, last: bool) -> bytes:
        return b""


NO_CONTENT = NoContent()


async def _held() -> None:
    """What sending a start gives that waits for the first piece of body."""


async def _both(send: Send, start: Message, message: Message) -> None:
    await send(start)
    await send(message)


def _encoded_piece(file: Any, encoder: Encoder) -> tuple[bytes, bool]:
    data = file.read(FILE_PIECE)
    more = len(data) == FILE_PIECE
    return encoder.encode(data, not more), more


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
