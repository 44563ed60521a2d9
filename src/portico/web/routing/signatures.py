"""What a route's endpoint and dependencies want, read of their signatures: each once where many routes share it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from portico.web.params import Depends
from portico.web.plan.dependant import Dependant
from portico.web.plan.signature import get_dependant, get_parameterless_sub_dependant
from portico.web.routing.paths import Template


def signature_of(endpoint: Callable[..., Any]) -> tuple[Any, Any]:
    """Return what tells whether an endpoint is still the same: packages for views in classes give it another one."""
    return endpoint, getattr(endpoint, "__signature__", None)


def read_signature(path_format: str, endpoint: Callable[..., Any], dependencies: Sequence[Depends]) -> Dependant:
    """Return what an endpoint wants, after the dependencies that are called for what they do."""
    dependant = get_dependant(path=path_format, call=endpoint, scope="function")
    if dependencies:
        dependant.dependencies[:0] = read_dependencies(path_format, dependencies)
    return dependant


def read_dependencies(path_format: str, dependencies: Sequence[Depends]) -> list[Dependant]:
    """Return what dependencies want that are called for what they do."""
    params = frozenset(Template(path_format).param_convertors)
    return [_read_dependency(depends, params) for depends in dependencies]


def _read_dependency(depends: Depends, params: frozenset[str]) -> Dependant:
    try:
        return _read_shared_dependency(depends, params)
    except TypeError:  # one that has no hash, or a mistake that shows again
        return get_parameterless_sub_dependant(depends=depends, path=_path_of(params))


@functools.lru_cache(maxsize=256)
def _read_shared_dependency(depends: Depends, params: frozenset[str]) -> Dependant:
    """Read a signature that many routes share: those of a router have its dependencies."""
    return get_parameterless_sub_dependant(depends=depends, path=_path_of(params))


def _path_of(params: frozenset[str]) -> str:
    return "".join(f"/{{{name}}}" for name in sorted(params))
