"""An OpenAPI schema from the YAML in the endpoints' docstrings."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing import BaseRoute, Host, Mount, Route

METHODS = ("get", "post", "put", "patch", "delete", "options", "query")


class EndpointInfo(NamedTuple):
    """One operation: its path, its method in lower case and the function whose docstring describes it."""

    path: str
    http_method: str
    func: Callable[..., Any]


class OpenAPIResponse(Response):
    """A schema as YAML."""

    media_type = "application/vnd.oai.openapi"

    def render(self, content: Any) -> bytes:
        if not isinstance(content, dict):
            raise TypeError(f"OpenAPIResponse takes the schema as a dict, got {content!r}")
        text: str = _yaml().safe_dump(content, default_flow_style=False)
        return text.encode()


class BaseSchemaGenerator:
    """Finds the operations of an application; a subclass says what schema they make."""

    def get_schema(self, routes: Sequence[BaseRoute]) -> dict[str, Any]:
        """Return the schema of the routes."""
        raise NotImplementedError

    def get_endpoints(self, routes: Sequence[BaseRoute]) -> list[EndpointInfo]:
        """Return the operations of the routes and of what is mounted below them, in their order."""
        return list(self._endpoints(routes, ""))

    def _endpoints(self, routes: Sequence[BaseRoute], prefix: str) -> Iterator[EndpointInfo]:
        for route in routes:
            if isinstance(route, Mount):
                yield from self._endpoints(route.routes or (), prefix + self._remove_converter(route.path))
            elif isinstance(route, Host):
                yield from self._endpoints(route.routes or (), prefix)
            elif isinstance(route, Route) and route.include_in_schema:
                path = prefix + self._remove_converter(route.path)
                for method, func in _operations(route):
                    yield EndpointInfo(path, method, func)

    def _remove_converter(self, path: str) -> str:
        """Return a path as OpenAPI writes it: `/users/{id:int}` is `/users/{id}`."""
        return re.sub(r":\w+}", "}", path)

    def parse_docstring(self, func_or_method: Callable[..., Any]) -> dict[str, Any]:
        """Return what the YAML of a docstring says, that after the last `---` if there is one; {} where it has none."""
        docstring = func_or_method.__doc__
        if not docstring:
            return {}
        parsed = _yaml().safe_load(docstring.split("---")[-1])
        return parsed if isinstance(parsed, dict) else {}  # prose is a YAML text, too

    def OpenAPIResponse(self, request: Request) -> Response:
        """Return a response with the schema of the request's application."""
        return OpenAPIResponse(self.get_schema(routes=request.app.routes))


class SchemaGenerator(BaseSchemaGenerator):
    """Puts the operations below the `paths` of a schema that has everything else.

    Args:
        base_schema: The schema without its operations: `{"openapi": "3.1.0", "info": {...}}`. It is not changed.
    """

    def __init__(self, base_schema: dict[str, Any]) -> None:
        self.base_schema = base_schema

    def get_schema(self, routes: Sequence[BaseRoute]) -> dict[str, Any]:
        paths: dict[str, Any] = {path: dict(item) for path, item in self.base_schema.get("paths", {}).items()}
        has_query = self._version() >= (3, 2)  # OpenAPI has the method QUERY from there on
        for path, method, func in self.get_endpoints(routes):
            if method == "query" and not has_query:
                continue
            operation = self.parse_docstring(func)
            if operation:
                paths.setdefault(path, {})[method] = operation
        return {**self.base_schema, "paths": paths}

    def _version(self) -> tuple[int, int]:
        match = re.match(r"(\d+)\.(\d+)", str(self.base_schema.get("openapi", "")), re.ASCII)
        return (int(match[1]), int(match[2])) if match else (0, 0)


def _operations(route: Route) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the methods of a route, in lower case, each with the function that answers it."""
    endpoint = route.endpoint
    if inspect.isfunction(endpoint) or inspect.ismethod(endpoint):
        for method in sorted(route.methods or ("GET",)):
            if method != "HEAD":
                yield method.lower(), endpoint
        return
    for method in METHODS:
        func = getattr(endpoint, method, None)
        if func is not None:
            yield method, func


def _yaml() -> ModuleType:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ImportError("schemas from docstrings need PyYAML: pip install 'portico[yaml]'") from error
    return yaml
