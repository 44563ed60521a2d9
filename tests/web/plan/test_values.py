"""Under which names values are looked for, and what is found there."""

from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, ConfigDict, Field, Json, create_model

from portico.web import Cookie, Header, Path, Query
from portico.web.datastructures import Headers, MultiDict, QueryParams
from portico.web.plan.fields import ModelField, Undefined, model_fields
from portico.web.plan.signature import get_dependant
from portico.web.plan.values import FieldValue, multidict_extras, value_aliases


def query_field(annotation: Any) -> ModelField:
    def endpoint(some_name: Any) -> None: ...

    endpoint.__annotations__["some_name"] = annotation
    (field,) = get_dependant(path="/", call=endpoint).query_params
    return field


def member_of(annotation: Any, field: Any = ..., config: ConfigDict | None = None) -> ModelField:
    return model_fields(create_model("Model", __config__=config, some_name=(annotation, field)))[0]


# Names


def test_a_field_goes_by_its_name() -> None:
    assert value_aliases(query_field(int)) == [("some_name", "some_name")]


def test_a_field_goes_by_its_alias_alone() -> None:
    assert value_aliases(query_field(Annotated[int, Query(alias="a")])) == [("a", "a")]


def test_the_alias_for_validation_goes_before_the_other() -> None:
    field = query_field(Annotated[int, Query(alias="a", validation_alias="b")])
    assert value_aliases(field) == [("b", "b")]


def test_choices_are_tried_in_order() -> None:
    field = query_field(Annotated[int, Query(validation_alias=AliasChoices("a", "b"))])
    assert value_aliases(field) == [("a", "a"), ("b", "b")]


def test_paths_into_values_are_left_to_pydantic() -> None:
    choices = AliasChoices("a", AliasPath("b", 0))
    assert value_aliases(member_of(int, Field(validation_alias=choices))) == [("some_name", "some_name")]
    assert value_aliases(member_of(int, Field(validation_alias=AliasPath("b", 0)))) == [("some_name", "some_name")]


def test_a_path_parameter_has_one_name() -> None:
    def endpoint(item: Annotated[int, Path(validation_alias=AliasChoices("a", "b"))]) -> None: ...

    (field,) = get_dependant(path="/{item}", call=endpoint).path_params
    assert value_aliases(field) == [("item", "item")]


@pytest.mark.parametrize("config", [ConfigDict(populate_by_name=True), ConfigDict(validate_by_name=True)])
def test_a_model_may_allow_the_name_beside_the_alias(config: ConfigDict) -> None:
    field = member_of(int, Field(alias="a"), config)
    assert value_aliases(field) == [("a", "a"), ("some_name", "some_name")]


def test_a_model_may_allow_the_name_alone() -> None:
    field = member_of(int, Field(alias="a"), ConfigDict(validate_by_alias=False, validate_by_name=True))
    assert value_aliases(field) == [("some_name", "some_name")]


def test_header_fields_have_hyphens_where_nobody_chose_a_name() -> None:
    assert value_aliases(member_of(int), convert_underscores=True) == [("some_name", "some-name")]
    assert value_aliases(member_of(int, Field(alias="a_b")), convert_underscores=True) == [("a_b", "a_b")]


def test_a_name_beside_the_alias_has_hyphens_too() -> None:
    field = member_of(int, Field(alias="a_b"), ConfigDict(populate_by_name=True))
    assert value_aliases(field, convert_underscores=True) == [("a_b", "a_b"), ("some_name", "some-name")]


# Values


def test_one_value_is_the_last() -> None:
    assert FieldValue(query_field(int)).find(QueryParams("a=1&a=2"), "a") == "2"


def test_a_sequence_has_all_values() -> None:
    field = query_field(Annotated[list[int] | None, Query()])
    assert FieldValue(field).find(QueryParams("a=1&a=2"), "a") == ["1", "2"]
    assert FieldValue(field).find(Headers(raw=[(b"a", b"1"), (b"a", b"2")]), "A") == ["1", "2"]


@pytest.mark.parametrize("annotation", [int, Annotated[list[int], Query()]])
def test_nothing_is_undefined(annotation: Any) -> None:
    assert FieldValue(query_field(annotation)).find(QueryParams(""), "a") is Undefined


def test_empty_text_is_a_value() -> None:
    assert FieldValue(query_field(str)).find(QueryParams("a="), "a") == ""


def test_a_list_as_json_is_one_text() -> None:
    field = query_field(Annotated[Json[list[int]], Query()])
    assert FieldValue(field).find(QueryParams("a=[1]"), "a") == "[1]"
    assert FieldValue(field).find(QueryParams("a="), "a") is Undefined


def test_a_cookie_has_one_value() -> None:
    def endpoint(a: Annotated[list[int], Cookie()]) -> None: ...

    (field,) = get_dependant(path="/", call=endpoint).cookie_params
    assert FieldValue(field).find({"a": "1"}, "a") == "1"


# What is left


def test_extras_are_what_was_not_processed() -> None:
    assert dict(multidict_extras(QueryParams("a=1&b=2"), {"a"})) == {"b": "2"}
    assert dict(multidict_extras({"a": "1", "b": "2"}, {"a"})) == {"b": "2"}


def test_extras_that_come_several_times_are_lists() -> None:
    expected = {"a": ["1", "3"], "b": "2"}
    assert dict(multidict_extras(MultiDict([("a", "1"), ("b", "2"), ("a", "3")]), set())) == expected
    assert dict(multidict_extras(Headers(raw=[(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]), set())) == expected


def test_headers_are_not_converted_for_aliases() -> None:
    def endpoint(some_name: Annotated[int, Header()], other_name: Annotated[int, Header(alias="a_b")]) -> None: ...

    fields = get_dependant(path="/", call=endpoint).header_params
    assert [value_aliases(field) for field in fields] == [[("some-name", "some-name")], [("a_b", "a_b")]]
