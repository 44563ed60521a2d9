"""What pydantic builds to validate and serialise a type: `TypeAdapter`s, which fields share.

Building them takes most of the time and memory of an application's start. Fields whose types have the same key share
one; those of a program's own classes go with the last field that has them. What only the document needs to know of a
field is in another one, which is built when the document is.
"""

import datetime
import decimal
import pathlib
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin
from weakref import WeakValueDictionary

import annotated_types
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from portico.web.plan.structs import with_structs

__all__ = ["cannot_fail", "documented_adapter", "plain_adapter"]

_BUILTINS = frozenset(
    (
        str,
        int,
        float,
        bool,
        bytes,
        object,
        dict,
        list,
        set,
        tuple,
        frozenset,
        type(None),
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        decimal.Decimal,
        pathlib.Path,
        uuid.UUID,
    )
)
_CONSTRAINTS: dict[type, Callable[[Any], Any]] = {
    annotated_types.Gt: lambda item: item.gt,
    annotated_types.Ge: lambda item: item.ge,
    annotated_types.Lt: lambda item: item.lt,
    annotated_types.Le: lambda item: item.le,
    annotated_types.MinLen: lambda item: item.min_length,
    annotated_types.MaxLen: lambda item: item.max_length,
    annotated_types.MultipleOf: lambda item: item.multiple_of,
}
# What the document says of a type that stands alone; aliases, for example, are said by what it belongs to.
_SAID = ("title", "description", "examples", "deprecated", "json_schema_extra", "discriminator", "validate_default")
_COMPARABLE = (str, int, float, bool, type(None), type(PydanticUndefined))

_shared: "WeakValueDictionary[Any, TypeAdapter[Any]]" = WeakValueDictionary()
_kept: dict[Any, TypeAdapter[Any]] = {}


def cannot_fail(field_info: FieldInfo) -> bool:
    """Tell whether pydantic surely has a schema for the type, so that it need not be built to know."""
    if field_info.metadata or field_info.discriminator is not None:
        return False
    annotation = field_info.annotation
    if isinstance(annotation, type):
        return annotation in _BUILTINS or _is_complete(annotation)
    return annotation in (None, Any) or _key(annotation, _BUILTINS) is not None


def _is_complete(annotation: type) -> bool:
    return "__pydantic_validator__" in annotation.__dict__ and annotation.__dict__.get("__pydantic_complete__") is True


def plain_adapter(field_info: FieldInfo, config: ConfigDict | None) -> TypeAdapter[Any]:
    """Return what validates and serialises values of the field; the default and the document's words make no odds."""
    annotation, extras = field_info.annotation, field_info.metadata
    if config or field_info.discriminator is not None:
        key = None
        if field_info.discriminator is not None:
            extras = [*extras, Field(discriminator=field_info.discriminator)]
    else:
        key = _constrained(_key(annotation), extras)
    return _adapter(key, annotation, extras, config)


def documented_adapter(field_info: FieldInfo, config: ConfigDict | None) -> TypeAdapter[Any]:
    """Return what the JSON schema of the field is made from: its default and what is said of it are in it."""
    said = {name: value for name in _SAID if (value := getattr(field_info, name)) is not None}
    if field_info.default_factory is None:
        if field_info.default is not PydanticUndefined:
            said["default"] = field_info.default
    elif not field_info.default_factory_takes_validated_data:
        said["default_factory"] = field_info.default_factory
    if not said:
        return plain_adapter(field_info, config)
    annotation, metadata = field_info.annotation, field_info.metadata
    key = None if config else _constrained(_key(annotation), metadata)
    if key is not None and all(type(value) in _COMPARABLE for value in said.values()):
        key = (_Description, key, *((name, type(value), value) for name, value in said.items()))  # 1 is not True
    else:
        key = None
    return _adapter(key, annotation, [*metadata, _Description(**said)], config)


class _Description(FieldInfo):  # type: ignore[misc]
    """What a field says of its type. pydantic warns of attributes without effect on FieldInfo itself."""


def _adapter(key: Any, annotation: Any, extras: list[Any], config: ConfigDict | None) -> TypeAdapter[Any]:
    """Return the adapter with this key, or a new one, which is then shared if it has a key."""
    if key is not None:
        adapter = _kept.get(key) or _shared.get(key)
        if adapter is not None:
            return adapter
    source: Any = with_structs(annotation)
    if extras:
        source = Annotated[(source, *extras)]
    adapter = TypeAdapter(source, config=config)
    if key is not None and adapter.pydantic_complete:
        _shared[key] = adapter
        if not extras and _key(annotation, _BUILTINS) is not None:
            _kept[key] = adapter
    return adapter


def _key(annotation: Any, classes: frozenset[Any] | None = None) -> Any:
    """Return what annotations have in common that mean the same, the order of unions included; None if that is unknown.

    Args:
        annotation: What it is the key of.
        classes: Those that it may have; any by default.
    """
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return annotation if classes is None or annotation in classes else None
    if annotation is None or annotation is Any or annotation is Ellipsis:
        return (annotation,)
    origin = get_origin(annotation)
    if origin is Literal:
        return (Literal, *((type(value), value) for value in get_args(annotation)))
    if origin is None or origin is Annotated:
        return None
    keys: list[Any] = [origin]
    for arg in get_args(annotation):
        key = _key(arg, classes)
        if key is None:
            return None
        keys.append(key)
    return tuple(keys)


def _constrained(key: Any, metadata: list[Any]) -> Any:
    """Return the key with the constraints; None if one of them cannot be compared."""
    if key is None or not metadata:
        return key
    parts: list[Any] = [key]
    for item in metadata:
        value_of = _CONSTRAINTS.get(type(item))
        if value_of is None:
            return None
        value = value_of(item)
        if type(value) not in (int, float):
            return None
        parts.append((type(item), type(value), value))
    return (Annotated, *parts)
