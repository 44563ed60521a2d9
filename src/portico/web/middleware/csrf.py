"""Cross-site request forgery: a request that another site lets the browser send, with this site's cookies.

Two checks stand before every request that may change something, each enough in most browsers on its own:

1. Where the browser says it comes from. `Sec-Fetch-Site` must be `same-origin` or `none`; where that is missing or
   another, `Origin` must be this site's own (scheme, host, port) or one of `trusted_origins`. A client that sends
   neither is no current browser, and is judged by the second check alone.
2. A token, sent twice: in a cookie, which the browser adds by itself, and in a field of the request or of a form,
   which only a page that can read the token can fill in. Both must be equal. The token is signed, so that whoever can
   plant a cookie (a sister domain, a plain-http page) cannot make one up; with `bind` it is good for one session only.

`csrf_token(request)` gives the token to put into a page; the response then sets the cookie, if it is a new one. A page
that sends its requests by script can read the cookie and send it as the `x-csrf-token` field. A WebSocket's handshake
carries cookies too and cannot carry a token, so it has to pass the first check.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from portico.asgi import ASGIApp, Message, PorticoError, Receive, Scope, Send
from portico.http.cookies import set_cookie
from portico.http.hosts import host_field
from portico.web.middleware.csrfform import ReadAhead
from portico.web.middleware.csrftoken import TokenSigner, same_token
from portico.web.middleware.fields import cookie_value, field_value, vary_on, with_fields
from portico.web.middleware.refusal import refuse

if TYPE_CHECKING:
    from portico.web.datastructures import Secret

SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "QUERY"))
OWN_SITES = (b"same-origin", b"none")
STANDARD_PORTS = {"http": b":80", "https": b":443"}
HTTP_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
YEAR_S = 365 * 24 * 60 * 60
SCOPE_KEY = "portico.csrf"


class CSRFError(PorticoError, RuntimeError):
    """A token is asked for where there is no CSRFMiddleware to make one."""


def csrf_token(connection: Mapping[str, Any]) -> str:
    """Return the token for the pages of this request (or scope); the response sets its cookie where it needs one.

    Raises:
        CSRFError: If the application is not inside of a CSRFMiddleware.
    """
    tokens: Tokens | None = connection.get(SCOPE_KEY)
    if tokens is None:
        raise CSRFError("csrf_token() needs the application to be inside of CSRFMiddleware")
    scope: Any = getattr(connection, "scope", connection)
    return tokens.token(scope).decode("latin-1")


class CSRFMiddleware:
    """Refuse with 403 what another site may have made the browser send.

    Args:
        app: The application inside.
        secret_key: What tokens are signed with: long, random and kept secret.
        cookie_name: The token's cookie. Over https a name that begins with `__Host-` keeps sister domains out.
        header_name: The request field that carries the token.
        field_name: The form field that carries it, if the request field is not there.
        trusted_origins: Other origins that may send requests, as `https://example.org`.
        exempt_paths: Paths that are not checked, because no cookie counts there; one that ends in `/*` stands for
            all below.
        bind: Tells from the scope whose session a token is for, so that no other's is good. It needs the layer that
            fills the scope (sessions, authentication) to be outside of this one.
        max_form_size: In how many bytes of a body the form field has to come; the rest is not looked at.
        https_only: Whether the cookie is sent over TLS only.
        same_site: Whether it is sent along when another site causes the request.
        domain: The domain that it is for, with all its subdomains; this host alone by default.
        max_age: How many seconds it lives.

    Raises:
        ValueError: If the secret key is empty.
    """

    def __init__(
        self,
        app: ASGIApp,
        secret_key: "str | Secret",
        *,
        cookie_name: str = "csrftoken",
        header_name: str = "x-csrf-token",
        field_name: str = "csrf_token",
        trusted_origins: Collection[str] = (),
        exempt_paths: Collection[str] = (),
        bind: Callable[[Scope], str | None] | None = None,
        max_form_size: int = 1024 * 1024,
        https_only: bool = False,
        same_site: Literal["lax", "strict", "none"] = "lax",
        domain: str | None = None,
        max_age: int = YEAR_S,
    ) -> None:
        if not str(secret_key):
            raise ValueError("CSRFMiddleware needs a secret_key that is not empty: anybody could sign a token with it")
        self.app = app
        self.signer = TokenSigner(str(secret_key))
        self.cookie_name = cookie_name
        self.field_name = field_name
        self.trusted_origins = frozenset(origin.lower().encode("latin-1") for origin in _several(trusted_origins))
        paths = _several(exempt_paths)
        self.exempt_paths = frozenset(path for path in paths if not path.endswith("/*"))
        self.exempt_prefixes = tuple(path[:-1] for path in paths if path.endswith("/*"))
        self.bind = bind
        self.max_form_size = max_form_size
        self._header_name = header_name.lower().encode("latin-1")
        self._cookie_start = cookie_name.encode("latin-1") + b"="
        self._cookie_options: dict[str, Any] = {
            "max_age": max_age,
            "path": "/",
            "domain": domain,
            "secure": https_only,
            "samesite": same_site,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        tokens = scope[SCOPE_KEY] = Tokens(self)
        if not (kind == "http" and scope["method"] in SAFE_METHODS) and not self._is_exempt(scope["path"]):
            reason = None if self._comes_from_us(scope) else "the request comes from another site"
            if reason is None and kind == "http":
                ahead = ReadAhead(receive)
                reason = await self._token_fault(scope, ahead)
                if ahead.messages:
                    receive = ahead
            if reason is not None:
                await refuse(scope, receive, send, 403, f"CSRF check failed: {reason}")
                return
        if kind == "websocket":
            await self.app(scope, receive, send)
            return

        def send_with_cookie(message: Message) -> Awaitable[None]:
            if tokens.is_used and message["type"] == "http.response.start":
                message = tokens.added_to(message)
            return send(message)

        await self.app(scope, receive, send_with_cookie)

    def _is_exempt(self, path: str) -> bool:
        return path in self.exempt_paths or path.startswith(self.exempt_prefixes)

    def _comes_from_us(self, scope: Scope) -> bool:
        fields = scope["headers"]
        site = field_value(fields, b"sec-fetch-site")
        if site in OWN_SITES:
            return True
        origin = field_value(fields, b"origin")
        if origin is None:
            return site is None
        origin = origin.lower()
        return origin == _own_origin(scope) or origin in self.trusted_origins

    async def _token_fault(self, scope: Scope, ahead: ReadAhead) -> str | None:
        """Return what is wrong with the request's token, or None."""
        cookie = cookie_value(scope, self._cookie_start)
        if cookie is None:
            return "the cookie with the token is missing"
        if not self.signer.is_valid(cookie, self._bound_to(scope)):
            return "the token in the cookie is not valid here"
        sent = field_value(scope["headers"], self._header_name)
        if sent is None:
            content_type = field_value(scope["headers"], b"content-type") or b""
            kind = content_type.decode("latin-1")
            text = await ahead.find_field(scope, kind, self.field_name, self.max_form_size)
            if text is None:
                return "the request has no token"
            sent = text.encode("utf-8")
        return None if same_token(sent, cookie) else "the request's token is another than the cookie's"

    def _bound_to(self, scope: Scope) -> str:
        return "" if self.bind is None else self.bind(scope) or ""

    def cookie(self, token: bytes) -> bytes:
        """Return the value of the Set-Cookie field for a token."""
        return set_cookie(self.cookie_name, token.decode("ascii"), **self._cookie_options).encode("latin-1")


class Tokens:
    """The token of one request, made when it is first asked for. The scope holds this, so this does not hold it."""

    __slots__ = ("is_new", "is_used", "middleware", "value")

    def __init__(self, middleware: CSRFMiddleware) -> None:
        self.middleware = middleware
        self.value = b""
        self.is_used = False
        self.is_new = False

    def token(self, scope: Scope) -> bytes:
        """Return the cookie's token if it is good here, else a new one."""
        middleware = self.middleware
        bound_to = middleware._bound_to(scope)
        if not self.is_used:
            self.is_used = True
            self.value = cookie_value(scope, middleware._cookie_start) or b""
        if not middleware.signer.is_valid(self.value, bound_to):
            self.value = middleware.signer.make(bound_to)
            self.is_new = True
        return self.value

    def added_to(self, start: Message) -> Message:
        """Return the start of the response that has the token in it."""
        fields = list(start.get("headers", ()))
        vary_on(fields, b"Cookie")
        if self.is_new:
            fields.append((b"set-cookie", self.middleware.cookie(self.value)))
        return with_fields(start, fields)


def _own_origin(scope: Scope) -> bytes | None:
    """Return the origin of this site as browsers write it, or None if the request has no Host."""
    host = host_field(scope["headers"])
    if host is None:
        return None
    scheme = HTTP_SCHEMES.get(scope.get("scheme", "http"), "http")
    return f"{scheme}://".encode("ascii") + host.lower().removesuffix(STANDARD_PORTS[scheme])


def _several(names: Iterable[str]) -> list[str]:
    """Return the names; a lone string is one name, not its letters."""
    return [names] if isinstance(names, str) else list(names)
