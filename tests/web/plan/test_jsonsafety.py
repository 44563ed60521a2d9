"""Which types may be validated from the bytes of JSON: those for which that is the same as decoding it first."""

import dataclasses
import datetime
import enum
import json
import typing
import uuid
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Discriminator,
    EmailStr,
    Field,
    RootModel,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from portico.web.plan.fields import ModelField
from portico.web.plan.jsonsafety import means_the_same_from_json


def field_of(annotation: Any) -> ModelField:
    return ModelField(FieldInfo(annotation=annotation), "body")


def is_safe(annotation: Any) -> bool:
    return means_the_same_from_json(field_of(annotation))


class Colour(enum.Enum):
    RED = "red"
    ONE = 1


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Tree(BaseModel):
    value: int
    below: "list[Tree]" = []
    other: "Tree | None" = None


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0


class Movie(TypedDict, total=False):
    title: str
    year: int


@pytest.mark.parametrize(
    "annotation",
    [
        int,
        dict,
        dict[str, Any],
        list[Cat],
        Cat | None,
        Tree,
        Point,
        Movie,
        RootModel[list[int]],
        set[uuid.UUID],
        tuple[datetime.date, Colour],
        Annotated[Cat | Dog, Field(discriminator="kind")],
        int | str,
        list[int] | str,
        create_model("Aliased", name=(str, Field(validation_alias=AliasChoices("a", "b")))),
    ],
    ids=repr,
)
def test_these_are_validated_from_the_bytes(annotation: Any) -> None:
    assert is_safe(annotation)


def with_config(config: ConfigDict) -> type[BaseModel]:
    return create_model("Configured", __config__=config, value=(bytes, ...))


class Validated(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def check(cls, value: int) -> int:
        return value


class Informed(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def check(cls, value: int, info: ValidationInfo) -> int:
        return value if info.mode == "python" else -value


class Before(BaseModel):
    value: int

    @model_validator(mode="before")
    @classmethod
    def check(cls, value: Any) -> Any:
        return value


class Private(BaseModel):
    value: int
    _made: int = 0

    def model_post_init(self, context: Any) -> None:
        self._made += 1


class Own(BaseModel):
    value: int

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)


class Missing(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> "Missing":
        return cls.A


def tag_of(value: Any) -> str:
    return "cat"


@pytest.mark.parametrize(
    "annotation",
    [
        with_config(ConfigDict(strict=True)),
        with_config(ConfigDict(val_json_bytes="base64")),
        with_config(ConfigDict(coerce_numbers_to_str=True)),
        list[with_config(ConfigDict(strict=True))],  # type: ignore[misc]
        Annotated[int, Field(strict=True)],
        Validated,
        Informed,
        Before,
        Private,
        Own,
        Missing,
        EmailStr,
        datetime.date | int,
        uuid.UUID | str,
        bytes | int,
        Cat | Dog,
        dict[str, int] | Movie,
        typing.Any | Annotated[str, StringConstraints(to_upper=True)],
        dict[int, str],
        dict[Annotated[str, StringConstraints(strip_whitespace=True)], int],
        create_model("Stripped", __config__=ConfigDict(str_strip_whitespace=True), value=(dict[str, int], ...)),
        create_model("Paths", value=(int, Field(validation_alias=AliasPath("a", 0)))),
        Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(tag_of)],
        set[float],
        set[Any],
        typing.Callable[[], None],
    ],
    ids=repr,
)
def test_these_are_decoded_first(annotation: Any) -> None:
    assert not is_safe(annotation)


def test_a_field_with_a_configuration_of_its_own_is_decoded_first() -> None:
    field = ModelField(FieldInfo(annotation=int), "body", config=ConfigDict(strict=True))
    assert not means_the_same_from_json(field)


# The same result both ways, for whatever types and texts: what decides is not the table but pydantic.

SCALARS = [
    None,
    bool,
    int,
    float,
    str,
    Any,
    bytes,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
    Colour,
    Literal["red", 1, True, None],
    Annotated[int, Field(gt=0)],
    Annotated[float, Field(multiple_of=0.5, allow_inf_nan=False)],
    Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, min_length=1)],
]
NAMES = ("a", "b", "c")


def model_of(types: list[Any], extra: Any, choices: bool) -> Any:
    fields: dict[str, Any] = {}
    for name, annotation in zip(NAMES, types, strict=False):
        default = Field(validation_alias=AliasChoices("z", name)) if choices else ...
        fields[name] = (annotation, default)
    return create_model("Made", __config__=ConfigDict(extra=extra), **fields)


def dataclass_of(types: list[Any]) -> Any:
    return dataclasses.make_dataclass("Made", list(zip(NAMES, types, strict=False)))


def typed_dict_of(types: list[Any], total: bool) -> Any:
    return TypedDict("Made", dict(zip(NAMES, types, strict=False)), total=total)  # type: ignore[operator]


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map(lambda item: list[item]),  # type: ignore[valid-type]
        inner.map(lambda item: Annotated[list[item], Field(max_length=2)]),  # type: ignore[valid-type]
        st.tuples(st.sampled_from([str, int, bool, datetime.date]), inner).map(lambda pair: dict[pair]),  # type: ignore[misc,valid-type]
        inner.map(lambda item: Annotated[dict[str, item], Field(min_length=2)]),  # type: ignore[valid-type]
        inner.map(lambda item: Optional[item]),  # noqa: UP045
        some.map(lambda items: Union[tuple(items)]),  # noqa: UP007
        some.map(lambda items: tuple[tuple(items)]),  # type: ignore[misc]
        st.sampled_from([set[int], frozenset[str], set[uuid.UUID]]),
        st.builds(model_of, some, st.sampled_from(["ignore", "allow", "forbid"]), st.booleans()),
        st.builds(dataclass_of, some),
        st.builds(typed_dict_of, some, st.booleans()),
    )


TYPES = st.recursive(st.sampled_from(SCALARS), larger, max_leaves=6)
NUMBERS = ["0", "-0", "1", "2", "-1", "1.0", "-0.0", "0.5", "1e3", "1e300", "1e400", "-1e400", "NaN", "-Infinity"]
NUMBERS += ["1577836800", "9007199254740993", "123456789012345678901234567890", "1.00000000000000000000001"]
TEXTS = ["", "a", "red", "1", "1.5", " 1 ", "true", "yes", "NaN", "2020-01-01", "2020-01-01T00:00:00Z", "12:00", "P1D"]
TEXTS += ["12345678-1234-5678-1234-567812345678", "ä", "\ud800", "\x00", "1_000", "null"]
SCALAR_TEXTS = st.sampled_from([*NUMBERS, "true", "false", "null", *map(json.dumps, TEXTS)])
KEYS = st.sampled_from(['"a"', '"b"', '"c"', '"z"', '"1"', '"true"', '"2020-01-01"'])


def object_text(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(KEYS, inner), max_size=5).map(object_text),  # names that come twice are among them
    )


JSON_TEXTS = st.recursive(SCALAR_TEXTS, containers, max_leaves=8)


def plain(value: Any) -> Any:
    """Return the value in a form that is equal only to the very same: types, order and signs of zero count."""
    if isinstance(value, BaseModel):
        parts = [plain(value.__dict__), plain(value.model_extra), sorted(value.model_fields_set)]
        return (type(value), *parts)
    if dataclasses.is_dataclass(value):
        return type(value), plain(value.__dict__)
    if isinstance(value, dict):
        return dict, [(plain(key), plain(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(map(repr, value))
    return type(value), repr(value)


@settings(max_examples=150, deadline=None)
@given(TYPES, st.lists(JSON_TEXTS, min_size=1, max_size=8))
def test_what_is_valid_from_the_bytes_is_the_same_as_decoded(annotation: Any, texts: list[str]) -> None:
    field = field_of(annotation)
    if not means_the_same_from_json(field):
        return
    for text in texts:
        try:
            value = field.validator.validate_json(text.encode())
        except ValidationError:
            continue
        decoded, errors = field.validate(json.loads(text))
        assert not errors
        assert plain(value) == plain(decoded)
