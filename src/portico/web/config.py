"""Settings from the environment, then from a file of `KEY=value` lines, then from a default."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar, overload

T = TypeVar("T")

_MISSING: Any = object()
_BOOLS = {"true": True, "1": True, "false": False, "0": False}


class EnvironError(Exception):
    """A variable was changed after the program had read it."""


class Environ(MutableMapping[str, str]):
    """The environment; a variable that has been read, or asked for, can no longer be changed through it.

    So a test that sets a variable too late fails, instead of running with the old value.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._has_been_read: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self._has_been_read.add(key)
        return self._environ[key]

    def __setitem__(self, key: str, value: str) -> None:
        self._refuse_if_read(key, "set")
        self._environ[key] = value

    def __delitem__(self, key: str) -> None:
        self._refuse_if_read(key, "deleted")
        del self._environ[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)

    def _refuse_if_read(self, key: str, verb: str) -> None:
        if key in self._has_been_read:
            raise EnvironError(f"environ[{key!r}] cannot be {verb}: the program has read it already; do it earlier")


environ = Environ()


class Config:
    """Read settings: `config("DEBUG", cast=bool, default=False)`.

    Args:
        env_file: A file of `KEY=value` lines; lines that begin with `#` are comments, a value may be in quotes. One
            that is not there gives a warning.
        environ: What is asked first.
        env_prefix: What the name of every variable begins with.
        encoding: The encoding of the file.
    """

    def __init__(
        self,
        env_file: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] = environ,
        env_prefix: str = "",
        encoding: str = "utf-8",
    ) -> None:
        self.environ = environ
        self.env_prefix = env_prefix
        self.file_values: dict[str, str] = {}
        if env_file is not None:
            if os.path.isfile(env_file):
                self.file_values = self._read_file(env_file, encoding)
            else:
                warnings.warn(f"Config file '{env_file}' not found.", stacklevel=2)

    @overload
    def __call__(self, key: str, *, default: None) -> str | None: ...

    @overload
    def __call__(self, key: str, cast: type[T], default: Any = ...) -> T: ...

    @overload
    def __call__(self, key: str, cast: type[str] = ..., default: str = ...) -> str: ...

    @overload
    def __call__(self, key: str, cast: Callable[[Any], T] = ..., default: Any = ...) -> T: ...

    @overload
    def __call__(self, key: str, cast: type[str] = ..., default: T = ...) -> T | str: ...

    def __call__(self, key: str, cast: Callable[[Any], Any] | None = None, default: Any = _MISSING) -> Any:
        return self.get(key, cast, default)

    def get(self, key: str, cast: Callable[[Any], Any] | None = None, default: Any = _MISSING) -> Any:
        """Return a setting.

        Args:
            key: Its name, without the prefix.
            cast: What makes its value of the text, or of the default; `bool` knows true, false, 1 and 0.
            default: What it is where nothing sets it; `None` is not cast.

        Raises:
            KeyError: If nothing sets it and there is no default.
            ValueError: If it cannot be cast.
        """
        name = self.env_prefix + key
        for source in (self.environ, self.file_values):
            if name in source:
                return self._perform_cast(name, source[name], cast)
        if default is _MISSING:
            raise KeyError(f"the setting {name!r} has no default: set it in the environment or in the config's file")
        return self._perform_cast(name, default, cast)

    def _read_file(self, file_name: str | os.PathLike[str], encoding: str) -> dict[str, str]:
        with open(file_name, encoding=encoding) as file:
            return dict(setting for line in file if (setting := _parse_line(line.strip())) is not None)

    def _perform_cast(self, key: str, value: Any, cast: Callable[[Any], Any] | None = None) -> Any:
        if cast is None or value is None:
            return value
        if cast is bool and isinstance(value, str):
            if (flag := _BOOLS.get(value.lower())) is None:
                raise ValueError(f"the setting {key!r} must be true, false, 1 or 0, got {value!r}")
            return flag
        try:
            return cast(value)
        except (TypeError, ValueError) as error:
            kind = getattr(cast, "__name__", repr(cast))
            raise ValueError(f"the setting {key!r} must be a valid {kind}, got {value!r}") from error


def _parse_line(line: str) -> tuple[str, str] | None:
    """Return the name and value that a line of a file sets, or None where it sets nothing."""
    name, equals, value = line.partition("=")
    if not equals or line.startswith("#"):
        return None
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name.strip(), value
