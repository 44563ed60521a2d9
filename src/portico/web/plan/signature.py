"""A callable's signature, read once: which of its parameters come from where, and what it depends on."""

import inspect
import re
import sys
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from types import FunctionType
from typing import Any, ForwardRef, get_args, get_origin

from portico.web import params
from portico.web.exceptions import DependencyScopeError
from portico.web.params import ConcurrencyLimit, DependencyScope, Depends, ParameterError, Security
from portico.web.plan.callables import is_async_generator, is_generator
from portico.web.plan.context import note_place
from portico.web.plan.dependant import CacheKey, Dependant
from portico.web.plan.fields import ModelField, model_fields
from portico.web.plan.parameter import read_parameter
from portico.web.plan.parametermodels import parameter_model
from portico.web.plan.peers import refuse_declaration

PLACES = {
    params.ParamTypes.path: "path_params",
    params.ParamTypes.query: "query_params",
    params.ParamTypes.header: "header_params",
    params.ParamTypes.cookie: "cookie_params",
}
STREAMS = frozenset((AsyncIterable, AsyncIterator, AsyncGenerator, Iterable, Iterator, Generator))


def get_typed_signature(call: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a callable, the annotations that are text evaluated where they can be."""
    signature = _signature(call)
    parameters = signature.parameters.values()
    if not any(isinstance(parameter.annotation, str) for parameter in parameters):
        return signature
    namespace = _namespace(call)
    return signature.replace(
        parameters=[
            parameter.replace(annotation=get_typed_annotation(parameter.annotation, namespace))
            for parameter in parameters
        ]
    )


def get_typed_return_annotation(call: Callable[..., Any]) -> Any:
    """Return what a callable says that it returns; None if it does not say."""
    annotation = _plain_return_annotation(call)
    if isinstance(annotation, str):
        annotation = get_typed_annotation(_signature(call).return_annotation, _namespace(call))
    return None if annotation is inspect.Signature.empty else annotation


def _plain_return_annotation(call: Callable[..., Any]) -> Any:
    if type(call) is FunctionType and not call.__dict__:
        try:
            return call.__annotations__.get("return", inspect.Signature.empty)
        except NameError:  # of a Python that evaluates annotations only now
            pass
    return _signature(call).return_annotation


def get_typed_annotation(annotation: Any, globalns: dict[str, Any]) -> Any:
    """Return what an annotation that is text stands for; what cannot be found yet stays a forward reference."""
    if not isinstance(annotation, str):
        return annotation
    reference = ForwardRef(annotation)
    try:
        annotation = _evaluate(reference, globalns)
    except NameError:
        return reference
    return None if annotation is type(None) else annotation


def _evaluate(reference: ForwardRef, globalns: dict[str, Any]) -> Any:
    from typing_extensions import evaluate_forward_ref

    return evaluate_forward_ref(reference, globals=globalns, locals=globalns)


def _signature(call: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(call, eval_str=True)
    except NameError:  # names that are only imported for type checkers
        if sys.version_info >= (3, 14):
            from annotationlib import Format

            return inspect.signature(call, annotation_format=Format.FORWARDREF)
        return inspect.signature(call)


def _namespace(call: Callable[..., Any]) -> dict[str, Any]:
    namespace: dict[str, Any] = getattr(inspect.unwrap(call), "__globals__", {})
    return namespace


def get_stream_item_type(annotation: Any) -> Any | None:
    """Return the type of the items of an annotation such as `AsyncIterable[Item]`; None if it is none."""
    origin = get_origin(annotation)
    if origin is None or origin not in STREAMS:
        return None
    args = get_args(annotation)
    return args[0] if args else Any


def get_path_param_names(path: str) -> set[str]:
    """Return the names of a path's parameters."""
    return set(re.findall("{(.*?)}", path))


def get_dependant(
    *,
    path: str,
    call: Callable[..., Any],
    name: str | None = None,
    own_oauth_scopes: list[str] | None = None,
    parent_oauth_scopes: list[str] | None = None,
    use_cache: bool = True,
    scope: DependencyScope | None = None,
    concurrency: ConcurrencyLimit | None = None,
) -> Dependant:
    """Return an endpoint or a dependency with its parameters, and those of all that it depends on.

    Raises:
        ParameterError: If the declaration of a parameter contradicts itself.
        DefinitionError: If pydantic cannot validate the type of a parameter.
        DependencyScopeError: If it outlives something that it depends on.
    """
    dependant = Dependant(
        name=name,
        call=call,
        own_oauth_scopes=own_oauth_scopes,
        parent_oauth_scopes=parent_oauth_scopes,
        use_cache=use_cache,
        path=path,
        scope=scope,
        concurrency=concurrency,
    )
    try:
        _read_parameters(dependant, path, (parent_oauth_scopes or []) + (own_oauth_scopes or []))
    except Exception as error:
        note_place(error, call)
        raise
    return dependant


def _read_parameters(dependant: Dependant, path: str, oauth_scopes: list[str]) -> None:
    call, scope = dependant.call, dependant.scope
    assert call is not None
    _check_callable(call)
    path_names = get_path_param_names(path)
    for parameter in get_typed_signature(call).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise ParameterError(
                f"parameter {parameter.name!r} of {_name(call)!r} is positional only, and handlers and dependencies "
                "are called with keywords: take the / out of its signature"
            )
        found = read_parameter(parameter.name, parameter.annotation, parameter.default, path_names)
        if scope == "app" and found.depends is None:
            raise DependencyScopeError(
                f'{_name(call)!r} has the scope "app", so it is called before there is a request, and cannot take '
                f'the parameter {parameter.name!r}: take it from a dependency with scope "app"'
            )
        if found.field is not None:
            if isinstance(parameter.annotation, ForwardRef):
                raise ParameterError(
                    f"parameter {parameter.name!r} of {_name(call)!r} is annotated with "
                    f"{parameter.annotation.__forward_arg__!r}, which names something that its module does not have "
                    "when the route is made: define it before, in the module itself, or import it at run time; or "
                    "leave out `from __future__ import annotations`, if it is defined in a function"
                )
            _add_field(dependant, found.field)
        elif found.object_name is not None:
            setattr(dependant, found.object_name, parameter.name)
        elif found.depends is not None:
            _check_scope(dependant, found.depends)
            dependant.dependencies.append(
                get_dependant(
                    path=path,
                    call=_dependency(parameter.name, found.depends),
                    name=parameter.name,
                    own_oauth_scopes=_oauth_scopes(found.depends),
                    parent_oauth_scopes=oauth_scopes,
                    use_cache=found.depends.use_cache,
                    scope=found.depends.scope,
                    concurrency=found.depends._concurrency,
                )
            )


def _check_callable(call: Callable[..., Any]) -> None:
    """Refuse what can be called, but neither remembered nor left as a dependency is."""
    if getattr(call, "__code__", None) in _CONTEXT_MANAGERS:
        raise ParameterError(
            f"{_name(call)!r} is decorated with contextlib's contextmanager or asynccontextmanager: leave the "
            "decorator out, a dependency is the generator function itself"
        )
    try:
        hash(call)
    except TypeError:
        raise ParameterError(
            f"{call!r} has no hash, by which the values of dependencies are remembered in a request: give its class a "
            "__hash__ (of a dataclass: frozen=True or eq=False), or let a function call it"
        ) from None


# The functions that the decorators of contextlib put around others: all of them have the same code.
_CONTEXT_MANAGERS = (contextmanager(iter).__code__, asynccontextmanager(aiter).__code__)


def get_parameterless_sub_dependant(*, depends: Depends, path: str) -> Dependant:
    """Return a dependency whose value nobody takes: one of a route, a router or the application."""
    refuse_declaration("A parameter-less dependency", depends)
    if not callable(depends.dependency):
        raise ParameterError(f"A parameter-less dependency must have a callable dependency, got {depends!r}")
    return get_dependant(
        path=path,
        call=depends.dependency,
        own_oauth_scopes=_oauth_scopes(depends),
        scope=depends.scope,
        concurrency=depends._concurrency,
    )


def _dependency(name: str, depends: Depends) -> Callable[..., Any]:
    if not callable(depends.dependency):
        raise ParameterError(
            f"parameter {name!r} depends on {depends.dependency!r}, which cannot be called: give Depends() the "
            "function itself, without calling it"
        )
    return depends.dependency


def _oauth_scopes(depends: Depends) -> list[str]:
    return list(depends.scopes) if isinstance(depends, Security) and depends.scopes else []


def _check_scope(dependant: Dependant, depends: Depends) -> None:
    """Refuse a dependency that would be torn down before what uses it."""
    if dependant.scope == "app" and depends.scope != "app":
        raise DependencyScopeError(
            f'{_name(dependant.call)!r} has the scope "app", so it can only depend on what has that scope too: '
            f'declare {_name(depends.dependency)!r} as Depends(..., scope="app")'
        )
    if (
        depends.scope == "function"
        and (is_generator(dependant.call) or is_async_generator(dependant.call))
        and dependant.computed_scope == "request"
    ):
        raise DependencyScopeError(
            f'The dependency "{_name(dependant.call)}" has a scope of "request", it cannot depend on dependencies '
            'with scope "function".'
        )


def _name(call: Any) -> str:
    return getattr(call, "__name__", "<unnamed_callable>")


def _add_field(dependant: Dependant, field: ModelField) -> None:
    info = field.field_info
    if isinstance(info, params.Body):
        dependant.body_params.append(field)
        return
    assert isinstance(info, params.Param)
    getattr(dependant, PLACES[info.in_]).append(field)


def flat_dependants(dependant: Dependant) -> list[Dependant]:
    """Return the dependant and all that it depends on, callers first, each that shares its value once."""
    found: list[Dependant] = []
    keys: list[CacheKey] = []
    waiting = [dependant]
    while waiting:
        current = waiting.pop()
        key = current.cache_key
        if key in keys:
            continue
        keys.append(key)
        found.append(current)
        waiting.extend(reversed(current.dependencies))
    return found


def flat_fields(fields: Sequence[ModelField]) -> list[ModelField]:
    """Return the fields, with the members of a model in its place."""
    flat: list[ModelField] = []
    for field in fields:
        model = parameter_model(field)
        flat.extend([field] if model is None else model_fields(model))
    return flat


def flat_params(dependant: Dependant) -> list[ModelField]:
    """Return the parameters of the dependant and all its dependencies: of the path, query, headers, cookies."""
    every = flat_dependants(dependant)
    return flat_fields(
        [
            *(field for item in every for field in item.path_params),
            *(field for item in every for field in item.query_params),
            *(field for item in every for field in item.header_params),
            *(field for item in every for field in item.cookie_params),
        ]
    )
