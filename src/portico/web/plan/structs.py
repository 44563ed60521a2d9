"""msgspec's structs as bodies and responses: validated by msgspec, serialised and documented through pydantic.

pydantic asks the types in an annotation how to treat them. Structs do not know the question, so in each one's place the
annotation gets a class that answers it: msgspec validates, and what the JSON has is described as a typed dict.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin
from uuid import UUID

from pydantic import Field, GetCoreSchemaHandler, SerializerFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, ValidationError, core_schema

from portico.web.plan.annotations import UNIONS, is_struct, union_of

if TYPE_CHECKING:
    import msgspec
    from pydantic_core import InitErrorDetails

__all__ = ["struct_decoder", "structs_within", "with_structs"]

# Types whose values are the same in JSON whatever they are derived from, and containers.
LEAVES = frozenset((str, int, float, bool, bytes, type(None), date, datetime, time, timedelta, Decimal, UUID))
CONTAINERS = frozenset((list, tuple, set, frozenset, dict))


def with_structs(annotation: Any) -> Any:
    """Return the annotation with the structs in it made known to pydantic; as it is if it has none."""
    if "msgspec" not in sys.modules:
        return annotation
    origin = get_origin(annotation)
    if is_struct(origin or annotation):
        return _stand_in(annotation)
    if origin is None or origin is Literal:
        return annotation
    args = get_args(annotation)
    known = tuple(with_structs(arg) for arg in args)
    if all(old is new for old, new in zip(args, known, strict=True)):
        return annotation
    if origin is Annotated:
        return Annotated[(known[0], *annotation.__metadata__)]
    if origin in UNIONS:
        return _tagged_union(args) or union_of(known)
    return origin[known]


def struct_decoder(annotation: Any) -> Callable[[bytes], Any] | None:
    """Return what makes a struct of JSON at once, where that means the same as decoding it first; None otherwise."""
    if "msgspec" not in sys.modules or not is_struct(annotation):
        return None
    parts = structs_within(annotation)
    # What the program does itself must not be done twice, which it would where the struct is not valid.
    if parts is None or any(hasattr(part, "__post_init__") for part in (annotation, *parts)):
        return None
    from msgspec.json import Decoder

    decode = Decoder(annotation).decode
    return lambda body: decode(body.decode())  # msgspec does not look whether bytes are UTF-8


def structs_within(kind: Any) -> frozenset[Any] | None:
    """Return the structs that instances of a struct may have in them, None if they may have what is not known here."""
    found: set[Any] = set()
    return frozenset(get_origin(part) or part for part in found) if _collect_members(kind, found) else None


def _collect_members(kind: Any, found: set[Any]) -> bool:
    import msgspec

    return all(_collect(field.type, found) for field in msgspec.structs.fields(kind))


def _collect(annotation: Any, found: set[Any]) -> bool:
    import msgspec

    origin = get_origin(annotation)
    if origin is Annotated:
        return _collect(get_args(annotation)[0], found)
    if annotation in found or annotation in LEAVES or annotation in (Ellipsis, msgspec.UnsetType) or origin is Literal:
        return True
    if is_struct(origin or annotation):
        found.add(annotation)
        return _collect_members(annotation, found)
    if origin in CONTAINERS or origin in UNIONS:
        return all(_collect(arg, found) for arg in get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, Enum)


def _tagged_union(choices: tuple[Any, ...]) -> Any:
    """Return what stands in for structs that a tag tells apart; None if these are not such structs, None aside."""
    structs = [choice for choice in choices if choice is not type(None)]
    if len(structs) < 2 or not all(is_struct(item) and item.__struct_config__.tag is not None for item in structs):
        return None

    def answer(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        validate = partial(_convert, kind=union_of(structs), classes=tuple(structs))
        each: list[Any] = [handler.generate_schema(_stand_in(item)) for item in structs]
        return core_schema.no_info_before_validator_function(validate, core_schema.union_schema(each))

    union = type("Union", (), {"__get_pydantic_core_schema__": staticmethod(answer)})
    return union if len(structs) == len(choices) else union | None


def _stand_in(kind: Any) -> type:
    """Return a class that pydantic sees in the place of a struct, or of a generic one with arguments."""
    name = (get_origin(kind) or kind).__name__

    def answer(source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _schema(kind, handler)

    return type(name, (), {"__get_pydantic_core_schema__": staticmethod(answer)})


def _schema(kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    cls = get_origin(kind) or kind
    config: Any = cls.__struct_config__
    validate = partial(_convert, kind=kind, classes=(cls,))
    if config.array_like:
        described = {"pydantic_js_functions": [lambda *_: {"title": cls.__name__, "type": "array"}]}
        as_array = core_schema.plain_serializer_function_ser_schema(_to_builtins)
        return core_schema.no_info_plain_validator_function(validate, serialization=as_array, metadata=described)
    ref = f"{cls.__module__}.{_full_name(kind)}:{id(cls)}"
    with _described(ref) as is_new:
        definitions = [_members_schema(kind, handler, ref)] if is_new else []
    members = core_schema.definition_reference_schema(ref)
    schema = core_schema.no_info_wrap_validator_function(  # around what only describes it
        lambda value, _: validate(value),
        members,
        serialization=core_schema.wrap_serializer_function_ser_schema(partial(_as_dict, cls=cls), schema=members),
    )
    return core_schema.definitions_schema(schema, definitions) if definitions else schema


def _full_name(kind: Any) -> str:
    if args := get_args(kind):
        return f"{get_origin(kind).__qualname__}[{','.join(_full_name(arg) for arg in args)}]"
    return str(getattr(kind, "__qualname__", kind))


_in_progress: ContextVar[frozenset[str]] = ContextVar("structs whose members are being described", default=frozenset())


@contextmanager
def _described(ref: str) -> Iterator[bool]:
    """Note that the members of a struct are being described, which may have it as a type; yield if that is new."""
    around = _in_progress.get()
    token = _in_progress.set(around | {ref})
    try:
        yield ref not in around
    finally:
        _in_progress.reset(token)


def _members_schema(kind: Any, handler: GetCoreSchemaHandler, ref: str) -> CoreSchema:
    """Return the schema of a dict with the members of a struct, under their names in JSON."""
    import msgspec

    cls = get_origin(kind) or kind
    members = {}
    if (tag := cls.__struct_config__.tag) is not None:
        members[cls.__struct_config__.tag_field] = core_schema.typed_dict_field(core_schema.literal_schema([tag]))
    for field in msgspec.structs.fields(kind):
        schema = handler.generate_schema(with_structs(_for_pydantic(field.type)))
        if field.default is not msgspec.NODEFAULT and field.default is not msgspec.UNSET:
            schema = core_schema.with_default_schema(schema, default=field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            schema = core_schema.with_default_schema(schema, default_factory=field.default_factory)
        members[field.encode_name] = core_schema.typed_dict_field(schema, required=field.required)
    return core_schema.typed_dict_schema(members, cls=cls, ref=ref)


def _as_dict(struct: Any, serialize: SerializerFunctionWrapHandler, *, cls: Any) -> Any:
    return serialize(_shallow(struct, cls))


def _shallow(struct: Any, cls: Any) -> Any:
    """Return what the JSON of a struct has, the values as they are."""
    import msgspec

    if not isinstance(struct, cls):
        return struct
    config = cls.__struct_config__
    members = {} if config.tag is None else {config.tag_field: config.tag}
    defaults = cls.__struct_defaults__ if config.omit_defaults else ()
    required = len(cls.__struct_fields__) - len(defaults)
    for place, (name, key) in enumerate(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)):
        value = getattr(struct, name)
        if value is msgspec.UNSET or (place >= required and _is_default(value, defaults[place - required])):
            continue
        members[key] = value
    return members


def _is_default(value: Any, default: Any) -> bool:
    factory = getattr(default, "factory", None)
    if factory is not None:
        return bool(value == factory())
    return value is default or (type(value) is type(default) and bool(value == default))


def _to_builtins(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def _for_pydantic(annotation: Any) -> Any:
    """Return a member's type in pydantic's terms."""
    import msgspec

    origin = get_origin(annotation)
    if origin in UNIONS:
        choices = [choice for choice in get_args(annotation) if choice is not msgspec.UnsetType]
        return union_of(_for_pydantic(choice) for choice in choices)
    if origin is Annotated:
        extras = [_field(item) if isinstance(item, msgspec.Meta) else item for item in annotation.__metadata__]
        return Annotated[(_for_pydantic(get_args(annotation)[0]), *extras)]
    return annotation


def _field(meta: "msgspec.Meta") -> Any:
    names = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "title", "description")
    options = {name: value for name in names if (value := getattr(meta, name)) is not None}
    if meta.examples is not None:
        options["examples"] = meta.examples
    if meta.extra_json_schema is not None:
        options["json_schema_extra"] = meta.extra_json_schema
    return Field(**options)


def _convert(value: Any, *, kind: Any, classes: tuple[Any, ...]) -> Any:
    """Return the struct that the value is, or has the members of."""
    import msgspec

    if isinstance(value, classes):
        return value
    try:
        if isinstance(value, msgspec.Struct) and classes[0].__struct_config__.tag is not None:
            raise msgspec.ValidationError(f"Expected `{classes[0].__name__}`, got `{type(value).__name__}`")
        return msgspec.convert(value, kind, from_attributes=True, str_keys=True)
    except msgspec.ValidationError as error:
        raise ValidationError.from_exception_data(classes[0].__name__, [_error_item(str(error), value)]) from None


_PLACE = re.compile(r" - at `(?:key` in `)?\$(.*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_MISSING = re.compile(r"^Object missing required field `(.*)`$")


def _error_item(message: str, value: Any) -> "InitErrorDetails":
    """Return msgspec's message as an error of pydantic, at the place that the message names."""
    loc: list[str | int] = []
    if (place := _PLACE.search(message)) is not None:
        message = message[: place.start()]
        for name, index in _STEP.findall(place[1]):
            loc.append(name or int(index))
    for step in loc:
        try:
            value = value[step]
        except (LookupError, TypeError):
            value = None
    if (missing := _MISSING.match(message)) is not None:
        return {"type": "missing", "loc": (*loc, missing[1]), "input": value}
    return {"type": PydanticCustomError("msgspec", message), "loc": tuple(loc), "input": value}
