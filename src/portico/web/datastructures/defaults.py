"""A default that can be told from the same value given on purpose."""

from typing import Any, TypeVar

DefaultType = TypeVar("DefaultType")


class DefaultPlaceholder:
    """A default value, where whoever reads it must know that nobody chose it."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefaultPlaceholder) and bool(other.value == self.value)

    def __repr__(self) -> str:
        return f"Default({self.value!r})"


def Default(value: DefaultType) -> DefaultType:
    """Return the value, marked as a default that nobody chose; to type checkers it is the value itself."""
    return DefaultPlaceholder(value)  # type: ignore[return-value]
