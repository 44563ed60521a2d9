"""Set-Cookie, as RFC 6265bis and `http.cookies` have it."""

from http.cookies import SimpleCookie

import pytest

from portico.http.cookies import quote_value, set_cookie


def test_every_attribute_is_written() -> None:
    assert (
        set_cookie(
            "name",
            "value",
            max_age=10,
            expires="Thu, 22 Jan 2037 12:00:10 GMT",
            path="/",
            domain="example.com",
            secure=True,
            httponly=True,
            samesite="none",
            partitioned=True,
        )
        == "name=value; Domain=example.com; expires=Thu, 22 Jan 2037 12:00:10 GMT; HttpOnly; Max-Age=10;"
        " Partitioned; Path=/; SameSite=none; Secure"
    )


def test_a_cookie_may_be_a_name_and_a_value_only() -> None:
    assert set_cookie("a", "b") == "a=b"
    assert set_cookie("a", max_age=0) == 'a=""; Max-Age=0'


@pytest.mark.parametrize(
    "value", ["", "abc", "a b", "a;b", "a,b", 'a"b', "a\\b", "é", "=", "[1, 2]", "!#$%&'*+-.^_`|~:"]
)
def test_values_are_quoted_as_the_standard_library_does(value: str) -> None:
    cookie: SimpleCookie = SimpleCookie()
    cookie["a"] = value
    assert f"a={quote_value(value)}" == cookie.output(header="").strip()


@pytest.mark.parametrize("char", ["\r", "\n", "\0", "\x1f", "\x7f", "€"])
def test_what_could_end_the_field_is_refused_everywhere(char: str) -> None:
    for arguments in ({"value": char}, {"path": f"/{char}"}, {"domain": char}, {"expires": char}):
        with pytest.raises(ValueError, match="a cookie's"):
            set_cookie("a", **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a cookie's name"):
        set_cookie(f"a{char}", "b")


def test_an_attribute_has_no_semicolon() -> None:
    with pytest.raises(ValueError, match="path"):
        set_cookie("a", "b", path="/; Domain=evil.example")


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "é", '"a"'])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        set_cookie(name, "b")


def test_same_site_is_one_of_three() -> None:
    with pytest.raises(ValueError, match="samesite"):
        set_cookie("a", "b", samesite="Lax; Secure")
