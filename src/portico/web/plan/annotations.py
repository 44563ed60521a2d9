"""Questions about annotations: is it one value or many, text or a model, a file."""

import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Annotated, Any, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from portico.web.datastructures import UploadFile

T = TypeVar("T")

SEQUENCES: dict[Any, Callable[[Any], Any]] = {
    Sequence: list,
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
    deque: deque,
}
SEQUENCE_TYPES = tuple(SEQUENCES)
UNIONS = (Union, types.UnionType)


def lenient_issubclass(annotation: Any, classes: type[T] | tuple[type[T], ...]) -> TypeGuard[type[T]]:
    """Tell whether it is a subclass; what is no class is none."""
    if not isinstance(annotation, type):
        return False
    try:
        return issubclass(annotation, classes)
    except TypeError:  # list[int] is a type to isinstance(), and not to issubclass()
        if isinstance(annotation, types.GenericAlias):
            return False
        raise


def is_union(annotation: Any) -> bool:
    """Tell whether it is a union, in either spelling."""
    return get_origin(annotation) in UNIONS


def union_of(choices: Iterable[Any]) -> Any:
    """Return the union of the choices."""
    return Union[tuple(choices)]  # noqa: UP007 - there may be forward references, which have no operators


def without_none(annotation: Any) -> Any:
    """Return `X` of `X | None`, and anything else as it is."""
    if is_union(annotation):
        args = get_args(annotation)
        if len(args) == 2 and type(None) in args:
            return args[0] if args[1] is type(None) else args[1]
    return annotation


def is_sequence(annotation: Any) -> bool:
    """Tell whether values may be many: a list, tuple, set ..., or a union with one."""
    origin = get_origin(annotation)
    if origin is None:
        return _is_sequence_class(annotation)
    if origin is Annotated:
        return is_sequence(get_args(annotation)[0])
    if origin in UNIONS:
        return any(is_sequence(arg) for arg in get_args(annotation))
    return _is_sequence_class(annotation) or _is_sequence_class(origin)


def _is_sequence_class(annotation: Any) -> bool:
    return lenient_issubclass(annotation, SEQUENCE_TYPES) and not issubclass(annotation, (str, bytes))


def is_struct(annotation: Any) -> bool:
    """Tell whether it is a class of msgspec's structs."""
    return isinstance(annotation, type) and hasattr(annotation, "__struct_fields__")


def is_scalar(annotation: Any) -> bool:
    """Tell whether a value is one text of a request: no sequence, mapping, model or file.

    The ellipsis counts as one, for the sake of `tuple[int, ...]`.
    """
    return annotation is Ellipsis or not _is_complex(annotation)


def _is_complex(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is None:
        return _is_complex_class(annotation)
    if origin in UNIONS:
        return any(_is_complex(arg) for arg in get_args(annotation))
    if origin is Annotated:
        return _is_complex(get_args(annotation)[0])
    return (
        _is_complex_class(annotation)
        or _is_complex_class(origin)
        or hasattr(origin, "__pydantic_core_schema__")
        or hasattr(origin, "__get_pydantic_core_schema__")
    )


def _is_complex_class(annotation: Any) -> bool:
    return (
        lenient_issubclass(annotation, (BaseModel, Mapping, UploadFile))
        or _is_sequence_class(annotation)
        or is_dataclass(annotation)
        or is_struct(annotation)
    )


def is_scalar_sequence(annotation: Any) -> bool:
    """Tell whether it is a sequence of scalars, or a union of scalars with one."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_scalar_sequence(get_args(annotation)[0])
    if origin in UNIONS:
        args = get_args(annotation)
        sequences = [is_scalar_sequence(arg) for arg in args]
        return any(sequences) and all(sequence or is_scalar(arg) for arg, sequence in zip(args, sequences, strict=True))
    return is_sequence(annotation) and all(is_scalar(arg) for arg in get_args(annotation))


def _choices(annotation: Any) -> Iterator[Any]:
    if is_union(annotation):
        yield from get_args(annotation)
    else:
        yield annotation


def is_bytes(annotation: Any) -> bool:
    """Tell whether it is bytes, or a union with bytes."""
    return any(lenient_issubclass(choice, bytes) for choice in _choices(annotation))


def is_upload(annotation: Any) -> bool:
    """Tell whether it is a file, or a union with one."""
    return any(lenient_issubclass(choice, UploadFile) for choice in _choices(annotation))


def is_bytes_sequence(annotation: Any) -> bool:
    """Tell whether it is a sequence of bytes, or a union with one."""
    return _is_sequence_of(annotation, is_bytes)


def is_upload_sequence(annotation: Any) -> bool:
    """Tell whether it is a sequence of files, or a union with one."""
    return _is_sequence_of(annotation, is_upload)


def _is_sequence_of(annotation: Any, is_such: Callable[[Any], bool]) -> bool:
    if is_union(annotation):
        return any(_is_sequence_of(arg, is_such) for arg in get_args(annotation))
    return is_sequence(annotation) and all(is_such(arg) for arg in get_args(annotation) if arg is not Ellipsis)


def sequence_of(annotation: Any, values: Any) -> Any:
    """Return the values as the kind of sequence that is annotated; in a union, its first choice."""
    for choice in _choices(annotation):
        if choice is not type(None):
            return SEQUENCES[get_origin(choice) or choice](values)
    raise TypeError(f"{annotation!r} is no sequence")


def model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the pydantic model of `Model` and of `Model | None`."""
    annotation = without_none(annotation)
    return annotation if lenient_issubclass(annotation, BaseModel) else None
