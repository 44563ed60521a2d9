"""The typed application: an `Application` whose routes are typed functions, with a document about them."""

import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Unpack

from typing_extensions import deprecated

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.applications import Application
from portico.web.errorformats import ErrorFormat
from portico.web.exception_handlers import (
    http_exception_handler,
    request_validation_exception_handler,
    websocket_request_validation_exception_handler,
)
from portico.web.exceptions import (
    HTTPException,
    PorticoDeprecationWarning,
    RequestValidationError,
    WebSocketRequestValidationError,
)
from portico.web.middleware import Middleware
from portico.web.middleware.base import BaseHTTPMiddleware
from portico.web.params import Depends
from portico.web.plan.appscope import AppDependencies
from portico.web.plan.forms import FormLimits
from portico.web.plan.peers import refuse_handlers
from portico.web.plan.plans import overridden
from portico.web.plan.signature import get_dependant
from portico.web.responses import Response
from portico.web.routing.api import APIRoute
from portico.web.routing.apirouter import ON_EVENT, APIRouter
from portico.web.routing.frontend import PathLike, check_directory
from portico.web.routing.operations import AddOptions, IncludeOptions, Operations
from portico.web.routing.options import DEFAULT_RESPONSE_CLASS, DEFAULT_UNIQUE_ID, check_max_body_size
from portico.web.routing.paths import RouteError
from portico.web.routing.routes import BaseRoute
from portico.web.types import DecoratedCallable, Lifespan
from portico.web.websockets import WebSocket

AppType = TypeVar("AppType", bound="Portico")


class Portico(Operations, Application):
    """A typed ASGI application with an OpenAPI document and pages that show it.

    Args:
        debug: Whether unhandled exceptions are shown to the client as a page with the traceback.
        routes: Routes, in the order in which they are tried; usually there are decorators instead.
        title: The name of the API.
        summary: The API in a few words.
        description: The API in Markdown.
        version: The version of the API, not of OpenAPI.
        openapi_url: The path of the OpenAPI document; None for neither document nor pages.
        openapi_tags: What is to be said about tags: `name`, `description`, `externalDocs`; in their order.
        servers: The servers of the document: `url`, `description`, `variables`.
        dependencies: Dependencies of all routes, called for what they do, not for what they give.
        default_response_class: What makes responses of results; JSON by default.
        redirect_slashes: Whether a path without a route is sent to the same path with a slash more or less.
        docs_url: The path of the page made by Swagger UI; None for no such page.
        redoc_url: The path of the page made by ReDoc; None for no such page.
        swagger_ui_oauth2_redirect_url: The path to which an OAuth2 provider sends the browser back.
        swagger_ui_init_oauth: Settings of Swagger UI for OAuth2.
        middleware: Middleware around everything but the answer to unhandled exceptions, the outermost first.
        exception_handlers: Handlers by status or by class of exception; 500 or Exception is for what nobody handles.
        error_format: How errors without a handler are answered and documented; as in FastAPI by default.
        on_startup: Functions that are called before the first request; not with a `lifespan`.
        on_shutdown: Functions that are called after the last request; not with a `lifespan`.
        lifespan: An async context manager of the application, entered before the first request and left after the
            last; a mapping that it yields becomes state of each request.
        terms_of_service: Where the terms of service are.
        contact: Who is to be asked: `name`, `url`, `email`.
        license_info: The licence: `name`, `identifier`, `url`.
        root_path: Deprecated: the path that a proxy takes off. The server's setting says it better.
        root_path_in_servers: Whether the document names the root path among the servers.
        responses: Responses of all routes for the documentation, by status.
        callbacks: Operations that callers are expected to offer, for the documentation.
        webhooks: A router of the requests that the application sends, for the documentation.
        deprecated: Whether the documentation strikes everything through.
        include_in_schema: Whether the documentation shows the routes.
        swagger_ui_parameters: Settings of Swagger UI.
        generate_unique_id_function: Makes the ids of operations.
        separate_input_output_schemas: Whether a model has two schemas where it is read and written differently.
        openapi_external_docs: Further documentation: `description`, `url`.
        strict_content_type: Whether a body is JSON only if its content type says so.
        max_body_size: The most bytes that a request's body may have; no limit by default.
        form_limits: The most fields and files of a form, and the most bytes of one of its fields.
        threads: How many threads sync endpoints share in this process; 40 by default. Requests that hold something in
            a dependency with `yield` have as many of their own.
        mounted_lifespans: Whether the lifespans of mounted applications are run in this one; say False where the
            program starts them itself.
    """

    router: APIRouter

    def __init__(
        self: AppType,
        *,
        debug: bool = False,
        routes: Sequence[BaseRoute] | None = None,
        title: str = "Portico",
        summary: str | None = None,
        description: str = "",
        version: str = "0.1.0",
        openapi_url: str | None = "/openapi.json",
        openapi_tags: list[dict[str, Any]] | None = None,
        servers: list[dict[str, Any]] | None = None,
        dependencies: Sequence[Depends] | None = None,
        default_response_class: type[Response] = DEFAULT_RESPONSE_CLASS,
        redirect_slashes: bool = True,
        docs_url: str | None = "/docs",
        redoc_url: str | None = "/redoc",
        swagger_ui_oauth2_redirect_url: str | None = "/docs/oauth2-redirect",
        swagger_ui_init_oauth: dict[str, Any] | None = None,
        middleware: Sequence[Middleware] | None = None,
        exception_handlers: Mapping[int | type[Exception], Callable[[Any, Any], Any]] | None = None,
        on_startup: Sequence[Callable[[], Any]] | None = None,
        on_shutdown: Sequence[Callable[[], Any]] | None = None,
        lifespan: Lifespan[AppType] | None = None,
        terms_of_service: str | None = None,
        contact: dict[str, Any] | None = None,
        license_info: dict[str, Any] | None = None,
        root_path: str = "",
        root_path_in_servers: bool = True,
        responses: dict[int | str, dict[str, Any]] | None = None,
        callbacks: list[BaseRoute] | None = None,
        webhooks: APIRouter | None = None,
        deprecated: bool | None = None,
        include_in_schema: bool = True,
        swagger_ui_parameters: dict[str, Any] | None = None,
        generate_unique_id_function: Callable[[APIRoute], str] = DEFAULT_UNIQUE_ID,
        separate_input_output_schemas: bool = True,
        openapi_external_docs: dict[str, Any] | None = None,
        strict_content_type: bool = True,
        max_body_size: int | None = None,
        form_limits: FormLimits | None = None,
        threads: int | None = None,
        mounted_lifespans: bool = True,
        error_format: ErrorFormat | None = None,
    ) -> None:
        super().__init__(
            debug,
            middleware=middleware,
            exception_handlers=exception_handlers,
            max_body_size=max_body_size,
            threads=threads,
        )
        self.error_format = error_format
        if error_format is not None:
            self.exception_handlers = error_format.exception_handlers() | self.exception_handlers
            self.exception_handlers.setdefault(500, error_format.answer_server_error)
        self.exception_handlers.setdefault(HTTPException, http_exception_handler)
        self.exception_handlers.setdefault(RequestValidationError, request_validation_exception_handler)
        self.exception_handlers.setdefault(
            WebSocketRequestValidationError, websocket_request_validation_exception_handler
        )
        self.title = title
        self.summary = summary
        self.description = description
        self.version = version
        self.terms_of_service = terms_of_service
        self.contact = contact
        self.license_info = license_info
        self.openapi_url = openapi_url
        self.openapi_tags = openapi_tags
        self.openapi_external_docs = openapi_external_docs
        self.openapi_version = "3.1.0"
        self.openapi_schema: dict[str, Any] | None = None
        self._built_schema: tuple[dict[str, Any] | None, int] = None, 0
        self.servers = servers or []
        self.separate_input_output_schemas = separate_input_output_schemas
        self.docs_url = docs_url
        self.redoc_url = redoc_url
        self.swagger_ui_oauth2_redirect_url = swagger_ui_oauth2_redirect_url
        self.swagger_ui_init_oauth = swagger_ui_init_oauth
        self.swagger_ui_parameters = swagger_ui_parameters
        self.root_path_in_servers = root_path_in_servers
        self.root_path = root_path
        if root_path:
            warnings.warn(
                "The `root_path` parameter is deprecated. Give it to the server instead: `portico run --root-path ...`",
                PorticoDeprecationWarning,
                stacklevel=2,
            )
        if openapi_url and not (title and version):
            raise ValueError(f"an OpenAPI document needs a title and a version, got {title!r} and {version!r}")
        self.webhooks = webhooks or APIRouter()
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.app_dependencies = AppDependencies()
        self.router = APIRouter(
            routes=routes,
            redirect_slashes=redirect_slashes,
            dependency_overrides_provider=self,
            on_startup=on_startup,
            on_shutdown=on_shutdown,
            lifespan=lifespan,
            default_response_class=default_response_class,
            dependencies=dependencies,
            callbacks=callbacks,
            deprecated=deprecated,
            include_in_schema=include_in_schema,
            responses=responses,
            generate_unique_id_function=generate_unique_id_function,
            strict_content_type=strict_content_type,
            form_limits=form_limits,
            mounted_lifespans=mounted_lifespans,
        )
        check_max_body_size(max_body_size)
        self.router.max_body_size = max_body_size  # for what it includes; for itself the application's own layer does
        self.setup()

    def setup(self) -> None:
        """Add the routes of the OpenAPI document and its pages."""
        from portico.web.openapi.pages import add_documentation

        add_documentation(self)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, built when it is first asked for, and again after a change of the routes.

        One that was put into `openapi_schema` is left alone.
        """
        routes, webhooks = self.routes, self.webhooks.routes
        built, changes = self._built_schema
        now = self.router.changes + self.webhooks.changes
        if not self.openapi_schema or (self.openapi_schema is built and changes != now):
            from portico.web.openapi.utils import get_openapi

            self.openapi_schema = get_openapi(
                title=self.title,
                version=self.version,
                openapi_version=self.openapi_version,
                summary=self.summary,
                description=self.description,
                terms_of_service=self.terms_of_service,
                contact=self.contact,
                license_info=self.license_info,
                routes=routes,
                webhooks=webhooks,
                tags=self.openapi_tags,
                servers=self.servers,
                separate_input_output_schemas=self.separate_input_output_schemas,
                external_docs=self.openapi_external_docs,
            )
            self._built_schema = self.openapi_schema, now
        return self.openapi_schema

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application's layers around its router."""
        refuse_handlers(self.exception_handlers)
        app = super().build_middleware_stack()
        return RootPath(app, self.root_path) if self.root_path else app

    async def resolve(self, dependency: Callable[..., Any]) -> Any:
        """Return the value of a dependency of scope "app", for code outside requests.

        Raises:
            DependencyScopeError: If it asks for something of a request, or for dependencies of another scope.
        """
        overrides = self.dependency_overrides
        dependant = get_dependant(path="", call=overrides.get(dependency, dependency), scope="app")
        return await self.app_dependencies.value(overridden(dependant, overrides, frozenset((dependency,))))

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Unpack[AddOptions]) -> None:
        _check_slash(path)
        self.router.add_api_route(path, endpoint, **options)

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        *,
        dependencies: Sequence[Depends] | None = None,
    ) -> None:
        _check_slash(path)
        self.router.add_api_websocket_route(path, endpoint, name=name, dependencies=dependencies)

    def add_websocket_route(
        self, path: str, endpoint: Callable[[WebSocket], Awaitable[None]], name: str | None = None
    ) -> None:
        self.router.add_websocket_route(path, endpoint, name=name)

    def include_router(self, router: APIRouter, **options: Unpack[IncludeOptions]) -> None:
        """Show the routes of a router among its own, now and whenever that changes; see `IncludeOptions`."""
        self.router.include_router(router, **options)

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
        self.router.frontend(path, directory=directory, fallback=fallback, check_dir=check_dir)

    def add_event_handler(self, event_type: str, func: Callable[[], Any]) -> None:
        """Add a function for "startup" or "shutdown"; a `lifespan` replaces both."""
        self.router.add_event_handler(event_type, func)

    @deprecated(ON_EVENT)
    def on_event(self, event_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Add a function for "startup" or "shutdown"."""

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_event_handler(event_type, func)
            return func

        return decorate

    def middleware(self, middleware_type: str) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Put a function of a request and of what calls the rest around what there is; its type is "http"."""
        if middleware_type != "http":
            raise ValueError(f"the only type of middleware is 'http', got {middleware_type!r}")

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_middleware(BaseHTTPMiddleware, dispatch=func)
            return func

        return decorate

    def exception_handler(
        self, exc_class_or_status_code: int | type[Exception]
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Let a function of the request and the exception answer a status or a class of exceptions."""

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_exception_handler(exc_class_or_status_code, func)
            return func

        return decorate


def _check_slash(path: str) -> None:
    """Refuse the path of a route of the application that no request could have; a router's may be the rest of one."""
    if path and not path.startswith("/"):
        raise RouteError(f"a path must start with '/', got {path!r}")


class RootPath:
    """Tells what is inside which part of the path a proxy has taken off.

    Args:
        app: The application inside.
        root_path: That part.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self.root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["root_path"] = self.root_path
        await self.app(scope, receive, send)
