"""Typed routes: a path and a function whose signature says what it wants of the request and what it gives.

The signature is read when the route is made, so that mistakes show there. What answers requests is made of it at the
first one.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from enum import Enum, IntEnum
from typing import Any, ForwardRef, Unpack

from portico.asgi import ASGIApp
from portico.web.datastructures import Default, DefaultPlaceholder
from portico.web.exceptions import DefinitionError
from portico.web.middleware.body_limit import RequestBodyLimitMiddleware
from portico.web.params import Depends
from portico.web.plan.annotations import lenient_issubclass
from portico.web.plan.bodies import (
    FormLimits,
    check_form_limits,
    flat_body_params,
    get_body_field,
    should_embed,
)
from portico.web.plan.context import note_place
from portico.web.plan.dependant import Dependant
from portico.web.plan.fields import ModelField, create_model_field
from portico.web.plan.handler import request_response, websocket_session
from portico.web.plan.peers import response_types
from portico.web.plan.signature import get_stream_item_type, get_typed_return_annotation
from portico.web.responses import Response
from portico.web.routing.handlers import Handler, get_websocket_app, makes_events, streams
from portico.web.routing.layers import RouterLayers
from portico.web.routing.operations import RouteOptions
from portico.web.routing.options import (
    DEFAULT_RESPONSE_CLASS,
    DEFAULT_STRICT,
    DEFAULT_UNIQUE_ID,
    check_max_body_size,
    check_options,
)
from portico.web.routing.paths import RouteError, Template
from portico.web.routing.routes import BaseRoute, Route, WebSocketRoute, get_name
from portico.web.routing.signatures import read_signature, signature_of
from portico.web.sse import ServerSentEvent
from portico.web.types import IncEx
from portico.web.utils import is_body_allowed_for_status_code


class APIRoute(Route):
    """Leads requests to a typed function.

    Args:
        path: The path template. It may be empty, or no path at all, where the route is not served as it is: in a
            router that is included below a prefix, in callbacks and webhooks.
        endpoint: The function, or another callable with a signature.
        options: See `OperationOptions` and `RouteOptions`.
    """

    response_model: Any = None
    status_code: int | None = None
    tags: list[str | Enum]
    dependencies: list[Depends]
    summary: str | None = None
    description: str
    response_description: str = "Successful Response"
    responses: dict[int | str, dict[str, Any]]
    deprecated: bool | None = None
    operation_id: str | None = None
    response_model_include: IncEx | None = None
    response_model_exclude: IncEx | None = None
    response_model_by_alias: bool = True
    response_model_exclude_unset: bool = False
    response_model_exclude_defaults: bool = False
    response_model_exclude_none: bool = False
    include_in_schema: bool = True
    response_class: type[Response] | DefaultPlaceholder = DEFAULT_RESPONSE_CLASS
    dependency_overrides_provider: Any = None
    callbacks: list[BaseRoute] | None = None
    openapi_extra: dict[str, Any] | None = None
    generate_unique_id_function: Callable[[Any], str] | DefaultPlaceholder = DEFAULT_UNIQUE_ID
    strict_content_type: bool | DefaultPlaceholder = DEFAULT_STRICT
    max_body_size: int | None = None
    form_limits: FormLimits

    methods: set[str]
    dependant: Dependant
    signature_read: tuple[Any, Any]
    stream_item_type: Any = None
    layers: Sequence[RouterLayers] = ()  # of the routers that the route is included with, the innermost first

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Unpack[RouteOptions]) -> None:
        check_options(type(self).__name__, options, RouteOptions.__optional_keys__)
        if not callable(endpoint):
            raise RouteError(f"An endpoint must be a callable, got {endpoint!r} for {path!r}")
        _check_values(options)
        vars(self).update(options)
        self.endpoint = endpoint
        self.path = path
        template = Template(path)
        self.path_format = template.format
        self.param_convertors = template.param_convertors
        self.name = options.get("name") or get_name(endpoint)
        methods = options.get("methods")
        self.methods = {"GET"} if methods is None else {method.upper() for method in methods}
        if isinstance(self.status_code, IntEnum):
            self.status_code = int(self.status_code)
        self.tags = options.get("tags") or []
        self.responses = options.get("responses") or {}
        self.dependencies = list(options.get("dependencies") or ())
        self.description = options.get("description") or inspect.cleandoc(endpoint.__doc__ or "")
        self.description = self.description.split("\f")[0].strip()
        check_max_body_size(self.max_body_size)
        self.form_limits = check_form_limits(options.get("form_limits"))
        self.dependant = read_signature(self.path_format, endpoint, self.dependencies)
        self.signature_read = signature_of(endpoint)
        try:
            self._find_types(options.get("response_model", Default(None)))
        except Exception as error:
            note_place(error, endpoint)
            raise

    def _find_types(self, response_model: Any) -> None:
        """Find out what the endpoint gives, and whether there can be such a response."""
        if isinstance(response_model, DefaultPlaceholder):
            response_model = get_typed_return_annotation(self.endpoint)
            if isinstance(response_model, ForwardRef):
                raise DefinitionError(
                    f"{self.name!r} is annotated to return {response_model.__forward_arg__!r}, which names something "
                    "that its module does not have when the route is made: define it before, in the module itself, or "
                    "import it at run time"
                )
            if lenient_issubclass(response_model, response_types()):
                response_model = None
            elif streams(self.endpoint) and (item := get_stream_item_type(response_model)) is not None:
                response_model = None
                typed = isinstance(self.response_class, DefaultPlaceholder) or makes_events(self.response_class)
                if typed and not lenient_issubclass(item, ServerSentEvent):
                    self.stream_item_type = item
        self.response_model = response_model
        if response_model:
            _check_body_allowed(self.status_code)
        # Read here for the sake of what is wrong with the types.
        self.response_field  # noqa: B018
        self.stream_item_field  # noqa: B018
        self.response_fields  # noqa: B018

    @property
    def is_sse_stream(self) -> bool:
        """Whether the endpoint is a generator whose items are server-sent events."""
        return streams(self.dependant.call) and makes_events(self.response_class)

    @property
    def is_json_stream(self) -> bool:
        """Whether the endpoint is a generator whose items are lines of JSON."""
        return streams(self.dependant.call) and isinstance(self.response_class, DefaultPlaceholder)

    @functools.cached_property
    def unique_id(self) -> str:
        """The id of the operation."""
        generate = self.generate_unique_id_function
        if isinstance(generate, DefaultPlaceholder):
            generate = generate.value
        return self.operation_id or generate(self)

    @functools.cached_property
    def response_field(self) -> ModelField | None:
        """What the result is validated and serialised as."""
        return self._field("Response", self.response_model) if self.response_model else None

    @functools.cached_property
    def stream_item_field(self) -> ModelField | None:
        """What each item of a stream is validated and serialised as."""
        return self._field("StreamItem", self.stream_item_type) if self.stream_item_type else None

    @functools.cached_property
    def response_fields(self) -> dict[int | str, ModelField]:
        """The models of further responses, by status, for the documentation."""
        fields: dict[int | str, ModelField] = {}
        for status, response in self.responses.items():
            if not isinstance(response, dict):
                raise RouteError(f"An additional response must be a dict, got {response!r} for {status!r}")
            model = response.get("model")
            if model:
                _check_body_allowed(status)
                fields[status] = self._field(f"Response_{status}", model)
        return fields

    def _field(self, kind: str, type_: Any) -> ModelField:
        return create_model_field(name=f"{kind}_{self.unique_id}", type_=type_, mode="serialization")

    @functools.cached_property
    def _embed_body_fields(self) -> bool:
        return should_embed(flat_body_params(self.dependant))

    @functools.cached_property
    def body_field(self) -> ModelField | None:
        """The body as one field, for the documentation."""
        params = flat_body_params(self.dependant)
        return get_body_field(params, name=self.unique_id, embed=self._embed_body_fields)

    @functools.cached_property
    def app(self) -> ASGIApp:  # type: ignore[override]
        """What answers the requests; made at the first one."""
        app = request_response(self.get_route_handler())
        around = getattr(self.dependency_overrides_provider, "max_body_size", None)
        if self.max_body_size is not None and self.max_body_size != around:
            app = RequestBodyLimitMiddleware(app, max_body_size=self.max_body_size)
        for layer in self.layers:
            app = layer.around(app)
        return app

    def get_route_handler(self) -> Handler:
        """Return an async function from request to response. Override it to do something around that of the route."""
        from portico.web import routing

        # Looked up there because tracers replace it.
        return routing.get_request_handler(
            dependant=self.dependant,
            status_code=self.status_code,
            response_class=self.response_class,
            response_field=self.response_field,
            response_model_include=self.response_model_include,
            response_model_exclude=self.response_model_exclude,
            response_model_by_alias=self.response_model_by_alias,
            response_model_exclude_unset=self.response_model_exclude_unset,
            response_model_exclude_defaults=self.response_model_exclude_defaults,
            response_model_exclude_none=self.response_model_exclude_none,
            dependency_overrides_provider=self.dependency_overrides_provider,
            strict_content_type=self.strict_content_type,
            stream_item_field=self.stream_item_field,
            is_json_stream=self.is_json_stream,
            form_limits=self.form_limits,
        )

    @property
    def answers_head(self) -> bool:
        """Whether the route answers HEAD where no other one does."""
        return "GET" in self.methods


class APIWebSocketRoute(WebSocketRoute):
    """Leads WebSockets to a typed function.

    Args:
        path: The path template.
        endpoint: An async function that takes the WebSocket, and whatever else of the handshake.
        name: Its name for `url_path_for`; the function's by default.
        dependencies: Dependencies that are called for what they do, not for what they give.
        dependency_overrides_provider: The application whose `dependency_overrides` count.
    """

    layers: Sequence[RouterLayers] = ()

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        name: str | None = None,
        dependencies: Sequence[Depends] | None = None,
        dependency_overrides_provider: Any = None,
    ) -> None:
        self.path = path
        template = Template(path)
        self.path_format = template.format
        self.param_convertors = template.param_convertors
        self.endpoint = endpoint
        self.name = get_name(endpoint) if name is None else name
        self.dependencies = list(dependencies or ())
        self.dependency_overrides_provider = dependency_overrides_provider
        self.dependant = read_signature(self.path_format, endpoint, self.dependencies)
        self.signature_read = signature_of(endpoint)

    @functools.cached_property
    def app(self) -> ASGIApp:  # type: ignore[override]
        """What holds the conversations; made at the first one."""
        app = websocket_session(get_websocket_app(self.dependant, self.dependency_overrides_provider))
        for layer in self.layers:
            app = layer.around(app)
        return app


def _check_values(options: RouteOptions) -> None:
    """Refuse values that would be taken for something else, or only fail at the first request."""
    status = options.get("status_code")
    if status is not None and not isinstance(status, int):
        raise RouteError(f"a status_code must be an int such as 201, got {status!r}")


def _check_body_allowed(status: int | str | None) -> None:
    if not is_body_allowed_for_status_code(status):
        raise RouteError(
            f"Status code {status} must not have a response body: annotate the function to return None, or give it "
            "another status"
        )
