"""Any value as what JSON has: dicts, lists, text, numbers, booleans, None."""

import dataclasses
import datetime
import inspect
import sys
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path, PurePath
from re import Pattern
from types import GeneratorType
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel
from pydantic.networks import AnyUrl, NameEmail
from pydantic.types import SecretBytes, SecretStr
from pydantic_core import PydanticUndefinedType, Url

from portico.web.exceptions import PydanticV1NotSupportedError
from portico.web.types import IncEx

Encoder = Callable[[Any], Any]

SCALARS = frozenset((str, int, float, bool, type(None)))
SEQUENCES = (list, tuple, set, frozenset, deque, GeneratorType)
# Types that are texts in JSON, of modules that few programs import and that take long to import.
TEXTS_ELSEWHERE = (("pydantic.color", "Color"), ("pydantic_extra_types.color", "Color"))


def isoformat(o: datetime.date | datetime.time) -> str:
    """Return a date or a time as ISO 8601 has it."""
    return o.isoformat()


def decimal_encoder(dec_value: Decimal) -> int | float:
    """Return a decimal as an int, if it was written without a fraction, else as a float."""
    exponent = dec_value.as_tuple().exponent
    # NaN and the infinities have a letter for an exponent.
    return int(dec_value) if isinstance(exponent, int) and exponent >= 0 else float(dec_value)


# Programs add their own types here.
ENCODERS_BY_TYPE: dict[type[Any], Encoder] = {
    bytes: bytes.decode,
    datetime.date: isoformat,
    datetime.datetime: isoformat,
    datetime.time: isoformat,
    datetime.timedelta: datetime.timedelta.total_seconds,
    Decimal: decimal_encoder,
    Enum: lambda member: member.value,
    frozenset: list,
    deque: list,
    GeneratorType: list,
    IPv4Address: str,
    IPv4Interface: str,
    IPv4Network: str,
    IPv6Address: str,
    IPv6Interface: str,
    IPv6Network: str,
    NameEmail: str,
    Path: str,
    Pattern: lambda pattern: pattern.pattern,
    SecretBytes: str,
    SecretStr: str,
    set: list,
    UUID: str,
    Url: str,
    AnyUrl: str,
}
# Those that need no look at what else a value may be.
LEAVES = frozenset(ENCODERS_BY_TYPE) - {Enum, Path, set, frozenset, deque, GeneratorType}


class Options(NamedTuple):
    """What holds for a value and for everything in it; `jsonable_encoder` says what each means."""

    by_alias: bool = True
    exclude_unset: bool = False
    exclude_defaults: bool = False
    exclude_none: bool = False
    custom_encoder: Mapping[Any, Encoder] | None = None
    sqlalchemy_safe: bool = True


PLAIN = Options()


def jsonable_encoder(
    obj: Any,
    include: IncEx | None = None,
    exclude: IncEx | None = None,
    by_alias: bool = True,
    exclude_unset: bool = False,
    exclude_defaults: bool = False,
    exclude_none: bool = False,
    custom_encoder: Mapping[Any, Encoder] | None = None,
    sqlalchemy_safe: bool = True,
) -> Any:
    """Return a value as what JSON has.

    Args:
        obj: The value: a model, a dataclass, a `msgspec.Struct`, a container, whatever `ENCODERS_BY_TYPE` knows, else
            an object that `dict()` takes or that has attributes.
        include: The fields of a model, or the keys of a dict, to have; all by default.
        exclude: Those to leave out.
        by_alias: Whether the fields of models go by their aliases.
        exclude_unset: Whether to leave out fields of models that nobody has set.
        exclude_defaults: Whether to leave out fields of models that have their default.
        exclude_none: Whether to leave out what is None.
        custom_encoder: Encoders for types, and for what is derived from them, that come before all others.
        sqlalchemy_safe: Whether to leave out keys that start with `_sa`, where SQLAlchemy keeps what is its own.

    Raises:
        ValueError: If the value, or one in it, has no form in JSON.
        PydanticV1NotSupportedError: If it is a model of `pydantic.v1`.
    """
    options = Options(by_alias, exclude_unset, exclude_defaults, exclude_none, custom_encoder or None, sqlalchemy_safe)
    return _encode(obj, _selection(include), _selection(exclude), PLAIN if options == PLAIN else options)


def _selection(fields: Any) -> Any:
    """Return include or exclude as pydantic wants it, which takes no list."""
    return fields if fields is None or isinstance(fields, set | dict) else set(fields)


def _encode(obj: Any, include: Any, exclude: Any, options: Options) -> Any:
    kind = type(obj)
    if options.custom_encoder is not None:
        custom = options.custom_encoder.get(kind) or _by_class(obj, options.custom_encoder)
        if custom is not None:
            return custom(obj)
    if kind in SCALARS:
        return obj
    if kind is dict:
        return _encode_dict(obj, include, exclude, options)
    if kind is list:
        return [_encode(item, include, exclude, options) for item in obj]
    if kind in LEAVES and kind in ENCODERS_BY_TYPE:
        return ENCODERS_BY_TYPE[kind](obj)
    if isinstance(obj, BaseModel):
        return _encode_model(obj, include, exclude, options)
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return _encode_dict(_fields(obj, options), include, exclude, options)
    if isinstance(obj, Enum):
        return obj.value
    if isinstance(obj, PurePath):
        return str(obj)
    if isinstance(obj, str | int | float):
        return obj
    if kind is PydanticUndefinedType:
        return None
    if isinstance(obj, dict):
        return _encode_dict(obj, include, exclude, options)
    if isinstance(obj, SEQUENCES):
        return [_encode(item, include, exclude, options) for item in obj]
    encoder = ENCODERS_BY_TYPE.get(kind) or _by_class(obj, ENCODERS_BY_TYPE) or _elsewhere(kind)
    if encoder is not None:
        return encoder(obj)
    return _encode(_parts(obj, options), include, exclude, options)


def _encode_dict(obj: dict[Any, Any], include: Any, exclude: Any, options: Options) -> dict[Any, Any]:
    encoded: dict[Any, Any] = {}
    for key, value in obj.items():
        if type(key) is not str:
            if isinstance(key, str) and options.sqlalchemy_safe and key.startswith("_sa"):
                continue
            encoded_key = _encode(key, None, None, options)
        elif options.sqlalchemy_safe and key.startswith("_sa"):
            continue
        else:
            encoded_key = key if options.custom_encoder is None else _encode(key, None, None, options)
        if value is None and options.exclude_none:
            continue
        if (include is not None and key not in include) or (exclude is not None and key in exclude):
            continue
        # The commonest values need no call.
        if type(value) in SCALARS and options.custom_encoder is None:
            encoded[encoded_key] = value
        else:
            encoded[encoded_key] = _encode(value, None, None, options)
    return encoded


def _encode_model(model: BaseModel, include: Any, exclude: Any, options: Options) -> Any:
    dumped = model.model_dump(
        mode="json",
        include=include,
        exclude=exclude,
        by_alias=options.by_alias,
        exclude_unset=options.exclude_unset,
        exclude_none=options.exclude_none,
        exclude_defaults=options.exclude_defaults,
    )
    # What is left to do is in the dicts that a model may have. The model has seen to the rest by its own rules.
    if options.custom_encoder is not None:
        options = options._replace(custom_encoder=None)
    return _encode(dumped, None, None, options)


def _fields(obj: Any, options: Options) -> dict[str, Any]:
    if options.custom_encoder is not None:  # it does not count for dataclasses in a dataclass
        return dataclasses.asdict(obj)
    return {field.name: getattr(obj, field.name) for field in dataclasses.fields(obj)}


def _by_class(obj: Any, encoders: Mapping[Any, Encoder]) -> Encoder | None:
    for kind, encoder in encoders.items():
        if isinstance(obj, kind):
            return encoder
    return None


def _elsewhere(kind: type) -> Encoder | None:
    for module_name, name in TEXTS_ELSEWHERE:
        module = sys.modules.get(module_name)
        if module is not None and issubclass(kind, getattr(module, name)):
            return str
    return None


def _parts(obj: Any, options: Options) -> Any:
    """Return what an object of an unknown type consists of."""
    if hasattr(type(obj), "__struct_config__"):
        from msgspec import to_builtins

        return to_builtins(obj, enc_hook=lambda part: _encode(part, None, None, options))
    if _is_v1_model(obj):
        raise PydanticV1NotSupportedError(
            f"expected a model of pydantic, got one of pydantic.v1, {obj!r}: derive its class from pydantic.BaseModel"
        )
    try:
        return dict(obj)
    except Exception as not_pairs:
        try:
            return vars(obj)
        except Exception as no_attributes:
            error = ValueError([not_pairs, no_attributes])
            awaited = ": is an `await` missing?" if inspect.iscoroutine(obj) else ", and custom_encoder has none for it"
            error.add_note(f"JSON has no form for {obj!r}{awaited}")
            raise error from no_attributes


def _is_v1_model(obj: Any) -> bool:
    v1 = sys.modules.get("pydantic.v1")
    return v1 is not None and isinstance(obj, v1.BaseModel)
