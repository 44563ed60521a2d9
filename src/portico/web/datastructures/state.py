"""Attributes that an application and its requests may carry."""

from collections.abc import Iterator
from typing import Any


class State:
    """A dict whose items are attributes as well; `app.state` and `request.state` are ones.

    Args:
        state: The dict that holds the items, which is not copied.
    """

    _state: dict[str, Any]

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        object.__setattr__(self, "_state", {} if state is None else state)

    def __setattr__(self, key: str, value: Any) -> None:
        self._state[key] = value

    def __getattr__(self, key: str) -> Any:
        # `_state` itself is missing while a copy is being made.
        if key != "_state" and key in self._state:
            return self._state[key]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}")

    def __delattr__(self, key: str) -> None:
        if key not in self._state:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}")
        del self._state[key]

    def __getitem__(self, key: str) -> Any:
        return self._state[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._state[key] = value

    def __delitem__(self, key: str) -> None:
        del self._state[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)
