"""Values as what JSON has; where nothing else is said, as the peer makes them."""

import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.web.values import Color, Inner, Part, outcome, values

from portico.web.encoders import ENCODERS_BY_TYPE, jsonable_encoder

peer = pytest.importorskip("fastapi.encoders")


selections = st.none() | st.sampled_from(
    [set(), {"a"}, {"a", "first", "parts"}, ["a", "b"], {"a": True}, {"parts": {0}}, ()]
)
options = st.fixed_dictionaries(
    {},
    optional={
        "include": selections,
        "exclude": selections,
        "by_alias": st.booleans(),
        "exclude_unset": st.booleans(),
        "exclude_defaults": st.booleans(),
        "exclude_none": st.booleans(),
        "sqlalchemy_safe": st.booleans(),
        "custom_encoder": st.sampled_from(
            [{}, {datetime.date: lambda day: day.year}, {int: str, Inner: repr}, {Color: lambda color: color.name}]
        ),
    },
)


@given(values, options)
@settings(deadline=None)
def test_values_become_what_the_peer_makes_of_them(value: Any, options: dict[str, Any]) -> None:
    assert outcome(jsonable_encoder, value, **options) == outcome(peer.jsonable_encoder, value, **options)


def test_a_generator_becomes_a_list() -> None:
    assert jsonable_encoder(number for number in range(3)) == [0, 1, 2]
    assert jsonable_encoder({"a": (Color(name) for name in ("red",))}) == {"a": ["red"]}


def test_a_program_adds_its_own_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS_BY_TYPE, complex, str)
    monkeypatch.setitem(ENCODERS_BY_TYPE, datetime.date, lambda day: day.year)

    class Day(datetime.date):
        pass

    assert jsonable_encoder([1j, datetime.date(2020, 1, 2), Day(2021, 1, 2)]) == ["1j", 2020, 2021]


class Struct(msgspec.Struct):
    a: int
    at: datetime.datetime
    part: Any = None


def test_a_struct_becomes_what_msgspec_makes_of_it() -> None:
    at = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    struct = Struct(1, at, Part(at=at))
    assert jsonable_encoder({"s": [struct]}) == {
        "s": [
            {"a": 1, "at": "2020-01-01T00:00:00Z", "part": {"at": "2020-01-01T00:00:00Z", "price": None, "extra": {}}}
        ]
    }
    assert jsonable_encoder(struct, include={"a"}) == {"a": 1}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_color_of_pydantic_is_its_name() -> None:
    from pydantic.color import Color as PydanticColor

    assert jsonable_encoder([PydanticColor("blue")]) == ["blue"]


def test_an_object_without_form_in_json_is_refused() -> None:
    class Slots:
        __slots__ = ()

    with pytest.raises(ValueError, match="not iterable"):
        jsonable_encoder({"a": Slots()})


def test_what_refers_to_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(RecursionError):
        jsonable_encoder(value)
