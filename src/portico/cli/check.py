"""`portico check APP`: whether the settings are right and the application can be imported, without serving it.

`--check-config` and `--print-config` of the commands that serve lead here too. The application is imported in this
process, as a worker would import it; its startup is not run.
"""

import json
from collections.abc import Mapping
from typing import Any

import click

from portico.asgi import PorticoError
from portico.cli.run import WRONG_SETTINGS, Grouped, parameters, refuse, serve
from portico.server.config import SETTINGS, Config
from portico.server.settling import ConfigError, Given, Setting
from portico.server.values import Mode, Secret

FAILED = 1
WIDTH = 60  # of a setting and its value, before its source


def examine(config: Config, given: Mapping[str, Given], *, shows: bool) -> int:
    """Import the application, print the settings where that is asked for, and return the exit status.

    Args:
        config: The settings, which have no problems by themselves.
        given: Where each of them comes from, but for defaults.
        shows: Whether to print them.
    """
    from portico.server.failures import explain
    from portico.server.server import load_app, loop_factory

    if shows:
        click.echo(listing(config, given), nl=False)
    try:
        if config.tls:
            from portico.server.tls.contexts import check_files

            check_files(config)
        loop_factory(config.loop)
    except ConfigError as error:
        return refuse(error)
    except PorticoError as error:
        click.echo(f"Error: {error}", err=True)
        return WRONG_SETTINGS
    try:
        load_app(config)
        if config.ssl_context_factory is not None:
            from portico.server.tls.certificates import Certificates

            Certificates(config)
    except ConfigError as error:
        return refuse(error)
    except PorticoError as error:
        click.echo(f"Error: {explain(error)}", err=True)
        return FAILED
    if not shows:
        click.echo(f"The settings are right, and the application {config.app} can be imported.")
    return 0


def listing(config: Config, given: Mapping[str, Given]) -> str:
    """Return all settings with their values and where these come from, in the form of a file of settings."""
    lines: list[str] = []
    group = ""
    for name, entry in SETTINGS.items():
        if entry.group != group:
            group = entry.group
            lines += [""] * bool(lines) + [f"# {group}"]
        value = getattr(config, name)
        text = f"{name} = {toml(value, entry)}" if value is not None else f"# {name} = none"
        if value is not None and isinstance(entry.kind, Secret):
            text = f"# {name} = (not shown)"
        source = given[name].label if name in given else "default"
        lines.append(f"{text.ljust(WIDTH)}  # {source if source != name else 'default'}")
    return "\n".join(lines) + "\n"


def toml(value: object, entry: Setting) -> str:
    """Return the value as it is written in a file of settings."""
    if isinstance(entry.kind, Mode):
        return f'"{value:03o}"'
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(key))} = {toml(each, entry)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(each, entry) for each in value)}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False)


def _check(**said: Any) -> None:
    """Check the settings and whether APP can be imported, as `portico run` would have it; serve nothing.

    All problems of the settings are reported at once, with exit status 2; an application that cannot be imported is
    reported with its traceback and exit status 1. The application is imported in this process, its startup is not run.
    """
    raise click.exceptions.Exit(serve(said | {"check_config": True}))


check = Grouped("check", callback=_check, params=parameters(), help=_check.__doc__)
