"""Path convertors: what a `{name:type}` of a path matches, and how its value is read and written."""

import math
import uuid
from typing import Any, ClassVar, Generic, TypeVar

T = TypeVar("T")


class Convertor(Generic[T]):
    """Converts one kind of path parameter. Register an instance with `register_url_convertor`."""

    regex: ClassVar[str] = ""

    def convert(self, value: str) -> T:
        """Return the value of a text that the regex has matched."""
        raise NotImplementedError

    def to_string(self, value: T) -> str:
        """Return the text of a value, for a URL."""
        raise NotImplementedError


class StringConvertor(Convertor[str]):
    """`str`: one path segment, not empty."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        text = str(value)
        assert text, "Must not be empty"
        assert "/" not in text, "May not contain path separators"
        return text


class PathConvertor(Convertor[str]):
    """`path`: the rest of the path, slashes included."""

    regex = ".*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return str(value)


class IntegerConvertor(Convertor[int]):
    """`int`: decimal digits, as many as Python converts."""

    regex = "[0-9]{1,4300}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        number = int(value)
        assert number >= 0, "Negative integers are not supported"
        return str(number)


class FloatConvertor(Convertor[float]):
    """`float`: decimal digits, with or without a fraction."""

    regex = r"[0-9]+(?:\.[0-9]+)?"

    def convert(self, value: str) -> float:
        return float(value)

    def to_string(self, value: float) -> str:
        number = float(value)
        assert not math.isnan(number), "NaN values are not supported"
        assert not math.isinf(number), "Infinite values are not supported"
        assert number >= 0.0, "Negative floats are not supported"
        return f"{number:.20f}".rstrip("0").rstrip(".")


class UUIDConvertor(Convertor[uuid.UUID]):
    """`uuid`: 32 hexadecimal digits, with or without the usual hyphens."""

    regex = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"

    def convert(self, value: str) -> uuid.UUID:
        return uuid.UUID(value)

    def to_string(self, value: uuid.UUID) -> str:
        return str(value)


CONVERTOR_TYPES: dict[str, Convertor[Any]] = {
    "str": StringConvertor(),
    "path": PathConvertor(),
    "int": IntegerConvertor(),
    "float": FloatConvertor(),
    "uuid": UUIDConvertor(),
}


def register_url_convertor(key: str, convertor: Convertor[Any]) -> None:
    """Make `{name:key}` use the convertor, in routes that are made from now on."""
    CONVERTOR_TYPES[key] = convertor
