"""A value that an endpoint gives, by its declared type: validated once, and JSON."""

import json
from collections.abc import Callable
from functools import partial
from inspect import iscoroutine
from math import isfinite
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from portico.asgi import Scope
from portico.web.encoders import jsonable_encoder
from portico.web.exceptions import ResponseValidationError
from portico.web.plan.annotations import is_struct, lenient_issubclass
from portico.web.plan.context import endpoint_context
from portico.web.plan.fields import ModelField, located
from portico.web.plan.structs import structs_within
from portico.web.responses.data import PLAIN, dump_json, dump_plain, is_faithful, kinds_in

LOC = ("response",)
BY_ALIAS = {"by_alias": True}


class Outgoing:
    """Makes JSON of what an endpoint gives.

    Args:
        call: The endpoint, for the errors.
        field: The declared type.
        options: The options of the serialisation that are not the default.
    """

    __slots__ = ("call", "convert", "dump", "dump_exact", "exact", "field", "options", "validate")

    def __init__(self, call: Callable[..., Any] | None, field: ModelField, options: dict[str, Any]) -> None:
        self.call = call
        self.field = field
        self.options = options
        serializer = field.serializer
        self.validate = field.validator.validate_python
        self.dump: Callable[[Any], bytes] = partial(serializer.to_json, **options)
        self.convert: Callable[[Any], Any] = partial(serializer.to_python, mode="json", **options)
        self.exact = _exact_class(field)
        self.dump_exact: Callable[[Any], bytes] = self.dump
        if self.exact is not None and is_struct(self.exact) and options == BY_ALIAS:
            self.dump_exact = _struct_encoder(self.exact, self.dump)

    def json(self, value: Any, scope: Scope | None) -> bytes:
        """Return the value as JSON.

        Raises:
            ResponseValidationError: If it is not of the declared type.
        """
        if type(value) is not self.exact:
            value = self.valid(value, scope)
            if type(value) is not self.exact:
                return self.dump(value)
        # An instance of the very model has been validated when it was made.
        return self.dump_exact(value)

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
        _check_result(value)
        raise ResponseValidationError(errors, body=value, endpoint_ctx=_context(self.call, scope))


def _exact_class(field: ModelField) -> type | None:
    """Return the class whose instances need no validation."""
    kind: Any = field.field_info.annotation
    if field.field_info.metadata:
        return None
    if lenient_issubclass(kind, BaseModel):
        return None if kind.model_config.get("revalidate_instances") == "always" else kind
    return kind if is_struct(kind) else None


def _struct_encoder(kind: type, dump: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Return the way to JSON for instances of just this struct: msgspec's, as long as that shows no more than declared.

    msgspec writes all that an instance of a derived struct has; where there may be one inside, pydantic writes it.
    """
    parts = structs_within(kind)
    if parts is None:
        return dump
    encode = msgspec.json.Encoder(enc_hook=jsonable_encoder).encode
    if not parts:
        return encode
    return lambda value: dump(value) if any(part.__subclasses__() for part in parts) else encode(value)


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
    encoded = dump_plain(value) or _dump_with_models(value)
    if encoded is not None:
        return encoded
    _check_result(value)
    return dump_json(jsonable_encoder(value))


def _check_result(value: Any) -> None:
    """Refuse what is surely not meant to be sent."""
    if iscoroutine(value):
        value.close()
        raise TypeError(f"the endpoint returned {value!r}, which nobody has awaited: write `return await ...`")
    if isinstance(value, BaseException):
        raise TypeError(f"the endpoint returned {value!r}, which is an exception: write `raise` instead of `return`")


def _dump_with_models(value: Any) -> bytes | None:
    """Return a value as JSON if it is made of JSON's types and of models alone, else None."""
    dumped: list[Any] = []

    def dump(part: Any) -> Any:
        if not isinstance(part, BaseModel):
            raise TypeError
        dumped.append(part.model_dump(mode="json", by_alias=True))
        return dumped[-1]

    floats: list[float] = []
    try:
        encoded = msgspec.json.Encoder(enc_hook=dump).encode(value)
        others = (kinds_in(value, floats) | kinds_in(dumped, floats)) - PLAIN
    except (TypeError, RecursionError):
        return None
    is_plain = all(issubclass(kind, BaseModel) for kind in others) and is_faithful(encoded, floats)
    return encoded if is_plain else None


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
