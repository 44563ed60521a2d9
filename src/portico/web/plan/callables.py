"""What a call of an endpoint or a dependency gives: a value, an awaitable, or something to iterate over.

The answer for a callable is the answer for what it stands for: the function in a partial, the one below
`functools.wraps`, the `__call__` of an object.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

if sys.version_info >= (3, 13):
    from inspect import iscoroutinefunction
else:
    from asyncio import iscoroutinefunction  # knows what is marked as a coroutine function

GENERATOR = inspect.CO_GENERATOR
ASYNC_GENERATOR = inspect.CO_ASYNC_GENERATOR


def is_generator(call: Callable[..., Any] | None) -> bool:
    """Tell whether a call gives a generator."""
    return _any_face(call, inspect.isgeneratorfunction)


def is_async_generator(call: Callable[..., Any] | None) -> bool:
    """Tell whether a call gives an async generator."""
    return _any_face(call, inspect.isasyncgenfunction)


def is_coroutine(call: Callable[..., Any] | None) -> bool:
    """Tell whether a call gives a coroutine."""
    return _any_face(call, iscoroutinefunction)


def without_partials(call: Any) -> Any:
    """Return the callable that a partial, or a partial of a partial, calls."""
    while isinstance(call, partial):
        call = call.func
    return call


def unwrapped(call: Any) -> Any:
    """Return the callable below all partials and decorators that name what they wrap."""
    return inspect.unwrap(without_partials(call))


def _any_face(call: Callable[..., Any] | None, is_such: Callable[[Any], bool]) -> bool:
    if call is None:
        return False
    if type(call) is FunctionType and not call.__dict__:
        return is_such(call)
    return any(is_such(face) for face in _faces(call))


def _faces(call: Any) -> Iterator[Any]:
    """Yield the functions that a call of the object may come to."""
    bare, innermost = without_partials(call), unwrapped(call)
    for function in (bare, innermost):
        if inspect.isroutine(function):
            yield function
    if inspect.isclass(innermost):
        return
    for owner in (bare, innermost):
        method = getattr(owner, "__call__", None)  # noqa: B004 - what the call runs, not whether there is one
        if method is not None:
            yield without_partials(method)
            yield unwrapped(method)
