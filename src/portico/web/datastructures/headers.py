"""The fields of a request or response, over the list of raw pairs that ASGI has: names in lower case, order kept.

Looking a field up walks the list: with the ten or twenty fields of a request that costs less than building a dict.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, overload

from portico.http.headers import is_token

T = TypeVar("T")

MAX_KNOWN_NAMES = 512
MAX_KNOWN_NAME_CHARS = 64

# Names as programs write them, in lower case and as bytes: few, and asked for again and again.
_known_names: dict[str, bytes] = {}


class Headers(Mapping[str, str]):
    """Fields that do not change. Names are found in any case; one that occurs twice has its first value.

    Args:
        headers: Names and values.
        raw: Names in lower case and values, as ASGI has them; the list is not copied.
        scope: A scope or message whose `headers` are meant.
    """

    _list: list[tuple[bytes, bytes]]
    _copies = False

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        raw: list[tuple[bytes, bytes]] | None = None,
        scope: MutableMapping[str, Any] | None = None,
    ) -> None:
        if scope is not None:
            if headers is not None or raw is not None:
                raise _too_many()
            found = scope["headers"]
            if type(found) is not list or self._copies:
                found = scope["headers"] = list(found)
            self._list = found
        elif raw is not None:
            if headers is not None:
                raise _too_many()
            self._list = raw
        elif headers is not None:
            self._list = [(field_name(name), field_value(value)) for name, value in headers.items()]
        else:
            self._list = []

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        return list(self._list)

    def keys(self) -> list[str]:  # type: ignore[override]
        return [name.decode("latin-1") for name, _ in self._list]

    def values(self) -> list[str]:  # type: ignore[override]
        return [value.decode("latin-1") for _, value in self._list]

    def items(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._list]

    def getlist(self, key: str) -> list[str]:
        """Return all values of the field, in order."""
        wanted = _known_names.get(key) or _wanted(key)
        return [value.decode("latin-1") for name, value in self._list if name == wanted]

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...
    def get(self, key: str, default: Any = None) -> Any:
        wanted = _known_names.get(key) or _wanted(key)
        for name, value in self._list:
            if name == wanted:
                return value.decode("latin-1")
        return default

    def mutablecopy(self) -> "MutableHeaders":
        """Return the same fields in an object that may be changed."""
        return MutableHeaders(raw=self._list[:])

    def __getitem__(self, key: str) -> str:
        wanted = _known_names.get(key) or _wanted(key)
        for name, value in self._list:
            if name == wanted:
                return value.decode("latin-1")
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        wanted = _known_names.get(key) or _wanted(key)
        return any(name == wanted for name, _ in self._list)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._list)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and sorted(self._list) == sorted(other._list)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        as_dict = dict(self.items())
        if len(as_dict) == len(self._list):
            return f"{type(self).__name__}({as_dict!r})"
        return f"{type(self).__name__}(raw={self._list!r})"


class MutableHeaders(Headers):
    """Fields that may be changed.

    Raises:
        ValueError: Where a name is no token or a value has a line break or NUL in it, which would start a new field
            or message (RFC 9110 section 5.5).
    """

    _copies = True  # the list of a message may belong to a response that is sent again

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        return self._list

    def __setitem__(self, key: str, value: str) -> None:
        """Set the field in the place that it has, or at the end; other values of it go away."""
        wanted = field_name(key)
        pair = (wanted, field_value(value))
        found = False
        for place, (name, _) in enumerate(self._list):
            if name == wanted:
                if found:  # once more: then the others have to go
                    self._list[place:] = [other for other in self._list[place:] if other[0] != wanted]
                    return
                self._list[place] = pair
                found = True
        if not found:
            self._list.append(pair)

    def __delitem__(self, key: str) -> None:
        """Remove the field if it is there."""
        wanted = _known_names.get(key) or _wanted(key)
        self._list[:] = [pair for pair in self._list if pair[0] != wanted]

    def __ior__(self, other: Mapping[str, str]) -> "MutableHeaders":
        _check_mapping(other)
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, str]) -> "MutableHeaders":
        _check_mapping(other)
        new = self.mutablecopy()
        new.update(other)
        return new

    def setdefault(self, key: str, value: str) -> str:
        """Set the field unless it is there; return the value that it has then."""
        wanted = field_name(key)
        for name, found in self._list:
            if name == wanted:
                return found.decode("latin-1")
        self._list.append((wanted, field_value(value)))
        return value

    def update(self, other: Mapping[str, str]) -> None:
        """Set all the fields."""
        for name, value in other.items():
            self[name] = value

    def append(self, key: str, value: str) -> None:
        """Add the field, beside the values that it has."""
        self._list.append((field_name(key), field_value(value)))

    def add_vary_header(self, vary: str) -> None:
        """Say that the response depends on one more field of the request."""
        self["vary"] = ", ".join([*self.getlist("vary"), vary])


def field_name(name: str) -> bytes:
    """Return the name in lower case as bytes.

    Raises:
        ValueError: If it is no token (RFC 9110 section 5.1).
    """
    known = _known_names.get(name)
    if known is not None:
        return known
    raw = _wanted(name)
    if not is_token(raw):
        raise ValueError(f"a field name is letters, digits and the signs of RFC 9110 section 5.6.2, not {name!r}")
    return raw


def field_value(value: str) -> bytes:
    """Return the value as bytes.

    Raises:
        ValueError: If it has a character that Latin-1 lacks, or a line break or NUL.
    """
    raw = value.encode("latin-1")
    if not value.isprintable() and (b"\n" in raw or b"\r" in raw or b"\0" in raw):
        raise ValueError(f"a field value has no line break and no NUL in it, got {value!r}")
    return raw


def _wanted(name: str) -> bytes:
    """Return what the name is compared as; one that is no name equals none."""
    raw = name.lower().encode("latin-1", "replace")
    if len(_known_names) < MAX_KNOWN_NAMES and len(name) <= MAX_KNOWN_NAME_CHARS and is_token(raw):
        _known_names[name] = raw
    return raw


def _check_mapping(other: object) -> None:
    if not isinstance(other, Mapping):
        raise TypeError(f"fields are merged with a mapping of names to values, not with {type(other).__name__}")


def _too_many() -> TypeError:
    return TypeError("fields are made of one of headers, raw and scope, not of several")
