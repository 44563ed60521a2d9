"""What answers the requests of a typed endpoint, made of what its signature and its options say."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, TypedDict, Unpack

from portico.web.datastructures import DefaultPlaceholder
from portico.web.plan.annotations import lenient_issubclass
from portico.web.plan.bodies import BodyPlan, FormLimits
from portico.web.plan.callables import is_async_generator, is_generator
from portico.web.plan.dependant import Dependant
from portico.web.plan.fields import ModelField
from portico.web.plan.handler import RequestHandler, WebSocketHandler
from portico.web.plan.results import ResultPlan
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing.options import DEFAULT_RESPONSE_CLASS
from portico.web.sse import EventSourceResponse
from portico.web.types import IncEx
from portico.web.websockets import WebSocket

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class HandlerOptions(TypedDict, total=False):
    """What `get_request_handler` takes beside the endpoint; see `OperationOptions`."""

    body_field: ModelField | None
    status_code: int | None
    response_class: type[Response] | DefaultPlaceholder
    response_field: ModelField | None
    response_model_include: IncEx | None
    response_model_exclude: IncEx | None
    response_model_by_alias: bool
    response_model_exclude_unset: bool
    response_model_exclude_defaults: bool
    response_model_exclude_none: bool
    dependency_overrides_provider: Any
    embed_body_fields: bool
    strict_content_type: bool | DefaultPlaceholder
    stream_item_field: ModelField | None
    is_json_stream: bool
    form_limits: FormLimits | None


def get_request_handler(dependant: Dependant, **options: Unpack[HandlerOptions]) -> Handler:
    """Return what answers the requests for an endpoint, as an async function from request to response."""
    response_class = options.get("response_class", DEFAULT_RESPONSE_CLASS)
    strict_content_type = options.get("strict_content_type", True)
    assert dependant.call is not None
    result = ResultPlan(
        call=dependant.call,
        field=options.get("response_field"),
        stream_item_field=options.get("stream_item_field"),
        response_class=response_class,
        status_code=options.get("status_code"),
        include=options.get("response_model_include"),
        exclude=options.get("response_model_exclude"),
        by_alias=options.get("response_model_by_alias", True),
        exclude_unset=options.get("response_model_exclude_unset", False),
        exclude_defaults=options.get("response_model_exclude_defaults", False),
        exclude_none=options.get("response_model_exclude_none", False),
        is_sse_stream=streams(dependant.call) and makes_events(response_class),
        is_json_stream=options.get("is_json_stream", False),
    )
    body = functools.partial(
        BodyPlan, strict_content_type=bool(strict_content_type), form_limits=options.get("form_limits")
    )
    return RequestHandler(
        dependant, body=body, result=result, overrides_provider=options.get("dependency_overrides_provider")
    )


def get_websocket_app(
    dependant: Dependant, dependency_overrides_provider: Any = None, embed_body_fields: bool = False
) -> Callable[[WebSocket], Coroutine[Any, Any, None]]:
    """Return what holds the conversations of an endpoint, as an async function of a WebSocket."""
    return WebSocketHandler(dependant, overrides_provider=dependency_overrides_provider)


def streams(endpoint: Callable[..., Any] | None) -> bool:
    """Tell whether the endpoint is a generator, whose items are sent one by one."""
    return is_async_generator(endpoint) or is_generator(endpoint)


def makes_events(response_class: Any) -> bool:
    """Tell whether a response class, or the mark for a default one, is for server-sent events."""
    return lenient_issubclass(response_class, EventSourceResponse)
