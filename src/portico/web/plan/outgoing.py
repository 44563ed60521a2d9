"""A value that an endpoint gives, by its declared type: validated once, and JSON."""

import json
from collections.abc import Callable
from functools import partial
from math import isfinite
from typing import Any

from pydantic import BaseModel, ValidationError

from portico.asgi import Scope
from portico.web.encoders import is_struct, jsonable_encoder
from portico.web.exceptions import ResponseValidationError
from portico.web.plan.context import endpoint_context
from portico.web.plan.fields import ModelField, located
from portico.web.responses.data import dump_json, dump_plain

LOC = ("response",)


class Outgoing:
    """Makes JSON of what an endpoint gives.

    Args:
        call: The endpoint, for the errors.
        field: The declared type.
        options: The options of the serialisation that are not the default.
    """

    __slots__ = ("call", "convert", "dump", "exact", "field", "options", "validate")

    def __init__(self, call: Callable[..., Any] | None, field: ModelField, options: dict[str, Any]) -> None:
        self.call = call
        self.field = field
        self.options = options
        serializer = field.serializer
        self.validate = field.validator.validate_python
        self.dump: Callable[[Any], bytes] = partial(serializer.to_json, **options)
        self.convert: Callable[[Any], Any] = partial(serializer.to_python, mode="json", **options)
        self.exact = _exact_model(field)

    def json(self, value: Any, scope: Scope | None) -> bytes:
        """Return the value as JSON.

        Raises:
            ResponseValidationError: If it is not of the declared type.
        """
        # An instance of the very model has been validated when it was made.
        return self.dump(value if type(value) is self.exact else self.valid(value, scope))

    def jsonable(self, value: Any, scope: Scope | None) -> Any:
        """Return the value as what JSON has.

        Raises:
            ResponseValidationError: If it is not of the declared type.
        """
        return self.convert(value if type(value) is self.exact else self.valid(value, scope))

    def valid(self, value: Any, scope: Scope | None) -> Any:
        """Return the value as the declared type has it."""
        try:
            return self.validate(value, from_attributes=True)
        except ValidationError as error:
            errors = located(error, LOC)
        raise ResponseValidationError(errors, body=value, endpoint_ctx=_context(self.call, scope))


def _exact_model(field: ModelField) -> type | None:
    """Return the class whose instances need no validation."""
    kind = field.field_info.annotation
    if not isinstance(kind, type) or field.field_info.metadata:
        return None
    try:
        is_model = issubclass(kind, BaseModel)
    except TypeError:  # an alias such as list[int]
        return None
    if is_model and kind.model_config.get("revalidate_instances") != "always":
        return kind
    return None


def _context(call: Callable[..., Any] | None, scope: Scope | None) -> Any:
    if scope is None:
        return endpoint_context(call, "", {}, None)
    path = getattr(scope.get("route"), "path_format", None)
    return endpoint_context(call, scope.get("method", ""), scope, path)


def options_of(
    *,
    include: Any = None,
    exclude: Any = None,
    by_alias: bool = True,
    exclude_unset: bool = False,
    exclude_defaults: bool = False,
    exclude_none: bool = False,
) -> dict[str, Any]:
    """Return the options that are not pydantic's defaults: the fewer they are, the less there is to do each time."""
    options: dict[str, Any] = {"by_alias": bool(by_alias)}
    if include is not None:
        options["include"] = include
    if exclude is not None:
        options["exclude"] = exclude
    if exclude_unset:
        options["exclude_unset"] = True
    if exclude_defaults:
        options["exclude_defaults"] = True
    if exclude_none:
        options["exclude_none"] = True
    return options


def untyped_json(value: Any, scope: Scope | None = None) -> bytes:
    """Return a value without declared type as JSON."""
    encoded = dump_plain(value)
    if encoded is not None:
        return encoded
    if is_struct(value):
        return dump_json(value)
    return dump_json(jsonable_encoder(value))


def untyped_text(value: Any) -> str:
    """Return an item of a stream without declared type as JSON; what is no number in JSON is null there."""
    jsonable = jsonable_encoder(value)
    try:
        return json.dumps(jsonable, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(jsonable))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
