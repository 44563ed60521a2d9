from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Optional, TypedDict, TypeVar

import msgspec
import pytest
from pydantic import BaseModel

from portico.web.datastructures import UploadFile
from portico.web.plan.annotations import (
    is_bytes,
    is_bytes_sequence,
    is_scalar,
    is_scalar_sequence,
    is_sequence,
    is_upload,
    is_upload_sequence,
    lenient_issubclass,
    model_of,
    sequence_of,
)

T = TypeVar("T")


class Model(BaseModel):
    a: int


class Page(BaseModel, Generic[T]):
    items: list[T]


class Typed(TypedDict):
    a: int


class Struct(msgspec.Struct):
    a: int


@dataclass
class Data:
    a: int


SCALARS: list[Any] = [
    int,
    str,
    bytes,
    int | None,
    Optional[str],  # noqa: UP045
    Literal["a"],
    Annotated[int, "x"],
    Any,
    int | str,
]
COMPLEX: list[Any] = [
    Model,
    Page[int],
    Model | None,
    Typed,
    Struct,
    Struct | None,
    Data,
    dict[str, int],
    Mapping[str, int],
    list[int],
    list[int] | None,
    UploadFile,
    Annotated[Model, "x"],
]


@pytest.mark.parametrize("annotation", SCALARS)
def test_one_text_is_a_scalar(annotation: Any) -> None:
    assert is_scalar(annotation)
    assert not is_sequence(annotation)


@pytest.mark.parametrize("annotation", COMPLEX)
def test_what_has_parts_is_no_scalar(annotation: Any) -> None:
    assert not is_scalar(annotation)


@pytest.mark.parametrize(
    "annotation",
    [
        list,
        list[int],
        Sequence[str],
        set[int],
        frozenset[int],
        tuple[int, ...],
        deque[int],
        list[int] | None,
        int | list[int],
        Annotated[list[int], "x"],
    ],
)
def test_sequences(annotation: Any) -> None:
    assert is_sequence(annotation)
    assert is_scalar_sequence(annotation)


def test_a_sequence_of_models_is_none_of_scalars() -> None:
    assert is_sequence(list[Model])
    assert not is_scalar_sequence(list[Model])
    assert not is_scalar_sequence(list[int] | Model)


def test_bytes_and_text_are_no_sequences() -> None:
    assert not is_sequence(str)
    assert not is_sequence(bytes)


def test_bytes_and_files_alone_in_unions_and_in_sequences() -> None:
    kinds: list[Any] = [bytes, bytes | None, UploadFile, UploadFile | None, list[bytes], list[UploadFile] | None, str]
    assert [is_bytes(kind) for kind in kinds] == [True, True, False, False, False, False, False]
    assert [is_upload(kind) for kind in kinds] == [False, False, True, True, False, False, False]
    assert [is_bytes_sequence(kind) for kind in kinds] == [False, False, False, False, True, False, False]
    assert [is_upload_sequence(kind) for kind in kinds] == [False, False, False, False, False, True, False]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (list[int], [1, 2]),
        (Sequence[int], [1, 2]),
        (set[int], {1, 2}),
        (tuple[int, ...], (1, 2)),
        (None | frozenset[int], frozenset((1, 2))),
        (deque[int] | None, deque((1, 2))),
    ],
)
def test_values_become_the_annotated_kind_of_sequence(annotation: Any, expected: Any) -> None:
    result = sequence_of(annotation, [1, 2])
    assert (type(result), result) == (type(expected), expected)


def test_the_model_of_an_optional_one() -> None:
    assert model_of(Model) is Model
    assert model_of(Model | None) is Model
    assert model_of(None | Model) is Model
    assert model_of(Model | Data) is None
    assert model_of(int) is None


def test_what_is_no_class_is_no_subclass() -> None:
    assert not lenient_issubclass(list[int], list)
    assert not lenient_issubclass("x", str)
    assert lenient_issubclass(bool, (int, str))


def test_a_tuple_of_any_length_is_a_sequence_of_its_items() -> None:
    assert is_bytes_sequence(tuple[bytes, ...])
    assert is_upload_sequence(tuple[UploadFile, ...])
    assert not is_upload_sequence(tuple[bytes, ...])
