"""The router: leads each connection to its route, and runs the lifespan of everything below it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.datastructures import URLPath
from portico.web.exceptions import HTTPException
from portico.web.handling import HandledExceptions
from portico.web.middleware import Middleware, wrapped
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse, RedirectResponse, Response
from portico.web.routing.lifespans import NotedLifespan, lifespan_context, run_lifespan
from portico.web.routing.mounts import Host, Mount
from portico.web.routing.paths import NoMatchFound, get_route_path, reverse
from portico.web.routing.routes import BaseRoute, Match, Route, WebSocketRoute
from portico.web.routing.tree import Hit, RouteTree
from portico.web.types import ExceptionHandler, Lifespan
from portico.web.websockets import WebSocket, WebSocketClose

PATH_SAFE = "/:@!$&'()*+,;=~"  # what a path may have besides letters, digits and "-._" (RFC 3986 section 3.3)


class RouteList(list[BaseRoute]):
    """The routes of a router. A list that counts its changes, so that the tree is built again after one."""

    __slots__ = ("changes",)

    def __init__(self, routes: Sequence[BaseRoute] = ()) -> None:
        super().__init__(routes)
        self.changes = 0


def _counted(name: str) -> Callable[..., Any]:
    method = getattr(list, name)

    def change(self: RouteList, *args: Any, **kwargs: Any) -> Any:
        self.changes += 1
        return method(self, *args, **kwargs)

    change.__name__ = name
    return change


for _name in (
    *("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse"),
    *("__setitem__", "__delitem__", "__iadd__", "__imul__"),
):
    setattr(RouteList, _name, _counted(_name))


class Router:
    """Leads each request and WebSocket to the first of its routes that matches.

    Args:
        routes: The routes, in the order in which they are tried.
        redirect_slashes: Whether a path without a route is sent to the same path with a slash more or less, if that
            has one.
        default: The application for what no route matches; 404 by default.
        lifespan: An async context manager of the application, entered before the first request and left after the
            last; a mapping that it yields becomes state of each request.
        middleware: Middleware around the routes.
        max_body_size: The most bytes that a request's body may have.
        exception_handlers: Handlers, by status or class of exception, that go before the application's for what is
            raised below.
        mounted_lifespans: Whether the lifespans of mounted applications are run in this one; say False where the
            program starts them itself.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute] | None = None,
        redirect_slashes: bool = True,
        default: ASGIApp | None = None,
        lifespan: Lifespan[Any] | None = None,
        *,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
        exception_handlers: Mapping[Any, ExceptionHandler] | None = None,
        mounted_lifespans: bool = True,
    ) -> None:
        self.routes = RouteList(routes or ())
        self.redirect_slashes = redirect_slashes
        self.default = self.not_found if default is None else default
        self._lifespan = lifespan_context(lifespan)
        self.mounted_lifespans = mounted_lifespans
        app: ASGIApp = self.app
        if exception_handlers:
            app = HandledExceptions(app, exception_handlers)
        self.middleware_stack = wrapped(app, middleware or ())
        if max_body_size is not None:
            self.middleware_stack = RequestBodyLimitMiddleware(self.middleware_stack, max_body_size=max_body_size)

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes, in the order in which they are tried; may be changed at any time."""
        return self._routes

    @routes.setter
    def routes(self, routes: list[BaseRoute]) -> None:
        self._routes = routes if type(routes) is RouteList else RouteList(routes)
        self._planted = -1  # the count of changes that the trees have seen
        self._trees: dict[str, RouteTree] = {}

    @property
    def lifespan_context(self) -> NotedLifespan:
        """The lifespan, as a function from application to async context manager; may be replaced before it runs."""
        return self._lifespan

    @lifespan_context.setter
    def lifespan_context(self, lifespan: Lifespan[Any]) -> None:
        self._lifespan = lifespan_context(lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.middleware_stack(scope, receive, send)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lead one connection to its route."""
        kind = scope["type"]
        if "router" not in scope:
            scope["router"] = self
        if kind == "lifespan":
            await self.lifespan(scope, receive, send)
            return
        path = get_route_path(scope) if scope.get("root_path") else scope["path"]
        partial: Hit | None = None
        tree = self._trees.get(kind) if self._planted == self._routes.changes else None
        if tree is None:
            tree = self._plant(kind)
        for hit in tree.spelt_out.get(path) or tree.walk(path):
            match = hit[0].enter(scope, path, hit[1])
            if match is Match.FULL:
                leaf = hit[0]
                await (leaf.route.app if leaf.direct else leaf.route.handle)(scope, receive, send)
                return
            if match is Match.PARTIAL and (partial is None or _answers_better(hit, partial, scope)):
                partial = hit
        if partial is not None:
            leaf, params = partial
            leaf.enter_partly(scope, path, params)
            await leaf.route.handle(scope, receive, send)
            return
        if kind == "http" and self.redirect_slashes and path != "/":
            location = _other_slash(tree, scope, path)
            if location is not None:
                await RedirectResponse(location)(scope, receive, send)
                return
        await self.default(scope, receive, send)

    def _plant(self, kind: str) -> RouteTree:
        """Build the tree for one kind of scope from the routes as they are now."""
        routes = self._routes
        if self._planted != routes.changes:
            self._trees = {}
            self._planted = routes.changes
        tree = self._trees[kind] = RouteTree(routes, kind)
        return tree

    async def not_found(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer that there is no such route; inside an application its handler of 404 does."""
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
        elif "app" in scope:
            raise HTTPException(status_code=404)
        else:
            await PlainTextResponse("Not Found", status_code=404)(scope, receive, send)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the lifespan of the router and of what is mounted on it (ASGI lifespan 2.0)."""
        mounts = self.routes if self.mounted_lifespans else ()
        await run_lifespan(self.lifespan_context, mounts, scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Return the path of the named route; raises NoMatchFound where none takes just these parameters."""
        url: URLPath | None = reverse(self.routes, name, path_params)
        if url is None:
            raise NoMatchFound(name, path_params)
        return url

    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Add a `Mount`."""
        self._routes.append(Mount(path, app=app, name=name))

    def host(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        """Add a `Host`."""
        self._routes.append(Host(host, app=app, name=name))

    def add_route(
        self,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response] | Response],
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Add a `Route`."""
        self._routes.append(Route(path, endpoint, methods=methods, name=name, include_in_schema=include_in_schema))

    def add_websocket_route(
        self, path: str, endpoint: Callable[[WebSocket], Awaitable[None]], name: str | None = None
    ) -> None:
        """Add a `WebSocketRoute`."""
        self._routes.append(WebSocketRoute(path, endpoint, name=name))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Router) and self.routes == other.routes


def _answers_better(hit: Hit, partial: Hit, scope: Scope) -> bool:
    """Tell whether the hit answers a HEAD, as routes do that derive it from GET, and the one found before does not."""
    return (
        scope.get("method") == "HEAD"
        and getattr(hit[0].route, "answers_head", False)
        and not getattr(partial[0].route, "answers_head", False)
    )


def _other_slash(tree: RouteTree, scope: Scope, path: str) -> str | None:
    """Return where the path with a slash more or less is, None if no route has it.

    Without scheme and host, so that it stays where the client has found us, whatever proxies are in between.
    """
    other = dict(scope)
    other["path"] = scope["path"].rstrip("/") if path.endswith("/") else scope["path"] + "/"
    path = get_route_path(other)
    if all(leaf.enter(other, path, params) is Match.NONE for leaf, params in tree.find(path)):
        return None
    location = quote(other["path"], safe=PATH_SAFE)
    if location[:2] in ("//", "/\\") or location[:1] != "/":
        return None  # which a browser would take for another host
    query = scope.get("query_string", b"")
    return f"{location}?{query.decode('latin-1')}" if query else location
