"""Mounts and hosts: an application below a path, and an application for a host name."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.http.hosts import host_field, parse_host
from portico.web.convertors import Convertor
from portico.web.datastructures import URLPath
from portico.web.middleware import Middleware, wrapped
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.routing.fitting import read_params
from portico.web.routing.paths import NoMatchFound, RouteError, Template, get_route_path, replace_params, reverse
from portico.web.routing.routes import BaseRoute, Match, leads_to_app

BELOW = "/{path:path}"
MAX_HOST = 255  # RFC 1035 section 2.3.4


class _Outer(BaseRoute):
    """A route with routes of its own below it, whose names are written `outer:inner`."""

    app: ASGIApp
    name: str | None
    param_convertors: dict[str, Convertor[Any]]
    # What the lifespan of the application has put into its state; requests for it see that beside the outer state.
    lifespan_state: dict[str, Any]

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes of the application, empty where it has no such list."""
        return getattr(self.app, "routes", [])

    def child_scope(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the scope is updated with when the route is taken with these parameters."""
        outer = scope.get("path_params")
        child = {"endpoint": self.app, "path_params": {**outer, **params} if outer else params.copy()}
        if self.lifespan_state:
            state = scope.setdefault("state", {})  # this request's own copy (ASGI lifespan, "Lifespan State")
            state.update(self.lifespan_state)
        return child

    def _inner_name(self, name: str) -> str | None:
        """Return the name that the routes below are asked for, None if it cannot be one of theirs."""
        if self.name is None:
            return name
        prefix = f"{self.name}:"
        return name[len(prefix) :] if name.startswith(prefix) else None

    def _url_below(self, name: str, path_params: dict[str, Any]) -> URLPath | None:
        url: URLPath | None = reverse(self.routes or (), name, path_params)
        return url

    @leads_to_app
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class Mount(_Outer):
    """Leads everything below a path to an application, which sees the path as its `root_path`.

    Args:
        path: The path template; "" for everything.
        app: The ASGI application; or give `routes`.
        routes: The routes of a router to mount.
        name: The first part of the names of what is below it, for `url_path_for`.
        middleware: Middleware around the application.
        max_body_size: The most bytes that a request's body may have.
    """

    def __init__(
        self,
        path: str,
        app: ASGIApp | None = None,
        routes: Sequence[BaseRoute] | None = None,
        name: str | None = None,
        *,
        middleware: Sequence[Middleware] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        if path and not path.startswith("/"):
            raise RouteError(f"Routed paths must start with '/', got {path!r}")
        if app is None and routes is None:
            raise RouteError("Either 'app=...', or 'routes=' must be specified")
        self.path = path.rstrip("/")
        if app is None:
            from portico.web.routing.router import Router

            app = Router(routes=routes)
        self._base_app: ASGIApp = app
        self.app = wrapped(app, middleware or ())
        if max_body_size is not None:
            self.app = RequestBodyLimitMiddleware(self.app, max_body_size=max_body_size)
        self.name = name
        self.lifespan_state = {}
        template = Template(self.path + BELOW)
        self.path_format = template.format
        self.param_convertors = template.param_convertors

    @functools.cached_property
    def path_regex(self) -> re.Pattern[str]:
        """The pattern that a path must match; compiled when it is first asked for."""
        return Template(self.path + BELOW).regex()

    @property
    def routes(self) -> list[BaseRoute]:
        return getattr(self._base_app, "routes", [])

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] not in ("http", "websocket"):
            return Match.NONE, {}
        path = get_route_path(scope)
        params = read_params(self, self.path + BELOW, path)
        if params is None:
            return Match.NONE, {}
        return Match.FULL, self.mounted_scope(scope, params, path)

    def mounted_scope(self, scope: Scope, params: dict[str, Any], path: str) -> dict[str, Any]:
        """Return what the scope is updated with when the mount is taken: the part of the path that is its own."""
        root_path = scope.get("root_path", "")
        child = self.child_scope(scope, params)
        below = child["path_params"].pop("path")
        # Set once, at the outermost mount: reverse URLs begin where the whole application does.
        child["app_root_path"] = scope.get("app_root_path", root_path)
        child["root_path"] = root_path + path[: len(path) - len(below) - 1]
        return child

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        asked = dict(path_params)
        if self.name is not None and name == self.name and "path" in asked:
            asked["path"] = asked["path"].lstrip("/")
            path, left = replace_params(self.path_format, self.param_convertors, asked)
            if not left:
                return URLPath(path=path)
        elif (inner := self._inner_name(name)) is not None:
            below = {"path": asked["path"]} if "path" in asked else {}
            asked["path"] = ""
            prefix, left = replace_params(self.path_format, self.param_convertors, asked)
            url = self._url_below(inner, left | below)
            if url is not None:
                return URLPath(path=prefix.rstrip("/") + str(url), protocol=url.protocol)
        raise NoMatchFound(name, path_params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mount) and self.path == other.path and self.app == other.app

    def __repr__(self) -> str:
        return f"{type(self).__name__}(path={self.path!r}, name={self.name or ''!r}, app={self.app!r})"


class Host(_Outer):
    """Leads requests for a host name to an application.

    Args:
        host: The host template, such as `{subdomain}.example.org`; ports are not looked at.
        app: The ASGI application.
        name: The first part of the names of what is below it, for `url_path_for`.
    """

    def __init__(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        if host.startswith("/"):
            raise RouteError(f"Host must not start with '/', got {host!r}")
        self.host = host
        self.app = app
        self.name = name
        self.lifespan_state = {}
        template = Template(host)
        self.host_format = template.format
        self.param_convertors = template.param_convertors

    @functools.cached_property
    def host_regex(self) -> re.Pattern[str]:
        """The pattern that a host must match; compiled when it is first asked for."""
        return Template(self.host).regex()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] not in ("http", "websocket"):
            return Match.NONE, {}
        field = host_field(scope["headers"])
        host = None if field is None else parse_host(field)
        # A pattern may take very long for a long text.
        match = None if host is None or len(host.name) > MAX_HOST else self.host_regex.fullmatch(host.name)
        if match is None:
            return Match.NONE, {}
        convertors = self.param_convertors
        params = {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
        return Match.FULL, self.child_scope(scope, params)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        asked = dict(path_params)
        if self.name is not None and name == self.name and "path" in asked:
            path = asked.pop("path")
            host, left = replace_params(self.host_format, self.param_convertors, asked)
            if not left:
                return URLPath(path=path, host=host)
        elif (inner := self._inner_name(name)) is not None:
            host, left = replace_params(self.host_format, self.param_convertors, asked)
            url = self._url_below(inner, left)
            if url is not None:
                return URLPath(path=str(url), protocol=url.protocol, host=host)
        raise NoMatchFound(name, path_params)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Host) and self.host == other.host and self.app == other.app

    def __repr__(self) -> str:
        return f"{type(self).__name__}(host={self.host!r}, name={self.name or ''!r}, app={self.app!r})"
