"""Effective routes: the routes of an included router, as the router has them that includes it.

Each is of the same class as the original, has its own values for what inclusion changes, and shares everything else
with it, also what a subclass keeps there.
"""

from functools import cached_property
from inspect import getattr_static
from typing import Any

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.datastructures import URLPath
from portico.web.routing.mounts import Mount
from portico.web.routing.paths import replace_params
from portico.web.routing.routes import BaseRoute, Match

# What may be set on an effective route alone, though inclusion leaves it as the original has it.
SETTABLE = frozenset(("name", "include_in_schema"))


class EffectiveRoute(BaseRoute):
    """A route as the router has it that includes the route's own one. Mixed into the class of the route."""

    original_route: BaseRoute

    def __getattr__(self, name: str) -> Any:
        if name == "original_route" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.original_route, name)

    def __setattr__(self, name: str, value: Any) -> None:
        is_made = isinstance(getattr(type(self), name, None), cached_property)  # of what it has, when asked for
        if is_made or name in vars(self) or name in SETTABLE:
            object.__setattr__(self, name, value)
        else:
            setattr(self.original_route, name, value)


class Shared:
    """An attribute whose value, where a route has none of its own, is the original's, not the default of the class."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, route: EffectiveRoute | None, owner: type) -> Any:
        return self if route is None else getattr(route.original_route, self.name)


_effective_classes: dict[type, type[BaseRoute]] = {}


def _effective_class(route_class: type[BaseRoute]) -> type[BaseRoute]:
    known = _effective_classes.get(route_class)
    if known is not None:
        return known
    names: dict[str, Any] = {"__module__": route_class.__module__, "__qualname__": route_class.__qualname__}
    for name in dir(route_class):
        if not name.startswith("__") and not hasattr(getattr_static(route_class, name), "__get__"):
            names[name] = Shared(name)
    made = _effective_classes[route_class] = type(route_class.__name__, (EffectiveRoute, route_class), names)
    return made


def effective(route: BaseRoute, values: dict[str, Any]) -> BaseRoute:
    """Return the route with values of its own; what is set on it for one of these names stays its own too."""
    kind = type(route)
    made = object.__new__(kind if issubclass(kind, EffectiveRoute) else _effective_class(kind))
    vars(made).update(values)
    vars(made)["original_route"] = getattr(route, "original_route", route)
    return made


class RouteBelow(BaseRoute):
    """A route that decides for itself, below a prefix, which it does not see.

    Args:
        prefix: The prefix, "" for none.
        route: The route.
        app: What handles its requests.
    """

    def __init__(self, prefix: str, route: BaseRoute, app: ASGIApp) -> None:
        self.original_route = getattr(route, "original_route", route)
        self.route = route
        self.app = app
        self.prefix = Mount(prefix, app=app)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not self.prefix.path:
            return self.route.matches(scope)
        match, outer = self.prefix.matches(scope)
        if match is Match.NONE:
            return match, outer
        match, inner = self.route.matches({**scope, **outer})
        return match, {**outer, "endpoint": self.original_route, **inner}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        ours = {key: path_params[key] for key in self.prefix.param_convertors if key in path_params}
        theirs = {key: value for key, value in path_params.items() if key not in ours}
        url = self.route.url_path_for(name, **theirs)
        path, _ = replace_params(self.prefix.path_format, self.prefix.param_convertors, {**ours, "path": ""})
        return URLPath(path=path.rstrip("/") + str(url), protocol=url.protocol, host=url.host)
