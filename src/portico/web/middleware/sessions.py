"""Sessions: a dictionary that a client carries from request to request, in a signed cookie or by a key to a store.

The cookie is `base64(json).timestamp.signature` as `itsdangerous.TimestampSigner` writes it, so the cookies of a
program that is ported stay valid. Signed means that the client can read it but not change it.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Sequence
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Literal

from portico.asgi import ASGIApp, Message, PorticoError, Receive, Scope, Send
from portico.web.middleware.fields import cookie_value, vary_on, with_fields

if TYPE_CHECKING:
    from itsdangerous import TimestampSigner

    from portico.web.datastructures import Secret
    from portico.web.middleware.sessionstore import SessionStore

# RFC 6265bis §5.6: browsers drop a cookie whose name and value are longer, without a word.
MAX_COOKIE_SIZE = 4096
STORE_KEY_BYTES = 32
LONG_AGO = "expires=Thu, 01 Jan 1970 00:00:00 GMT; "


class SessionError(PorticoError, RuntimeError):
    """A session cannot be kept: it is too large for a cookie, or it holds what JSON cannot say."""


class Session(dict[str, Any]):
    """What a client carries along: a dictionary of what JSON can say.

    Attributes:
        accessed: Whether the response depends on it.
        modified: Whether it has been changed. Changes inside of a value are noticed at the end of the request.
    """

    accessed: bool = False
    modified: bool = False
    renewed: bool = False

    def mark_accessed(self) -> None:
        """Note that the response depends on the session."""
        self.accessed = True

    def mark_modified(self) -> None:
        """Note that the session has to be kept anew."""
        self.accessed = True
        self.modified = True

    def renew(self) -> None:
        """Go on under a new key, and void the old one; to be called whenever somebody logs in or out.

        With a store, whoever has learnt or planted the old key has nothing. Without one there is no key: a cookie
        holds just what it was written with, so an old one never gains what is put into the session now. What was in
        the session before stays; `clear()` first if it may have come from someone else.
        """
        self.renewed = True
        self.mark_modified()

    def __setitem__(self, key: str, value: Any) -> None:
        self.mark_modified()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.mark_modified()

    def __ior__(self, other: Any, /) -> "Session":  # type: ignore[override,misc]
        self.update(other)
        return self

    def clear(self) -> None:
        """Empty the session."""
        self.mark_modified()
        super().clear()

    def pop(self, key: str, *default: Any) -> Any:
        """Take a value out."""
        if key in self:
            self.mark_modified()
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Take the last value out, with its key."""
        item = super().popitem()
        self.mark_modified()
        return item

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value, which is set first if it is not there."""
        if key not in self:
            self.mark_modified()
        return super().setdefault(key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set the values of another dictionary."""
        self.mark_modified()
        super().update(*args, **kwargs)


class SessionMiddleware:
    """Give each request its client's session as `scope["session"]`, and keep it if it has been changed.

    Args:
        app: The application inside.
        secret_key: What cookies are signed with: long, random and kept secret. Of several the first signs and all are
            accepted, so that a key can be replaced: put the new one in front, drop the old one after `max_age`.
        session_cookie: The cookie's name.
        max_age: How many seconds a session lives after it was last changed; the signature carries the time, so an
            old cookie is void whatever the client says. None: until the browser ends, and its signature for ever.
        path: The path that the cookie is for.
        same_site: Whether it is sent along when another site causes the request.
        https_only: Whether it is sent over TLS only.
        domain: The domain that it is for, with all its subdomains; this host alone by default.
        partitioned: Whether each site that embeds this one has its own.
        store: Where sessions are kept; the cookie is but a key then. Without it the cookie holds the session itself.

    Raises:
        ValueError: If there is no secret key, or an empty one.
        ImportError: If itsdangerous is not installed.
    """

    def __init__(
        self,
        app: ASGIApp,
        secret_key: "str | Secret | Sequence[str | Secret]",
        session_cookie: str = "session",
        max_age: int | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: Literal["lax", "strict", "none"] = "lax",
        https_only: bool = False,
        domain: str | None = None,
        partitioned: bool = False,
        *,
        store: "SessionStore | None" = None,
    ) -> None:
        self.app = app
        self.signer, self._bad_signature = _signer(secret_key)
        self.session_cookie = session_cookie
        self.max_age = max_age
        self.path = path
        self.store = store
        self.security_flags = f"httponly; samesite={same_site}"
        if https_only:
            self.security_flags += "; secure"
        if domain is not None:
            self.security_flags += f"; domain={domain}"
        if partitioned:
            self.security_flags += "; partitioned"
        self._cookie_start = session_cookie.encode("latin-1") + b"="
        lifetime = "" if max_age is None else f"Max-Age={max_age}; "
        self._kept_flags = f"; path={path}; {lifetime}{self.security_flags}".encode("latin-1")
        self._ended_cookie = f"{session_cookie}=null; path={path}; {LONG_AGO}{self.security_flags}".encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        signed = self._unsigned(cookie_value(scope, self._cookie_start))
        if self.store is not None:
            await self._call_with_store(self.store, signed, scope, receive, send)
            return
        text, session = _read(None if signed is None else _decoded(signed))
        scope["session"] = session
        if scope["type"] == "websocket":  # which reads its session but has no response to keep it by
            await self.app(scope, receive, send)
            return

        def send_with_cookie(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                session: Session = scope["session"]
                if session.accessed:
                    message = self._kept_in_cookie(message, session, text)
            return send(message)

        await self.app(scope, receive, send_with_cookie)

    def _kept_in_cookie(self, start: Message, session: Session, old_text: str | None) -> Message:
        cookie = None
        text = _written(session) if session or session.modified else ""
        if session and (session.modified or text != old_text):
            cookie = self._signed_cookie(b64encode(text.encode("utf-8")))
        elif not session and old_text is not None:
            cookie = self._ended_cookie
        return _with_cookie(start, cookie)

    async def _call_with_store(
        self, store: "SessionStore", signed: bytes | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        key = None if signed is None else signed.decode("latin-1")
        text, session = _read(None if key is None else await store.load(key))
        scope["session"] = session

        async def keep(start: Message, session: Session) -> None:
            new_text = _written(session) if session else None
            cookie = None
            if (session.renewed or not session) and text is not None:
                assert key is not None
                await store.delete(key)
                cookie = self._ended_cookie
            if new_text is not None and (session.modified or new_text != text):
                # Only a key that had a session is used again: no client chooses its own.
                old_key = None if text is None or session.renewed else key
                # A session that has ended meanwhile, by another request of the client, stays ended.
                if old_key is None or await store.load(old_key) is not None:
                    new_key = old_key or _new_key()
                    await store.save(new_key, new_text, self.max_age)
                    cookie = self._signed_cookie(new_key.encode("latin-1"))
            await send(_with_cookie(start, cookie))

        def send_with_cookie(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                session: Session = scope["session"]
                if session.accessed:
                    return keep(message, session)
            return send(message)

        await self.app(scope, receive, send_with_cookie)

    def _unsigned(self, value: bytes | None) -> bytes | None:
        """Return what was signed, or None where there is nothing, or the signature is not ours or too old."""
        if value is None:
            return None
        try:
            return self.signer.unsign(value, max_age=self.max_age)
        except self._bad_signature:
            return None

    def _signed_cookie(self, value: bytes) -> bytes:
        pair = self._cookie_start + self.signer.sign(value)
        if len(pair) > MAX_COOKIE_SIZE:
            raise SessionError(
                f"the session's cookie would have {len(pair)} bytes, and browsers drop cookies of more than"
                f" {MAX_COOKIE_SIZE}: put less into the session, or give SessionMiddleware a store"
            )
        return pair + self._kept_flags


def _signer(secret_key: "str | Secret | Sequence[str | Secret]") -> "tuple[TimestampSigner, type[Exception]]":
    """Return what signs, and what it raises for a signature that is not good."""
    try:
        from itsdangerous import BadSignature, TimestampSigner
    except ImportError as error:
        raise ImportError(
            "SessionMiddleware needs the package itsdangerous: pip install 'portico[sessions]'"
        ) from error
    keys = [str(key) for key in secret_key] if isinstance(secret_key, list | tuple) else [str(secret_key)]
    if not keys or not all(keys):
        raise ValueError("SessionMiddleware needs a secret_key that is not empty: anybody could sign a session with it")
    return TimestampSigner(keys[::-1]), BadSignature  # which signs with the last key


def _decoded(data: bytes) -> str | None:
    try:
        return b64decode(data).decode("utf-8")
    except ValueError:
        return None


def _read(text: str | None) -> tuple[str | None, Session]:
    """Return the text of a session and the session; an empty one for what is none."""
    if text is None:
        return None, Session()
    try:
        return text, Session(json.loads(text))
    except (ValueError, TypeError, RecursionError):  # signed by us, but no dictionary: another program shares the key
        return None, Session()


def _written(session: Session) -> str:
    try:
        return json.dumps(session)
    except (TypeError, ValueError) as error:
        raise SessionError(
            f"a session holds what JSON can say: strings, numbers, booleans, None, lists and dicts; {error}"
        ) from error


def _with_cookie(start: Message, cookie: bytes | None) -> Message:
    fields = list(start.get("headers", ()))
    vary_on(fields, b"Cookie")
    if cookie is not None:
        fields.append((b"set-cookie", cookie))
    return with_fields(start, fields)


def _new_key() -> str:
    return token_urlsafe(STORE_KEY_BYTES)
