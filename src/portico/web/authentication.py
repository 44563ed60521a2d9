"""Who makes a request, and what they may do: the words that authentication backends and endpoints share."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec
from urllib.parse import urlencode

from portico.asgi import PorticoError
from portico.web.concurrency import is_async_callable
from portico.web.exceptions import HTTPException

if TYPE_CHECKING:
    from portico.web.requests import HTTPConnection, Request
    from portico.web.responses import Response

P = ParamSpec("P")

CONNECTIONS = ("request", "websocket")


class AuthenticationError(Exception):
    """The credentials that the client has sent are wrong."""


class NoConnectionParameter(PorticoError, TypeError):
    """`requires` was put on a function that is given neither a request nor a WebSocket."""


class AuthenticationBackend:
    """Finds out who makes a request. Override `authenticate`."""

    async def authenticate(self, conn: "HTTPConnection") -> "tuple[AuthCredentials, BaseUser] | None":
        """Return the client's scopes and user, or None if the client did not say who it is.

        Raises:
            AuthenticationError: If what the client said is wrong.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a method `authenticate`")


class AuthCredentials:
    """What the client may do: a list of scopes, which are names."""

    def __init__(self, scopes: Sequence[str] | None = None) -> None:
        self.scopes = list(scopes) if scopes is not None else []


class BaseUser:
    """Who makes the request. Override the three properties."""

    @property
    def is_authenticated(self) -> bool:
        """Whether it is known who this is."""
        raise _missing(self, "is_authenticated")

    @property
    def display_name(self) -> str:
        """What to call the user."""
        raise _missing(self, "display_name")

    @property
    def identity(self) -> str:
        """What tells the user from all others."""
        raise _missing(self, "identity")


class SimpleUser(BaseUser):
    """A user who has a name and nothing else."""

    def __init__(self, username: str) -> None:
        self.username = username

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.username

    @property
    def identity(self) -> str:
        return self.username


class UnauthenticatedUser(BaseUser):
    """The user of a request that does not say who makes it."""

    @property
    def is_authenticated(self) -> bool:
        return False

    @property
    def display_name(self) -> str:
        return ""

    @property
    def identity(self) -> str:
        return ""


def _missing(user: BaseUser, name: str) -> NotImplementedError:
    return NotImplementedError(f"{type(user).__name__} needs a property `{name}`")


def has_required_scope(conn: "HTTPConnection", scopes: Sequence[str]) -> bool:
    """Tell whether the client has all the scopes."""
    granted = conn.auth.scopes
    return all(scope in granted for scope in scopes)


def requires(
    scopes: str | Sequence[str], status_code: int = 403, redirect: str | None = None
) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Let only clients with all the scopes reach an endpoint, which has a parameter `request` or `websocket`.

    Args:
        scopes: The scopes that are needed.
        status_code: What others get. WebSockets are closed.
        redirect: The name of a route to send others to instead, with the URL they wanted as `next` in the query.
    """
    needed = [scopes] if isinstance(scopes, str) else list(scopes)

    def decorator(func: Callable[P, Any]) -> Callable[P, Any]:
        kind, position = _connection_parameter(func)

        def refusal(args: Any, kwargs: Any) -> "Response | None":
            request = _connection(kind, position, args, kwargs)
            return None if has_required_scope(request, needed) else _refuse(request, status_code, redirect)

        if kind == "websocket":

            @functools.wraps(func)
            async def guarded_websocket(*args: P.args, **kwargs: P.kwargs) -> None:
                websocket = _connection(kind, position, args, kwargs)
                if has_required_scope(websocket, needed):
                    await func(*args, **kwargs)
                else:
                    await websocket.close()

            return guarded_websocket

        if is_async_callable(func):

            @functools.wraps(func)
            async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                response = refusal(args, kwargs)
                return await func(*args, **kwargs) if response is None else response

            return guarded_async

        @functools.wraps(func)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            response = refusal(args, kwargs)
            return func(*args, **kwargs) if response is None else response

        return guarded

    return decorator


def _connection_parameter(func: Callable[..., Any]) -> tuple[str, int]:
    for position, name in enumerate(inspect.signature(func).parameters):
        if name in CONNECTIONS:
            return name, position
    raise NoConnectionParameter(f'No "request" or "websocket" argument on function "{func}"')


def _connection(kind: str, position: int, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return the call's request or WebSocket: who passes something else must not get past the check."""
    from portico.web.requests import Request
    from portico.web.websockets import WebSocket

    conn = kwargs[kind] if kind in kwargs else args[position] if position < len(args) else None
    expected = Request if kind == "request" else WebSocket
    if not isinstance(conn, expected):
        raise AssertionError(
            f"the parameter {kind!r} of an endpoint with `requires` takes a {expected.__name__}, "
            f"got {type(conn).__name__}"
        )
    return conn


def _refuse(request: "Request", status_code: int, redirect: str | None) -> "Response":
    if redirect is None:
        raise HTTPException(status_code=status_code)
    from portico.web.responses import RedirectResponse

    wanted = urlencode({"next": str(request.url)})
    return RedirectResponse(f"{request.url_for(redirect)}?{wanted}", status_code=303)
