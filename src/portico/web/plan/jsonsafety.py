"""Whether JSON means the same to pydantic as bytes and decoded.

Bytes are the faster way in, but JSON has rules of its own there: strict types take a date that is text, bytes may be
base64, a union prefers other choices, validators learn that the input is JSON. So the bytes go in only where every part
of the schema is known to make no difference, and where no validator of the program's own would run twice when the body
turns out to be invalid.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from pydantic_core import CoreSchema

from portico.web.plan.fields import ModelField

__all__ = ["means_the_same_from_json"]

# Values that JSON has itself. Which choice of a union fits them best is the same from bytes and decoded.
NATIVE = frozenset(("none", "bool", "int", "float", "str"))
# Values that are text or numbers in JSON, and such as no choice fits.
CONVERTED = frozenset(("any", "bytes", "date", "time", "datetime", "timedelta", "uuid"))
SET_ITEMS = (NATIVE | CONVERTED) - {"any", "float"}
# Schemas around others, by the keys of those.
AROUND = {
    "nullable": ("schema",),
    "default": ("schema",),
    "list": ("items_schema",),
    "dict": ("keys_schema", "values_schema"),
    "model": ("schema",),
    "model-field": ("schema",),
    "dataclass": ("schema",),
    "dataclass-field": ("schema",),
    "typed-dict-field": ("schema",),
    "model-fields": ("extras_schema",),
    "typed-dict": ("extras_schema",),
    "dataclass-args": (),
    "set": ("items_schema",),
    "frozenset": ("items_schema",),
    "tuple": (),
}
# What may be in a union: names that an object has twice count twice in how well it fits the others.
IN_UNION = frozenset(("nullable", "default", "list", "model", "model-field", "model-fields"))
# What changes text, in a schema and in the configuration of one.
CHANGES = frozenset(("strip_whitespace", "to_lower", "to_upper"))
CHANGES_ALL = frozenset(f"str_{change}" for change in CHANGES)
PLAIN_VALUES = (str, int, type(None))


def means_the_same_from_json(field: ModelField) -> bool:
    """Tell whether a valid value is the same from the bytes of a JSON text as from what they decode to."""
    if field.config:
        return False
    return _Reading().is_safe(field.core_schema)


class _Reading:
    """Walks through one schema; definitions that refer to each other are looked at once."""

    def __init__(self) -> None:
        self.definitions: dict[str, CoreSchema] = {}
        self.seen: set[tuple[str, bool]] = set()
        self.in_union = False
        self.changes_text = False

    def is_safe(self, schema: Any) -> bool:
        if not isinstance(schema, dict):  # of a model that is not complete yet
            return False
        kind = schema["type"]
        config = schema.get("config")
        if schema.get("strict") or not _is_plain(config):
            return False
        if config and not CHANGES_ALL.isdisjoint(config):
            self.changes_text = True
        if kind in NATIVE:
            return not schema.get("coerce_numbers_to_str")
        if kind in CONVERTED:
            return not self.in_union
        if kind in AROUND:
            if self.in_union and (kind not in IN_UNION or _keeps_extras(schema)):
                return False
            if kind == "dict" and self.changes_text:
                return False
            check = CHECKS.get(kind)
            if check is not None and not check(schema):
                return False
            return self._are_safe(_within(schema, AROUND[kind]))
        return self._is_safe_choice(kind, schema)

    def _are_safe(self, schemas: Iterable[Any]) -> bool:
        return all(self.is_safe(schema) for schema in schemas)

    def _is_safe_choice(self, kind: str, schema: Any) -> bool:
        if kind == "literal":
            return not self.in_union and all(type(value) in (*PLAIN_VALUES, bool) for value in schema["expected"])
        if kind == "enum":
            return (
                not self.in_union
                and schema["cls"]._missing_.__func__ is Enum._missing_.__func__  # type: ignore[attr-defined]
                and all(type(member.value) in PLAIN_VALUES for member in schema["members"])
            )
        if kind == "union":
            outer, self.in_union = self.in_union, True
            choices = [choice[0] if isinstance(choice, tuple) else choice for choice in schema["choices"]]
            safe = "custom_error_type" not in schema and self._are_safe(choices)
            self.in_union = outer
            return safe
        if kind == "tagged-union":
            return isinstance(schema["discriminator"], str) and self._are_safe(schema["choices"].values())
        if kind == "definitions":
            self.definitions.update((definition["ref"], definition) for definition in schema["definitions"])
            return self.is_safe(schema["schema"])
        if kind == "definition-ref":
            return self._is_safe_reference(schema["schema_ref"])
        return False

    def _is_safe_reference(self, ref: str) -> bool:
        looked_at = (ref, self.in_union)
        if looked_at in self.seen:
            return True
        self.seen.add(looked_at)
        return ref in self.definitions and self.is_safe(self.definitions[ref])


def _is_plain(config: Any) -> bool:
    return not config or not (
        config.get("strict") or config.get("coerce_numbers_to_str") or config.get("val_json_bytes", "utf8") != "utf8"
    )


def _keeps_extras(schema: Any) -> bool:
    config = schema.get("config") or {}
    return "allow" in (schema.get("extra_behavior"), config.get("extra_fields_behavior"))


def _within(schema: Any, keys: tuple[str, ...]) -> Iterable[Any]:
    """Return the schemas that a schema is made of."""
    for key in keys:
        if schema.get(key) is not None:
            yield schema[key]
    kind = schema["type"]
    if kind in ("model-fields", "typed-dict"):
        yield from schema["fields"].values()
    elif kind == "dataclass-args":
        yield from schema["fields"]
    elif kind == "tuple":
        yield from schema["items_schema"]


def _runs_nothing(schema: Any) -> bool:
    return not (schema.get("post_init") or schema.get("custom_init"))


def _has_names(schema: Any) -> bool:
    """Tell whether the field is looked for by names, and not by paths into other values."""
    alias = schema.get("validation_alias")
    # A list of lists is choices, any other list is one path.
    return alias is None or isinstance(alias, str) or all(isinstance(path, list) and len(path) == 1 for path in alias)


def _has_no_nan(schema: Any) -> bool:
    """Tell whether equal items stay equal: several NaN are one object decoded, and several from bytes."""
    return "items_schema" in schema and schema["items_schema"]["type"] in SET_ITEMS


def _has_plain_keys(schema: Any) -> bool:
    """Tell whether keys stay as they are: of keys that become equal, another may be the last one in a JSON text."""
    keys = schema.get("keys_schema") or schema.get("extras_keys_schema")
    return keys is None or keys["type"] == "any" or (keys["type"] == "str" and not CHANGES.intersection(keys))


CHECKS: dict[str, Callable[[Any], bool]] = {
    "set": _has_no_nan,
    "frozenset": _has_no_nan,
    "dict": _has_plain_keys,
    "model-fields": _has_plain_keys,
    "model": _runs_nothing,
    "dataclass": _runs_nothing,
    "model-field": _has_names,
    "typed-dict-field": _has_names,
    "dataclass-field": _has_names,
}
