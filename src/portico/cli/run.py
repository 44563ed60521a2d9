"""`portico run APP`: options made from the table of settings.

The options hold plain text and have no defaults: reading and checking is the table's, so that all problems, of the
command line and of the other sources, are found at once.
"""

import os
from typing import Any

import click

from portico.cli.uvicorn import OPTIONS, translate
from portico.server.config import DEFAULTS, SETTINGS, Config, ConfigError, Given, Setting
from portico.server.sources import gather
from portico.server.values import Switch

WRONG_SETTINGS = 2
# What is no setting, in the help and among the parameters.
OTHER = "Other"


class Grouped(click.Command):
    """A command whose help shows the options by the groups of the table."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                entry = SETTINGS.get(parameter.name or "")
                groups.setdefault(entry.group if entry else OTHER, []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records, col_max=36)


def flag(name: str, entry: Setting) -> str:
    """Return the option that sets the setting."""
    return entry.flags[0] if entry.flags else "--" + name.replace("_", "-")


def option(name: str, entry: Setting) -> click.Option:
    """Return the option of the setting, with its help and its default."""
    default = DEFAULTS[name]
    shown = "" if default in (None, (), "") else {True: "on", False: "off"}.get(default, default)
    text = entry.help + (f"  [{shown}]" if shown != "" else "")
    said = flag(name, entry)
    if isinstance(entry.kind, Switch) and not entry.kind.valued:
        return click.Option([f"{said}/--no-{said[2:]}", name], default=None, help=text)
    return click.Option([said, *entry.flags[1:], name], multiple=entry.kind.many, metavar=entry.kind.metavar, help=text)


def _parameters() -> list[click.Parameter]:
    settings = [option(name, entry) for name, entry in SETTINGS.items() if name != "app"]
    config = click.Option(
        ["--config", "config_file"],
        metavar="FILE",
        help="TOML file of settings, also $PORTICO_CONFIG; else portico.toml, or [tool.portico] of pyproject.toml.",
    )
    return [click.Argument(["app"], required=False), *settings, config, *OPTIONS]


def _serve(**said: Any) -> None:
    """Serve APP, an ASGI application named as module:attribute (main:app).

    Every option is a variable of the environment too (--log-level: PORTICO_LOG_LEVEL) and a key of the file
    (log_level). The command line beats the environment, which beats the file.
    """
    try:
        config, warnings = read_settings(said)
        from portico.server.logs import configure

        configure(config)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS) from None
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    from portico.server.worker import Server

    raise click.exceptions.Exit(Server(config).run())


def read_settings(said: dict[str, Any]) -> tuple[Config, list[str]]:
    """Return the settings, with the environment and the file behind the command line, and warnings.

    Raises:
        ConfigError: with the problems of all sources.
    """
    file = said.pop("config_file")
    given, warnings, problems = translate(said)
    for name, entry in SETTINGS.items():
        value = said[name]
        if value is not None and value != ():
            given[name] = Given(value, "APP" if name == "app" else flag(name, entry), is_text=isinstance(value, str))
    try:
        config = gather(given, os.environ, file)
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    if problems:
        raise ConfigError(problems)
    return config, warnings


run = Grouped("run", callback=_serve, params=_parameters(), help=_serve.__doc__)
