"""Cross-origin requests (the Fetch standard's CORS protocol): which other sites may read the answers.

What a response gets depends on the request's Origin alone, so it is worked out once an origin and kept: a `Grant` is
the list of fields. Every response says `Vary: Origin`, for a cache must not hand one site's answer to another.
"""

import re
import warnings
from collections.abc import Awaitable, Collection, Mapping
from typing import TYPE_CHECKING

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.middleware.fields import Field, field_value, vary_on, with_fields
from portico.web.middleware.refusal import ERROR_HEADERS_SCOPE_KEY
from portico.web.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from portico.web.datastructures import MutableHeaders

ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY")
SAFELISTED_HEADERS = {"Accept", "Accept-Language", "Content-Language", "Content-Type"}
PREFLIGHT_VARY = (
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network"
)
MAX_GRANTS = 256
VARY_ORIGIN: Field = (b"vary", b"Origin")
OWN_FIELDS = frozenset(
    (
        b"vary",
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"access-control-expose-headers",
    )
)
# What sandboxed frames and local files send. It names nobody, so neither a pattern nor "*" with credentials covers it.
NULL_ORIGIN = "null"


class Grant:
    """What one origin's responses get. As a function it adds the same to the fields of an error response."""

    __slots__ = ("fields", "names")

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.names = {name for name, _ in fields}

    def __call__(self, headers: "MutableHeaders") -> None:
        for name, value in self.fields:
            headers[name.decode("latin-1")] = value.decode("latin-1")
        headers.add_vary_header("Origin")

    def added_to(self, message: Message) -> Message:
        """Return the start of a response with the fields in place of what the application set itself."""
        fields = list(message.get("headers", ()))
        for name, _ in fields:
            if name in OWN_FIELDS:
                fields = [field for field in fields if field[0] not in self.names] + self.fields
                vary_on(fields, b"Origin")
                return with_fields(message, fields)
        fields += self.fields
        fields.append(VARY_ORIGIN)
        return with_fields(message, fields)


NOTHING = Grant([])


class CORSMiddleware:
    """Tell browsers which other origins may use the application, and answer their preflight requests.

    Responses to errors get the fields too, also the 500 response of the outermost layer.

    Args:
        app: The application inside.
        allow_origins: Origins as browsers send them, `https://example.org`, with the port unless it is the scheme's
            own and without a path; "*" is any. With credentials an exact origin is echoed, never "*". The origin
            "null" is allowed with credentials, or by a pattern, only if it is listed.
        allow_methods: Methods that other origins may use; "*" is all standard ones.
        allow_headers: Request fields that they may set, besides those that are always safe; "*" is any.
        allow_credentials: Whether cookies and authentication may be sent along.
        allow_origin_regex: A pattern that an origin has to match as a whole.
        allow_private_network: Whether pages of public sites may reach this server in a private network.
        expose_headers: Response fields that scripts may read.
        max_age: How many seconds browsers may remember the answer to a preflight request.
    """

    def __init__(
        self,
        app: ASGIApp,
        allow_origins: Collection[str] = (),
        allow_methods: Collection[str] = ("GET",),
        allow_headers: Collection[str] = (),
        allow_credentials: bool = False,
        allow_origin_regex: str | None = None,
        allow_private_network: bool = False,
        expose_headers: Collection[str] = (),
        max_age: int = 600,
    ) -> None:
        self.app = app
        self.allow_origins = _names(allow_origins)
        for origin in self.allow_origins:
            if origin not in ("*", NULL_ORIGIN) and ("*" in origin or origin.count("/") != 2):
                warnings.warn(
                    f"CORSMiddleware: no browser sends the origin {origin!r}: it is scheme, '://', host and port,"
                    " without a path or a slash at the end; a pattern goes into allow_origin_regex",
                    stacklevel=2,
                )
        self.allow_methods = _names(allow_methods)
        if "*" in self.allow_methods:
            self.allow_methods = ALL_METHODS
        safe_and_allowed = sorted(SAFELISTED_HEADERS.union(_names(allow_headers)))
        self.allow_headers = [name.lower() for name in safe_and_allowed]
        self.allow_all_origins = "*" in self.allow_origins
        self.allow_all_headers = "*" in safe_and_allowed
        self.allow_credentials = allow_credentials
        self.allow_origin_regex = None if allow_origin_regex is None else re.compile(allow_origin_regex)
        self.allow_private_network = allow_private_network
        self.preflight_explicit_allow_origin = not self.allow_all_origins or allow_credentials

        self.simple_headers: dict[str, str] = {}
        self.preflight_headers = {
            "Vary": PREFLIGHT_VARY,
            "Access-Control-Allow-Methods": ", ".join(self.allow_methods),
            "Access-Control-Max-Age": str(max_age),
        }
        if not self.preflight_explicit_allow_origin:
            self.simple_headers["Access-Control-Allow-Origin"] = "*"
            self.preflight_headers["Access-Control-Allow-Origin"] = "*"
        if allow_credentials:
            self.simple_headers["Access-Control-Allow-Credentials"] = "true"
            self.preflight_headers["Access-Control-Allow-Credentials"] = "true"
        if expose_headers:
            self.simple_headers["Access-Control-Expose-Headers"] = ", ".join(_names(expose_headers))
        if not self.allow_all_headers:
            self.preflight_headers["Access-Control-Allow-Headers"] = ", ".join(safe_and_allowed)
        self._grants: dict[bytes, Grant] = {}
        # A program's own rule may change its mind from one request to the next.
        self._grants_last = type(self).is_allowed_origin is CORSMiddleware.is_allowed_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origin = field_value(scope["headers"], b"origin")
        grant = NOTHING
        if origin is not None:
            if scope["method"] == "OPTIONS":
                request_headers = _preflight_fields(scope)
                if request_headers is not None:
                    await self.preflight_response(request_headers)(scope, receive, send)
                    return
            grant = self._grants.get(origin) or self._grant(origin)
            scope.setdefault(ERROR_HEADERS_SCOPE_KEY, []).append(grant)

        def send_granted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = grant.added_to(message)
            return send(message)

        await self.app(scope, receive, send_granted)

    def is_allowed_origin(self, origin: str) -> bool:
        """Tell whether the origin may use the application; a subclass may decide otherwise."""
        if origin in self.allow_origins:
            return True
        if origin == NULL_ORIGIN:
            return self.allow_all_origins and not self.allow_credentials
        if self.allow_all_origins:
            return True
        return self.allow_origin_regex is not None and self.allow_origin_regex.fullmatch(origin) is not None

    def preflight_response(self, request_headers: Mapping[str, str]) -> Response:
        """Return the answer to a preflight request: what is allowed, and status 400 if what it asks for is not."""
        origin = request_headers["origin"]
        requested_headers = request_headers.get("access-control-request-headers")
        headers = dict(self.preflight_headers)
        refused: list[str] = []

        if not self.is_allowed_origin(origin):
            refused.append("origin")
        elif self.preflight_explicit_allow_origin:
            headers["Access-Control-Allow-Origin"] = origin
        if request_headers["access-control-request-method"] not in self.allow_methods:
            refused.append("method")
        if requested_headers is not None:
            if self.allow_all_headers:
                headers["Access-Control-Allow-Headers"] = requested_headers
            elif not _members(requested_headers).issubset(self.allow_headers):
                refused.append("headers")
        if "access-control-request-private-network" in request_headers:
            if self.allow_private_network:
                headers["Access-Control-Allow-Private-Network"] = "true"
            else:
                refused.append("private-network")

        if refused:
            # Browsers need no more than the missing fields; the text is for whoever looks for the reason.
            return PlainTextResponse("Disallowed CORS " + ", ".join(refused), status_code=400, headers=headers)
        return PlainTextResponse("OK", headers=headers)

    def _grant(self, origin: bytes) -> Grant:
        text = origin.decode("latin-1")
        if not self.is_allowed_origin(text):
            return NOTHING  # not kept: anybody can send any number of these
        headers = self.simple_headers
        if self.preflight_explicit_allow_origin:
            headers = {**headers, "Access-Control-Allow-Origin": text}
        grant = Grant([(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()])
        if self._grants_last and len(self._grants) < MAX_GRANTS:
            self._grants[origin] = grant
        return grant


def _preflight_fields(scope: Scope) -> dict[str, str] | None:
    """Return the fields of a preflight request, or None if it is another OPTIONS request."""
    fields: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name == b"origin" or name[:23] == b"access-control-request-":
            fields.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return fields if "access-control-request-method" in fields else None


def _members(value: str) -> set[str]:
    return {name for part in value.lower().split(",") if (name := part.strip())}


def _names(names: Collection[str]) -> Collection[str]:
    """Return the names; a lone string is one name, not the letters or the parts of it."""
    return (names,) if isinstance(names, str) else names
