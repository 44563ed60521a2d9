"""What a field has where the request has nothing for it."""

from copy import deepcopy
from typing import Any

from portico.web.plan.fields import ModelField, Undefined, missing_error

__all__ = ["validate_or_default"]


def validate_or_default(field: ModelField, value: Any, loc: tuple[str | int, ...]) -> tuple[Any, list[Any]]:
    """Return the valid value and no errors, or None and what is wrong; for `Undefined` the default, if there is one."""
    if value is Undefined:
        if field.required:
            return None, [missing_error(loc)]
        value = deepcopy(field.get_default())
        if not field.field_info.validate_default:
            return value, []
    valid, errors = field.validate(value, loc=loc)
    return valid, list(errors)
