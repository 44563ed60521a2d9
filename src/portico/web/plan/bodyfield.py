"""All that a route wants of the body as one field, which the document describes."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetPydanticSchema, create_model

from portico.web.params import Body, File, Form
from portico.web.plan.dependant import Dependant
from portico.web.plan.fields import ModelField, create_model_field
from portico.web.plan.forms import form_models, is_optional
from portico.web.plan.formschemas import FormModelSchema, FormSchema
from portico.web.plan.structs import with_structs

__all__ = ["flat_body_params", "get_body_field", "should_embed"]


def flat_body_params(dependant: Dependant) -> list[ModelField]:
    """Return the fields that an endpoint and its dependencies want of the body, the endpoint's first."""
    return list(_body_params(dependant))


def _body_params(dependant: Dependant) -> Iterator[ModelField]:
    yield from dependant.body_params
    for dependency in dependant.dependencies:
        yield from _body_params(dependency)


def should_embed(fields: Sequence[ModelField]) -> bool:
    """Tell whether the fields are members of the body, and not the body itself."""
    if not fields:
        return False
    # A dependency and the endpoint may want the same field: that is one.
    if len({field.name for field in fields}) > 1:
        return True
    first = fields[0]
    models = form_models(first)
    if models and any(
        not form_models(field) or field.field_info.annotation is not first.field_info.annotation for field in fields[1:]
    ):
        return True
    info = first.field_info
    if getattr(info, "embed", None):
        return True
    # A field of a form has a name, unless it is a model whose fields are the form's.
    return isinstance(info, Form) and not models


def get_body_field(body_params: Sequence[ModelField], name: str, embed: bool) -> ModelField | None:
    """Return the field that stands for all of them in the document; None if there are none.

    Args:
        body_params: What the endpoint and its dependencies want.
        name: The route's unique id, which a model that is made here is named after.
        embed: Whether they are members of the body.
    """
    if not body_params:
        return None
    first = body_params[0]
    has_models = any(form_models(field) for field in body_params)
    if not embed and not (has_models and any(form_models(field) and is_optional(field) for field in body_params)):
        return first
    fields = list(body_params)
    config: ConfigDict | None = None
    if has_models:
        fields = [_numbered(field, number) for number, field in enumerate(body_params)]
        config = {"json_schema_extra": FormSchema(body_params)}
    members: dict[str, Any] = {
        field.name: (with_structs(field.field_info.annotation), field.field_info) for field in fields
    }
    model: type[BaseModel] = create_model(f"Body_{name}", __config__=config, **members)
    if not embed:
        info = copy(first.field_info)
        info.annotation = model
        info.metadata = []  # the first field has the constraints itself
        info.discriminator = None
        return ModelField(name=first.name, field_info=info)
    return create_model_field(name="body", type_=model, alias="body", field_info=_body_info(body_params, model))


def _body_info(body_params: Sequence[ModelField], model: type[BaseModel]) -> Body:
    """Return the declaration of the whole body: a form with files, a form or JSON, in the media type of its members."""
    infos = [field.field_info for field in body_params]
    options: dict[str, Any] = {"annotation": model, "alias": "body"}
    if not any(info.is_required() for info in infos):
        options["default"] = None
    if any(isinstance(info, File) for info in infos):
        return File(**options)
    kind: type[Body] = Form if any(isinstance(info, Form) for info in infos) else Body
    media_types = [info.media_type for info in infos if isinstance(info, kind)]
    if kind is Form and "multipart/form-data" in media_types:
        options["media_type"] = "multipart/form-data"
    elif len(set(media_types)) == 1:
        options["media_type"] = media_types[0]
    return kind(**options)


def _numbered(field: ModelField, number: int) -> ModelField:
    """Return the field under a name that no other can have: fields of two models may have the same."""
    info = copy(field.field_info)
    models = form_models(field)
    if len(models) == 1:
        model: Any = models[0]
        schema: Any = Annotated[model, GetPydanticSchema(get_pydantic_json_schema=FormModelSchema(model))]
        info.annotation = schema | None if is_optional(field) else schema
    name = f"field_{number}"
    info.alias = info.validation_alias = info.serialization_alias = name
    info.title = info.title or field.name.replace("_", " ").title()
    return ModelField(name=name, field_info=info)
