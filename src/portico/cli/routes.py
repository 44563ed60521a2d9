"""`portico routes APP`: the route table of an application, as the application has it once it is imported.

Whatever has `routes` is understood, behind middleware too: applications of ours, of Starlette, of FastAPI. What is
mounted is listed below its mount, with whole paths.
"""

import functools
import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import click

from portico.asgi import PorticoError
from portico.cli.run import WRONG_SETTINGS, flag, option
from portico.server.config import DEFAULTS, SETTINGS
from portico.server.importer import load
from portico.server.settling import ConfigError, Given
from portico.server.sources import gather

CHOICES = ("factory", "app_dir", "env_file")
"""The settings that say how the application is found."""
FIRST = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ANY, MOUNT, HOST, FRONTEND, WEBSOCKET = "*", "MOUNT", "HOST", "FRONTEND", "WEBSOCKET"


class NoRoutesError(PorticoError):
    """The application has no routes that could be listed."""


class Row(NamedTuple):
    """A line of the table."""

    methods: str
    path: str
    name: str
    endpoint: str


HEAD = Row("METHODS", "PATH", "NAME", "ENDPOINT")


def table(app: Any) -> list[Row]:
    """Return a row for each route of the application, in the order in which they are tried.

    Raises:
        NoRoutesError: if it is nothing that has routes.
    """
    routed = _routed(app)
    if routed is None:
        raise NoRoutesError(
            f"{_endpoint(app)} has no routes: an application with a list `routes` was expected, "
            f"got a {type(app).__name__}"
        )
    return [*_rows(routed, "", frozenset())]


def _routed(app: Any) -> Any:
    """Return the application that has the routes, behind the middleware around it; None if nothing has."""
    seen = set()
    while app is not None and id(app) not in seen:
        if isinstance(getattr(app, "routes", None), list | tuple):
            return app
        seen.add(id(app))
        app = getattr(app, "app", None)
    return None


def _rows(app: Any, prefix: str, above: frozenset[int]) -> Iterator[Row]:
    for route in _effective(app):
        yield from _rows_of_route(route, prefix, above | {id(app)})
    frontends = getattr(getattr(app, "router", app), "frontend_routes", None)
    for route in frontends() if frontends is not None else ():
        yield Row(FRONTEND, prefix + route.path, "", str(route.app.directory))


def _effective(app: Any) -> Iterable[Any]:
    """Return the routes with their whole paths: some frameworks keep routers as trees and have a function for that."""
    for kind in type(app).__mro__:
        package = kind.__module__.rpartition(".")[0]
        module = sys.modules.get(f"{package}.routing") if package else None
        view = None if module is None else vars(module).get("iter_route_contexts")
        if view is not None:
            found: Iterable[Any] = view(app.routes)
            return found
    routes: Iterable[Any] = app.routes
    return routes


def _rows_of_route(route: Any, prefix: str, above: frozenset[int]) -> Iterator[Row]:
    host = getattr(route, "host", None)
    path = prefix + (getattr(route, "path", None) or "")
    name = getattr(route, "name", None) or ""
    if host is not None or hasattr(route, "routes"):
        app = getattr(route, "app", None)
        path = prefix + (host if host is not None else route.path)
        yield Row(MOUNT if host is None else HOST, path or "/", name, _endpoint(app))
        inner = route if route.routes else _routed(app)
        if inner is not None and id(app) not in above:
            yield from _rows(_routed(app) or inner, path, above | {id(app)})
        return
    original = getattr(route, "original_route", route)
    endpoint = getattr(route, "endpoint", None)
    if endpoint is None:
        yield Row(ANY, path or "?", name, _kind(original))
        return
    methods = _methods(route.methods) if hasattr(original, "methods") else WEBSOCKET
    yield Row(methods, path or "/", name, _endpoint(endpoint))


def _methods(methods: Iterable[str] | None) -> str:
    if not methods:
        return ANY
    return ",".join(sorted(methods, key=lambda method: (FIRST.index(method) if method in FIRST else 9, method)))


def _endpoint(endpoint: Any) -> str:
    """Return where a function or class is, or what an object is made of."""
    while isinstance(endpoint, functools.partial):
        endpoint = endpoint.func
    endpoint = inspect.unwrap(endpoint) if callable(endpoint) else endpoint
    name = getattr(endpoint, "__qualname__", None)
    if name is None:
        return _kind(endpoint)
    return f"{endpoint.__module__}:{name}"


def _kind(thing: Any) -> str:
    kind = type(thing)
    return f"{kind.__module__}:{kind.__qualname__}"


def _print(rows: list[Row]) -> None:
    lines = [HEAD, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _show(**said: Any) -> None:
    """List the routes of APP, an application named as module:attribute (main:app).

    It is found as `portico run` finds it: settings come from the environment and the file too.
    """
    file = said.pop("config_file")
    given = {
        name: Given(value, "APP" if name == "app" else flag(name, SETTINGS[name]), is_text=isinstance(value, str))
        for name, value in said.items()
        if value is not None
    }
    try:
        config = gather(given, os.environ, file)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS) from None
    try:
        _print(table(load(config)))
    except PorticoError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(1) from None


def _parameters() -> list[click.Parameter]:
    config = click.Option(["--config", "config_file"], metavar="FILE", help="TOML file of settings.")
    return [
        click.Argument(["app"], required=False),
        *(option(name, SETTINGS[name], DEFAULTS[name]) for name in CHOICES),
        config,
    ]


routes = click.Command("routes", callback=_show, params=_parameters(), help=_show.__doc__)
