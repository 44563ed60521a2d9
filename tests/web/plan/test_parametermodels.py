"""Models whose fields are query parameters, header fields or cookies."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, Json, model_validator

from portico.web import Cookie, Header, Query
from portico.web.datastructures import Headers, QueryParams
from portico.web.plan.fields import ModelField
from portico.web.plan.parametermodels import ParameterModel, parameter_model
from portico.web.plan.signature import get_dependant


def field_of(annotation: Any, **default: Any) -> ModelField:
    def endpoint(group: Any) -> None: ...

    endpoint.__annotations__["group"] = annotation
    endpoint.__defaults__ = tuple(default.values()) or None
    dependant = get_dependant(path="/", call=endpoint)
    (field,) = dependant.query_params + dependant.header_params + dependant.cookie_params
    return field


def read(annotation: Any, received: Mapping[str, Any], **default: Any) -> tuple[Any, list[Any]]:
    return ParameterModel(field_of(annotation, **default)).read(received)


def places(errors: list[Any]) -> list[Any]:
    return [(error["type"], error["loc"]) for error in errors]


def headers(*pairs: tuple[bytes, bytes]) -> Headers:
    return Headers(raw=list(pairs))


class Page(BaseModel):
    offset: int = 0
    tags: list[str] = []


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")

    name: str = ""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    some_name: str = ""


def test_the_model_is_found_through_none() -> None:
    assert parameter_model(field_of(Annotated[Page, Query()])) is Page
    assert parameter_model(field_of(Annotated[Page | None, Query()])) is Page


def test_scalars_and_json_are_no_groups() -> None:
    assert parameter_model(field_of(int)) is None
    assert parameter_model(field_of(Annotated[Json[Page], Query()])) is None


def test_the_fields_are_parameters() -> None:
    value, errors = read(Annotated[Page, Query()], QueryParams("offset=3&tags=a&tags=b"))
    assert (value, errors) == (Page(offset=3, tags=["a", "b"]), [])


def test_what_is_missing_has_the_defaults_of_the_model() -> None:
    assert read(Annotated[Page, Query()], QueryParams(""))[0] == Page()


def test_errors_are_in_the_query() -> None:
    _, errors = read(Annotated[Page, Query()], QueryParams("offset=x"))
    assert places(errors) == [("int_parsing", ("query", "offset"))]


def test_an_optional_model_is_its_default_where_nothing_of_it_is_there() -> None:
    annotation = Annotated[Page | None, Query()]
    assert read(annotation, QueryParams("other=1"), group=None) == (None, [])
    assert read(annotation, QueryParams("offset=1"), group=None) == (Page(offset=1), [])


def test_an_optional_model_without_default_is_missing() -> None:
    assert places(read(Annotated[Page | None, Query()], QueryParams(""))[1]) == [("missing", ("query",))]


def test_anything_is_something_of_a_model_that_takes_extras() -> None:
    value, _ = read(Annotated[Loose | None, Query()], QueryParams("other=1&other=2"), group=None)
    assert value.model_extra == {"other": ["1", "2"]}


def test_extras_may_be_forbidden() -> None:
    _, errors = read(Annotated[Strict, Query()], QueryParams("some_name=a&x=1"))
    assert places(errors) == [("extra_forbidden", ("query", "x"))]


def test_a_validator_before_the_fields_sees_the_extras() -> None:
    seen = []

    class Seeing(BaseModel):
        name: str

        @model_validator(mode="before")
        @classmethod
        def see(cls, value: Any) -> Any:
            seen.append(dict(value))
            return value

    read(Annotated[Seeing, Query()], QueryParams("name=a&x=1&x=2"))
    assert seen == [{"name": "a", "x": ["1", "2"]}]


def test_of_several_aliases_the_first_that_is_there_counts() -> None:
    class Aliased(BaseModel):
        model_config = ConfigDict(extra="allow")

        name: str = Field(validation_alias=AliasChoices("a", "b"))

    assert read(Annotated[Aliased, Query()], QueryParams("b=1"))[0].name == "1"
    both, _ = read(Annotated[Aliased, Query()], QueryParams("b=1&a=2"))
    assert (both.name, both.model_extra) == ("2", {"b": "1"})


def test_cookies_may_be_a_model() -> None:
    assert read(Annotated[Page, Cookie()], {"offset": "2"})[0] == Page(offset=2)


# Header fields


def test_header_fields_have_hyphens_for_underscores() -> None:
    assert read(Annotated[Strict, Header()], headers((b"some-name", b"a"))) == (Strict(some_name="a"), [])


def test_the_underscores_are_no_extra_field() -> None:
    value, errors = read(Annotated[Strict, Header()], headers((b"some_name", b"a")))
    assert (value, errors) == (Strict(), [])


def test_underscores_may_be_kept() -> None:
    annotation = Annotated[Strict, Header(convert_underscores=False)]
    assert read(annotation, headers((b"some_name", b"a")))[0] == Strict(some_name="a")


def test_errors_name_the_header_field_as_it_is_spelled() -> None:
    class Sizes(BaseModel):
        max_size: int
        min_size: int = 0

    _, errors = read(Annotated[Sizes, Header()], headers((b"min-size", b"x")))
    assert places(errors) == [("missing", ("header", "max-size")), ("int_parsing", ("header", "min-size"))]


def test_a_field_may_have_all_header_fields_of_its_name() -> None:
    assert read(Annotated[Page, Header()], headers((b"tags", b"a"), (b"tags", b"b")))[0].tags == ["a", "b"]
