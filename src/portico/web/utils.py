"""Two functions that programs import from here: the default `generate_unique_id_function`, and who may have a body."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico.web.routing import APIRoute

BODILESS = frozenset((204, 205, 304))
NOT_WORD = re.compile(r"\W")


def is_body_allowed_for_status_code(status_code: int | str | None) -> bool:
    """Tell whether a response with the status may have a body (RFC 9110 §6.4.1); OpenAPI's `2XX`, `default` may."""
    if status_code is None or status_code == "default" or (isinstance(status_code, str) and status_code.endswith("XX")):
        return True
    code = int(status_code)
    return code >= 200 and code not in BODILESS


def generate_unique_id(route: "APIRoute") -> str:
    """Return the id of an operation in OpenAPI: the route's name, its path and a method, of several the first."""
    assert route.methods, f"{route!r} has no methods"
    text = NOT_WORD.sub("_", f"{route.name}{route.path_format}")
    return f"{text}_{min(route.methods).lower()}"
