"""Compressed request bodies, for applications that read plain ones: bounded in size and in how much they grow."""

from collections.abc import Sequence

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.exceptions import HTTPException
from portico.web.handling import watched
from portico.web.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from portico.web.middleware.decoders import BadEncoding, Decoder, decoder_factories, missing_text
from portico.web.middleware.fields import joined_value
from portico.web.middleware.negotiation import ALIASES
from portico.web.middleware.refusal import refuse
from portico.web.middleware.taken import taken_before

# A piece of body: one step of the event loop decodes no more.
PIECE_SIZE = 64 * 1024
# Below this the growth does not count: a small body may well be all zeros.
FREE_SIZE = 1024 * 1024


class RequestDecompressionMiddleware:
    """Decode request bodies that have a Content-Encoding; the application sees them plain, and without their length.

    A coding that is not read here gets 415 and the list of those that are (RFC 9110 §12.5.3), a broken body 400, one
    that is too large decoded, or grows too much, 413. Bodies are decoded as the application reads them.

    Args:
        app: The application inside.
        max_size: How many decoded bytes a body may have; where a limit on bodies is in force, that one counts, too.
        max_ratio: How many times a body may grow, once it has more than 1 MiB.
        encodings: The codings to read; all of `gzip`, `deflate`, `br` and `zstd` that are installed by default.

    Raises:
        ImportError: If a coding that is asked for needs a package that is not installed.
        ValueError: If a coding is unknown, or a bound is not positive.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_size: int = 16 * 1024 * 1024,
        max_ratio: int = 100,
        encodings: Sequence[str] | None = None,
    ) -> None:
        if max_size < 1 or max_ratio < 1:
            raise ValueError(f"max_size and max_ratio are at least 1, got {max_size!r} and {max_ratio!r}")
        self.app = app
        self.max_size = max_size
        self.max_ratio = max_ratio
        self.factories = decoder_factories()
        if encodings is not None:
            for coding in encodings:
                if coding not in self.factories:
                    unknown = coding not in ("br", "zstd")
                    raise (ValueError if unknown else ImportError)(missing_text(coding))
            self.factories = {coding: self.factories[coding] for coding in encodings}
        self.accepted = ", ".join(self.factories)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            encoding = joined_value(scope["headers"], b"content-encoding")
            if encoding is not None:
                await self._call_decoding(encoding, scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _call_decoding(self, encoding: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        coding = encoding.decode("latin-1").strip().lower()
        coding = ALIASES.get(coding, coding)
        if coding in ("", "identity"):
            await self.app(scope, receive, send)
            return
        factory = self.factories.get(coding)
        if factory is None:
            headers = {"accept-encoding": self.accepted}
            await refuse(scope, receive, send, 415, "Unsupported Media Type: content-encoding", headers)
            return
        hidden = (b"content-encoding", b"content-length")
        scope["headers"] = [field for field in scope["headers"] if field[0] not in hidden]
        body = DecodedBody(scope, receive, factory(), self.max_size, self.max_ratio)
        body.waiting = taken_before(scope, receive)
        watch = watched(send)
        try:
            await self.app(scope, body, watch)
        except HTTPException as error:
            # Most applications have answered it inside; one that has no handlers leaves it to us.
            if error is not body.error or watch.started:
                raise
            await refuse(scope, receive, send, error.status_code, error.detail)


class DecodedBody:
    """A `receive` that decodes."""

    def __init__(self, scope: Scope, receive: Receive, decoder: Decoder, max_size: int, max_ratio: int) -> None:
        self.scope = scope
        self.receive = receive
        self.waiting: list[Message] = []  # what a layer outside has taken from `receive`
        self.decoder = decoder
        self.max_size = max_size
        self.max_ratio = max_ratio
        self.data = memoryview(b"")  # what has come and is still to be decoded
        self.taken = 0
        self.given = 0
        self.more = True
        self.ended = False
        self.error: HTTPException | None = None

    async def __call__(self) -> Message:
        if self.ended:
            return await self.receive()
        if self.error is not None:
            raise self.error
        while True:
            piece = self._piece()
            if piece:
                return {"type": "http.request", "body": piece, "more_body": True}
            if self.data:
                # A decoder copies what it has not come to yet, so it gets little at a time.
                self.decoder.feed(bytes(self.data[:PIECE_SIZE]))
                self.data = self.data[PIECE_SIZE:]
                continue
            if not self.more:
                if self.taken and not self.decoder.finished:
                    raise self._failed(400, "The request's body ends before its content-encoding does")
                self.ended = True
                return {"type": "http.request", "body": b"", "more_body": False}
            message = self.waiting.pop(0) if self.waiting else await self.receive()
            if message["type"] != "http.request":
                return message
            self.data = memoryview(message.get("body", b""))
            self.taken += len(self.data)
            self.more = message.get("more_body", False)

    def _piece(self) -> bytes:
        try:
            piece = self.decoder.read(PIECE_SIZE)
        except BadEncoding:
            raise self._failed(400, "The request's body is not in the content-encoding that it claims") from None
        self.given += len(piece)
        # A limit on bodies that is set further in may have come into force since the last piece.
        max_size = min(self.max_size, self.scope.get(MAX_BODY_SIZE_SCOPE_KEY, self.max_size))
        if self.given > max_size or (self.given > FREE_SIZE and self.given > self.taken * self.max_ratio):
            raise self._failed(413, "Content Too Large")
        return piece

    def _failed(self, status_code: int, detail: str) -> HTTPException:
        self.error = HTTPException(status_code, detail)
        return self.error
