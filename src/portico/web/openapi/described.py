"""What the document reads of a route."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from portico.web.datastructures import DefaultPlaceholder
from portico.web.errorformats import ErrorFormat
from portico.web.openapi.errors import error_field
from portico.web.openapi.parameters import Taken, taken_by
from portico.web.plan.dependant import Dependant
from portico.web.plan.fields import ModelField
from portico.web.responses import Response
from portico.web.routing import APIRoute, BaseRoute, RouteContext, iter_route_contexts
from portico.web.routing.layers import RouterLayers


class Operable(Protocol):
    """An APIRoute as it answers in the application, the options of the routers above it included."""

    path_format: str
    name: str
    methods: set[str]
    endpoint: Callable[..., Any]
    dependant: Dependant
    include_in_schema: bool
    tags: list[Any]
    summary: str | None
    description: str | None
    operation_id: str | None
    unique_id: str
    deprecated: bool | None
    body_field: ModelField | None
    status_code: int | None
    response_class: type[Response] | DefaultPlaceholder
    response_description: str
    response_field: ModelField | None
    response_fields: Mapping[int | str, ModelField]
    responses: Mapping[int | str, dict[str, Any]]
    stream_item_field: ModelField | None
    is_json_stream: bool
    is_sse_stream: bool
    callbacks: list[BaseRoute] | None
    layers: Sequence[RouterLayers]
    dependency_overrides_provider: Any
    openapi_extra: dict[str, Any] | None


class Described:
    """A route of the document, with what its dependencies take, its callbacks, and the format of its errors."""

    __slots__ = ("callbacks", "errors", "name", "path", "route", "taken")

    def __init__(self, route: Operable, *, path: str, name: str) -> None:
        self.route = route
        self.path = path
        self.name = name
        self.taken: Taken = taken_by(route.dependant)
        self.callbacks = described(route.callbacks or ())
        self.errors = _error_format(route)

    @property
    def takes_values(self) -> bool:
        """Whether requests may have values that do not fit."""
        return bool(self.route.body_field or self.taken.fields())


def _error_format(route: Operable) -> ErrorFormat | None:
    """Return the format of the innermost router that has one, else the application's."""
    for layers in route.layers:
        if layers.error_format is not None:
            return layers.error_format
    found: ErrorFormat | None = getattr(route.dependency_overrides_provider, "error_format", None)
    return found


def described(routes: Sequence[BaseRoute | RouteContext]) -> list[Described]:
    """Return those routes that the document shows."""
    found = []
    for context in iter_route_contexts(routes):
        route = cast(Operable, context)
        if isinstance(context.original_route, APIRoute) and route.include_in_schema:
            found.append(Described(route, path=str(context.path), name=route.name))
    return found


def fields_of(shown: Sequence[Described]) -> list[ModelField]:
    """Return all fields that have a schema in the document.

    The order decides the names of models that nothing but the order tells apart.
    """
    bodies: list[ModelField] = []
    results: list[ModelField] = []
    taken: list[ModelField] = []
    called_back: list[ModelField] = []
    errors: list[ModelField] = []
    for each in shown:
        route = each.route
        if route.body_field:
            bodies.append(route.body_field)
        results += _results(route)
        called_back += fields_of(each.callbacks)
        taken += each.taken.fields()
        errors += _errors(each)
    return called_back + bodies + results + taken + errors


def _results(route: Operable) -> Iterator[ModelField]:
    if route.response_field:
        yield route.response_field
    yield from (route.response_fields or {}).values()
    if route.stream_item_field:
        yield route.stream_item_field


def _errors(shown: Described) -> Iterator[ModelField]:
    if shown.errors is None:
        return
    if shown.takes_values and shown.errors.validation_field:
        yield shown.errors.validation_field
    for status, declared in shown.route.responses.items():
        field = error_field(shown.errors, status, declared)
        if field is not None:
            yield field
