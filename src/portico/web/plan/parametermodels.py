"""Pydantic models whose fields are query parameters, header fields or cookies."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from portico.web.params import Cookie, Header, Param, Query
from portico.web.plan.annotations import lenient_issubclass, model_of
from portico.web.plan.defaults import validate_or_default
from portico.web.plan.fields import ModelField, Undefined, model_fields
from portico.web.plan.querystyles import in_brackets, is_deep
from portico.web.plan.values import FieldValue, is_json_field, multidict_extras, value_aliases

__all__ = ["ParameterModel", "parameter_model"]


def parameter_model(field: ModelField) -> type[BaseModel] | None:
    """Return the model whose fields are parameters, if the parameter is such a group."""
    annotation = field.field_info.annotation
    if isinstance(field.field_info, (Query, Header, Cookie)):
        annotation = model_of(annotation)
    if lenient_issubclass(annotation, BaseModel) and not is_json_field(field):
        return annotation
    return None


class _Member:
    """One field of the model: the names it goes by, and how its value is found."""

    __slots__ = ("aliases", "first", "name", "others", "value")

    def __init__(self, field: ModelField, convert_underscores: bool, explode: bool) -> None:
        self.name = field.name
        self.value = FieldValue(field, explode=explode)
        self.aliases = value_aliases(field, convert_underscores=convert_underscores)
        self.first = self.aliases[0]
        self.others = len(self.aliases) > 1

    def pair(self, received: Mapping[str, Any]) -> tuple[str, str]:
        """Return the names for validation and in the request, of those that the request has."""
        if self.others:
            for pair in self.aliases:
                if pair[1] in received:
                    return pair
        return self.first


class ParameterModel:
    """Reads a model out of query parameters, header fields or cookies.

    Args:
        field: The parameter whose annotation is the model.
    """

    __slots__ = (
        *("deep_name", "field", "is_header", "loc", "may_be_absent", "members", "names", "renames_errors"),
        "takes_extras",
    )

    def __init__(self, field: ModelField) -> None:
        model = parameter_model(field)
        info = field.field_info
        assert model is not None
        assert isinstance(info, Param)
        self.field = field
        self.loc: tuple[str, ...] = (info.in_.value,)
        self.deep_name: str | None = None
        if is_deep(field):
            _, self.deep_name = value_aliases(field)[0]
            self.loc += (self.deep_name,)
        self.is_header = isinstance(info, Header)
        convert = self.is_header and getattr(info, "convert_underscores", True)
        self.members = [
            _Member(
                member,
                self.is_header and getattr(member.field_info, "convert_underscores", convert),
                getattr(info, "explode", True),
            )
            for member in model_fields(model)
        ]
        # `Model | None` is None, or its default, where the request has nothing of the model.
        self.may_be_absent = info.annotation is not model
        self.takes_extras = model.model_config.get("extra") in ("allow", "forbid")
        self.names = {self._key(key) for member in self.members for _, key in member.aliases}
        self.renames_errors = self.is_header and model.model_config.get("loc_by_alias", True)

    def _key(self, name: str) -> str:
        return name.lower() if self.is_header else name

    def read(self, received: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """Return the model, and what is wrong with it."""
        if self.deep_name is not None:
            received = in_brackets(received, self.deep_name)
        values: dict[str, Any] = {}
        processed: set[str] = set()
        spelled: dict[str, str] = {}
        for member in self.members:
            alias, key = member.pair(received)
            value = member.value.find(received, key)
            if value is not Undefined:
                values[alias] = value
            processed.add(self._key(key))
            if self.is_header:
                # The name with underscores is not taken for one more header field.
                processed.update(name.lower() for name, converted in member.aliases if name != converted)
                if alias != key:
                    spelled[member.name] = key
        values.update(multidict_extras(received, processed))
        group: Any = values
        if self.may_be_absent and not (self.takes_extras and values) and self.names.isdisjoint(received):
            group = Undefined
        value, errors = validate_or_default(self.field, group, self.loc)
        if errors and spelled and self.renames_errors:
            errors = [_with_spelling(error, spelled) for error in errors]
        return value, errors


def _with_spelling(error: dict[str, Any], spelled: Mapping[str, str]) -> dict[str, Any]:
    """Return the error with the name that the header field has in the request."""
    loc = error["loc"]
    if len(loc) > 1 and loc[1] in spelled:
        return {**error, "loc": (loc[0], spelled[loc[1]], *loc[2:])}
    return error
