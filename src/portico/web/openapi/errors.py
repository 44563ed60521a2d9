"""What the document says about errors: the answer to a request that does not fit, and what declared errors hold."""

from collections.abc import Mapping
from typing import Any

from portico.web.errorformats import ErrorFormat
from portico.web.openapi.components import Schemas
from portico.web.openapi.constants import REF_PREFIX
from portico.web.plan.fields import ModelField

INVALID = 422
# What the framework's own answer to a request that does not fit holds. Programs that answer otherwise change these, or
# have an `ErrorFormat`.
validation_error_definition: dict[str, Any] = {
    "title": "ValidationError",
    "type": "object",
    "properties": {
        "loc": {
            "title": "Location",
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "msg": {"title": "Message", "type": "string"},
        "type": {"title": "Error Type", "type": "string"},
        "input": {"title": "Input"},
        "ctx": {"title": "Context", "type": "object"},
    },
    "required": ["loc", "msg", "type"],
}
validation_error_response_definition: dict[str, Any] = {
    "title": "HTTPValidationError",
    "type": "object",
    "properties": {"detail": {"title": "Detail", "type": "array", "items": {"$ref": f"{REF_PREFIX}ValidationError"}}},
}
INVALID_SCHEMAS = {
    "HTTPValidationError": validation_error_response_definition,
    "ValidationError": validation_error_definition,
}


def add_invalid(found: dict[str, Any], errors: ErrorFormat | None, schemas: Schemas) -> None:
    """Add the answer to a request that does not fit to the responses of an operation, unless they have one."""
    status = str(INVALID if errors is None else errors.validation_status)
    if found.keys().isdisjoint((status, f"{status[0]}XX", "default")):
        media_type = "application/json" if errors is None else errors.media_type
        content = {media_type: {"schema": _invalid_schema(errors, schemas)}}
        found[status] = {"description": "Validation Error", "content": content}


def _invalid_schema(errors: ErrorFormat | None, schemas: Schemas) -> dict[str, Any]:
    if errors is None or type(errors).validation_error is ErrorFormat.validation_error:
        schemas.definitions |= INVALID_SCHEMAS
        return {"$ref": f"{REF_PREFIX}HTTPValidationError"}
    return {} if errors.validation_field is None else schemas.of(errors.validation_field)


def is_error(status: int | str) -> bool:
    """Tell whether a status, or a range of them such as `4XX`, is an error."""
    return str(status).startswith(("4", "5"))


def error_field(errors: ErrorFormat | None, status: int | str, declared: Mapping[str, Any]) -> ModelField | None:
    """Return what a declared error holds in the format, None if its declaration says that, or the format does not."""
    if errors is None or not is_error(status) or declared.get("model") or "content" in declared:
        return None
    return errors.validation_field if str(status) == str(errors.validation_status) else errors.http_field
