"""HTTP Strict Transport Security (RFC 6797): browsers use https for this host from the first visit on."""

from collections.abc import Awaitable

from portico.asgi import ASGIApp, Message, Receive, Scope, Send
from portico.web.middleware.fields import field_value, with_fields

YEAR_S = 365 * 24 * 60 * 60
FIELD = b"strict-transport-security"


class HSTSMiddleware:
    """Add `Strict-Transport-Security` to responses over https; over http browsers must not heed it (§7.2).

    Args:
        app: The application inside.
        max_age: How many seconds browsers remember it; 0 makes them forget.
        include_subdomains: Whether all names below this host are meant too.
        preload: Whether browsers may ship with it. Hard to take back; needs a year and the subdomains.

    Raises:
        ValueError: If `max_age` is negative, or `preload` is asked for without what it needs.
    """

    def __init__(
        self, app: ASGIApp, *, max_age: int = YEAR_S, include_subdomains: bool = False, preload: bool = False
    ) -> None:
        if max_age < 0:
            raise ValueError(f"max_age is a number of seconds from 0 on, got {max_age!r}")
        if preload and (max_age < YEAR_S or not include_subdomains):
            raise ValueError(
                f"preload needs include_subdomains=True and a max_age of at least {YEAR_S} (a year),"
                f" got {include_subdomains!r} and {max_age!r}"
            )
        self.app = app
        value = f"max-age={max_age}{'; includeSubDomains' * include_subdomains}{'; preload' * preload}"
        self.field = (FIELD, value.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("scheme") != "https":
            await self.app(scope, receive, send)
            return

        def send_strict(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                fields = list(message.get("headers", ()))
                if field_value(fields, FIELD) is None:
                    fields.append(self.field)
                    message = with_fields(message, fields)
            return send(message)

        await self.app(scope, receive, send_strict)
