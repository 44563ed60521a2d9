"""What an operation takes besides its body: parameters and security, its dependencies' included."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_core import PydanticUndefined

from portico.web.encoders import jsonable_encoder
from portico.web.openapi.components import Schemas
from portico.web.plan.dependant import CacheKey, Dependant
from portico.web.plan.fields import ModelField, model_fields
from portico.web.plan.parametermodels import parameter_model
from portico.web.plan.querystyles import is_deep
from portico.web.plan.values import FieldValue, value_aliases
from portico.web.security.base import SecurityBase

Place = Literal["path", "query", "header", "cookie"]


@dataclass(slots=True)
class Declared:
    """A parameter, or a model whose fields are parameters, with these parameters."""

    field: ModelField
    members: Sequence[ModelField]
    is_model: bool
    is_deep: bool = False

    def shown(self) -> list[tuple[ModelField, bool]]:
        """Return the parameters as the document has them, and whether they are required."""
        # `Model | None` with a default may be absent as a whole.
        is_union = self.is_model and not isinstance(self.field.field_info.annotation, type)
        optional = is_union and not self.field.required
        found = [(member, member.required and not optional) for member in self.members]
        return [(self.field, any(required for _, required in found))] if self.is_deep else found


@dataclass(slots=True)
class Taken:
    """The parameters by the place that they come from, and the security schemes with the scopes asked of each."""

    path: list[Declared] = field(default_factory=list)
    query: list[Declared] = field(default_factory=list)
    header: list[Declared] = field(default_factory=list)
    cookie: list[Declared] = field(default_factory=list)
    security: list[tuple[SecurityBase, list[str]]] = field(default_factory=list)

    def places(self) -> tuple[tuple[Place, list[Declared]], ...]:
        """Return the places in the order of the document."""
        return ("path", self.path), ("query", self.query), ("header", self.header), ("cookie", self.cookie)

    def fields(self) -> list[ModelField]:
        """Return all parameters; the fields of a model that stands for several are parameters themselves."""
        return [member for _, place in self.places() for declared in place for member, _ in declared.shown()]


def taken_by(dependant: Dependant) -> Taken:
    """Return what the endpoint and its dependencies take, in the order that they are called in."""
    taken = Taken()
    seen: set[CacheKey] = set()
    _take(dependant, [], taken, seen, is_endpoint=True)
    return taken


def _take(
    dependant: Dependant, above: Sequence[str], taken: Taken, seen: set[CacheKey], *, is_endpoint: bool = False
) -> None:
    key = dependant.cache_key
    if key in seen:
        return
    seen.add(key)
    taken.path += map(_declared, dependant.path_params)
    taken.query += map(_declared, dependant.query_params)
    taken.header += map(_declared, dependant.header_params)
    taken.cookie += map(_declared, dependant.cookie_params)
    scopes = list(dict.fromkeys((*above, *dependant.oauth_scopes)))
    if not is_endpoint and (scheme := dependant.security_scheme) is not None:
        taken.security.append((scheme, scopes))
    for dependency in dependant.dependencies:
        _take(dependency, scopes, taken, seen)


def _declared(parent: ModelField) -> Declared:
    model = parameter_model(parent)
    if model is None:
        return Declared(parent, [parent], is_model=False)
    return Declared(parent, model_fields(model), is_model=True, is_deep=is_deep(parent))


def parameters(taken: Taken, schemas: Schemas) -> list[dict[str, Any]]:
    """Return the Parameter Objects. Of two with one name in one place the last stays, or the last that is required."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for parameter in _all(taken, schemas):
        key = (parameter["in"], parameter["name"])
        if parameter["required"] or not found.get(key, {}).get("required"):
            found[key] = parameter
    return list(found.values())


def _all(taken: Taken, schemas: Schemas) -> Iterator[dict[str, Any]]:
    for place, group in taken.places():
        for declared in group:
            parent = declared.field
            if not getattr(parent.field_info, "include_in_schema", True):
                continue
            convert = getattr(parent.field_info, "convert_underscores", True)
            for member, required in declared.shown():
                yield {
                    **_parameter(place, member, schemas, required=required, convert=convert),
                    **_style(declared, member),
                }


def _parameter(
    place: Place, declared: ModelField, schemas: Schemas, *, required: bool, convert: bool
) -> dict[str, Any]:
    info = declared.field_info
    hyphens = place == "header" and getattr(info, "convert_underscores", convert)
    alias, name = value_aliases(declared, convert_underscores=hyphens)[0]
    parameter = {"name": name, "in": place, "required": required, "schema": schemas.of(declared, alias)}
    if info.description:
        parameter["description"] = info.description
    add_examples(parameter, info)
    if getattr(info, "deprecated", None):
        parameter["deprecated"] = True
    return parameter


def _style(declared: Declared, member: ModelField) -> dict[str, Any]:
    """Return how the value is written, where that is not the default of OpenAPI."""
    if declared.is_deep:
        return {"style": "deepObject", "explode": True}
    explode = getattr(declared.field.field_info, "explode", True)
    return {"style": "form", "explode": False} if FieldValue(member, explode=explode).is_joined else {}


def add_examples(described: dict[str, Any], info: Any) -> None:
    """Add the examples that the declaration of a parameter or body has for the document."""
    examples, example = getattr(info, "openapi_examples", None), getattr(info, "example", PydanticUndefined)
    if examples:
        described["examples"] = jsonable_encoder(examples)
    elif example is not PydanticUndefined:
        described["example"] = jsonable_encoder(example)


def security(taken: Taken) -> tuple[dict[str, Any], list[dict[str, list[str]]]]:
    """Return the schemes by name, and the names with the scopes that the operation asks of them."""
    schemes: dict[str, Any] = {}
    asked: dict[str, dict[str, None]] = {}
    for scheme, scopes in taken.security:
        schemes[scheme.scheme_name] = scheme.model.model_dump(mode="json", by_alias=True, exclude_none=True)
        asked.setdefault(scheme.scheme_name, {}).update(dict.fromkeys(scopes))
    return schemes, [{name: list(scopes)} for name, scopes in asked.items()]
