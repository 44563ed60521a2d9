"""The one field that stands in the document for all that a route wants of the body."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from portico.web import Body, Depends, File, Form, UploadFile, params
from portico.web.plan.bodyfield import flat_body_params, get_body_field, should_embed
from portico.web.plan.fields import ModelField
from portico.web.plan.signature import get_dependant


class Item(BaseModel):
    name: str


class User(BaseModel):
    name: str
    age: int = 0


def params_of(call: Callable[..., Any]) -> list[ModelField]:
    return flat_body_params(get_dependant(path="/", call=call))


def field_of(call: Callable[..., Any]) -> ModelField:
    fields = params_of(call)
    field = get_body_field(fields, "name", should_embed(fields))
    assert field is not None
    return field


def schema_of(call: Callable[..., Any]) -> dict[str, Any]:
    """Return the schema of the body, without references and the schemas of the models in it."""
    schema = field_of(call).type_adapter.json_schema()
    of_body: dict[str, Any] = schema.get("$defs", {}).get("Body_name", schema)
    return of_body


def test_without_parameters_there_is_no_field() -> None:
    assert not should_embed([])
    assert get_body_field([], "name", embed=False) is None


def test_one_model_is_the_body() -> None:
    def endpoint(item: Item) -> None: ...

    fields = params_of(endpoint)
    assert not should_embed(fields)
    assert get_body_field(fields, "name", embed=False) is fields[0]


def test_the_parameters_of_the_endpoint_come_before_those_of_its_dependencies() -> None:
    def below(c: Annotated[int, Body()]) -> None: ...

    def first(b: Annotated[int, Body()], _: Annotated[None, Depends(below)]) -> None: ...

    def second(d: Annotated[int, Body()]) -> None: ...

    def endpoint(
        x: Annotated[None, Depends(first)], a: Annotated[int, Body()], y: Annotated[None, Depends(second)]
    ) -> None: ...

    assert [field.name for field in params_of(endpoint)] == ["a", "b", "c", "d"]


def test_two_parameters_are_members_of_a_model_named_after_the_route() -> None:
    def endpoint(item: Item, count: Annotated[int, Body()] = 1) -> None: ...

    field = field_of(endpoint)
    assert (field.name, field.alias, field.required) == ("body", "body", True)
    assert field.field_info.annotation is not None
    assert field.field_info.annotation.__name__ == "Body_name"
    assert schema_of(endpoint)["required"] == ["item"]


def test_members_that_all_have_defaults_make_a_body_that_may_be_left_out() -> None:
    def endpoint(a: Annotated[int, Body()] = 1, b: Annotated[int, Body()] = 1) -> None: ...

    assert not field_of(endpoint).required


def test_the_same_parameter_twice_is_not_embedded() -> None:
    def dependency(item: Item) -> None: ...

    def endpoint(item: Item, _: Annotated[None, Depends(dependency)]) -> None: ...

    assert not should_embed(params_of(endpoint))


def test_form_models_of_the_same_name_that_differ_are_embedded() -> None:
    def dependency(item: Annotated[User, Form()]) -> None: ...

    def endpoint(item: Annotated[Item, Form()], _: Annotated[None, Depends(dependency)]) -> None: ...

    assert should_embed(params_of(endpoint))


def test_fields_of_a_form_are_embedded_and_models_of_it_are_not() -> None:
    def field(name: Annotated[str, Form()]) -> None: ...

    def model(item: Annotated[Item, Form()]) -> None: ...

    def embedded(item: Annotated[Item, Body(embed=True)]) -> None: ...

    assert should_embed(params_of(field))
    assert not should_embed(params_of(model))
    assert should_embed(params_of(embedded))


def test_a_file_makes_the_body_a_form_with_files() -> None:
    def endpoint(file: UploadFile, name: Annotated[str, Form()]) -> None: ...

    info = field_of(endpoint).field_info
    assert isinstance(info, params.File)
    assert info.media_type == "multipart/form-data"


def test_the_media_type_is_that_of_the_members() -> None:
    def json(a: Annotated[int, Body(media_type="x/y")], b: Annotated[int, Body(media_type="x/y")]) -> None: ...

    def mixed(a: Annotated[int, Body(media_type="x/y")], b: Annotated[int, Body()]) -> None: ...

    def form(a: Annotated[int, Form()], b: Annotated[int, Form(media_type="multipart/form-data")]) -> None: ...

    media_types = [field_of(call).field_info.media_type for call in (json, mixed, form)]  # type: ignore[attr-defined]
    assert media_types == ["x/y", "application/json", "multipart/form-data"]


def test_files_and_bytes_are_described() -> None:
    def endpoint(file: UploadFile, data: Annotated[bytes, File()]) -> None: ...

    assert schema_of(endpoint)["required"] == ["file", "data"]


def test_structs_are_members_too() -> None:
    class Point(msgspec.Struct):
        x: int

    def endpoint(point: Point, points: list[Point], maybe: Point | None = None) -> None: ...

    schema = schema_of(endpoint)
    assert schema["required"] == ["point", "points"]
    assert schema["$defs"]["Point"]["properties"] == {"x": {"title": "X", "type": "integer"}}


# Forms with models in them


def test_models_lie_side_by_side_with_fields() -> None:
    def endpoint(item: Annotated[Item, Form()], count: Annotated[int, Form()]) -> None: ...

    schema = schema_of(endpoint)
    assert list(schema["properties"]) == ["count"]
    assert schema["required"] == ["count"]
    (condition,) = schema["allOf"]
    assert condition["$ref"] == "#/$defs/Item"


def test_an_optional_model_is_a_condition_and_no_null() -> None:
    def endpoint(item: Annotated[Item | None, Form()] = None) -> None: ...

    (condition,) = schema_of(endpoint)["allOf"]
    absent, present = condition["anyOf"]
    assert absent == {"not": {"anyOf": [{"required": ["name"]}]}}
    assert {"type": "null"} not in present["anyOf"]


def test_a_required_optional_model_must_not_be_absent() -> None:
    def endpoint(item: Annotated[Item | None, Form()]) -> None: ...

    absent = schema_of(endpoint)["allOf"][0]
    assert absent == {"not": {"not": {"anyOf": [{"required": ["name"]}]}}}


def test_a_model_that_takes_extras_is_absent_in_an_empty_form() -> None:
    class Loose(BaseModel):
        model_config = ConfigDict(extra="allow")

    def endpoint(item: Annotated[Loose | None, Form()] = None) -> None: ...

    assert schema_of(endpoint)["allOf"][0]["anyOf"][0] == {"maxProperties": 0}


def test_a_form_has_the_names_that_it_is_read_by() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(validate_by_name=True)

        name: str = Field(validation_alias=AliasChoices("a", "b"))
        size: int = Field(alias="the size")

    def endpoint(item: Annotated[Aliased, Form()], count: Annotated[int, Form()]) -> None: ...

    (model,) = schema_of(endpoint)["allOf"]
    assert list(model["properties"]) == ["a", "the size"]
    assert model["required"] == []
    assert model["allOf"] == [
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}, {"required": ["name"]}]},
        {"anyOf": [{"required": ["the size"]}, {"required": ["size"]}]},
    ]


def test_two_parameters_under_one_name_have_both_schemas() -> None:
    def dependency(name: Annotated[int, Form()]) -> None: ...

    def endpoint(
        item: Annotated[User, Form()], name: Annotated[str, Form()], _: Annotated[None, Depends(dependency)]
    ) -> None: ...

    schema = schema_of(endpoint)
    assert schema["properties"]["name"]["type"] == "string"
    assert schema["allOf"][1] == {"properties": {"name": {"title": "Name", "type": "integer"}}}
