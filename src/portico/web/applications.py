"""The application: routes inside exception handlers inside middleware inside the answer to what nobody has handled."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.concurrency import set_threads
from portico.web.datastructures import State, URLPath
from portico.web.middleware import Middleware, P, _MiddlewareFactory, wrapped
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.middleware.errors import ServerErrorMiddleware
from portico.web.middleware.exceptions import ExceptionMiddleware
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing import BaseRoute, Router
from portico.web.types import ExceptionHandler, Lifespan

if TYPE_CHECKING:
    from portico.web.api import Portico

__all__ = ["AppType", "Application", "Portico"]

AppType = TypeVar("AppType", bound="Application")


def __getattr__(name: str) -> Any:
    """Import the typed framework, with its larger dependencies, when it is asked for."""
    if name != "Portico":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from portico.web.api import Portico

    return Portico


class Application:
    """An ASGI application.

    Args:
        debug: Whether unhandled exceptions are shown to the client as a page with the traceback.
        routes: The routes, in the order in which they are tried.
        middleware: Middleware around everything but the answer to unhandled exceptions, the outermost first.
        exception_handlers: Handlers by status or by class of exception; 500 or Exception is for what nobody handles.
        lifespan: An async context manager of the application, entered before the first request and left after the
            last; a mapping that it yields becomes state of each request.
        max_body_size: The most bytes that a request's body may have; no limit by default.
        threads: How many threads sync endpoints share in this process; 40 by default. Requests that hold something in
            a dependency with `yield` have as many of their own.
        mounted_lifespans: Whether the lifespans of mounted applications are run in this one; say False where the
            program starts them itself.
    """

    def __init__(
        self: AppType,
        debug: bool = False,
        routes: Sequence[BaseRoute] | None = None,
        middleware: Sequence[Middleware] | None = None,
        exception_handlers: Mapping[Any, ExceptionHandler] | None = None,
        lifespan: Lifespan[AppType] | None = None,
        *,
        max_body_size: int | None = None,
        threads: int | None = None,
        mounted_lifespans: bool = True,
    ) -> None:
        self.debug = debug
        self.state = State()
        self.router = Router(routes, lifespan=lifespan, mounted_lifespans=mounted_lifespans)
        self.max_body_size = max_body_size
        self.exception_handlers = dict(exception_handlers or {})
        self.user_middleware = list(middleware or ())
        self.middleware_stack: ASGIApp | None = None
        if threads is not None:
            set_threads(threads)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application's layers around its router."""
        handlers = dict(self.exception_handlers)
        unhandled = None
        for key in (500, Exception):
            unhandled = handlers.pop(key, unhandled)
        layers = [Middleware(ServerErrorMiddleware, handler=unhandled, debug=self.debug)]
        if self.max_body_size is not None:
            layers.append(Middleware(RequestBodyLimitMiddleware, max_body_size=self.max_body_size))
        layers += self.user_middleware
        layers.append(Middleware(ExceptionMiddleware, handlers=handlers, debug=self.debug))
        router = self.router
        # Nothing but one more coroutine to each request is between them.
        plain = type(router).__call__ is Router.__call__
        return wrapped(router.middleware_stack if plain else router, layers)

    @property
    def routes(self) -> list[BaseRoute]:
        """The routes, in the order in which they are tried; may be changed at any time."""
        return self.router.routes

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """Return the path of the named route; raises NoMatchFound where none takes just these parameters."""
        return self.router.url_path_for(name, **path_params)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await (self.middleware_stack or self._build())(scope, receive, send)

    def _build(self) -> ASGIApp:
        self.middleware_stack = self.build_middleware_stack()
        return self.middleware_stack

    def mount(self, path: str, app: ASGIApp, name: str | None = None) -> None:
        """Lead everything below a path to another application."""
        self.router.mount(path, app=app, name=name)

    def host(self, host: str, app: ASGIApp, name: str | None = None) -> None:
        """Lead everything for a host name to another application."""
        self.router.host(host, app=app, name=name)

    def add_middleware(self, middleware_class: _MiddlewareFactory[P], *args: P.args, **kwargs: P.kwargs) -> None:
        """Put middleware around what there is; raises RuntimeError once the application has served something."""
        if self.middleware_stack is not None:
            raise RuntimeError("Cannot add middleware after an application has started")
        self.user_middleware.insert(0, Middleware(middleware_class, *args, **kwargs))

    def add_exception_handler(self, exc_class_or_status_code: int | type[Exception], handler: ExceptionHandler) -> None:
        """Set the handler of a status or of a class of exceptions."""
        self.exception_handlers[exc_class_or_status_code] = handler

    def add_route(
        self,
        path: str,
        route: Callable[[Request], Awaitable[Response] | Response],
        methods: list[str] | None = None,
        name: str | None = None,
        include_in_schema: bool = True,
    ) -> None:
        """Lead requests for a path to an endpoint."""
        self.router.add_route(path, route, methods=methods, name=name, include_in_schema=include_in_schema)
