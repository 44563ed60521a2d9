"""Fields over raw pairs: looked up in any case, changed in place, and never able to start another field."""

from typing import Any

import pytest

from portico.web.datastructures import Headers, MutableHeaders

RAW = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]


def test_names_are_found_in_any_case() -> None:
    headers = Headers(raw=[(b"content-type", b"text/plain")])
    assert headers["Content-Type"] == headers["content-type"] == headers.get("CONTENT-TYPE") == "text/plain"
    assert "Content-Type" in headers
    assert "Content" not in headers


def test_a_name_that_occurs_twice_has_its_first_value() -> None:
    headers = Headers(raw=list(RAW))
    assert headers["a"] == "1"
    assert headers.getlist("A") == ["1", "3"]
    assert headers.keys() == ["a", "b", "a"]
    assert headers.values() == ["1", "2", "3"]
    assert headers.items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert dict(headers) == {"a": "1", "b": "2"}


def test_what_is_missing_is_a_key_error_or_the_default() -> None:
    headers = Headers()
    assert headers.get("a") is None
    assert headers.get("a", 1) == 1
    assert headers.getlist("a") == []
    with pytest.raises(KeyError, match="a"):
        headers["a"]


@pytest.mark.parametrize("name", ["", "a b", "€", "a\n", "ß€"])
def test_looking_up_what_is_no_name_finds_nothing(name: str) -> None:
    headers = Headers(raw=list(RAW))
    assert name not in headers
    assert headers.get(name) is None


def test_other_objects_are_not_in_headers() -> None:
    other: object = 1
    assert other not in Headers(raw=list(RAW))


def test_values_are_latin_1() -> None:
    assert Headers(raw=[(b"a", b"\xe9")])["a"] == "é"
    assert Headers({"a": "é"}).raw == [(b"a", b"\xe9")]


def test_the_list_of_a_request_is_not_copied() -> None:
    scope = {"headers": list(RAW)}
    assert Headers(scope=scope)._list is scope["headers"]


def test_headers_that_are_no_list_become_one_in_the_scope() -> None:
    scope: dict[str, Any] = {"headers": tuple(RAW)}
    headers = Headers(scope=scope)
    assert scope["headers"] == RAW
    assert headers._list is scope["headers"]


def test_the_list_of_a_message_is_copied_before_it_changes() -> None:
    kept = list(RAW)
    message = {"headers": kept}
    MutableHeaders(scope=message)["b"] = "4"
    assert kept == RAW
    assert message["headers"] == [(b"a", b"1"), (b"b", b"4"), (b"a", b"3")]


def test_a_raw_list_is_changed_in_place() -> None:
    raw = list(RAW)
    headers = MutableHeaders(raw=raw)
    headers["A"] = "9"
    assert raw == [(b"a", b"9"), (b"b", b"2")]
    del headers["B"]
    assert raw == [(b"a", b"9")]
    assert headers.raw is raw


def test_setting_keeps_the_place_of_the_first_value() -> None:
    headers = MutableHeaders(raw=list(RAW))
    headers["a"] = "x"
    headers["c"] = "y"
    assert headers.items() == [("a", "x"), ("b", "2"), ("c", "y")]
    headers = MutableHeaders(raw=[*RAW, *RAW])
    headers["a"] = "x"
    assert headers.items() == [("a", "x"), ("b", "2"), ("b", "2")]


def test_appending_keeps_what_is_there() -> None:
    headers = MutableHeaders({"a": "1"})
    headers.append("A", "2")
    assert headers.getlist("a") == ["1", "2"]


def test_a_default_is_set_once() -> None:
    headers = MutableHeaders()
    assert headers.setdefault("A", "1") == "1"
    assert headers.setdefault("a", "2") == "1"


def test_vary_grows() -> None:
    headers = MutableHeaders({"vary": "accept"})
    headers.add_vary_header("origin")
    assert headers["vary"] == "accept, origin"


def test_headers_are_merged() -> None:
    headers = MutableHeaders({"a": "1"})
    both = headers | {"B": "2"}
    headers |= {"a": "3"}
    assert (both.items(), headers.items()) == ([("a", "1"), ("b", "2")], [("a", "3")])
    with pytest.raises(TypeError, match="a mapping of names to values"):
        headers |= {"a"}  # type: ignore[arg-type]


def test_a_copy_leaves_the_original_as_it_is() -> None:
    headers = Headers(raw=list(RAW))
    headers.mutablecopy()["a"] = "x"
    assert headers.raw == RAW
    headers.raw.clear()
    assert headers.raw == RAW


@pytest.mark.parametrize("value", ["a\r\nset-cookie: b=c", "a\nb", "a\rb", "a\0b", "\n", "a\r\n"])
def test_a_value_with_a_line_break_or_nul_is_refused(value: str) -> None:
    headers = MutableHeaders({"a": "1"})
    with pytest.raises(ValueError, match="no line break and no NUL"):
        headers["a"] = value
    with pytest.raises(ValueError, match="no line break and no NUL"):
        headers.append("b", value)
    with pytest.raises(ValueError, match="no line break and no NUL"):
        headers.setdefault("b", value)
    with pytest.raises(ValueError, match="no line break and no NUL"):
        headers.update({"b": value})
    with pytest.raises(ValueError, match="no line break and no NUL"):
        Headers({"b": value})
    assert headers.raw == [(b"a", b"1")]


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "a\0", "é", "€", " a"])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    headers = MutableHeaders()
    with pytest.raises(ValueError, match="a field name is"):
        headers[name] = "1"
    with pytest.raises(ValueError, match="a field name is"):
        headers.append(name, "1")
    assert headers.raw == []


def test_a_tab_and_latin_1_may_stand_in_a_value() -> None:
    headers = MutableHeaders({"a": "b\tc\x85\xa0"})
    assert headers["a"] == "b\tc\x85\xa0"


def test_equality_does_not_regard_the_order() -> None:
    assert Headers(raw=list(RAW)) == Headers(raw=RAW[::-1])
    assert Headers(raw=list(RAW)) != Headers(raw=RAW[:2])
    assert Headers() != {}


def test_headers_are_made_in_one_way_only() -> None:
    several: list[dict[str, Any]] = [
        {"headers": {}, "raw": []},
        {"raw": [], "scope": {"headers": []}},
        {"headers": {}, "scope": {}},
    ]
    for arguments in several:
        with pytest.raises(TypeError, match="one of headers, raw and scope"):
            Headers(**arguments)


def test_the_names_that_are_remembered_are_bounded() -> None:
    from portico.web.datastructures import headers as module

    headers = Headers()
    for number in range(2000):
        headers.get(f"x-{number}")
    assert len(module._known_names) <= module.MAX_KNOWN_NAMES


def test_the_text_of_headers_shows_all_values() -> None:
    assert repr(Headers({"a": "1"})) == "Headers({'a': '1'})"
    assert repr(Headers(raw=list(RAW))) == f"Headers(raw={RAW!r})"
