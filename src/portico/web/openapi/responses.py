"""The responses of an operation: its own, and those that it declares besides."""

import inspect
from collections.abc import Mapping
from copy import deepcopy
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from portico.web.datastructures import DefaultPlaceholder
from portico.web.errorformats import ErrorFormat
from portico.web.openapi.components import Schemas
from portico.web.openapi.described import Operable
from portico.web.openapi.errors import error_field, is_error
from portico.web.plan.annotations import lenient_issubclass
from portico.web.responses import JSONResponse, Response
from portico.web.utils import is_body_allowed_for_status_code

RANGES = {
    "1XX": "Information",
    "2XX": "Success",
    "3XX": "Redirection",
    "4XX": "Client Error",
    "5XX": "Server Error",
    "DEFAULT": "Default Response",
}
PHRASES = {status.value: status.phrase for status in HTTPStatus}


def responses(route: Operable, errors: ErrorFormat | None, schemas: Schemas) -> dict[str, Any]:
    """Return the Response Objects of a route by status, without the one to a bad request."""
    response_class = class_of(route)
    own: dict[str, Any] = {"description": route.response_description}
    if is_body_allowed_for_status_code(route.status_code):
        content = _content(route, response_class, schemas)
        if content:
            own["content"] = content
    found = {_status(route, response_class): own}
    if not route.responses:
        return found
    found = deepcopy(found)  # other fields of the same types share what is in their schemas
    media_type = response_class.media_type or "application/json"
    for status, declared in route.responses.items():
        field = route.response_fields.get(status) or error_field(errors, status, declared)
        schema = None if field is None else schemas.of(field)
        shown_as = errors.media_type if errors is not None and is_error(status) else media_type
        _add(found, status, declared, schema, shown_as)
    return found


def class_of(route: Operable) -> type[Response]:
    """Return the class of the route's responses."""
    response_class = route.response_class
    return response_class.value if isinstance(response_class, DefaultPlaceholder) else response_class


def _status(route: Operable, response_class: type[Response]) -> str:
    default = _status_of(response_class)  # type: ignore[arg-type]  # classes can be hashed
    status = default if route.status_code is None else int(route.status_code)
    return str(status)


@lru_cache
def _status_of(response_class: type[Response]) -> int:
    """Return the status that responses of the class have by default."""
    parameter = inspect.signature(response_class.__init__).parameters.get("status_code")
    return parameter.default if parameter is not None and isinstance(parameter.default, int) else 200


def _content(route: Operable, response_class: type[Response], schemas: Schemas) -> dict[str, Any]:
    """Return the Media Type Objects of what the endpoint returns, or yields."""
    item = route.stream_item_field
    if route.is_json_stream:
        return {"application/jsonl": {"itemSchema": schemas.of(item) if item else {}}}
    if route.is_sse_stream:
        return {"text/event-stream": {"itemSchema": _event_schema(schemas.of(item) if item else None)}}
    if not response_class.media_type:
        return {}
    if not lenient_issubclass(response_class, JSONResponse):
        return {response_class.media_type: {"schema": {"type": "string"}}}
    field = route.response_field
    return {response_class.media_type: {"schema": schemas.of(field) if field else {}}}


def _event_schema(content: dict[str, Any] | None) -> dict[str, Any]:
    """Return the schema of a server-sent event whose data is JSON of that schema, or any text."""
    data: dict[str, Any] = {"type": "string"}
    if content is not None:
        data |= {"contentMediaType": "application/json", "contentSchema": content}
    fields = {
        "data": data,
        "event": {"type": "string"},
        "id": {"type": "string"},
        "retry": {"type": "integer", "minimum": 0},
    }
    schema: dict[str, Any] = {"type": "object", "properties": fields}
    return schema if content is None else {**schema, "required": ["data"]}


def _add(
    found: dict[str, Any],
    status: int | str,
    declared: Mapping[str, Any],
    schema: dict[str, Any] | None,
    media_type: str,
) -> None:
    """Merge a response of `responses=` into those found so far."""
    extra = deepcopy({key: value for key, value in declared.items() if key != "model"})
    if schema is not None:
        media = extra.setdefault("content", {}).setdefault(media_type, {})
        merge(media.setdefault("schema", {}), deepcopy(schema))
    key = str(status).upper()
    response = found.setdefault("default" if key == "DEFAULT" else key, {})
    phrase = RANGES.get(key) or _phrase(status)
    description = extra.get("description") or response.get("description") or phrase
    merge(response, extra)
    response["description"] = description


def _phrase(status: int | str) -> str:
    try:
        code = int(status)
    except ValueError:
        raise ValueError(
            f"responses= are by status, such as 404, '4XX' or 'default', got {status!r}: say which responses it is for"
        ) from None
    return PHRASES.get(code, "Additional Response")


def merge(into: dict[str, Any], extra: Mapping[str, Any]) -> None:
    """Add what the other has: objects are merged, lists joined, anything else is replaced."""
    for key, value in extra.items():
        there = into.get(key)
        if isinstance(there, dict) and isinstance(value, dict):
            merge(there, value)
        elif isinstance(there, list) and isinstance(value, list):
            into[key] = there + value
        else:
            into[key] = value
