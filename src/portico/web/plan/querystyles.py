"""Query parameters in other styles than one text for each value: `tag=a,b`, `filter[name]=a` (OpenAPI 3.1 §4.8.12)."""

from collections.abc import Mapping, Sequence
from typing import Any

from portico.web.datastructures import ImmutableMultiDict
from portico.web.params import ParameterError, Query
from portico.web.plan.annotations import is_sequence, model_of
from portico.web.plan.fields import ModelField

__all__ = ["check_style", "in_brackets", "is_deep", "split_items"]


def is_deep(field: ModelField) -> bool:
    """Tell whether the fields of the model are in brackets after the name of the parameter."""
    return getattr(field.field_info, "style", None) == "deepObject"


def check_style(name: str, info: Query) -> None:
    """Raise ParameterError where the style of a query parameter does not fit its type."""
    is_model = model_of(info.annotation) is not None
    if info.style not in ("form", "deepObject"):
        raise ParameterError(f"query parameter {name!r} must have the style 'form' or 'deepObject', got {info.style!r}")
    if info.style == "deepObject" and not (is_model and info.explode):
        raise ParameterError(
            f"query parameter {name!r} is a deepObject, which must be a pydantic model with explode=True, got "
            f"{info.annotation!r} with explode={info.explode!r}"
        )
    if not info.explode and not is_model and not is_sequence(info.annotation):
        raise ParameterError(
            f"query parameter {name!r} has explode=False, which is for lists and for models with lists, got "
            f"{info.annotation!r}"
        )


def in_brackets(received: Mapping[str, Any], name: str) -> ImmutableMultiDict[str, Any]:
    """Return the parameters `name[key]` by key."""
    assert isinstance(received, ImmutableMultiDict)
    prefix, start = f"{name}[", len(name) + 1
    return ImmutableMultiDict(
        [(key[start:-1], value) for key, value in received.multi_items() if key[:start] == prefix and key[-1] == "]"]
    )


def split_items(texts: Sequence[str]) -> list[str]:
    """Return the items of texts such as `a,b`; an empty one has none."""
    return [item for text in texts if text for item in text.split(",")]
