"""The options of a path operation, documented here once, and the verbs that take them.

`Portico` and `APIRouter` share the verbs; both lead to `add_api_route`.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from portico.web.types import DecoratedCallable, IncEx

if TYPE_CHECKING:
    from portico.web.params import Depends
    from portico.web.plan.forms import FormLimits
    from portico.web.responses import Response
    from portico.web.routing.api import APIRoute
    from portico.web.routing.routes import BaseRoute
    from portico.web.websockets import WebSocket

Tags = Sequence[str | Enum]
Responses = dict[int | str, dict[str, Any]]


class OperationOptions(TypedDict, total=False):
    """What a path operation may be given beside its path and its function."""

    response_model: Any
    """The type that the result is validated and serialised as; the function's return annotation by default."""
    status_code: int | None
    """The status of the response; 200 by default."""
    tags: "list[str | Enum] | None"
    """The groups that the documentation shows it in."""
    dependencies: "Sequence[Depends] | None"
    """Dependencies that are called for what they do, not for what they give."""
    summary: str | None
    """Its title in the documentation; made of the function's name by default."""
    description: str | None
    """What the documentation says about it; the function's docstring by default."""
    response_description: str
    """What the documentation says about its response."""
    responses: "Responses | None"
    """Further responses for the documentation, by status: `model`, `description` and other fields of OpenAPI."""
    deprecated: bool | None
    """Whether the documentation strikes it through."""
    operation_id: str | None
    """Its id in the OpenAPI document; made by `generate_unique_id_function` by default."""
    response_model_include: IncEx | None
    """The only fields of the result that are sent."""
    response_model_exclude: IncEx | None
    """Fields of the result that are not sent."""
    response_model_by_alias: bool
    """Whether fields are sent under their aliases; they are by default."""
    response_model_exclude_unset: bool
    """Whether fields that were not set are left out."""
    response_model_exclude_defaults: bool
    """Whether fields that have their default are left out."""
    response_model_exclude_none: bool
    """Whether fields that are None are left out."""
    include_in_schema: bool
    """Whether the documentation shows it."""
    response_class: "type[Response]"
    """What makes a response of the result; JSON by default."""
    name: str | None
    """Its name for `url_path_for`; the function's by default."""
    callbacks: "list[BaseRoute] | None"
    """Operations that its caller is expected to offer, for the documentation."""
    openapi_extra: dict[str, Any] | None
    """More fields of the operation in the OpenAPI document; they win."""
    generate_unique_id_function: "Callable[[APIRoute], str]"
    """Makes the id of the operation, which clients made of the document use as a name."""
    max_body_size: int | None
    """The most bytes that a request's body may have."""
    form_limits: "FormLimits | None"
    """The most fields and files of a form, and the most bytes of one of its fields."""


class MethodOptions(OperationOptions, total=False):
    """The options of an operation for several methods."""

    methods: "Sequence[str] | set[str] | None"
    """The methods that it answers; GET by default, with which comes HEAD."""


class AddOptions(MethodOptions, total=False):
    """The options of `add_api_route`."""

    strict_content_type: bool
    """Whether a body is JSON only if its content type says so; it is by default."""
    route_class_override: "type[APIRoute] | None"
    """The class of this route, instead of the router's `route_class`."""


class RouteOptions(MethodOptions, total=False):
    """The options of a route by itself."""

    strict_content_type: bool
    """Whether a body is JSON only if its content type says so; it is by default."""
    dependency_overrides_provider: Any
    """The application whose `dependency_overrides` count."""


class IncludeOptions(TypedDict, total=False):
    """What a router's routes get from being included."""

    prefix: str
    """What their paths begin with."""
    tags: "list[str | Enum] | None"
    """Tags before their own."""
    dependencies: "Sequence[Depends] | None"
    """Dependencies that are called before their own."""
    default_response_class: "type[Response]"
    """The response class of those that have none."""
    responses: "Responses | None"
    """Responses for the documentation beside their own."""
    callbacks: "list[BaseRoute] | None"
    """Callbacks before their own."""
    deprecated: bool | None
    """Whether the documentation strikes all of them through."""
    include_in_schema: bool
    """Whether the documentation shows them."""
    generate_unique_id_function: "Callable[[APIRoute], str]"
    """Makes the ids of those that have no such function."""
    max_body_size: int | None
    """The most bytes of a body, where neither they nor their router say something."""
    form_limits: "FormLimits | None"
    """Limits of forms, where neither they nor their router say something."""


def check_path(path: Any) -> None:
    """Raise TypeError where a decorator is used without parentheses."""
    if not isinstance(path, str):
        raise TypeError(f'a route begins with its path, got {path!r}: write @app.get("/path"), with the parentheses')


class Operations:
    """The verbs, each a decorator of the function that answers it."""

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Unpack[AddOptions]) -> None:
        """Add a path operation without a decorator."""
        raise NotImplementedError

    def api_route(
        self, path: str, **options: Unpack[MethodOptions]
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer several methods; GET by default."""
        check_path(path)

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_api_route(path, func, **options)
            return func

        return decorate

    def get(self, path: str, **options: Unpack[OperationOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer GET, and HEAD with it."""
        return self.api_route(path, methods=["GET"], **options)

    def put(self, path: str, **options: Unpack[OperationOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer PUT."""
        return self.api_route(path, methods=["PUT"], **options)

    def post(self, path: str, **options: Unpack[OperationOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer POST."""
        return self.api_route(path, methods=["POST"], **options)

    def delete(
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer DELETE."""
        return self.api_route(path, methods=["DELETE"], **options)

    def options(
        self, path: str, **options: Unpack[OperationOptions]
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer OPTIONS."""
        return self.api_route(path, methods=["OPTIONS"], **options)

    def head(self, path: str, **options: Unpack[OperationOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer HEAD, before what a GET of the same path would."""
        return self.api_route(path, methods=["HEAD"], **options)

    def patch(self, path: str, **options: Unpack[OperationOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer PATCH."""
        return self.api_route(path, methods=["PATCH"], **options)

    def trace(self, path: str, **options: Unpack[OperationOptions]) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Answer TRACE."""
        return self.api_route(path, methods=["TRACE"], **options)

    def add_api_websocket_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        name: str | None = None,
        *,
        dependencies: "Sequence[Depends] | None" = None,
    ) -> None:
        """Add a typed function of a WebSocket without a decorator."""
        raise NotImplementedError

    def websocket(
        self, path: str, name: str | None = None, *, dependencies: "Sequence[Depends] | None" = None
    ) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Hold the conversations on a path, with a typed function of a WebSocket."""
        check_path(path)

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_api_websocket_route(path, func, name=name, dependencies=dependencies)
            return func

        return decorate

    def add_websocket_route(
        self, path: str, endpoint: Callable[["WebSocket"], Awaitable[None]], name: str | None = None
    ) -> None:
        """Add a plain function of a WebSocket. The path is the whole path."""
        raise NotImplementedError

    def websocket_route(self, path: str, name: str | None = None) -> Callable[[DecoratedCallable], DecoratedCallable]:
        """Hold the conversations on a path, with a plain function of a WebSocket. The path is the whole path."""

        def decorate(func: DecoratedCallable) -> DecoratedCallable:
            self.add_websocket_route(path, func, name=name)
            return func

        return decorate
