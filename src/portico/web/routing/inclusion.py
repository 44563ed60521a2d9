"""Included routers: the routes of a router at their place among those of another one.

An included router stays what it is, and may be included several times and changed later. Its routes are seen from
outside as effective routes, with the whole path, and with what the inclusion adds. They are made once, when somebody
looks at them after a change.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from portico.asgi import ASGIApp
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.params import Depends
from portico.web.plan.forms import FormLimits, check_form_limits
from portico.web.routing.api import APIRoute, APIWebSocketRoute
from portico.web.routing.effective import RouteBelow, effective
from portico.web.routing.frontend import FrontendRoute
from portico.web.routing.layers import FormLimited, RouterLayers
from portico.web.routing.mounts import BELOW, Host, Mount
from portico.web.routing.operations import IncludeOptions
from portico.web.routing.options import (
    DEFAULT_RESPONSE_CLASS,
    DEFAULT_UNIQUE_ID,
    check_max_body_size,
    check_options,
    first_given,
    first_not_none,
)
from portico.web.routing.paths import Template
from portico.web.routing.router import Router
from portico.web.routing.routes import BaseRoute, Route, WebSocketRoute
from portico.web.routing.signatures import read_dependencies, read_signature, signature_of

if TYPE_CHECKING:
    from portico.web.routing.apirouter import APIRouter


class IncludedRouter:
    """A router at its place among the routes of the one that includes it.

    Args:
        parent: The router that includes it.
        router: The router that is included.
        options: What its routes get from that.
    """

    def __init__(self, parent: "APIRouter", router: "APIRouter", options: IncludeOptions) -> None:
        check_options("include_router", options, IncludeOptions.__optional_keys__)
        check_max_body_size(options.get("max_body_size"))
        self.router = router
        self.prefix = parent.prefix + options.get("prefix", "")
        self.tags = [*parent.tags, *(options.get("tags") or ())]
        self.dependencies: list[Depends] = [*parent.dependencies, *(options.get("dependencies") or ())]
        self.responses = {**parent.responses, **(options.get("responses") or {})}
        self.callbacks = [*parent.callbacks, *(options.get("callbacks") or ())]
        self.deprecated = options.get("deprecated") or parent.deprecated
        self.include_in_schema = parent.include_in_schema and options.get("include_in_schema", True)
        given_class = options.get("default_response_class", DEFAULT_RESPONSE_CLASS)
        self.default_response_class = first_given(given_class, parent.default_response_class)
        given_function = options.get("generate_unique_id_function", DEFAULT_UNIQUE_ID)
        self.generate_unique_id_function = first_given(given_function, parent.generate_unique_id_function)
        self.strict_content_type = parent.strict_content_type
        self.provider = parent.dependency_overrides_provider
        self.max_body_size = first_not_none(router.max_body_size, options.get("max_body_size"), parent.max_body_size)
        self.form_limits: FormLimits = {
            **parent.form_limits,
            **check_form_limits(options.get("form_limits")),
            **router.form_limits,
        }
        self.shown: list[BaseRoute] = []  # effective routes
        # By the identities of the router's routes:
        self.removed: dict[int, BaseRoute] = {}  # those that were taken out of the including router's list
        self._made: dict[int, tuple[BaseRoute, BaseRoute]] = {}  # each, and its effective route
        self._made_frontends: dict[int, tuple[FrontendRoute, FrontendRoute]] = {}
        self.has_params = bool(Template(self.prefix).param_convertors)

    def routes(self) -> list[BaseRoute]:
        """Return the effective routes, as things are now."""
        made: dict[int, tuple[BaseRoute, BaseRoute]] = {}
        for route in self.router.routes:
            key = id(route)
            if key not in self.removed:
                made[key] = self._made.get(key) or (route, self._include(route))
        self._made = made
        self.shown = [shown for _, shown in made.values()]
        return self.shown

    def frontends(self) -> Iterator[FrontendRoute]:
        """Yield the effective frontends."""
        for route in self.router.frontend_routes():
            known = self._made_frontends.get(id(route))
            if known is None:
                included = route.included(self.prefix, self.dependencies, self.provider)
                included.handle = self._around(included.handle)  # type: ignore[method-assign, assignment]
                known = self._made_frontends[id(route)] = route, included
            yield known[1]

    def keep(self, routes: Sequence[BaseRoute]) -> None:
        """Show only these of the effective routes, in whose order they are, and what is added to the router later."""
        kept = set(map(id, routes))
        for key, (route, shown) in self._made.items():
            if id(shown) not in kept:
                self.removed[key] = route
        self.shown = list(routes)

    def _include(self, route: BaseRoute) -> BaseRoute:
        match route:
            case APIRoute():
                return effective(route, self._operation(route))
            case APIWebSocketRoute():
                return effective(route, self._typed(route))
            case Route():
                values = self._location(route.path) | {"app": self._around(route.app), "methods": route.methods}
                return effective(route, values | {"endpoint": route.endpoint})
            case WebSocketRoute():
                values = self._location(route.path) | {"app": self._around(route.app)}
                return effective(route, values | {"endpoint": route.endpoint})
            case Mount():
                values = self._location(route.path.rstrip("/"), BELOW) | {"app": self._around(route.app)}
                return effective(route, values)
            case Host():
                app = Router([Mount(self.prefix, app=route.app)]) if self.prefix else route.app
                return effective(route, {"app": self._around(app)})
        return RouteBelow(self.prefix, route, self._around(route.handle))

    def _location(self, path: str, below: str = "") -> dict[str, Any]:
        path = self.prefix + path
        template = Template(path + below)
        return {"path": path, "path_format": template.format, "param_convertors": template.param_convertors}

    def _around(self, app: ASGIApp) -> ASGIApp:
        if self.form_limits:
            app = FormLimited(app, self.form_limits)
        if self.max_body_size is not None:
            app = RequestBodyLimitMiddleware(app, max_body_size=self.max_body_size)
        for layer in self._layers():
            app = layer.around(app)
        return app

    def _layers(self) -> list[RouterLayers]:
        layers = self.router.layers
        return [] if layers is None else [layers]

    def _operation(self, route: APIRoute) -> dict[str, Any]:
        values = self._typed(route)
        for name in ("methods", "summary", "description", "operation_id"):
            values[name] = getattr(route, name)
        values["tags"] = [*self.tags, *route.tags]
        values["responses"] = self.responses | route.responses
        values["callbacks"] = [*self.callbacks, *(route.callbacks or ())]
        values["deprecated"] = route.deprecated or self.deprecated
        values["include_in_schema"] = route.include_in_schema and self.include_in_schema
        values["response_class"] = first_given(
            route.response_class, self.router.default_response_class, self.default_response_class
        )
        values["generate_unique_id_function"] = first_given(
            route.generate_unique_id_function,
            self.router.generate_unique_id_function,
            self.generate_unique_id_function,
        )
        values["strict_content_type"] = first_given(
            route.strict_content_type, self.router.strict_content_type, self.strict_content_type
        )
        values["max_body_size"] = first_not_none(route.max_body_size, self.max_body_size)
        values["form_limits"] = {**self.form_limits, **route.form_limits}
        return values

    def _typed(self, route: APIRoute | APIWebSocketRoute) -> dict[str, Any]:
        values = self._location(route.path)
        dependencies = [*self.dependencies, *route.dependencies]
        values["name"] = route.name
        values["endpoint"] = route.endpoint
        values["dependencies"] = dependencies
        values["dependant"] = self._dependant(route, values["path_format"], dependencies)
        values["dependency_overrides_provider"] = self.provider or route.dependency_overrides_provider
        values["layers"] = [*route.layers, *self._layers()]
        return values

    def _dependant(self, route: APIRoute | APIWebSocketRoute, path_format: str, dependencies: list[Depends]) -> Any:
        """Return what the endpoint wants; its signature is only read again where that may have changed."""
        if self.has_params or signature_of(route.endpoint) != route.signature_read:
            return read_signature(path_format, route.endpoint, dependencies)
        dependant = route.dependant
        before = read_dependencies(path_format, self.dependencies)
        return replace(dependant, path=path_format, dependencies=[*before, *dependant.dependencies])


@dataclass(frozen=True)
class RouteContext:
    """A route, and how it is where it is included: what it does not have itself is that of the effective route."""

    route: BaseRoute
    effective_route: BaseRoute | None = field(default=None, repr=False)

    @property
    def original_route(self) -> BaseRoute:
        """The route of the router that it was added to."""
        return self.route

    @property
    def path(self) -> str | None:
        """The whole path template."""
        return getattr(self._seen, "path", None)

    @property
    def path_format(self) -> str | None:
        """The path template without convertors."""
        return getattr(self._seen, "path_format", None)

    @property
    def name(self) -> str | None:
        """The name for `url_path_for`."""
        return getattr(self._seen, "name", None)

    @property
    def methods(self) -> set[str] | None:
        """The methods, None where it does not look at them."""
        return getattr(self._seen, "methods", None)

    @property
    def endpoint(self) -> Callable[..., Any] | None:
        """The function or application."""
        return getattr(self._seen, "endpoint", None)

    @property
    def _seen(self) -> BaseRoute:
        return self.route if self.effective_route is None else self.effective_route

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._seen, name)


def iter_route_contexts(routes: Sequence[BaseRoute | RouteContext]) -> Iterator[RouteContext]:
    """Yield the routes of an application or router, each with how it is seen from there."""
    for route in routes:
        if isinstance(route, RouteContext):
            yield route
        else:
            original = getattr(route, "original_route", None)
            yield RouteContext(route) if original is None else RouteContext(original, route)
