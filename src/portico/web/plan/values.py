"""Values by name out of what a request has: under which names a field is looked for, and what is found there."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import AliasChoices, AliasPath, Json

from portico.web.datastructures import Headers, ImmutableMultiDict
from portico.web.params import Path
from portico.web.plan.annotations import is_sequence
from portico.web.plan.fields import ModelField, Undefined
from portico.web.plan.querystyles import split_items

__all__ = ["FieldValue", "is_json_field", "multidict_extras", "validation_alias", "value_aliases"]


def is_json_field(field: ModelField) -> bool:
    """Tell whether the value is a text that is JSON (pydantic's `Json`)."""
    return any(type(item) is Json for item in field.field_info.metadata)


def validation_alias(field: ModelField) -> str:
    """Return the one name under which a value is validated."""
    return field.validation_alias or field.alias


def value_aliases(field: ModelField, *, convert_underscores: bool = False) -> list[tuple[str, str]]:
    """Return pairs of the names under which a value is validated and found in the request, the preferred one first.

    Args:
        field: The parameter, or a field of a model whose fields are parameters.
        convert_underscores: Whether a name that nobody chose is found with hyphens, as header fields are spelled.
    """
    alias = validation_alias(field)
    pairs = [(alias, alias.replace("_", "-") if convert_underscores and alias == field.name else alias)]
    choices = field.field_info.validation_alias
    if isinstance(field.field_info, Path) or isinstance(choices, AliasPath):
        return pairs
    if isinstance(choices, AliasChoices):
        names = [choice for choice in choices.choices if isinstance(choice, str)]
        if len(names) < len(choices.choices):  # a path into a value is left to pydantic
            return pairs
        pairs = [(name, name) for name in names]
    config = field.config or {}
    by_alias = config.get("validate_by_alias", True)
    if by_alias is not False and not config.get("validate_by_name", config.get("populate_by_name", False)):
        return pairs
    own = (field.name, field.name.replace("_", "-") if convert_underscores else field.name)
    if by_alias is False:
        return [own]
    if all(name != field.name for name, _ in pairs):
        pairs.append(own)
    return pairs


class FieldValue:
    """Finds the value of one field in query parameters, header fields or cookies.

    Args:
        field: The parameter, or a field of a model whose fields are parameters.
        explode: Whether each item of a list has a parameter of its own, unless the field says that itself.
    """

    __slots__ = ("as_list", "is_joined", "is_sequence")

    def __init__(self, field: ModelField, *, explode: bool = True) -> None:
        self.is_sequence = is_sequence(field.field_info.annotation)
        self.as_list = self.is_sequence and not is_json_field(field)
        self.is_joined = self.as_list and not getattr(field.field_info, "explode", explode)

    def find(self, values: Mapping[str, Any], alias: str) -> Any:
        """Return what is there under the name, all of it for a sequence; `Undefined` for nothing."""
        if self.as_list and isinstance(values, (ImmutableMultiDict, Headers)):
            found = values.getlist(alias)
            if self.is_joined and found:
                return split_items(found)
            return found or Undefined
        value = values.get(alias)
        if value is None or (self.is_sequence and len(value) == 0):
            return Undefined
        return value


def multidict_extras(values: Mapping[str, Any], processed: set[str]) -> Iterator[tuple[str, Any]]:
    """Give the values under names that no field has taken; a name that is there several times has a list."""
    if isinstance(values, ImmutableMultiDict):
        items = values.multi_items()
    elif isinstance(values, Headers):
        items = values.items()
    else:
        yield from ((key, value) for key, value in values.items() if key not in processed)
        return
    grouped: dict[str, list[Any]] = {}
    for key, value in items:
        if key not in processed:
            grouped.setdefault(key, []).append(value)
    for key, found in grouped.items():
        yield key, found[0] if len(found) == 1 else found
