"""The typed router: routes with options in common, and other routers included among them."""

import functools
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Literal, Unpack
from weakref import ref

from typing_extensions import deprecated

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.concurrency import is_async_callable
from portico.web.errorformats import ErrorFormat
from portico.web.exceptions import DefinitionError
from portico.web.middleware import Middleware
from portico.web.params import Depends
from portico.web.plan.forms import FormLimits, check_form_limits
from portico.web.responses import Response
from portico.web.routing.api import APIRoute, APIWebSocketRoute
from portico.web.routing.frontend import FrontendRoute, FrontendRoutes, PathLike, check_directory
from portico.web.routing.inclusion import IncludedRouter
from portico.web.routing.layers import FormLimited, RouterLayers
from portico.web.routing.lifespans import NotedLifespan, entered_once, from_generator
from portico.web.routing.operations import AddOptions, IncludeOptions, Operations
from portico.web.routing.options import (
    DEFAULT_RESPONSE_CLASS,
    DEFAULT_STRICT,
    DEFAULT_UNIQUE_ID,
    check_max_body_size,
    first_given,
    first_not_none,
)
from portico.web.routing.paths import RouteError
from portico.web.routing.router import RouteList, Router
from portico.web.routing.routes import BaseRoute, Match, PathRoute
from portico.web.routing.tree import RouteTree
from portico.web.routing.view import RouteView
from portico.web.types import DecoratedCallable, ExceptionHandler, Lifespan

ON_EVENT = "on_event is deprecated, use lifespan event handlers instead."


class APIRouter(Operations, Router):
    """A router of typed functions.

    What it says about its routes holds for those that are added with its methods; routes that are given as they are
    stay so.

    Args:
        prefix: What the paths of its routes begin with.
        tags: The groups that the documentation shows them in.
        dependencies: Dependencies that are called before their own.
        default_response_class: The response class of those that have none.
        responses: Responses for the documentation beside their own.
        callbacks: Operations that callers are expected to offer, for the documentation.
        routes: Routes, in the order in which they are tried.
        redirect_slashes: Whether a path without a route is sent to the same path with a slash more or less.
        default: The application for what no route matches; 404 by default.
        dependency_overrides_provider: The application whose `dependency_overrides` count.
        route_class: The class of its routes.
        on_startup: Functions that are called before the first request; not with a `lifespan`.
        on_shutdown: Functions that are called after the last request; not with a `lifespan`.
        lifespan: An async context manager of the application, entered before the first request and left after the
            last; a mapping that it yields becomes state of each request.
        deprecated: Whether the documentation strikes its routes through.
        include_in_schema: Whether the documentation shows them.
        generate_unique_id_function: Makes the ids of their operations.
        strict_content_type: Whether a body is JSON only if its content type says so.
        max_body_size: The most bytes that a request's body may have.
        form_limits: The most fields and files of a form, and the most bytes of one of its fields.
        middleware: Middleware around its routes, also where it is included.
        exception_handlers: Handlers, by status or class of exception, that go before the application's for what its
            routes raise, also where it is included.
        error_format: How errors of its routes are answered and documented, where that is not as in the application.
        mounted_lifespans: Whether the lifespans of mounted applications are run in this one.
    """

    def __init__(
        self,
        *,
        prefix: str = "",
        tags: list[str | Enum] | None = None,
        dependencies: Sequence[Depends] | None = None,
        default_response_class: type[Response] = DEFAULT_RESPONSE_CLASS,
        responses: dict[int | str, dict[str, Any]] | None = None,
        callbacks: list[BaseRoute] | None = None,
        routes: Sequence[BaseRoute] | None = None,
        redirect_slashes: bool = True,
        default: ASGIApp | None = None,
        dependency_overrides_provider: Any = None,
        route_class: type[APIRoute] = APIRoute,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        lifespan: Lifespan[Any] | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
        generate_unique_id_function: Callable[[APIRoute], str] = DEFAULT_UNIQUE_ID,
        strict_content_type: bool = DEFAULT_STRICT,
        max_body_size: int | None = None,
        form_limits: FormLimits | None = None,
        middleware: Sequence[Middleware] | None = None,
        exception_handlers: Mapping[Any, ExceptionHandler] | None = None,
        mounted_lifespans: bool = True,
        error_format: ErrorFormat | None = None,
    ) -> None:
        check_max_body_size(max_body_size)
        _check_prefix(prefix)
        self.form_limits = check_form_limits(form_limits)
        outside = [Middleware(FormLimited, self.form_limits)] if self.form_limits else []
        handlers = {} if error_format is None else error_format.exception_handlers()
        handlers |= exception_handlers or {}
        self._including: list[ref[APIRouter]] = []
        self._frontend_routes: FrontendRoutes | None = None
        self._frontends: FrontendRoutes | None = None
        super().__init__(
            routes,
            redirect_slashes,
            default,
            self._events if lifespan is None else from_generator(lifespan) or lifespan,
            middleware=[*outside, *(middleware or ())],
            max_body_size=max_body_size,
            exception_handlers=handlers,
            mounted_lifespans=mounted_lifespans,
        )
        self._layers = tuple(middleware or ()), handlers, error_format
        self.prefix = prefix
        self.tags: list[str | Enum] = tags or []
        self.dependencies = list(dependencies or ())
        self.default_response_class = default_response_class
        self.responses = responses or {}
        self.callbacks = callbacks or []
        self.dependency_overrides_provider = dependency_overrides_provider
        self.route_class = route_class
        self.on_startup = list(on_startup or ())
        self.on_shutdown = list(on_shutdown or ())
        self.deprecated = deprecated
        self.include_in_schema = include_in_schema
        self.generate_unique_id_function = generate_unique_id_function
        self.strict_content_type = strict_content_type
        self.max_body_size = max_body_size

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes, those of included routers among them, in the order in which they are tried.

        May be changed at any time: what it shows is what is routed.
        """
        view = self._view
        if view.stale:
            view.refresh()
        return view

    @routes.setter
    def routes(self, routes: Sequence[BaseRoute]) -> None:
        if "_view" not in vars(self):
            self._view = RouteView(self._changed)
            self._routes: RouteList = self._view
            self._planted = -1
            self._trees: dict[str, RouteTree] = {}
        if routes is not self._view:
            self._view[:] = routes

    @property
    def changes(self) -> int:
        """How often the routes have changed."""
        return self._view.changes

    def frontend_routes(self) -> Iterator[FrontendRoute]:
        """Yield the frontends, those of included routers among them, in the order in which they were added."""
        if self._frontend_routes is not None:
            yield from self._frontend_routes.routes
        for included in self._view.included:
            yield from included.frontends()

    @property
    def frontends(self) -> FrontendRoutes:
        """The frontends, those of included routers with their whole paths among them."""
        return FrontendRoutes(self.frontend_routes())

    @functools.cached_property
    def layers(self) -> RouterLayers | None:
        """Its own middleware and exception handlers, for where it is included."""
        middleware, exception_handlers, error_format = self._layers
        if not middleware and not exception_handlers:
            return None
        return RouterLayers(middleware, exception_handlers, error_format)

    def _changed(self) -> None:
        """Tell the routers that include this one that it has changed."""
        for reference in self._including:
            router = reference()
            if router is not None and router._view.expire():
                router._changed()

    def _plant(self, kind: str) -> RouteTree:
        self._view.refresh()
        frontends = self.frontends
        self._frontends = frontends if frontends.routes else None
        return super()._plant(kind)

    @property
    def default(self) -> ASGIApp:
        """The application for what no route matches, after the frontends."""
        return self._default if self._frontends is None else self._serve_frontend

    @default.setter
    def default(self, app: ASGIApp) -> None:
        self._default = app

    async def _serve_frontend(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._frontends is not None
        match, child_scope = self._frontends.matches(scope)
        if match is Match.NONE:
            await self._default(scope, receive, send)
            return
        scope.update(child_scope)
        await self._frontends.handle(scope, receive, send)

    def frontend(
        self,
        path: str,
        *,
        directory: PathLike,
        fallback: Literal["auto", "index.html", "404.html"] | None = "auto",
        check_dir: bool | Literal["auto"] = "auto",
    ) -> None:
        """Serve the files of a browser application where no route leads; see `FrontendRoute`."""
        check_dir = check_directory(directory, check_dir)
        if self._frontend_routes is None:
            self._frontend_routes = FrontendRoutes()
        self._frontend_routes.add(
            FrontendRoute(path, directory=directory, fallback=fallback, check_dir=check_dir).included(
                self.prefix, self.dependencies, self.dependency_overrides_provider
            )
        )
        self._view.expire()
        self._changed()

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Unpack[AddOptions]) -> None:
        """Add a path operation without a decorator."""
        given: dict[str, Any] = dict(options)
        route_class = given.pop("route_class_override", None) or self.route_class
        if isinstance(given.get("tags"), str):
            raise RouteError(f"tags must be a list of texts, got {given['tags']!r}: write [{given['tags']!r}]")
        given["tags"] = [*self.tags, *(given.get("tags") or ())]
        given["dependencies"] = [*self.dependencies, *(given.get("dependencies") or ())]
        given["responses"] = self.responses | (given.get("responses") or {})
        given["callbacks"] = [*self.callbacks, *(given.get("callbacks") or ())]
        given["deprecated"] = given.get("deprecated") or self.deprecated
        given["include_in_schema"] = given.get("include_in_schema", True) and self.include_in_schema
        given["max_body_size"] = first_not_none(given.get("max_body_size"), self.max_body_size)
        given["response_class"] = first_given(
            given.get("response_class", DEFAULT_RESPONSE_CLASS), self.default_response_class
        )
        given["generate_unique_id_function"] = first_given(
            given.get("generate_unique_id_function", DEFAULT_UNIQUE_ID), self.generate_unique_id_function
        )
        given["strict_content_type"] = first_given(
            given.get("strict_content_type", DEFAULT_STRICT), self.strict_content_type
        )
        if self.form_limits:
            given["form_limits"] = {**self.form_limits, **(given.get("form_limits") or {})}
        given["dependency_overrides_provider"] = self.dependency_overrides_provider
        self._view.append(route_class(self.prefix + path, endpoint=endpoint, **given))

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        *,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        """Add a typed function of a WebSocket without a decorator."""
        self._view.append(
            APIWebSocketRoute(
                self.prefix + path,
                endpoint=endpoint,
                name=name,
                dependencies=[*self.dependencies, *(dependencies or ())],
                dependency_overrides_provider=self.dependency_overrides_provider,
            )
        )

    add_websocket_route = Router.add_websocket_route

    def route(
        self,
        path: str,
        methods: Collection[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Add a plain route, to a function from request to response. Its path is the whole path."""

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_route(path, func, methods=methods, name=name, include_in_schema=include_in_schema)
            return func

        return decorate

    def include_router(self, router: "APIRouter", **options: Unpack[IncludeOptions]) -> None:
        """Show the routes of another router among its own, now and whenever that changes.

        Raises:
            RouteError: If this router is, or is in, the other one; or if the prefix is none.
            DefinitionError: If a route would have no path at all.
        """
        if not isinstance(router, APIRouter):
            raise TypeError(
                f"include_router() takes an APIRouter, got {router!r}: of a module, give the router that is in it; put "
                "another application below a path with mount()"
            )
        if self is router:
            raise RouteError(
                "Cannot include the same APIRouter instance into itself. Did you mean to include a different router?"
            )
        if router._includes(self):
            raise RouteError(
                "Cannot include an APIRouter instance that already includes this router. "
                "Did you mean to include a different router?"
            )
        prefix = options.get("prefix", "")
        _check_prefix(prefix)
        if not prefix:
            for route in router.routes:
                if isinstance(route, PathRoute) and not route.path:
                    raise DefinitionError(f"Prefix and path cannot be both empty (path operation: {route.name})")
        is_new = all(known.router is not router for known in self._view.included)
        included = IncludedRouter(self, router, options)
        if included.has_params:
            included.routes()  # reads the signatures again, in which mistakes should show now
        router._including = [known for known in router._including if known() is not None] + [ref(self)]
        self._view.include(included)
        if is_new:
            self.lifespan_context = _one_in_the_other(self.lifespan_context, router)

    def _includes(self, router: "APIRouter") -> bool:
        return any(included.router is router or included.router._includes(router) for included in self._view.included)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = getattr(self.dependency_overrides_provider, "app_dependencies", None)
        if own is not None:
            receive = own.closed_at_shutdown(receive)
        await super().lifespan(scope, receive, send)

    @asynccontextmanager
    async def _events(self, app: Any) -> AsyncIterator[None]:
        """Run the functions for startup and shutdown, where there is no lifespan."""
        await _call_all(self.on_startup)
        yield
        await _call_all(self.on_shutdown)

    def add_event_handler(self, event_type: str, func: Callable[[], Any]) -> None:
        """Add a function for "startup" or "shutdown"; a `lifespan` replaces both."""
        if event_type not in ("startup", "shutdown"):
            raise RouteError(f"an event is 'startup' or 'shutdown', got {event_type!r}")
        (self.on_startup if event_type == "startup" else self.on_shutdown).append(func)

    @deprecated(ON_EVENT)
    def on_event(self, event_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Add a function for "startup" or "shutdown"."""

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_event_handler(event_type, func)
            return func

        return decorate


def _one_in_the_other(outer: NotedLifespan, router: APIRouter) -> Callable[[Any], Any]:
    """Return the lifespan that enters the outer one, then that of an included router."""

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with outer(app) as outer_state, entered_once(router.lifespan_context, app) as state:
            if outer_state is None and state is None:
                yield None
            else:
                yield {**(state or {}), **(outer_state or {})}

    return lifespan


async def _call_all(functions: list[Callable[[], Any]]) -> None:
    for function in functions:
        if is_async_callable(function):
            await function()
        else:
            function()


def _check_prefix(prefix: str) -> None:
    if prefix and not prefix.startswith("/"):
        raise RouteError(f"A path prefix must start with '/', got {prefix!r}")
    if prefix.endswith("/"):
        raise RouteError(f"A path prefix must not end with '/', as the routes will start with '/'; got {prefix!r}")
