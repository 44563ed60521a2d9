"""Forms: which parameters are models whose fields are fields of the form, and how much a form may have."""

from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, NonNegativeInt, Tag, TypeAdapter, with_config
from typing_extensions import TypedDict  # pydantic does not take typing's before Python 3.12

from portico.web.params import Form
from portico.web.plan.annotations import is_union, lenient_issubclass, model_of
from portico.web.plan.fields import ModelField
from portico.web.plan.formvalues import FormShape
from portico.web.plan.values import is_json_field

__all__ = [
    "FORM_LIMITS_KEY",
    "FormLimits",
    "check_form_limits",
    "form_models",
    "form_union_models",
    "is_optional",
    "with_form_unions",
]

# Where the scope has the limits of the applications and routers around a route.
FORM_LIMITS_KEY = "portico.form_limits"


@with_config(ConfigDict(strict=True, extra="forbid"))
class FormLimits(TypedDict, total=False):
    """How much the form of a request may have: `max_fields`, `max_files`, and the bytes of a field `max_part_size`."""

    max_fields: NonNegativeInt
    max_files: NonNegativeInt
    max_part_size: NonNegativeInt


def check_form_limits(limits: FormLimits | None) -> FormLimits:
    """Return the limits, {} for None; raises `ValueError` for what is none of them."""
    return {} if limits is None else TypeAdapter(FormLimits).validate_python(limits)


def is_optional(field: ModelField) -> bool:
    """Tell whether None is one of the annotated choices."""
    return type(None) in get_args(field.field_info.annotation)


def form_models(field: ModelField) -> list[type[BaseModel]]:
    """Return the models whose fields are fields of the form: one, or those of a union; none for other parameters."""
    info = field.field_info
    if not isinstance(info, Form) or info.embed or is_json_field(field):
        return []
    model = model_of(info.annotation)
    return [model] if model is not None else form_union_models(info.annotation)


def form_union_models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models of a union that has at least two, and besides only None."""
    if not is_union(annotation):
        return []
    models: list[type[BaseModel]] = []
    for choice in get_args(annotation):
        if choice is type(None):
            continue
        model = get_args(choice)[0] if get_origin(choice) is Annotated else choice
        if not lenient_issubclass(model, BaseModel):
            return []
        models.append(model)
    return models if len(models) > 1 else []


def with_form_unions(annotation: Any) -> Any:
    """Return a union of models with each of them reading the form in its own way, and anything else as it is.

    What is a list for one model may be a single value for another, and each has its own aliases.
    """
    if not form_union_models(annotation):
        return annotation
    return Union[tuple(_with_form_validator(choice) for choice in get_args(annotation))]  # noqa: UP007


def _with_form_validator(choice: Any) -> Any:
    if choice is type(None):
        return choice
    model: Any = choice
    metadata: list[Any] = []
    if get_origin(choice) is Annotated:
        model, *metadata = get_args(choice)
    # Errors name the choice by its tag: one that the author gave, else the model's name.
    tag = next((item for item in reversed(metadata) if isinstance(item, Tag)), Tag(model.__name__))
    return Annotated[choice, BeforeValidator(FormShape(model)), tag]
