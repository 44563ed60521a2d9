"""JSON Schema (draft 2020-12), with what OpenAPI 3.1 adds to it, as pydantic models."""

from typing import Annotated, Any, Literal, Optional, TypeAlias

from pydantic import AnyUrl, BaseModel, ConfigDict, Field
from typing_extensions import deprecated as deprecated_field

from portico.web.openapi.schemes import BaseModelWithConfig

Count: TypeAlias = Annotated[int, Field(ge=0)]
SchemaType: TypeAlias = Literal["array", "boolean", "integer", "null", "number", "object", "string"]


class Discriminator(BaseModel):
    """The property whose value tells the members of a union apart."""

    model_config = ConfigDict(defer_build=True)

    propertyName: str
    mapping: dict[str, str] | None = None


class XML(BaseModelWithConfig):
    """How a property is written as XML."""

    name: str | None = None
    namespace: str | None = None
    prefix: str | None = None
    attribute: bool | None = None
    wrapped: bool | None = None


class ExternalDocumentation(BaseModelWithConfig):
    """A page elsewhere that says more."""

    description: str | None = None
    url: AnyUrl


class Schema(BaseModelWithConfig):
    """A JSON Schema (draft 2020-12) with OpenAPI's additions."""

    # JSON Schema Core: identifiers and references
    schema_: str | None = Field(default=None, alias="$schema")
    vocabulary: str | None = Field(default=None, alias="$vocabulary")
    id: str | None = Field(default=None, alias="$id")
    anchor: str | None = Field(default=None, alias="$anchor")
    dynamicAnchor: str | None = Field(default=None, alias="$dynamicAnchor")
    ref: str | None = Field(default=None, alias="$ref")
    dynamicRef: str | None = Field(default=None, alias="$dynamicRef")
    defs: dict[str, "SchemaOrBool"] | None = Field(default=None, alias="$defs")
    comment: str | None = Field(default=None, alias="$comment")

    # JSON Schema Core: subschemas
    allOf: list["SchemaOrBool"] | None = None
    anyOf: list["SchemaOrBool"] | None = None
    oneOf: list["SchemaOrBool"] | None = None
    not_: Optional["SchemaOrBool"] = Field(default=None, alias="not")
    if_: Optional["SchemaOrBool"] = Field(default=None, alias="if")
    then: Optional["SchemaOrBool"] = None
    else_: Optional["SchemaOrBool"] = Field(default=None, alias="else")
    dependentSchemas: dict[str, "SchemaOrBool"] | None = None
    prefixItems: list["SchemaOrBool"] | None = None
    items: Optional["SchemaOrBool"] = None
    contains: Optional["SchemaOrBool"] = None
    properties: dict[str, "SchemaOrBool"] | None = None
    patternProperties: dict[str, "SchemaOrBool"] | None = None
    additionalProperties: Optional["SchemaOrBool"] = None
    propertyNames: Optional["SchemaOrBool"] = None
    unevaluatedItems: Optional["SchemaOrBool"] = None
    unevaluatedProperties: Optional["SchemaOrBool"] = None

    # JSON Schema Validation: structure, format, content
    type: SchemaType | list[SchemaType] | None = None
    enum: list[Any] | None = None
    const: Any | None = None
    multipleOf: float | None = Field(default=None, gt=0)
    maximum: float | None = None
    exclusiveMaximum: float | None = None
    minimum: float | None = None
    exclusiveMinimum: float | None = None
    maxLength: Count | None = None
    minLength: Count | None = None
    pattern: str | None = None
    maxItems: Count | None = None
    minItems: Count | None = None
    uniqueItems: bool | None = None
    maxContains: Count | None = None
    minContains: Count | None = None
    maxProperties: Count | None = None
    minProperties: Count | None = None
    required: list[str] | None = None
    dependentRequired: dict[str, set[str]] | None = None
    format: str | None = None
    contentEncoding: str | None = None
    contentMediaType: str | None = None
    contentSchema: Optional["SchemaOrBool"] = None

    # JSON Schema Validation: annotations
    title: str | None = None
    description: str | None = None
    default: Any | None = None
    deprecated: bool | None = None
    readOnly: bool | None = None
    writeOnly: bool | None = None
    examples: list[Any] | None = None

    # OpenAPI
    discriminator: Discriminator | None = None
    xml: XML | None = None
    externalDocs: ExternalDocumentation | None = None
    example: Annotated[
        Any | None,
        deprecated_field("OpenAPI 3.1 has taken over JSON Schema's `examples`: use that in place of `example`."),
    ] = None


SchemaOrBool: TypeAlias = Schema | bool
