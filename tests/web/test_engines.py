"""JSON by other packages."""

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from portico.web.exceptions import PorticoDeprecationWarning
from portico.web.responses import ORJSONResponse, UJSONResponse


def dumps(content: Any, option: int = 0, ensure_ascii: bool = True) -> Any:
    text = json.dumps([content, option, ensure_ascii])
    return text.encode() if option else text


@pytest.fixture
def _engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules,
        "orjson",
        SimpleNamespace(dumps=dumps, OPT_NON_STR_KEYS=1, OPT_SERIALIZE_NUMPY=2),  # type: ignore[arg-type]
    )
    monkeypatch.setitem(sys.modules, "ujson", SimpleNamespace(dumps=dumps))  # type: ignore[arg-type]


@pytest.mark.usefixtures("_engines")
@pytest.mark.parametrize(("kind", "rest"), [(ORJSONResponse, [3, True]), (UJSONResponse, [0, False])])
def test_the_package_writes_and_a_warning_says_that_it_will_go(kind: Any, rest: list[Any]) -> None:
    with pytest.warns(PorticoDeprecationWarning, match=f"^{kind.__name__} is deprecated"):
        response = kind({"a": 1}, 201)
    assert json.loads(response.body) == [{"a": 1}, *rest]
    assert (response.status_code, response.headers["content-type"]) == (201, "application/json")


@pytest.mark.filterwarnings("ignore::portico.web.exceptions.PorticoDeprecationWarning")
@pytest.mark.parametrize(("kind", "package"), [(ORJSONResponse, "orjson"), (UJSONResponse, "ujson")])
def test_a_missing_package_is_named(kind: Any, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        kind({})
