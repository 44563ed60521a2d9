"""One parameter of a signature: a dependency, an object of the framework, or a field of the request."""

import dataclasses
import inspect
from copy import copy
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from portico.web import params
from portico.web.background import BackgroundTasks
from portico.web.connections import HTTPConnection
from portico.web.plan.annotations import (
    is_scalar,
    is_scalar_sequence,
    is_upload,
    is_upload_sequence,
    lenient_issubclass,
    model_of,
)
from portico.web.plan.fields import ModelField, RequiredParam, Undefined, create_model_field
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


def read_parameter(name: str, annotation: Any, default: Any, path_names: frozenset[str] | set[str]) -> Parameter:
    """Return what a parameter of a signature is.

    Raises:
        AssertionError: If its declaration contradicts itself, or cannot be of a request.
        DefinitionError: If pydantic cannot validate its type.
    """
    in_path = name in path_names
    if type(annotation).__name__ == "TypeAliasType":  # typing's or that of typing_extensions
        annotation = annotation.__value__
    use_annotation = Any if annotation is EMPTY else annotation
    type_annotation = use_annotation
    info: FieldInfo | None = None
    depends: params.Depends | None = None
    annotated = get_origin(use_annotation) is Annotated
    if annotated:
        type_annotation = get_args(use_annotation)[0]
        declaration = _last_declaration(use_annotation)
        if isinstance(declaration, params.Depends):
            depends = declaration
        elif declaration is not None:
            info = _merged(declaration, use_annotation)
            assert info.default is Undefined, (
                f"`{type(info).__name__}` default value cannot be set in `Annotated` for {name!r}. "
                "Set the default value with `=` instead."
            )
            if default is EMPTY:
                info.default = RequiredParam
            else:
                assert not in_path, "Path parameters cannot have default values"
                info.default = default
    if isinstance(default, params.Depends):
        assert depends is None, f"Cannot specify `Depends` in `Annotated` and default value together for {name!r}"
        assert info is None, (
            f"Cannot specify a FastAPI annotation in `Annotated` and `Depends` as a default value together for {name!r}"
        )
        depends = default
    elif isinstance(default, FieldInfo):
        assert info is None, (
            f"Cannot specify FastAPI annotations in `Annotated` and default value together for {name!r}"
        )
        info = copy(default)  # it may be the default of several parameters
        info.annotation = type_annotation
    if depends is not None:
        if depends.dependency is None:
            depends = dataclasses.replace(depends, dependency=type_annotation)
        assert info is None, f"Cannot specify multiple FastAPI annotations for {name!r}"
        return Parameter(depends=depends)
    if lenient_issubclass(type_annotation, _OBJECT_TYPES):
        assert info is None, f"Cannot specify FastAPI annotation for type {type_annotation!r}"
        return Parameter(object_name=next(OBJECTS[kind] for kind in OBJECTS if issubclass(type_annotation, kind)))
    if info is None:
        info = _inferred(use_annotation, type_annotation, default, in_path=in_path, annotated=annotated)
    return Parameter(field=_field(name, use_annotation, info, path_names))


def _last_declaration(annotation: Any) -> FieldInfo | params.Depends | None:
    """Return what says how the parameter is meant, of several the last."""
    found = None
    for item in annotation.__metadata__:
        if isinstance(item, (params.Param, params.Body, params.Depends)):
            found = item
    return found


def _merged(declaration: FieldInfo, annotation: Any) -> FieldInfo:
    """Return a declaration with all that `Annotated` has beside it; the constraints of other fields, for example."""
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


def _inferred(use_annotation: Any, type_annotation: Any, default: Any, *, in_path: bool, annotated: bool) -> FieldInfo:
    """Return the declaration of a parameter that has none: its name and type say where it is."""
    value = RequiredParam if default is EMPTY else default
    info: FieldInfo
    if in_path:
        # The same function may serve a path without the parameter; then the default counts.
        info = params.Path(annotation=use_annotation)
    elif is_upload(type_annotation) or is_upload_sequence(type_annotation):
        info = params.File(value, annotation=use_annotation)
    elif is_scalar(type_annotation):
        info = params.Query(value, annotation=use_annotation)
    else:
        info = params.Body(value, annotation=use_annotation)
    if annotated:
        value = info.default
        info = _merged(info, Annotated[(type_annotation, info, *use_annotation.__metadata__)])
        info.default = value
        if in_path:
            info.default_factory = None
    return info


def _field(name: str, annotation: Any, info: FieldInfo, path_names: frozenset[str] | set[str]) -> ModelField:
    in_path = name in path_names
    if in_path:
        assert isinstance(info, params.Path), f"Cannot use `{type(info).__name__}` for path param {name!r}"
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
    if in_path:
        assert is_scalar(info.annotation), "Path params must be of one of the supported types"
    elif isinstance(info, params.Query):
        assert (
            is_scalar(info.annotation) or is_scalar_sequence(info.annotation) or model_of(info.annotation) is not None
        ), f"Query parameter {name!r} must be one of the supported types"
    return field


def _alias_in_path(alias: Any, path_names: frozenset[str] | set[str]) -> Any:
    """Return the one of several aliases that the path has, if it has one."""
    if isinstance(alias, AliasChoices) and all(isinstance(choice, str) for choice in alias.choices):
        return next((choice for choice in alias.choices if choice in path_names), alias)
    return alias
