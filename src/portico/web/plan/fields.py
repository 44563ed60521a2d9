"""A named value with a type: validated when it comes from a request, serialised when it goes into a response.

pydantic does both. What it builds for a type takes most of the time and memory of an application's start, so fields of
the same type share it, fields that cannot fail build it at their first use, and what only the document needs is built
when the document is asked for.
"""

import datetime
import decimal
import pathlib
import uuid
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, get_args, get_origin
from weakref import WeakValueDictionary

import annotated_types
from pydantic import BaseModel, ConfigDict, Field, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.main import IncEx
from pydantic_core import PydanticUndefined, SchemaSerializer, SchemaValidator

from portico.web.exceptions import DefinitionError, PydanticV1NotSupportedError
from portico.web.plan.annotations import lenient_issubclass
from portico.web.plan.pydanticv1 import is_pydantic_v1
from portico.web.plan.structs import with_structs

__all__ = ["ModelField", "RequiredParam", "Undefined", "create_model_field", "missing_error", "model_fields"]

Undefined: Final[Any] = PydanticUndefined
RequiredParam: Final[Any] = PydanticUndefined

Mode = Literal["validation", "serialization"]

NO_FIELD = (
    "pydantic cannot validate {name!r}, whose type is {type_!r}. If it is what a handler says to return and is not meant to be a "
    "response model (Union[Response, dict, None], for example), give the handler's decorator the parameter "
    "response_model=None."
)


class ModelField:
    """A parameter, a body, a member of a model or a response."""

    __slots__ = ("_documented", "_plain", "config", "field_info", "mode", "name")

    def __init__(
        self,
        field_info: FieldInfo,
        name: str,
        mode: Mode = "validation",
        config: ConfigDict | None = None,
        *,
        checked: bool = False,
    ) -> None:
        self.field_info = field_info
        self.name = name
        self.mode = mode
        self.config = config
        self._documented: TypeAdapter[Any] | None = None
        self._plain: TypeAdapter[Any] | None = None
        if not (checked or _cannot_fail(field_info)):
            self._plain = self._build()

    @property
    def alias(self) -> str:
        """Its name in the request and in the document."""
        alias = self.field_info.alias
        return self.name if alias is None else alias

    @property
    def validation_alias(self) -> str | None:
        """The name that validation goes by, if it is one name."""
        alias = self.field_info.validation_alias
        return alias if isinstance(alias, str) and alias else None

    @property
    def serialization_alias(self) -> str | None:
        """The name that serialisation goes by."""
        return self.field_info.serialization_alias or None

    @property
    def required(self) -> bool:
        """Whether a request without it is refused."""
        return self.field_info.is_required()

    @property
    def default(self) -> Any:
        """Its default, made anew if it has a factory; Undefined if it is required."""
        return self.get_default()

    def get_default(self) -> Any:
        """Return its default, made anew if it has a factory; Undefined if it is required."""
        if self.field_info.is_required():
            return Undefined
        return self.field_info.get_default(call_default_factory=True)

    @property
    def type_adapter(self) -> TypeAdapter[Any]:
        """The type with the default and all that the document says of it."""
        if self._documented is None:
            self._documented = _documented_adapter(self.field_info, self.config)
        return self._documented

    @property
    def _type_adapter(self) -> TypeAdapter[Any]:
        return self.type_adapter

    @property
    def validator(self) -> SchemaValidator:
        """What validates a value, the default aside."""
        return self._adapter().validator  # type: ignore[return-value]

    @property
    def serializer(self) -> SchemaSerializer:
        """What serialises a value that is valid."""
        return self._adapter().serializer  # type: ignore[return-value]

    def _adapter(self) -> TypeAdapter[Any]:
        if self._plain is None:
            self._plain = self._build()
        return self._plain

    def _build(self) -> TypeAdapter[Any]:
        return _plain_adapter(self.field_info, self.config)

    def validate(
        self, value: Any, values: dict[str, Any] | None = None, *, loc: tuple[int | str, ...] = ()
    ) -> tuple[Any, list[dict[str, Any]]]:
        """Return the value as its type has it, and no errors; or None, and what is wrong with it."""
        try:
            return self._adapter().validator.validate_python(value, from_attributes=True), []
        except ValidationError as error:
            return None, located(error, loc)

    def serialize(
        self,
        value: Any,
        *,
        mode: Literal["json", "python"] = "json",
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool = True,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> Any:
        """Return a valid value as JSON's types."""
        return self._adapter().serializer.to_python(
            value,
            mode=mode,
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )

    def serialize_json(
        self,
        value: Any,
        *,
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool = True,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> bytes:
        """Return a valid value as JSON."""
        return self._adapter().serializer.to_json(
            value,
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, field_info={self.field_info!r}, mode={self.mode!r})"


def create_model_field(
    name: str,
    type_: Any,
    default: Any = Undefined,
    field_info: FieldInfo | None = None,
    alias: str | None = None,
    mode: Mode = "validation",
) -> ModelField:
    """Return a field of the type.

    Raises:
        DefinitionError: If pydantic cannot validate the type.
        PydanticV1NotSupportedError: If the type is, or has, a model of pydantic 1.
    """
    if is_pydantic_v1(type_):
        raise PydanticV1NotSupportedError(
            f"pydantic.v1 models are not supported, got {type_!r}: derive it from pydantic.BaseModel"
        )
    if field_info is None:
        field_info = FieldInfo(annotation=type_, default=default, alias=alias)
    try:
        return ModelField(field_info, name, mode)
    except PydanticSchemaGenerationError:
        raise DefinitionError(NO_FIELD.format(name=name, type_=type_)) from None


def missing_error(loc: tuple[int | str, ...]) -> dict[str, Any]:
    """Return the error of a required value that is not there."""
    return {"type": "missing", "loc": loc, "msg": "Field required", "input": None}


def located(error: ValidationError, loc: tuple[int | str, ...]) -> list[dict[str, Any]]:
    """Return what is wrong, each item's place below that of the field."""
    return [{**item, "loc": loc + item["loc"]} for item in error.errors(include_url=False)]


@lru_cache
def model_fields(model: type[BaseModel]) -> list[ModelField]:
    """Return the members of a model. The list is shared: do not change it."""
    fields = []
    for name, field_info in model.model_fields.items():
        annotation = field_info.annotation
        own_config = lenient_issubclass(annotation, (BaseModel, dict)) or is_dataclass(annotation)
        config = None if own_config else model.model_config
        fields.append(ModelField(field_info, name, config=config, checked=True))
    return fields


# What is shared. A schema of a program's own class goes with the last field that has it.

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

_shared: "WeakValueDictionary[Any, TypeAdapter[Any]]" = WeakValueDictionary()
_kept: dict[Any, TypeAdapter[Any]] = {}


def _cannot_fail(field_info: FieldInfo) -> bool:
    """Tell whether pydantic surely has a schema for the type, so that it need not be built to know."""
    if field_info.metadata or field_info.discriminator is not None:
        return False
    annotation = field_info.annotation
    if isinstance(annotation, type):
        return annotation in _BUILTINS or _is_complete(annotation)
    return annotation in (None, Any) or _key(annotation, _BUILTINS) is not None


def _is_complete(annotation: type) -> bool:
    return "__pydantic_validator__" in annotation.__dict__ and annotation.__dict__.get("__pydantic_complete__") is True


def _plain_adapter(field_info: FieldInfo, config: ConfigDict | None) -> TypeAdapter[Any]:
    """Return what validates and serialises values of the field; the default and the document's words make no odds."""
    annotation, metadata, discriminator = field_info.annotation, field_info.metadata, field_info.discriminator
    key = None if config or discriminator is not None else _constrained(_key(annotation), metadata)
    return _adapter(
        key,
        field_info,
        config,
        metadata if discriminator is None else [*metadata, Field(discriminator=discriminator)],
    )


def _adapter(key: Any, field_info: FieldInfo, config: ConfigDict | None, extras: list[Any]) -> TypeAdapter[Any]:
    """Return the adapter with this key, or a new one, which is then shared if it has a key."""
    if key is not None:
        adapter = _kept.get(key) or _shared.get(key)
        if adapter is not None:
            return adapter
    source: Any = with_structs(field_info.annotation)
    if extras:
        source = Annotated[(source, *extras)]
    adapter = TypeAdapter(source, config=config)
    if key is not None and adapter.pydantic_complete:
        _shared[key] = adapter
        if not extras and _key(field_info.annotation, _BUILTINS) is not None:
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


# What the document says of a type that stands alone; aliases, for example, are said by what it belongs to.
_SAID = ("title", "description", "examples", "deprecated", "json_schema_extra", "discriminator", "validate_default")
_COMPARABLE = (str, int, float, bool, type(None), type(PydanticUndefined))


class _Description(FieldInfo):  # type: ignore[misc]
    """What a field says of its type. pydantic warns of attributes without effect on FieldInfo itself."""


def _documented_adapter(field_info: FieldInfo, config: ConfigDict | None) -> TypeAdapter[Any]:
    attributes = {name: value for name in _SAID if (value := getattr(field_info, name)) is not None}
    factory = field_info.default_factory
    if factory is None:
        if field_info.default is not Undefined:
            attributes["default"] = field_info.default
    elif not field_info.default_factory_takes_validated_data:
        attributes["default_factory"] = factory
    if not attributes:
        return _plain_adapter(field_info, config)
    key = None if config else _constrained(_key(field_info.annotation), field_info.metadata)
    if key is not None:
        parts: list[Any] = [_Description, key]
        for name, value in attributes.items():
            if type(value) not in _COMPARABLE:
                key = None
                break
            parts.append((name, type(value), value))  # the type too: 1 is not True
        else:
            key = tuple(parts)
    return _adapter(key, field_info, config, [*field_info.metadata, _Description(**attributes)])
