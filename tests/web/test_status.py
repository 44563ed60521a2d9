"""Status codes by name."""

import pytest

from portico.http.status import reason
from portico.web import status
from portico.web.exceptions import PorticoDeprecationWarning


def test_every_name_has_its_number() -> None:
    for name in status.__all__:
        assert getattr(status, name) == int(name.split("_")[1])


def test_every_status_has_the_words_of_its_reason() -> None:
    for name in status.__all__:
        kind, code, words = name.split("_", 2)
        phrase = reason(int(code)) if kind == "HTTP" else ""
        if phrase and code not in ("306", "418"):
            assert words == phrase.upper().replace("-", "_").replace(" ", "_").replace("'", "")


@pytest.mark.parametrize(
    ("old", "current"),
    [
        ("HTTP_413_REQUEST_ENTITY_TOO_LARGE", "HTTP_413_CONTENT_TOO_LARGE"),
        ("HTTP_414_REQUEST_URI_TOO_LONG", "HTTP_414_URI_TOO_LONG"),
        ("HTTP_416_REQUESTED_RANGE_NOT_SATISFIABLE", "HTTP_416_RANGE_NOT_SATISFIABLE"),
        ("HTTP_422_UNPROCESSABLE_ENTITY", "HTTP_422_UNPROCESSABLE_CONTENT"),
    ],
)
def test_an_old_name_warns_and_names_the_current_one(old: str, current: str) -> None:
    with pytest.warns(PorticoDeprecationWarning, match=current) as record:
        assert getattr(status, old) == getattr(status, current)
    assert record[0].filename == __file__
    assert old in dir(status)
    assert old not in status.__all__


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="HTTP_999"):
        status.HTTP_999_UNKNOWN  # type: ignore[attr-defined]  # noqa: B018
