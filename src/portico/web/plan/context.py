"""Where an endpoint is, for the errors about what it was given and what it gave."""

import functools
import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from portico.asgi import Scope
from portico.web.exceptions import EndpointContext

_known: WeakKeyDictionary[Any, EndpointContext] = WeakKeyDictionary()


def endpoint_context(call: Callable[..., Any] | None, method: str, scope: Scope, path: str | None) -> EndpointContext:
    """Return where the endpoint is; looked up once, for it reads the source file."""
    try:
        context = _known.get(call)
        if context is None:
            context = _known[call] = _source(call)
    except TypeError:  # a callable that cannot be referred to weakly
        context = _source(call)
    if path:
        return {**context, "path": f"{method} {scope.get('root_path', '').rstrip('/')}{path}"}
    return context


def note_place(error: Exception, call: Any) -> None:
    """Add to an error where the function is that it is about: its traceback ends in this package."""
    while isinstance(call, functools.partial):
        call = call.func
    place = _source(inspect.unwrap(call) if inspect.isroutine(call) or inspect.isclass(call) else type(call))
    if "file" in place:
        error.add_note(f'In the signature of:\n  File "{place["file"]}", line {place["line"]}, in {place["function"]}')


def _source(call: Any) -> EndpointContext:
    context: EndpointContext = {}
    try:
        file = inspect.getsourcefile(call)
        line = inspect.getsourcelines(call)[1]
    except (TypeError, OSError):
        return context
    if file is not None:
        context["file"] = file
    context["line"] = line
    if (name := getattr(call, "__name__", None)) is not None:
        context["function"] = name
    return context
