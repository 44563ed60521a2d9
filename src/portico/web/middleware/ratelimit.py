"""How often each client may ask: a bucket for each that holds so many requests and fills up again evenly.

A bucket is one number, the time at which it will be full (the generic cell rate algorithm): each request moves that
time by `window / limit`, and is refused if it would come to lie more than `window` from now.
"""

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from portico.asgi import ASGIApp, Message, PorticoError, Receive, Scope, Send
from portico.web.concurrency import is_async_callable
from portico.web.middleware import Middleware
from portico.web.middleware.fields import Field, field_value, with_fields
from portico.web.middleware.refusal import refuse

IPV6_SITE_BITS = 64


class RateLimitError(PorticoError, RuntimeError):
    """A request cannot be counted, so it is not let through either."""


class Hit(NamedTuple):
    """What became of a request: let through or not, and the state of its bucket.

    Attributes:
        allowed: Whether it is let through.
        remaining: How many more would be, right now.
        reset_s: The seconds until the bucket is full.
        retry_after_s: The seconds until a refused request would be let through; 0 for one that is.
    """

    allowed: bool
    remaining: int
    reset_s: float
    retry_after_s: float


class RateLimitStore(Protocol):
    """Keeps the buckets: in this process, or where many share them."""

    async def hit(self, key: str, limit: int, window_s: float) -> Hit:
        """Count one request for the key, in one step that no other can come between; refused ones do not count."""
        ...


class MemoryRateLimitStore:
    """Buckets in this process: each worker has its own, so all of them together let `workers * limit` through.

    Args:
        max_keys: How many are kept. At the bound the one that was used longest ago goes, and its client begins anew.
        clock: The time in seconds.
    """

    def __init__(self, max_keys: int = 100_000, *, clock: Callable[[], float] = time.monotonic) -> None:
        if max_keys < 1:
            raise ValueError(f"max_keys is at least 1, got {max_keys!r}")
        self.max_keys = max_keys
        self.clock = clock
        self._full_at: dict[str, float] = {}  # the least recently used first

    async def hit(self, key: str, limit: int, window_s: float) -> Hit:
        """Count one request for the key."""
        now = self.clock()
        step = window_s / limit
        full_at = max(self._full_at.pop(key, now), now)
        level = full_at + step - now  # what is taken from the bucket, in seconds
        # Sums of steps are not exact; a billionth of the window is nobody's request.
        allowed = level <= window_s * (1 + 1e-9)
        if allowed:
            full_at += step
        else:
            level -= step
        while len(self._full_at) >= self.max_keys:
            del self._full_at[next(iter(self._full_at))]
        self._full_at[key] = full_at
        remaining = int((window_s - level) / step + 1e-6)
        return Hit(allowed, remaining, level, 0.0 if allowed else max(level + step - window_s, 0.0))


def client_address(scope: Scope) -> str | None:
    """Return the client's address; of IPv6 the first 64 bits, for one client has all the others.

    Behind a proxy it is what the server takes from the proxy's fields, if it trusts the proxy.
    """
    client = scope.get("client")
    if client is None:
        return None
    host: str = client[0]
    if ":" not in host:
        return host
    from ipaddress import IPv6Address

    try:
        address = IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> IPV6_SITE_BITS << IPV6_SITE_BITS))


Key = Callable[[Scope], str | None] | Callable[[Scope], Awaitable[str | None]]


class RateLimitMiddleware:
    """Answer with 429 what a client asks beyond its rate; of a WebSocket the handshake counts.

    Around an application it limits all of it, as `Route(..., middleware=[rate_limit(5, 60)])` that route alone.
    Responses tell `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds), a refusal also `Retry-After`.

    Args:
        app: The application inside.
        limit: How many requests a bucket holds.
        window_s: In how many seconds an empty one fills up again.
        key: Whose bucket a request is taken from, told by its scope: the client's address by default. It may be
            async. A key that is None or empty is an error: what cannot be counted is not let through.
        store: Keeps the buckets; in memory by default, apart from those of every other instance.
        name: Tells the buckets of this limit from others in a store that several use.

    Raises:
        ValueError: If the limit or the window is not positive.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: int,
        window_s: float,
        *,
        key: Key = client_address,
        store: RateLimitStore | None = None,
        name: str = "",
    ) -> None:
        if limit < 1 or not window_s > 0:
            raise ValueError(f"limit is at least 1 and window_s more than 0, got {limit!r} and {window_s!r}")
        self.app = app
        self.limit = limit
        self.window_s = window_s
        self.key: Callable[[Scope], Any] = key
        self.store = MemoryRateLimitStore() if store is None else store
        self._key_is_async = is_async_callable(key)
        self._prefix = f"{name}:{limit}/{window_s:g}:"
        self._limit_field: Field = (b"ratelimit-limit", b"%d" % limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        key = self.key(scope)
        if self._key_is_async:
            key = await key
        if not key:
            raise RateLimitError(
                f"the rate limit's key is {key!r} for a request to {scope['path']!r} from {scope.get('client')!r}:"
                " give RateLimitMiddleware a key that every request has, or let the server tell the client's address"
            )
        hit = await self.store.hit(self._prefix + key, self.limit, self.window_s)
        if not hit.allowed:
            headers = {"retry-after": str(max(math.ceil(hit.retry_after_s), 1))}
            for name, value in self._fields(hit):
                headers[name.decode("ascii")] = value.decode("ascii")
            await refuse(scope, receive, send, 429, "Too Many Requests", headers)
            return

        def send_with_fields(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                fields = list(message.get("headers", ()))
                if field_value(fields, b"ratelimit-limit") is None:  # a limit further in tells more
                    message = with_fields(message, fields + self._fields(hit))
            return send(message)

        await self.app(scope, receive, send_with_fields)

    def _fields(self, hit: Hit) -> list[Field]:
        return [
            self._limit_field,
            (b"ratelimit-remaining", b"%d" % hit.remaining),
            (b"ratelimit-reset", b"%d" % math.ceil(hit.reset_s)),
        ]


def rate_limit(
    limit: int,
    window_s: float,
    *,
    key: Key = client_address,
    store: RateLimitStore | None = None,
    name: str = "",
) -> Middleware:
    """Return the limit as an entry for the `middleware` of a route, router, mount or application."""
    return Middleware(RateLimitMiddleware, limit, window_s, key=key, store=store, name=name)
