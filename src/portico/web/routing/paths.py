"""Path templates such as `/users/{id:int}`: their parts, their pattern, and the paths that they give."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from portico.asgi import PorticoError, Scope
from portico.web.convertors import CONVERTOR_TYPES, Convertor

PARAM_REGEX = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)(:[a-zA-Z_][a-zA-Z0-9_]*)?}")
FORMAT_REGEX = re.compile(r"{([a-zA-Z_][a-zA-Z0-9_]*)}")


class NoMatchFound(Exception):
    """No route has the name and takes just these parameters."""

    def __init__(self, name: str, path_params: dict[str, Any]) -> None:
        super().__init__(f'No route exists for name "{name}" and params "{", ".join(path_params)}".')


def reverse(routes: Iterable[Any], name: str, path_params: dict[str, Any]) -> Any:
    """Return the path that the first route gives which has the name, None if none of them has it.

    The routes of a mounted application of another framework say so with an exception of their own of the same name.
    """
    for route in routes:
        try:
            return route.url_path_for(name, **path_params)
        except Exception as error:
            if not isinstance(error, NoMatchFound) and type(error).__name__ != NoMatchFound.__name__:
                raise
    return None


class RouteError(PorticoError, AssertionError):
    """A route cannot be made of its arguments. An AssertionError for programs that come from Starlette."""


class Param(NamedTuple):
    """A parameter of a template: its name and what converts it."""

    name: str
    convertor: Convertor[Any]


class Template:
    """A path or host template, taken apart: literals and parameters, in their order."""

    __slots__ = ("format", "is_host", "param_convertors", "parts", "path")

    def __init__(self, path: str) -> None:
        """Take the template apart.

        Raises:
            ValueError: If a parameter comes twice.
            RouteError: If a convertor is not known.
        """
        self.path = path
        self.is_host = not path.startswith("/")
        self.parts = list(_parts(path))
        self.param_convertors: dict[str, Convertor[Any]] = {}
        repeated = set()
        for part in self.parts:
            if isinstance(part, Param):
                if part.name in self.param_convertors:
                    repeated.add(part.name)
                self.param_convertors[part.name] = part.convertor
        if repeated:
            names = ", ".join(sorted(repeated))
            raise ValueError(f"Duplicated param name{'s' if len(repeated) > 1 else ''} {names} at path {path}")
        self.format = "".join("{" + part.name + "}" if isinstance(part, Param) else part for part in self.parts)

    def pattern(self) -> str:
        """Return the regular expression that a whole path or host must match."""
        literals = list(self.parts)
        if self.is_host and literals and isinstance(last := literals[-1], str) and not last.endswith("]"):
            literals[-1] = last.rsplit(":", 1)[0]  # the port of a Host field is not looked at
        pieces = (
            f"(?P<{part.name}>{part.convertor.regex})" if isinstance(part, Param) else re.escape(part)
            for part in literals
        )
        return f"^{''.join(pieces)}$"

    def regex(self) -> re.Pattern[str]:
        """Return the compiled pattern. Host names are case-insensitive (RFC 9110 section 4.2.3)."""
        return re.compile(self.pattern(), re.IGNORECASE if self.is_host else re.DOTALL)


def _parts(path: str) -> Iterator[str | Param]:
    end = 0
    for match in PARAM_REGEX.finditer(path):
        name, kind = match[1], (match[2] or ":str")[1:]
        if kind not in CONVERTOR_TYPES:
            raise RouteError(
                f"Unknown path convertor '{kind}' in {path!r}, expected one of {', '.join(CONVERTOR_TYPES)}"
            )
        if match.start() > end:
            yield path[end : match.start()]
        yield Param(name, CONVERTOR_TYPES[kind])
        end = match.end()
    if end < len(path):
        yield path[end:]


def compile_path(path: str) -> tuple[re.Pattern[str], str, dict[str, Convertor[Any]]]:
    """Return a template's pattern, its format without convertors, and the convertor of each parameter."""
    template = Template(path)
    return template.regex(), template.format, template.param_convertors


def replace_params(
    path: str, param_convertors: dict[str, Convertor[Any]], path_params: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return a format with the given parameters put in, and those that it has no place for, which are left over."""
    if not path_params:
        return path, path_params

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in path_params:
            return match[0]
        return param_convertors[name].to_string(path_params.pop(name))

    return FORMAT_REGEX.sub(value, path), path_params


def get_route_path(scope: Scope) -> str:
    """Return the part of the path that is below `root_path` (ASGI HTTP: `path` includes it)."""
    path: str = scope["path"]
    root_path: str = scope.get("root_path", "")
    if not root_path or not path.startswith(root_path):
        return path
    below = path[len(root_path) :]
    return below if not below or below[0] == "/" else path
