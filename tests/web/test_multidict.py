"""Several values under one key, queries, state, and the two kinds of setting."""

import copy
import random
import time
from urllib.parse import parse_qsl

import pytest

from portico.web.datastructures import (
    CommaSeparatedStrings,
    ImmutableMultiDict,
    MultiDict,
    QueryParams,
    Secret,
    State,
)

ITEMS = [("a", 1), ("b", 2), ("a", 3)]


def test_a_key_has_its_last_value() -> None:
    values = ImmutableMultiDict(ITEMS)
    assert values["a"] == values.get("a") == 3
    assert values.getlist("a") == [1, 3]
    assert values.get("c") is None
    assert values.get("c", 0) == 0
    assert dict(values) == dict(values.items()) == {"a": 3, "b": 2}
    assert (list(values), list(values.keys()), list(values.values())) == (["a", "b"], ["a", "b"], [3, 2])
    assert values.multi_items() == ITEMS
    assert len(values) == 2
    assert "a" in values
    assert "c" not in values


def test_the_given_items_are_not_changed() -> None:
    items = list(ITEMS)
    values = MultiDict(items)
    values.append("c", 4)
    values.multi_items().clear()
    assert items == ITEMS
    assert values.multi_items() == [*ITEMS, ("c", 4)]


def test_a_multidict_is_made_of_another_a_mapping_pairs_and_keywords() -> None:
    assert MultiDict(MultiDict(ITEMS)).multi_items() == ITEMS
    assert MultiDict({"a": 1}, b=2).multi_items() == [("a", 1), ("b", 2)]
    assert MultiDict(iter(ITEMS)).multi_items() == ITEMS
    assert MultiDict(None).multi_items() == []  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got 2 arguments"):
        MultiDict({}, {})


def test_equality_regards_the_order_of_the_values_of_one_key_only() -> None:
    assert MultiDict(ITEMS) == MultiDict([("b", 2), ("a", 1), ("a", 3)])
    assert MultiDict(ITEMS) != MultiDict([("b", 2), ("a", 3), ("a", 1)])
    assert MultiDict() != {}


def test_setting_drops_the_other_values() -> None:
    values = MultiDict(ITEMS)
    values["a"] = 4
    assert values.multi_items() == [("b", 2), ("a", 4)]
    values.setlist("a", [5, 6])
    assert (values.getlist("a"), values["a"]) == ([5, 6], 6)
    values.setlist("a", [])
    assert "a" not in values


def test_removing_takes_all_values() -> None:
    values = MultiDict(ITEMS)
    assert values.pop("a") == 3
    assert values.pop("a") is None
    assert values.pop("a", 9) == 9
    assert values.poplist("b") == [2]
    assert values.multi_items() == []
    values = MultiDict(ITEMS)
    del values["a"]
    assert values.popitem() == ("b", 2)
    assert values.multi_items() == []


def test_removing_what_is_not_there_is_a_key_error_that_changes_nothing() -> None:
    values = MultiDict(ITEMS)
    with pytest.raises(KeyError):
        del values["c"]
    assert values.multi_items() == ITEMS


def test_updating_replaces_all_values_of_a_key() -> None:
    values = MultiDict(ITEMS)
    values.update([("a", 4), ("a", 5)], c=6)
    assert values.multi_items() == [("b", 2), ("a", 4), ("a", 5), ("c", 6)]
    values.update(values)
    assert len(values.multi_items()) == 4
    assert values.setdefault("a", 0) == 5
    assert values.setdefault("d", 0) == 0
    values.clear()
    assert values == MultiDict()


def test_a_query_is_read_as_browsers_write_it() -> None:
    query = QueryParams(b"a=1&b=x+y&c=%C3%A9%26&d&=e&&f=g=h")
    assert query.multi_items() == [
        ("a", "1"), ("b", "x y"), ("c", "é&"), ("d", ""), ("", "e"), ("f", "g=h"),
    ]  # fmt: skip


def test_only_an_ampersand_separates() -> None:
    assert QueryParams("a=1;b=2").multi_items() == [("a", "1;b=2")]


def test_bytes_that_are_not_utf8_are_no_error() -> None:
    assert QueryParams(b"a=%FF&b=\xff").multi_items() == [("a", "�"), ("b", "�")]
    assert QueryParams("a=é".encode())["a"] == "é"


def test_what_is_no_escape_stays() -> None:
    assert QueryParams(b"a=%&b=%zz&c=100%").multi_items() == [("a", "%"), ("b", "%zz"), ("c", "100%")]


def test_a_query_is_read_as_the_standard_library_reads_it() -> None:
    choice = random.Random(1).choice
    for length in range(3000):
        text = "".join(choice("ab=&+%;20cCaA9fFé ") for _ in range(length % 40))
        assert QueryParams(text).multi_items() == parse_qsl(text, keep_blank_values=True)


def test_a_query_is_written_as_it_is_read() -> None:
    query = QueryParams([("a", 1), ("b", "é &")], c=None)
    assert query.multi_items() == [("a", "1"), ("b", "é &"), ("c", "None")]
    assert str(query) == "a=1&b=%C3%A9+%26&c=None"
    assert QueryParams(str(query)) == query
    assert repr(query) == "QueryParams('a=1&b=%C3%A9+%26&c=None')"
    assert QueryParams("a=1", b=2).multi_items() == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize("unit", [b"&", b"=", b"%", b"+", b"a=1&", b"%25", b"%%", b"a", b"\xff"])
def test_reading_a_query_takes_linear_time(unit: bytes) -> None:
    hostile = unit * (1024 * 1024 // len(unit))
    begun = time.process_time()
    QueryParams(hostile)
    assert time.process_time() - begun < 5


def test_state_has_items_that_are_attributes() -> None:
    held = {"a": 1}
    state = State(held)
    state.b = 2
    state["c"] = 3
    assert (state["a"], state.a, state.c, list(state), len(state)) == (1, 1, 3, ["a", "b", "c"], 3)
    assert held == {"a": 1, "b": 2, "c": 3}
    del state.a, state["b"]
    assert held == {"c": 3}
    for missing in ("a", "_b"):
        with pytest.raises(AttributeError, match=f"'State' object has no attribute '{missing}'"):
            getattr(state, missing)
    with pytest.raises(AttributeError, match="'a'"):
        del state.a
    with pytest.raises(KeyError):
        state["a"]
    assert copy.copy(state).c == 3


def test_a_secret_does_not_show() -> None:
    secret = Secret("word")
    assert (str(secret), repr(secret), bool(secret), bool(Secret(""))) == ("word", "Secret('**********')", True, False)


def test_strings_are_split_at_commas_outside_quotes() -> None:
    strings = CommaSeparatedStrings('a, "b,c" ,d')
    assert list(strings) == ["a", "b,c", "d"]
    assert (strings[1], strings[1:], len(strings), str(strings)) == ("b,c", ["b,c", "d"], 3, "'a', 'b,c', 'd'")
    assert repr(CommaSeparatedStrings(("a",))) == "CommaSeparatedStrings(['a'])"
