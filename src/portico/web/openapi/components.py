"""The JSON schemas of the fields of an application, and the models that they share.

All fields go through pydantic's generator at once: only then it knows which models need two schemas, for what comes in
and for what goes out, and which models of the same name have to be told apart.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Literal, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from portico.web.openapi.constants import REF_TEMPLATE
from portico.web.plan.annotations import lenient_issubclass
from portico.web.plan.fields import ModelField

Mode = Literal["validation", "serialization"]
Schema = dict[str, Any]


class Generator(GenerateJsonSchema):
    """pydantic's generator, with the bytes of a file as OpenAPI 3.1 writes them."""

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """Return the schema of bytes: `contentMediaType` has replaced the format `binary`."""
        config = self._config
        coding = config.ser_json_bytes if self.mode == "serialization" else config.val_json_bytes
        found: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
        if coding == "base64":
            found["contentEncoding"] = "base64"
        self.update_with_validations(found, schema, self.ValidationsMapping.bytes)
        return found

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON has it; for most there is nothing to be done, which pydantic builds a type for."""
        return dft if dft is None or type(dft) in (str, int, bool) else super().encode_default(dft)


class Schemas:
    """The schemas of the fields.

    Args:
        fields: All that the document will ask for.
        separate: Whether a model may have one schema for requests and another for responses.
    """

    def __init__(self, fields: Iterable[ModelField], *, separate: bool = True) -> None:
        self._separate = separate
        self._fields = list(fields)  # kept, for their identities are keys
        self._keys: dict[int, tuple[int, Mode]] = {}
        inputs: dict[tuple[int, Mode], tuple[int, Mode, CoreSchema]] = {}
        for field in self._fields:
            schema, mode = field.type_adapter.core_schema, self._mode(field)
            key = self._keys[id(field)] = (id(schema), mode)  # fields of one type may share one object
            inputs.setdefault(key, (*key, schema))
        # Models within the fields are components too, even those that a schema of its own hides.
        annotations = [field.field_info.annotation for field in self._fields]
        whole = {annotation for annotation in annotations if _is_component(annotation)}
        for mode in ("validation", "serialization"):
            for model in _models([field for field in self._fields if field.mode == mode]):
                if model not in whole:
                    schema = TypeAdapter(model).core_schema
                    own = mode if separate or _computes(model, schema) else "validation"
                    inputs.setdefault((id(schema), own), (id(schema), own, schema))
        generator = Generator(ref_template=REF_TEMPLATE)
        self._found, definitions = generator.generate_definitions(list(inputs.values()))
        self.definitions: dict[str, Schema] = {str(name): definition for name, definition in definitions.items()}
        for definition in self.definitions.values():
            if "description" in definition:
                definition["description"] = definition["description"].partition("\f")[0]

    def of(self, field: ModelField, alias: str | None = None) -> Schema:
        """Return the schema of one of the fields; its title comes from the alias if it has no other."""
        schema = self._found[self._keys[id(field)]].copy()
        if "$ref" in schema:
            return schema
        if alias is None:
            chosen = field.validation_alias if field.mode == "validation" else field.serialization_alias
            alias = chosen or field.alias
        schema["title"] = field.field_info.title or alias.title().replace("_", " ")
        return schema

    def _mode(self, field: ModelField) -> Mode:
        if self._separate or field.mode == "validation":
            return field.mode
        computes = _computes(field.field_info.annotation, field.type_adapter.core_schema)
        return "serialization" if computes else "validation"


def _is_component(annotation: Any) -> bool:
    return lenient_issubclass(annotation, (BaseModel, Enum))


def _models(fields: Iterable[ModelField]) -> list[type[BaseModel | Enum]]:
    """Return the models and enumerations that the annotations have, and those within these, each once."""
    found: dict[type[BaseModel | Enum], None] = {}
    for field in fields:
        for annotation in _classes(field.field_info.annotation):
            _add(annotation, found)
    return list(found)


def _add(model: type[BaseModel | Enum], found: dict[type[BaseModel | Enum], None]) -> None:
    if model in found:
        return
    found[model] = None
    if issubclass(model, BaseModel):
        for field in model.model_fields.values():
            for annotation in _classes(field.annotation):
                _add(annotation, found)


def _classes(annotation: Any) -> Iterator[type[BaseModel | Enum]]:
    if lenient_issubclass(annotation, BaseModel) or lenient_issubclass(annotation, Enum):
        yield annotation
    else:
        for arg in get_args(annotation):
            yield from _classes(arg)


def _computes(annotation: Any, schema: CoreSchema) -> bool:
    """Tell whether a value has computed fields, which only what goes out can have."""
    inner: Any = schema.get("schema", {})  # a dataclass's are only there
    if inner.get("computed_fields"):
        return True
    return any(issubclass(model, BaseModel) and bool(model.model_computed_fields) for model in _within(annotation))


def _within(annotation: Any) -> list[type[BaseModel | Enum]]:
    found: dict[type[BaseModel | Enum], None] = {}
    for model in _classes(annotation):
        _add(model, found)
    return list(found)
