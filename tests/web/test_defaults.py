"""Defaults that can be told from values."""

from typing import Any

from portico.web.datastructures import Default, DefaultPlaceholder


def test_a_default_is_true_as_its_value_is() -> None:
    assert Default("a")
    assert not Default("")


def test_defaults_are_equal_if_their_values_are_and_never_equal_a_value() -> None:
    assert Default("a") == Default("a")
    assert Default("a") != Default("b")
    assert Default("a") != "a"


def test_a_default_has_its_value_and_shows_it() -> None:
    placeholder: Any = Default([1])
    assert isinstance(placeholder, DefaultPlaceholder)
    assert placeholder.value == [1]
    assert repr(placeholder) == "Default([1])"
