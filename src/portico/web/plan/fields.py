"""A named value with a type: validated when it comes from a request, serialised when it goes into a response.

pydantic does both, with what `adapters` builds: when the field is made, so that a type that pydantic does not know is
found at registration, or at its first use where that cannot happen.
"""

from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic.main import IncEx
from pydantic_core import CoreSchema, PydanticUndefined, SchemaSerializer, SchemaValidator

from portico.web.exceptions import DefinitionError, PydanticV1NotSupportedError
from portico.web.plan.adapters import cannot_fail, documented_adapter, plain_adapter
from portico.web.plan.annotations import lenient_issubclass
from portico.web.plan.pydanticv1 import is_pydantic_v1

__all__ = ["ModelField", "RequiredParam", "Undefined", "create_model_field", "missing_error", "model_fields"]

Undefined: Final[Any] = PydanticUndefined
RequiredParam: Final[Any] = PydanticUndefined

Mode = Literal["validation", "serialization"]

MAX_ERRORS = 10_000

NO_FIELD = (
    "parameter {name!r} is annotated with {type_!r}, which pydantic cannot validate: annotate it with a type that JSON "
    "or text can become, such as a BaseModel or a dataclass; or, if its value comes from a call and not from the "
    "request, with Annotated[..., Depends(...)]"
)
NO_RESULT = (
    "{name!r} would be of the type {type_!r}, which is no valid Pydantic field type: return and annotate a type that "
    "pydantic can serialise, such as a BaseModel or a dataclass; or give the decorator the parameter "
    "response_model=None, if the annotation is not meant to be a response model"
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
        if not (checked or cannot_fail(field_info)):
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
            self._documented = documented_adapter(self.field_info, self.config)
        return self._documented

    @property
    def _type_adapter(self) -> TypeAdapter[Any]:
        return self.type_adapter

    @property
    def validator(self) -> SchemaValidator:
        """What validates a value, the default aside."""
        return self._adapter().validator  # type: ignore[return-value]  # or a plugin's, which looks the same

    @property
    def serializer(self) -> SchemaSerializer:
        """What serialises a value that is valid."""
        return self._adapter().serializer

    @property
    def core_schema(self) -> CoreSchema:
        """What pydantic makes the two of."""
        return self._adapter().core_schema

    def _adapter(self) -> TypeAdapter[Any]:
        if self._plain is None:
            self._plain = self._build()
        return self._plain

    def _build(self) -> TypeAdapter[Any]:
        return plain_adapter(self.field_info, self.config)

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
        text = NO_FIELD if mode == "validation" else NO_RESULT
        raise DefinitionError(text.format(name=name, type_=type_)) from None


def missing_error(loc: tuple[int | str, ...]) -> dict[str, Any]:
    """Return the error of a required value that is not there."""
    return {"type": "missing", "loc": loc, "msg": "Field required", "input": None}


def located(error: ValidationError, loc: tuple[int | str, ...]) -> list[dict[str, Any]]:
    """Return what is wrong, each item's place below that of the field.

    That may be a thousand times as long as what was sent, which is two bytes for an object without its fields. Of a
    value with more errors than anybody reads it is therefore only said that it has them.
    """
    count = error.error_count()
    if count > MAX_ERRORS:
        message = f"Value has {count} errors, more than are listed"
        return [{"type": "too_many_errors", "loc": loc, "msg": message, "input": None, "ctx": {"errors": count}}]
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
