"""Routes: a path and the endpoint behind it, for HTTP and for WebSockets."""

import functools
import inspect
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import Enum
from typing import Any, Literal, TypeVar

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.concurrency import is_async_callable, run_in_threadpool
from portico.web.convertors import Convertor
from portico.web.datastructures import URLPath
from portico.web.exceptions import HTTPException
from portico.web.handling import ResponseWatch, answered
from portico.web.middleware import Middleware, wrapped
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, Response
from portico.web.routing.fitting import read_params
from portico.web.routing.paths import NoMatchFound, RouteError, Template, get_route_path, replace_params
from portico.web.websockets import WebSocket, WebSocketClose


class Match(Enum):
    """How well a route fits a request: not at all, but for the method, or wholly."""

    NONE = 0
    PARTIAL = 1
    FULL = 2

    def __eq__(self, other: object) -> bool:
        """Compare, also with the match of that name which packages for Starlette ask for."""
        return self is other or (type(other).__name__ == "Match" and getattr(other, "value", None) == self.value)

    def __hash__(self) -> int:
        return hash(self.name)


def request_response(func: Callable[[Request], Awaitable[Response] | Response]) -> ASGIApp:
    """Return an ASGI application of a function from request to response; one that is not async runs in a thread."""
    as_app = getattr(func, "as_request_app", None)
    if as_app is not None:  # the handler of a typed route has dependencies to leave
        app_of_typed: ASGIApp = as_app()
        return app_of_typed
    call: Callable[[Request], Awaitable[Response]]
    call = func if is_async_callable(func) else functools.partial(_in_thread, func)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        watch = send if type(send) is ResponseWatch else ResponseWatch(send)
        try:
            response = await call(request)
            if response is None:
                raise TypeError(f"{get_name(func)!r} returned None: an endpoint returns a response")
            await response(scope, receive, watch)
        except Exception as error:
            if not await answered(error, request, scope, receive, watch):
                raise

    return app


def _in_thread(func: Callable[[Request], Any], request: Request) -> Awaitable[Response]:
    return run_in_threadpool(func, request)


def websocket_session(func: Callable[[WebSocket], Awaitable[None]]) -> ASGIApp:
    """Return an ASGI application of an async function that holds the conversation on a WebSocket."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = WebSocket(scope, receive=receive, send=send)
        try:
            await func(session)
        except Exception as error:
            if not await answered(error, session, scope, receive, ResponseWatch(send)):
                raise

    return app


def get_name(endpoint: Callable[..., Any]) -> str:
    """Return the name of a function or class, or that of an object's class."""
    return getattr(endpoint, "__name__", endpoint.__class__.__name__)


def is_function(endpoint: Callable[..., Any]) -> bool:
    """Tell whether the endpoint takes a request or WebSocket; a class or object is an ASGI application instead."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    return inspect.isfunction(endpoint) or inspect.ismethod(endpoint)


class BaseRoute:
    """What a router asks of a route. Subclass it for a way of matching that paths cannot express."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return how well the route fits, and what the scope is updated with if it is taken."""
        raise NotImplementedError

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Return the path of the named route; raises NoMatchFound."""
        raise NotImplementedError

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that the route matches."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an application of one route."""
        match, child_scope = self.matches(scope)
        if match is Match.NONE:
            if scope["type"] == "http":
                await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)
            elif scope["type"] == "websocket":
                await WebSocketClose()(scope, receive, send)
            return
        scope.update(child_scope)
        await self.handle(scope, receive, send)


H = TypeVar("H", bound=Callable[..., Any])


def leads_to_app(handle: H) -> H:
    """Mark the `handle` of a class of routes that only calls the route's app where the route matches wholly.

    The router then calls that itself, without a coroutine in between.
    """
    handle.leads_to_app = True  # type: ignore[attr-defined]
    return handle


class PathRoute(BaseRoute):
    """A route with a path template that leads to one endpoint."""

    path: str
    name: str
    endpoint: Callable[..., Any]
    app: ASGIApp
    param_convertors: dict[str, Convertor[Any]]
    path_format: str
    protocol: Literal["http", "websocket"]

    def _set_path(self, path: str) -> None:
        if not path.startswith("/"):
            raise RouteError(f"Routed paths must start with '/', got {path!r}")
        self.path = path
        template = Template(path)
        self.path_format = template.format
        self.param_convertors = template.param_convertors

    @functools.cached_property
    def path_regex(self) -> re.Pattern[str]:
        """The pattern that a path must match; compiled when it is first asked for."""
        return Template(self.path).regex()

    def _read(self, scope: Scope) -> dict[str, Any] | None:
        """Return what the scope is updated with, or None where the path does not match."""
        params = read_params(self, self.path, get_route_path(scope))
        return None if params is None else self.child_scope(scope, params)

    def child_scope(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the scope is updated with when the route is taken with these parameters."""
        outer = scope.get("path_params")
        return {"endpoint": self.endpoint, "path_params": {**outer, **params} if outer else params.copy()}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        if name != self.name or path_params.keys() != self.param_convertors.keys():
            raise NoMatchFound(name, path_params)
        path, _ = replace_params(self.path_format, self.param_convertors, path_params)
        return URLPath(path=path, protocol=self.protocol)

    @leads_to_app
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Route(PathRoute):
    """Leads requests to an endpoint.

    Args:
        path: The path template, which begins with a slash.
        endpoint: A function from request to response, async or not; or a class or object that is an ASGI application.
        methods: The methods that it answers; GET by default for a function, every one for an application. HEAD comes
            with GET.
        name: Its name for `url_path_for`; the endpoint's own name by default.
        include_in_schema: Whether API schemas show it.
        middleware: Middleware around this endpoint alone.
        max_body_size: The most bytes that a request's body may have.
    """

    protocol: Literal["http", "websocket"] = "http"

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        self._set_path(path)
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        self.include_in_schema = include_in_schema
        if is_function(endpoint):
            from portico.web import routing

            self.app = routing.request_response(endpoint)  # which tracers replace there
            if methods is None:
                methods = ["GET"]
        else:
            self.app = endpoint
        self.app = wrapped(self.app, middleware or ())
        if max_body_size is not None:
            self.app = RequestBodyLimitMiddleware(self.app, max_body_size=max_body_size)
        self.methods: set[str] | None = None
        if methods is not None:
            self.methods = {method.upper() for method in methods}
            if "GET" in self.methods:
                self.methods.add("HEAD")

    @property
    def answers_head(self) -> bool:
        """Whether it answers HEAD where no other route does, though its methods do not say so."""
        return False

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        child_scope = self._read(scope)
        if child_scope is None:
            return Match.NONE, {}
        method = scope["method"]
        if self.methods and method not in self.methods and not (method == "HEAD" and self.answers_head):
            return Match.PARTIAL, child_scope
        return Match.FULL, child_scope

    @leads_to_app
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods = self.methods
        if not methods or scope["method"] in methods or (scope["method"] == "HEAD" and self.answers_head):
            await self.app(scope, receive, send)
            return
        allowed = methods | {"HEAD"} if self.answers_head else methods
        headers = {"Allow": ", ".join(sorted(allowed))}
        if "app" in scope:
            raise HTTPException(status_code=405, headers=headers)
        await PlainTextResponse("Method Not Allowed", status_code=405, headers=headers)(scope, receive, send)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Route)
            and self.path == other.path
            and self.endpoint == other.endpoint
            and self.methods == other.methods
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, name={self.name!r}, methods={sorted(self.methods or [])!r})"


class WebSocketRoute(PathRoute):
    """Leads WebSockets to an endpoint.

    Args:
        path: The path template, which begins with a slash.
        endpoint: An async function of a WebSocket; or a class or object that is an ASGI application.
        name: Its name for `url_path_for`; the endpoint's own name by default.
        middleware: Middleware around this endpoint alone.
    """

    protocol: Literal["http", "websocket"] = "websocket"

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        name: str | None = None,
        middleware: Sequence[Middleware] | None = None,
    ) -> None:
        self._set_path(path)
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        self.app = wrapped(websocket_session(endpoint) if is_function(endpoint) else endpoint, middleware or ())

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        child_scope = self._read(scope) if scope["type"] == "websocket" else None
        return (Match.NONE, {}) if child_scope is None else (Match.FULL, child_scope)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebSocketRoute) and self.path == other.path and self.endpoint == other.endpoint

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, name={self.name!r})"
