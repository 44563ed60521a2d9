"""What a request and a WebSocket have in common: their scope, as a mapping and by names."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, cast

from portico.asgi import PorticoError, Receive, Scope
from portico.web.datastructures.headers import Headers
from portico.web.datastructures.multidict import QueryParams
from portico.web.datastructures.state import State
from portico.web.datastructures.urls import URL, Address

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    StateT = TypeVar("StateT", bound=Mapping[str, Any] | State, default=State)
else:
    from typing import TypeVar

    StateT = TypeVar("StateT")  # before Python 3.13 a type variable has no default

COOKIE_ESCAPE = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")


class MissingMiddleware(PorticoError, AssertionError):
    """An attribute of a request was asked for that a middleware provides, which the application does not have."""


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
            raise wrong_scope(self, "'http' or 'websocket'", scope)
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
            raise RuntimeError("url_for() needs a router: the request has not come through an application or a router")
        url: URL = provider.url_path_for(name, **path_params).make_absolute_url(base_url=self.base_url)
        return url


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


def wrong_scope(connection: object, expected: str, scope: Scope) -> ValueError:
    """Return the error for a connection that is made of a scope of another kind."""
    return ValueError(f"{type(connection).__name__} needs a scope of type {expected}, got {scope['type']!r}")
