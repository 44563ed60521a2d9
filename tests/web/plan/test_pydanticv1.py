import sys
import types
from typing import Any

import pytest

from portico.web.exceptions import PydanticV1NotSupportedError
from portico.web.plan.fields import create_model_field
from portico.web.plan.pydanticv1 import is_pydantic_v1


class OldModel:
    """In the place of pydantic.v1.BaseModel, which not every Python can import."""


class Old(OldModel): ...


@pytest.fixture
def _with_v1(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("pydantic.v1.main")
    module.BaseModel = OldModel
    monkeypatch.setitem(sys.modules, "pydantic.v1.main", module)


@pytest.mark.usefixtures("_with_v1")
@pytest.mark.parametrize("annotation", [Old, Old | None, list[Old], list[Old | None]])
def test_old_models_are_refused(annotation: Any) -> None:
    with pytest.raises(PydanticV1NotSupportedError, match=r"pydantic\.v1 models are not supported"):
        create_model_field("name", annotation)


@pytest.mark.usefixtures("_with_v1")
def test_others_are_not() -> None:
    assert not is_pydantic_v1(int)
    assert not is_pydantic_v1(list[int] | None)


def test_nothing_is_imported_to_know() -> None:
    loaded = "pydantic.v1.main" in sys.modules
    assert not is_pydantic_v1(int)
    assert ("pydantic.v1.main" in sys.modules) is loaded
