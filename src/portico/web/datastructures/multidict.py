"""Dicts that may hold several values under one key: an item list in order, and a dict of the last value of each key."""

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from operator import itemgetter
from typing import Any, TypeVar, overload
from urllib.parse import urlencode

from portico.http.urls import decode_path

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT", covariant=True)
T = TypeVar("T")

first_of = itemgetter(0)


class ImmutableMultiDict(Mapping[KeyT, ValueT]):
    """A multidict that does not change. As a mapping it has the last value of each key; `getlist` has them all.

    Args:
        args: At most one: another multidict, a mapping or pairs.
        kwargs: More items.
    """

    _list: list[tuple[KeyT, ValueT]]
    _dict: dict[KeyT, ValueT]

    def __init__(
        self,
        *args: "ImmutableMultiDict[KeyT, ValueT] | Mapping[KeyT, ValueT] | Iterable[tuple[KeyT, ValueT]]",
        **kwargs: Any,
    ) -> None:
        items = _pairs(args)
        items += kwargs.items()
        self._list = items
        self._dict = dict(items)

    def getlist(self, key: Any) -> list[ValueT]:
        """Return all values of the key, in order."""
        return [value for name, value in self._list if name == key]

    def keys(self) -> KeysView[KeyT]:
        return self._dict.keys()

    def values(self) -> ValuesView[ValueT]:
        return self._dict.values()

    def items(self) -> ItemsView[KeyT, ValueT]:
        return self._dict.items()

    def multi_items(self) -> list[tuple[KeyT, ValueT]]:
        """Return all pairs, in order."""
        return list(self._list)

    @overload
    def get(self, key: KeyT, /) -> ValueT | None: ...
    @overload
    def get(self, key: KeyT, /, default: ValueT | T) -> ValueT | T: ...
    def get(self, key: KeyT, default: Any = None) -> Any:
        return self._dict.get(key, default)

    def __getitem__(self, key: KeyT) -> ValueT:
        return self._dict[key]

    def __contains__(self, key: object) -> bool:
        return key in self._dict

    def __iter__(self) -> Iterator[KeyT]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def __eq__(self, other: object) -> bool:
        # The order of the keys does not count, that of the values of one key does.
        if not isinstance(other, type(self)):
            return False
        return sorted(self._list, key=first_of) == sorted(other._list, key=first_of)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._list!r})"


class MultiDict(ImmutableMultiDict[Any, Any]):
    """A multidict that may be changed. Setting a key drops its other values; `append` and `setlist` keep several."""

    def __setitem__(self, key: Any, value: Any) -> None:
        self.setlist(key, [value])

    def __delitem__(self, key: Any) -> None:
        del self._dict[key]
        self._drop(key)

    def _drop(self, key: Any) -> None:
        self._list = [item for item in self._list if item[0] != key]

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove the key and return its last value, or the default."""
        if key in self._dict:
            self._drop(key)
        return self._dict.pop(key, default)

    def popitem(self) -> tuple[Any, Any]:
        """Remove the key that came last and return it with its last value."""
        key, value = self._dict.popitem()
        self._drop(key)
        return key, value

    def poplist(self, key: Any) -> list[Any]:
        """Remove the key and return all its values."""
        values = self.getlist(key)
        self.pop(key)
        return values

    def clear(self) -> None:
        self._dict.clear()
        self._list.clear()

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self._dict:
            self.append(key, default)
        return self._dict[key]

    def setlist(self, key: Any, values: list[Any]) -> None:
        """Give the key these values and no others; without values it goes away."""
        if not values:
            self.pop(key)
            return
        if key in self._dict:
            self._drop(key)
        self._list += [(key, value) for value in values]
        self._dict[key] = values[-1]

    def append(self, key: Any, value: Any) -> None:
        """Add a value to those that the key has."""
        self._list.append((key, value))
        self._dict[key] = value

    def update(
        self,
        *args: "ImmutableMultiDict[Any, Any] | Mapping[Any, Any] | Iterable[tuple[Any, Any]]",
        **kwargs: Any,
    ) -> None:
        """Replace all values of every key that the given items have."""
        new = MultiDict(*args, **kwargs)
        self._list = [item for item in self._list if item[0] not in new._dict] + new._list
        self._dict.update(new._dict)


class QueryParams(ImmutableMultiDict[str, str]):
    """The parameters in the query of a URL.

    Args:
        args: At most one: the query as text or as the bytes of a scope's `query_string`, a mapping or pairs.
        kwargs: More parameters.
    """

    def __init__(
        self,
        *args: "ImmutableMultiDict[Any, Any] | Mapping[Any, Any] | Iterable[tuple[Any, Any]] | str | bytes",
        **kwargs: Any,
    ) -> None:
        if args and isinstance(args[0], (bytes, str)) and len(args) == 1:
            items = parse_query(args[0])
        else:
            items = [(str(key), str(value)) for key, value in _pairs(args)]
        if kwargs:
            items += [(key, str(value)) for key, value in kwargs.items()]
        self._list = items
        self._dict = dict(items)

    def __str__(self) -> str:
        return urlencode(self._list)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


def parse_query(query: str | bytes) -> list[tuple[str, str]]:
    """Return the pairs of a query as browsers write it: `&` separates them, `+` is a space, the text is UTF-8."""
    if isinstance(query, bytes):
        query = query.decode("utf-8", "replace")
    items = []
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            items.append((name, value))
    if "+" in query:
        items = [(name.replace("+", " "), value.replace("+", " ")) for name, value in items]
    if "%" in query:
        items = [
            (unquote(name) if "%" in name else name, unquote(value) if "%" in value else value) for name, value in items
        ]
    return items


def unquote(text: str) -> str:
    """Return the text percent-decoded; bytes that are not UTF-8 become U+FFFD."""
    return decode_path(text.encode("utf-8", "replace"))


def _pairs(args: tuple[Any, ...]) -> list[tuple[Any, Any]]:
    """Return a new list of the pairs in the one argument, or an empty one."""
    if not args or args[0] is None:
        return []
    if len(args) > 1:
        raise TypeError(f"a multidict is made of one mapping or list of pairs, got {len(args)} arguments")
    source = args[0]
    if hasattr(source, "multi_items"):
        return list(source.multi_items())
    if hasattr(source, "items"):
        return list(source.items())
    return list(source)
