from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json
from typing_extensions import TypedDict

from portico.web.exceptions import DefinitionError
from portico.web.params import Query
from portico.web.plan.fields import (
    ModelField,
    RequiredParam,
    Undefined,
    create_model_field,
    located,
    missing_error,
    model_fields,
)


class Model(BaseModel):
    number: int
    text: str = "x"


def field(annotation: Any, **options: Any) -> ModelField:
    return ModelField(Query(annotation=annotation, **options), "name")


def test_a_value_is_converted() -> None:
    assert field(int).validate("5") == (5, [])


def test_errors_are_placed_below_the_field() -> None:
    value, errors = field(list[int]).validate(["1", "x"], loc=("query", "name"))
    assert value is None
    assert errors == [
        {
            "type": "int_parsing",
            "loc": ("query", "name", 1),
            "msg": "Input should be a valid integer, unable to parse string as an integer",
            "input": "x",
        }
    ]


def test_constraints_count() -> None:
    assert field(int, ge=3).validate("3") == (3, [])
    assert field(int, ge=3).validate("2")[1][0]["type"] == "greater_than_equal"


def test_models_are_made_of_attributes() -> None:
    class Row:
        number = 1
        text = "y"

    assert create_model_field("name", Model).validate(Row()) == (Model(number=1, text="y"), [])


def test_a_missing_value_is_reported_as_pydantic_does() -> None:
    _, errors = create_model_field("name", Model).validate({}, loc=("body",))
    assert errors == [{**missing_error(("body", "number")), "input": {}}]


def test_located_puts_the_place_in_front() -> None:
    with pytest.raises(Exception) as caught:
        Model.model_validate({})
    assert [item["loc"] for item in located(caught.value, ("a", 1))] == [("a", 1, "number")]  # type: ignore[arg-type]


def test_names_of_a_field() -> None:
    plain = field(int)
    assert (plain.alias, plain.validation_alias, plain.serialization_alias) == ("name", None, None)
    aliased = field(int, alias="n")
    assert (aliased.alias, aliased.validation_alias, aliased.serialization_alias) == ("n", "n", "n")
    assert field(int, validation_alias=AliasChoices("a", "b")).validation_alias is None


def test_defaults() -> None:
    assert field(int).required
    assert field(int).default is Undefined is RequiredParam
    assert field(int, default=1).get_default() == 1
    assert not field(int, default=None).required
    fresh = field(list[int], default_factory=list)
    assert fresh.get_default() == []
    assert fresh.get_default() is not fresh.get_default()


def test_serialization_with_options() -> None:
    response = create_model_field("name", Model, mode="serialization")
    value = Model(number=1)
    assert response.serialize(value) == {"number": 1, "text": "x"}
    assert response.serialize(value, exclude_unset=True) == {"number": 1}
    assert response.serialize(value, include={"text"}) == {"text": "x"}
    assert response.serialize_json(value, exclude_defaults=True) == b'{"number":1}'
    assert response.serialize_json(value) == b'{"number":1,"text":"x"}'


def test_a_typed_dict_is_validated() -> None:
    class Typed(TypedDict):
        a: int

    assert create_model_field("name", Typed).validate({"a": "1"}) == ({"a": 1}, [])


def test_a_type_that_pydantic_does_not_know_is_refused_when_the_field_is_made() -> None:
    class Unknown: ...

    with pytest.raises(DefinitionError, match=r"'name' is annotated with .*Unknown.* pydantic cannot validate"):
        create_model_field("name", Unknown | None)
    with pytest.raises(DefinitionError, match=r"'name' would be of the type .*Unknown.*response_model=None"):
        create_model_field("name", Unknown | None, mode="serialization")


def test_fields_of_the_same_type_share_what_pydantic_builds() -> None:
    class Item(BaseModel):
        a: int

    for annotation in (int, int | None, list[str], Item, Item | None, Literal["a", 1]):
        assert field(annotation).validator is field(annotation).validator
    assert field(int, ge=1).validator is field(int, ge=1).validator


def test_the_core_schema_is_that_of_the_type_alone() -> None:
    assert field(int, default=1, title="T").core_schema["type"] == "int"


def test_fields_that_differ_in_anything_share_nothing() -> None:
    different = [
        field(int),
        field(int, ge=1),
        field(int, ge=1.0),
        field(int, ge=2),
        field(int, gt=1),
        field(int, strict=True),
        field(int | str),
        field(str | int),
        field(Literal[1]),
        field(Literal[True]),
    ]
    assert len({id(one.validator) for one in different}) == len(different)


def test_the_document_has_the_default_and_what_is_said_of_it() -> None:
    said = field(int | None, default=3, ge=1, title="T", description="D", examples=[1], json_schema_extra={"x": 1})
    assert said.type_adapter.json_schema() == {
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
        "default": 3,
        "title": "T",
        "description": "D",
        "examples": [1],
        "x": 1,
    }


def test_documents_are_shared_as_long_as_nothing_differs() -> None:
    assert field(int, title="T").type_adapter is field(int, title="T").type_adapter
    assert field(int, default=1).type_adapter is not field(int, default=True).type_adapter
    assert field(int).type_adapter is not field(int, title="T").type_adapter


def test_a_union_is_told_apart_by_its_discriminator() -> None:
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    pet = field(Cat | Dog, discriminator="kind")
    assert pet.validate({"kind": "dog"}) == (Dog(kind="dog"), [])
    assert pet.validate({"kind": "cow"})[1][0]["type"] == "union_tag_invalid"


def test_the_members_of_a_model_are_fields_with_its_configuration() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        number: int = Field(alias="n")
        model: Model | None = None

    number, model = model_fields(Strict)
    assert (number.name, number.alias, number.required, model.required) == ("number", "n", True, False)
    assert number.validate("1")[1][0]["type"] == "int_type"
    assert model_fields(Strict) is model_fields(Strict)


def test_metadata_that_is_not_a_constraint_counts_too() -> None:
    json = Query(annotation=list[int])
    json.metadata.append(Json())  # type: ignore[type-arg]
    assert ModelField(json, "name").validate("[1]") == ([1], [])
    assert field(list[int]).validate("[1]")[1]


def test_what_is_shared_of_a_class_goes_with_its_last_field() -> None:
    import gc
    import weakref

    def parts() -> Iterator[weakref.ref[Any]]:
        class Local(BaseModel):
            a: int

        made = field(Local | None)
        made.validate(None)
        assert made.type_adapter
        yield weakref.ref(Local)

    (local,) = parts()
    gc.collect()
    assert local() is None


def test_a_model_that_is_completed_later_can_be_used_then() -> None:
    class Early(BaseModel):
        later: "Later"

    early = create_model_field("name", Early)

    class Later(BaseModel):
        a: int

    Early.model_rebuild(_types_namespace={"Later": Later})
    value, errors = early.validate({"later": {"a": 1}})
    assert (value.later.a, errors) == (1, [])
