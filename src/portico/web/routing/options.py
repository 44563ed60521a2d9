"""Options of routes: what they are where nobody has chosen, which one counts, and which cannot be."""

from collections.abc import Mapping
from typing import Any

from portico.web.datastructures import Default, DefaultPlaceholder
from portico.web.responses import JSONResponse
from portico.web.utils import generate_unique_id

# Marked, so that routers and inclusions know that they may choose.
DEFAULT_RESPONSE_CLASS = Default(JSONResponse)
DEFAULT_UNIQUE_ID = Default(generate_unique_id)
DEFAULT_STRICT = Default(True)


def first_given(*values: Any) -> Any:
    """Return the first value that somebody chose, the first default if nobody did."""
    for value in values:
        if not isinstance(value, DefaultPlaceholder):
            return value
    return values[0]


def first_not_none(*values: int | None) -> int | None:
    """Return the first value that there is."""
    return next((value for value in values if value is not None), None)


def check_max_body_size(limit: Any) -> None:
    """Raise ValueError where a limit is not a number of bytes."""
    if limit is not None and (type(limit) is bool or not isinstance(limit, int) or limit < 0):
        raise ValueError(f"max_body_size must be a non-negative integer or None, got {limit!r}")


def check_options(name: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise TypeError where there are options that nobody knows."""
    unknown = options.keys() - known
    if unknown:
        raise TypeError(
            f"{name} got unknown options {', '.join(map(repr, sorted(unknown)))}; there are {', '.join(sorted(known))}"
        )
