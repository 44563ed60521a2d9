"""Two kinds of value that a setting may have: one that must not show, and a list in one string."""

from collections.abc import Iterator, Sequence
from typing import overload

HIDDEN = "**********"


class Secret:
    """A string that does not show in tracebacks and logs; `str()` gives it out where it is needed."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({HIDDEN!r})"

    def __str__(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)


class CommaSeparatedStrings(Sequence[str]):
    """A list of strings, read from one string with commas between them; a string with a comma in it is quoted."""

    def __init__(self, value: str | Sequence[str]) -> None:
        self._items = split_at_commas(value) if isinstance(value, str) else list(value)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._items[index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"

    def __str__(self) -> str:
        return ", ".join(map(repr, self._items))


def split_at_commas(text: str) -> list[str]:
    """Return what stands between the commas, without quotes and the space around it."""
    import shlex

    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace = ","
    lexer.whitespace_split = True
    return [item.strip() for item in lexer]
