"""What a field has where the request has nothing for it."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from enum import Enum
from typing import Any

from portico.web.plan.fields import ModelField, Undefined, missing_error

__all__ = ["Default", "default_of", "is_constant", "validate_or_default"]

# Values of these types are the same for every request.
UNCHANGING = (str, int, float, bool, bytes, type(None), Enum)

Location = tuple[str | int, ...]
Default = Callable[[Location], tuple[Any, Sequence[Any]]]


def is_constant(field: ModelField) -> bool:
    """Tell whether the default is the same object for every request."""
    info = field.field_info
    return (
        not field.required
        and info.default_factory is None
        and not info.validate_default
        and isinstance(info.default, UNCHANGING)
    )


def default_of(field: ModelField) -> Default | None:
    """Return a function from location to the default and what is wrong with it; None where a value is required."""
    if field.required:
        return None
    if is_constant(field):
        constant = field.field_info.default, ()
        return lambda loc: constant
    if field.field_info.validate_default:
        return lambda loc: field.validate(deepcopy(field.get_default()), loc=loc)
    return lambda loc: (deepcopy(field.get_default()), ())


def validate_or_default(field: ModelField, value: Any, loc: Location) -> tuple[Any, list[Any]]:
    """Return the valid value and no errors, or None and what is wrong; for `Undefined` the default, if there is one."""
    if value is not Undefined:
        valid, errors = field.validate(value, loc=loc)
        return valid, list(errors)
    default = default_of(field)
    if default is None:
        return None, [missing_error(loc)]
    value, wrong = default(loc)
    return value, list(wrong)
