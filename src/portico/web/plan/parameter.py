"""One parameter of a signature: a dependency, an object of the framework, or a field of the request."""

import dataclasses
import inspect
from collections.abc import Set as AbstractSet
from copy import copy
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from portico.web import param_functions, params
from portico.web.background import BackgroundTasks
from portico.web.connections import HTTPConnection
from portico.web.params import ParameterError
from portico.web.plan.annotations import (
    is_scalar,
    is_scalar_sequence,
    is_upload,
    is_upload_sequence,
    lenient_issubclass,
    model_of,
)
from portico.web.plan.fields import ModelField, RequiredParam, Undefined, create_model_field
from portico.web.plan.peers import counterpart, refuse_declaration, refuse_files
from portico.web.plan.querystyles import check_style
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.security.scopes import SecurityScopes
from portico.web.websockets import WebSocket

EMPTY = inspect.Parameter.empty

# The attribute of a Dependant that names the parameter, by the type that asks for the object; the first that fits.
OBJECTS: dict[type, str] = {
    Request: "request_param_name",
    WebSocket: "websocket_param_name",
    HTTPConnection: "http_connection_param_name",
    Response: "response_param_name",
    BackgroundTasks: "background_tasks_param_name",
    SecurityScopes: "security_scopes_param_name",
}
_OBJECT_TYPES = tuple(OBJECTS)


class Parameter(NamedTuple):
    """What a parameter is: one of the three, the others None."""

    depends: params.Depends | None = None
    object_name: str | None = None
    field: ModelField | None = None


def read_parameter(name: str, annotation: Any, default: Any, path_names: AbstractSet[str]) -> Parameter:
    """Return what a parameter of a signature is.

    Raises:
        ParameterError: If its declaration contradicts itself, or cannot be of a request.
        DefinitionError: If pydantic cannot validate its type.
    """
    while type(annotation).__name__ == "TypeAliasType":  # typing's or that of typing_extensions
        annotation = annotation.__value__
    if annotation is EMPTY:
        annotation = Any
    kind, beside = annotation, None
    refuse_declaration(f"parameter {name!r}", default)
    if get_origin(annotation) is Annotated:
        kind, beside = get_args(annotation)[0], _last_declaration(annotation)
        refuse_declaration(f"parameter {name!r}", *annotation.__metadata__)
    if isinstance(kind, type):
        kind = counterpart(kind, _OBJECT_TYPES) or kind
    refuse_files(f"parameter {name!r}", kind)
    in_default = default if isinstance(default, (FieldInfo, params.Depends)) else None
    if beside is not None and in_default is not None:
        raise ParameterError(_twice(name, beside, in_default))
    _check_written(name, annotation, kind)
    declaration = beside if in_default is None else in_default
    if isinstance(declaration, params.Depends):
        if declaration.dependency is None:
            if kind is Any:
                raise ParameterError(
                    f"parameter {name!r} is declared with Depends() and has no annotation, so that there is nothing to "
                    "call: give Depends() a function, or annotate the parameter with a class"
                )
            declaration = dataclasses.replace(declaration, dependency=kind)
        return Parameter(depends=declaration)
    if lenient_issubclass(kind, _OBJECT_TYPES):
        if declaration is not None:
            raise ParameterError(
                f"parameter {name!r} is a {kind.__name__}, which the framework makes: it cannot be declared as "
                f"{declaration!r} too"
            )
        return Parameter(object_name=next(OBJECTS[cls] for cls in OBJECTS if issubclass(kind, cls)))
    in_path = name in path_names
    if declaration is None:
        info = _inferred(annotation, default, in_path=in_path)
    elif in_default is not None:
        info = _merged(declaration, Annotated[kind, declaration])  # what else `Annotated` has does not count
    else:
        info = _completed(name, _merged(declaration, annotation), default, in_path=in_path)
    return Parameter(field=_field(name, annotation, info, path_names))


def _check_written(name: str, annotation: Any, kind: Any) -> None:
    """Refuse declarations where they have no effect, for nobody would notice that nothing is checked."""
    if isinstance(kind, (FieldInfo, params.Depends)):
        raise ParameterError(
            f"parameter {name!r} is annotated with {kind!r}, which is no type: write Annotated[<its type>, ...] around "
            "it, or give it as the default"
        )
    for item in getattr(annotation, "__metadata__", ()) if kind is not annotation else ():
        if item in _DECLARING:
            raise ParameterError(
                f"parameter {name!r} has {item.__name__} in its `Annotated`, not called: write {item.__name__}(...)"
            )


_DECLARING = [
    getattr(module, name)
    for module in (params, param_functions)
    for name in ("Path", "Query", "Header", "Cookie", "Body", "Form", "File", "Depends", "Security")
]


def _twice(name: str, beside: FieldInfo | params.Depends, in_default: FieldInfo | params.Depends) -> str:
    if isinstance(beside, params.Depends) and isinstance(in_default, params.Depends):
        return f"Cannot specify `Depends` in `Annotated` and default value together for {name!r}"
    if isinstance(in_default, params.Depends):
        return (
            f"Cannot specify a FastAPI annotation in `Annotated` and `Depends` as a default value together for {name!r}"
        )
    return (
        f"parameter {name!r} is declared twice, as {beside!r} in `Annotated` and as {in_default!r} in its default: "
        "leave one of them out"
    )


def _completed(name: str, info: FieldInfo, default: Any, *, in_path: bool) -> FieldInfo:
    """Return the declaration in `Annotated` with the default of the parameter."""
    if info.default is not Undefined:
        raise ParameterError(
            f"`{type(info).__name__}` default value cannot be set in `Annotated` for {name!r}. "
            "Set the default value with `=` instead."
        )
    if default is not EMPTY:
        if in_path:
            raise ParameterError(f"parameter {name!r} is in the path, so it is never missing: leave out its default")
        info.default = default
    return info


def _last_declaration(annotation: Any) -> FieldInfo | params.Depends | None:
    """Return what says how the parameter is meant, of several the last."""
    found = None
    for item in annotation.__metadata__:
        if isinstance(item, (params.Param, params.Body, params.Depends)):
            found = item
    return found


def _merged(declaration: FieldInfo, annotation: Any) -> FieldInfo:
    """Return a declaration with all that `Annotated` has beside it; the constraints of other fields, for example.

    It is a new one, since it may be the declaration of several parameters.
    """
    info = copy(declaration)
    info._attributes_set = dict(info._attributes_set)
    info.annotation = get_args(annotation)[0]
    if len(annotation.__metadata__) == 1:
        info.metadata = list(info.metadata)
        return info
    merged = FieldInfo.from_annotation(annotation)
    for name in _ATTRIBUTES:
        setattr(info, name, getattr(merged, name))
    info._attributes_set = dict(merged._attributes_set)
    info.metadata = merged.metadata
    info.annotation = merged.annotation
    return info


_ATTRIBUTES = (
    "default",
    "default_factory",
    "alias",
    "alias_priority",
    "validation_alias",
    "serialization_alias",
    "title",
    "field_title_generator",
    "description",
    "examples",
    "exclude",
    "discriminator",
    "deprecated",
    "json_schema_extra",
    "frozen",
    "validate_default",
    "repr",
    "init",
    "init_var",
    "kw_only",
)


def _inferred(annotation: Any, default: Any, *, in_path: bool) -> FieldInfo:
    """Return the declaration of a parameter that has none: its name and type say where it is."""
    annotated = get_origin(annotation) is Annotated
    kind = get_args(annotation)[0] if annotated else annotation
    value = RequiredParam if default is EMPTY else default
    info: FieldInfo
    if in_path:
        # The same function may serve a path without the parameter; then the default counts.
        info = params.Path(annotation=annotation)
    elif is_upload(kind) or is_upload_sequence(kind):
        info = params.File(value, annotation=annotation)
    elif is_scalar(kind):
        info = params.Query(value, annotation=annotation)
    else:
        info = params.Body(value, annotation=annotation)
    if annotated:
        value = info.default
        info = _merged(info, Annotated[(kind, info, *annotation.__metadata__)])
        info.default = value
        if in_path:
            info.default_factory = None
    return info


def _field(name: str, annotation: Any, info: FieldInfo, path_names: AbstractSet[str]) -> ModelField:
    in_path = name in path_names
    if in_path and not isinstance(info, params.Path):
        raise ParameterError(
            f"Cannot use `{type(info).__name__}` for path param {name!r}: it is in the path of the route, so declare "
            "it as Path(), or give it or the part of the path another name"
        )
    if not isinstance(info, (params.Param, params.Body)):
        raise ParameterError(
            f"parameter {name!r} is declared with pydantic's Field(), which does not say where its value comes from: "
            "declare it with Query(), Header(), Cookie(), Body(), Form() or File(), which take the same options"
        )
    if isinstance(info, params.Form):
        from portico.web.plan.forms import with_form_unions

        info.annotation = with_form_unions(info.annotation)
    elif isinstance(info, params.Path):
        info.validation_alias = _alias_in_path(info.validation_alias, path_names)
    if not info.alias and isinstance(info, params.Header) and info.convert_underscores:
        info.alias = name.replace("_", "-")
    else:
        info.alias = info.alias or name
    field = create_model_field(name, annotation, info.default, info, info.alias)
    if in_path and not is_scalar(info.annotation):
        raise ParameterError(
            f"Path params must be of one of the supported types: parameter {name!r} is one text of the path, which "
            f"{annotation!r} is not made of"
        )
    if isinstance(info, params.Query) and not _fits_query(info.annotation):
        raise ParameterError(
            f"Query parameter {name!r} must be one of the supported types: a scalar, a list of scalars or a pydantic "
            f"model, got {annotation!r}"
        )
    if isinstance(info, params.Query):
        check_style(name, info)
    return field


def _fits_query(annotation: Any) -> bool:
    return is_scalar(annotation) or is_scalar_sequence(annotation) or model_of(annotation) is not None


def _alias_in_path(alias: Any, path_names: AbstractSet[str]) -> Any:
    """Return the one of several aliases that the path has, if it has one."""
    if isinstance(alias, AliasChoices) and all(isinstance(choice, str) for choice in alias.choices):
        return next((choice for choice in alias.choices if choice in path_names), alias)
    return alias
