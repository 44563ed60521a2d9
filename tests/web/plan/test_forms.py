"""Which parameters are models whose fields are fields of a form; unions of them; limits."""

import asyncio
from io import BytesIO
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json, TypeAdapter, ValidationError

from portico.web import File, Form, UploadFile
from portico.web.datastructures import FormData
from portico.web.plan.fields import ModelField, Undefined
from portico.web.plan.forms import check_form_limits, form_models, form_union_models, with_form_unions
from portico.web.plan.formvalues import FormField, FormModel, read_file_bytes
from portico.web.plan.signature import get_dependant


class Cat(BaseModel):
    kind: Literal["cat"]
    names: list[str] = []


class Dog(BaseModel):
    kind: Literal["dog"]
    names: str = ""


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


def field_of(annotation: Any) -> ModelField:
    def endpoint(value: Any) -> None: ...

    endpoint.__annotations__["value"] = annotation
    (field,) = get_dependant(path="/", call=endpoint).body_params
    return field


def read(field: ModelField, *pairs: tuple[str, Any]) -> Any:
    models = form_models(field)
    reader: FormField | FormModel = FormModel(field, models) if models else FormField(field)
    return asyncio.run(reader.read(FormData(pairs)))


# Which parameters are models


@pytest.mark.parametrize(
    ("annotation", "models"),
    [
        (Annotated[Cat, Form()], [Cat]),
        (Annotated[Cat | None, Form()], [Cat]),
        (Annotated[Cat | Dog, Form()], [Cat, Dog]),
        (Annotated[Annotated[Cat, "x"] | Dog | None, Form()], [Cat, Dog]),
        (Annotated[Json[Cat], Form()], []),
        (Annotated[Cat | str, Form()], []),
        (Annotated[str, Form()], []),
        (Cat, []),
    ],
    ids=repr,
)
def test_the_models_of_a_parameter(annotation: Any, models: list[Any]) -> None:
    assert form_models(field_of(annotation)) == models


def test_a_union_of_one_model_and_none_is_no_union_of_models() -> None:
    assert form_union_models(Cat | None) == []


def test_only_unions_of_models_get_validators() -> None:
    annotation = str | int
    assert with_form_unions(annotation) is annotation
    assert with_form_unions(Cat) is Cat


def test_each_model_of_a_union_shapes_the_form_for_itself() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(with_form_unions(Cat | Dog | None))
    assert adapter.validate_python({"kind": "cat", "names": "a"}) == Cat(kind="cat", names=["a"])
    assert adapter.validate_python({"kind": "dog", "names": ["a", "b"]}) == Dog(kind="dog", names="b")
    assert adapter.validate_python(None) is None
    assert adapter.validate_python(Cat(kind="cat")) == Cat(kind="cat")


def test_errors_name_the_models_of_a_union() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(with_form_unions(Cat | Dog))
    with pytest.raises(ValidationError) as raised:
        adapter.validate_python({"kind": "x"})
    assert [error["loc"] for error in raised.value.errors()] == [("Cat", "kind"), ("Dog", "kind")]


# Reading


def test_a_field_is_found_under_the_first_name_that_has_something() -> None:
    field = field_of(Annotated[str, Form(validation_alias=AliasChoices("a", "b"))])
    assert read(field, ("a", ""), ("b", "1")) == ("1", ("body", "b"))
    assert read(field, ("b", "")) == (Undefined, ("body", "a"))


def test_a_model_has_its_fields_and_the_rest_of_the_form() -> None:
    assert read(field_of(Annotated[Cat, Form()]), ("kind", "cat"), ("names", "a"), ("x", "1"), ("x", "2")) == (
        {"kind": "cat", "names": ["a"], "x": ["1", "2"]},
        ("body",),
    )


def test_what_a_field_did_not_take_is_no_extra_either() -> None:
    assert read(field_of(Annotated[Cat, Form()]), ("kind", "")) == ({}, ("body",))


def test_the_names_after_the_one_that_was_found_are_left() -> None:
    class Aliased(BaseModel):
        name: str = Field(validation_alias=AliasChoices("a", "b"))

    assert read(field_of(Annotated[Aliased, Form()]), ("b", "2"), ("a", "1"))[0] == {"a": "1", "b": "2"}


def test_a_union_gets_the_form_as_it_came() -> None:
    assert read(field_of(Annotated[Cat | Dog, Form()]), ("names", "a"), ("names", ""))[0] == {"names": ["a", ""]}


def test_an_optional_model_is_absent_where_none_of_its_fields_are_there() -> None:
    field = field_of(Annotated[Cat | None, Form()])
    assert read(field, ("x", "1"))[0] is Undefined
    assert read(field, ("kind", ""))[0] == {}


def test_an_optional_model_that_takes_extras_is_there_with_anything() -> None:
    field = field_of(Annotated[Loose | None, Form()])
    assert read(field)[0] is Undefined
    assert read(field, ("x", "1"))[0] == {"x": "1"}


def test_the_bytes_of_a_file_of_a_model_are_read() -> None:
    class Upload(BaseModel):
        data: bytes = File()

    with BytesIO(b"content") as file:
        upload = UploadFile(file, size=7, filename="a")
        values, _ = read(field_of(Annotated[Upload, Form()]), ("data", upload), ("x", "1"))
    assert values == {"data": b"content", "x": "1"}


def test_reading_the_bytes_leaves_the_position() -> None:
    with BytesIO(b"content") as file:
        file.seek(3)
        assert asyncio.run(read_file_bytes(UploadFile(file))) == b"tent"
        assert file.tell() == 3


def test_a_union_of_bytes_and_a_list_of_bytes_is_a_list() -> None:
    with BytesIO(b"content") as file:
        upload = UploadFile(file, size=7, filename="a")
        assert read(field_of(Annotated[bytes | list[bytes], File()]), ("value", upload))[0] == [b"content"]


# Limits


def test_no_limits_are_an_empty_dict() -> None:
    assert check_form_limits(None) == {}


def test_limits_are_copied() -> None:
    limits: Any = {"max_fields": 1}
    checked = check_form_limits(limits)
    limits["max_fields"] = 2
    assert checked == {"max_fields": 1}


@pytest.mark.parametrize(
    "limits", [{"max_parts": 1}, {"max_files": -1}, {"max_fields": True}, {"max_part_size": 1.5}, []]
)
def test_what_is_no_limit_is_refused(limits: Any) -> None:
    with pytest.raises(ValueError, match="FormLimits"):
        check_form_limits(limits)
