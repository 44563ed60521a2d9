"""Responses whose body is there before they start: a status, fields, bytes."""

import time
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from portico.asgi import Message, Receive, Scope, Send
from portico.http.cookies import set_cookie
from portico.http.dates import imf_fixdate
from portico.web.background import BackgroundTask
from portico.web.datastructures import MutableHeaders

if TYPE_CHECKING:
    from portico.web.datastructures import URL

SameSite = Literal["lax", "strict", "none"]
RawHeaders = list[tuple[bytes, bytes]]

# Most bodies are short: their content-length fields are written once.
LENGTHS = tuple((b"content-length", b"%d" % length) for length in range(1024))
_content_types: dict[tuple[str, str], tuple[bytes, bytes]] = {}


class Response:
    """A response whose body is known.

    Args:
        content: The body: bytes, a memoryview, or text that is encoded by the class's charset.
        status_code: The status.
        headers: The fields; content-length and content-type are added where they are missing.
        media_type: The type of the content, else the class's; `text/…` gets the class's charset.
        background: What runs after the response has been sent.
    """

    media_type: str | None = None
    charset = "utf-8"
    _headers: MutableHeaders | None = None

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        self.status_code = status_code
        if media_type is not None:
            self.media_type = media_type
        self.background = background
        self.body = self.render(content)
        self.init_headers(headers)

    def render(self, content: Any) -> bytes | memoryview:
        """Return the body that the content becomes."""
        if content is None:
            return b""
        if isinstance(content, bytes):
            return content
        if isinstance(content, memoryview):
            return content.cast("B") if content.c_contiguous else content.tobytes()
        return content.encode(self.charset)  # type: ignore[no-any-return]

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        """Set `raw_headers` from the given fields, with the content's length and type where they are missing."""
        raw: RawHeaders = []
        has_length = has_type = False
        if headers:
            for name, value in headers.items():
                field = name.lower().encode("latin-1")
                if field == b"content-length":
                    has_length = True
                elif field == b"content-type":
                    has_type = True
                raw.append((field, value.encode("latin-1")))
        body = getattr(self, "body", None)
        if body is not None and not has_length:
            status = self.status_code
            # RFC 9110 §8.6: neither a 1xx nor a 204 has a length; that of a 304 would be the absent body's.
            if status == 200 or (status >= 200 and status != 204 and status != 304):
                length = len(body)
                raw.append(LENGTHS[length] if length < 1024 else (b"content-length", b"%d" % length))
        media_type = self.media_type
        if media_type is not None and not has_type:
            key = (media_type, self.charset)
            raw.append(_content_types.get(key) or _content_type(key))
        self.raw_headers = raw

    @property
    def headers(self) -> MutableHeaders:
        """The fields of the response, to be read and changed."""
        headers = self._headers
        if headers is None:
            headers = self._headers = MutableHeaders(raw=self.raw_headers)
        return headers

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Set a cookie (RFC 6265bis §4.1).

        Args:
            key: Its name.
            value: Its value; one with characters that cookies may not have is quoted.
            max_age: The seconds that it lives.
            expires: When it ends: a date with a time zone, or seconds from now, or the text of the attribute.
            path: The path that it is for, with everything below.
            domain: The domain that it is for, with all its subdomains; this host alone by default.
            secure: Whether it is sent over TLS only.
            httponly: Whether scripts are kept from it.
            samesite: Whether it is sent with requests that other sites cause.
            partitioned: Whether each site that embeds this one has its own (CHIPS); `secure` is needed as well.

        Raises:
            ValueError: If a part has characters that it may not have, such as line ends.
        """
        if isinstance(expires, datetime):
            if expires.tzinfo is None:
                raise ValueError(f"expires needs a datetime with a time zone, got {expires!r}")
            expires = imf_fixdate(int(expires.astimezone(UTC).timestamp()))
        elif isinstance(expires, int):
            expires = imf_fixdate(int(time.time()) + expires)
        cookie = set_cookie(
            key,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.raw_headers.append((b"set-cookie", cookie.encode("latin-1")))

    def delete_cookie(
        self,
        key: str,
        path: str = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Let the client forget a cookie; path and domain are those that it was set with."""
        self.set_cookie(
            key,
            max_age=0,
            expires=0,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )

    def _wrap_websocket_denial_send(self, send: Send) -> Send:
        return denial_send(send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            send = denial_send(send)
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})
        if self.background is not None:
            await self.background()


def _content_type(key: tuple[str, str]) -> tuple[bytes, bytes]:
    media_type, charset = key
    if media_type.startswith("text/") and "charset=" not in media_type.lower():
        media_type = f"{media_type}; charset={charset}"
    pair = (b"content-type", media_type.encode("latin-1"))
    if len(_content_types) < 256:  # a media type may come from a client
        _content_types[key] = pair
    return pair


def denial_send(send: Send) -> Send:
    """Return a `send` that answers a WebSocket's handshake (extension `websocket.http.response`) with a response."""

    def send_denial(message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start" or kind == "http.response.body":
            message = {**message, "type": "websocket." + kind}
        return send(message)

    return send_denial


class HTMLResponse(Response):
    """A page."""

    media_type = "text/html"


class PlainTextResponse(Response):
    """A text."""

    media_type = "text/plain"


class RedirectResponse(Response):
    """A redirect to another URL; 307 keeps method and body."""

    def __init__(
        self,
        url: "str | URL",
        status_code: int = 307,
        headers: Mapping[str, str] | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, None, background)
        self.headers["location"] = quote(str(url), safe=":/%#?=@[]!$&'()*+,;")
