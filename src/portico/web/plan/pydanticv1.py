"""Models of pydantic 1, which pydantic 2 still ships, are told apart so that they can be refused with a clear word."""

import sys
from typing import Any, get_args

from portico.web.plan.annotations import is_sequence, is_union, lenient_issubclass


def is_pydantic_v1(annotation: Any) -> bool:
    """Tell whether it is such a model, a union or a sequence with one."""
    module = sys.modules.get("pydantic.v1.main")  # without it there is no such model, and importing it is slow
    if module is None:
        return False
    return _has(annotation, module.BaseModel)


def _has(annotation: Any, base: type) -> bool:
    if lenient_issubclass(annotation, base):
        return True
    if is_union(annotation) or is_sequence(annotation):
        return any(_has(arg, base) for arg in get_args(annotation))
    return False
