"""JSON schemas of forms that have models in them: their fields lie side by side in one form."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from pydantic import AliasChoices, BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from portico.web.plan.fields import ModelField, model_fields
from portico.web.plan.forms import form_models, is_optional
from portico.web.plan.values import validation_alias, value_aliases

__all__ = ["FormModelSchema", "FormSchema"]


class FormModelSchema:
    """The schema of a model with its fields under the names that a form has them."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.model = model

    def __call__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        of_model = handler.resolve_ref_schema(schema)
        required = of_model.get("required", [])
        renamed = self._renamed(of_model.get("properties", {}), required)
        if not renamed:
            return schema
        of_form = deepcopy(of_model)  # the other one is shared
        of_form["properties"] = {renamed.get(name, [name])[0]: member for name, member in of_form["properties"].items()}
        of_form["required"] = []
        for name in required:
            names = renamed.get(name, [name])
            if len(names) == 1:
                of_form["required"].append(names[0])
            else:
                of_form.setdefault("allOf", []).append({"anyOf": [{"required": [name]} for name in names]})
        return of_form

    def _renamed(self, properties: dict[str, Any], required: Sequence[str]) -> dict[str, list[str]]:
        """Return the names in the form of the fields for which pydantic's schema has another, or which have several."""
        renamed = {}
        for field in model_fields(self.model):
            choices = field.field_info.validation_alias
            name = choices.choices[0] if isinstance(choices, AliasChoices) else validation_alias(field)
            names = [alias for alias, _ in value_aliases(field)]
            if (
                isinstance(name, str)
                and name in properties
                and (names[0] != name or (len(names) > 1 and name in required))
            ):
                renamed[name] = names
        return renamed


class FormSchema:
    """Makes of the schema with one property for each parameter that of the form.

    Args:
        body_params: The parameters; the property `field_3` is that of the fourth.
    """

    def __init__(self, body_params: Sequence[ModelField]) -> None:
        self.body_params = body_params

    def __call__(self, schema: dict[str, Any]) -> None:
        of_parameters = schema.pop("properties")
        schema.pop("required", None)
        properties: dict[str, Any] = {}
        required: list[str] = []
        conditions: list[dict[str, Any]] = []
        for number, field in enumerate(self.body_params):
            of_field = of_parameters[f"field_{number}"]
            models = form_models(field)
            if models:
                conditions += _conditions(field, models, of_field)
                continue
            name = value_aliases(field)[0][0]
            if name in properties:
                conditions.append({"properties": {name: of_field}})
            else:
                properties[name] = of_field
            if field.required and name not in required:
                required.append(name)
        if properties:
            schema["properties"] = properties
        if required:
            schema["required"] = required
        schema["allOf"] = conditions


def _conditions(field: ModelField, models: Sequence[type[BaseModel]], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the form must fulfil for a parameter that is a model or a union of models."""
    schema.pop("default", None)
    if not is_optional(field):
        return [schema]
    # A form has no null: the model is left out where none of its fields are there.
    schema["anyOf"] = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
    absent = _absent(models)
    if field.required:
        return [{"not": absent}, schema]
    return [{"anyOf": [absent, schema]}]


def _absent(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Return the schema of a form that has nothing of the models."""
    if any(model.model_config.get("extra") in ("allow", "forbid") for model in models):
        return {"maxProperties": 0}
    names = {alias for model in models for field in model_fields(model) for alias, _ in value_aliases(field)}
    return {"not": {"anyOf": [{"required": [name]} for name in sorted(names)]}} if names else {}
