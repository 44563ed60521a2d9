"""`portico run APP`: options made from the table of settings.

The options hold plain text and have no defaults: reading and checking is the table's, so that all problems, of the
command line and of the other sources, are found at once.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from portico.cli.uvicorn import OPTIONS, translate
from portico.server.config import DEFAULTS, SETTINGS, Config
from portico.server.settling import ConfigError, Given, Setting
from portico.server.sources import collect, gather, working_directory
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


def option(name: str, entry: Setting, default: Any) -> click.Option:
    """Return the option of the setting, with its help and its default."""
    shown = "" if default in (None, (), "") else ("off", "on")[default] if isinstance(default, bool) else default
    text = entry.help + (f"  [{shown}]" if shown != "" else "")
    said = flag(name, entry)
    if isinstance(entry.kind, Switch) and not entry.kind.valued:
        return click.Option([f"{said}/--no-{said[2:]}", name], default=None, help=text)
    return click.Option([said, *entry.flags[1:], name], multiple=entry.kind.many, metavar=entry.kind.metavar, help=text)


def parameters(defaults: Mapping[str, Any] = DEFAULTS) -> list[click.Parameter]:
    """Return the argument and the options of a command that serves; `defaults` are the values that its help shows."""
    shown = DEFAULTS | dict(defaults)
    settings = [option(name, entry, shown[name]) for name, entry in SETTINGS.items() if name != "app"]
    config = click.Option(
        ["--config", "-c", "config_file"],
        metavar="FILE",
        help="TOML file of settings, also $PORTICO_CONFIG; else portico.toml, or [tool.portico] of pyproject.toml.",
    )
    checking = [
        click.Option(["--check-config"], is_flag=True, help="Check the settings, import the application, and exit."),
        click.Option(
            ["--print-config"], is_flag=True, help="Print all settings and where they come from; check; exit."
        ),
    ]
    return [click.Argument(["app"], required=False), *settings, config, *checking, *OPTIONS]


def _serve(**said: Any) -> None:
    """Serve APP, an ASGI or WSGI application named as module:attribute (main:app).

    Every option is a variable of the environment too (--log-level: PORTICO_LOG_LEVEL) and a key of the file
    (log_level). The command line beats the environment, which beats the file.
    """
    raise click.exceptions.Exit(serve(said))


def serve(said: Mapping[str, Any], beneath: Mapping[str, Given] | None = None) -> int:
    """Serve as the options say, in the way of `beneath` where nobody says anything; return the exit status."""
    _open_standard_streams()
    directory = working_directory()

    def read() -> tuple[Config, list[str]]:
        os.chdir(directory)  # what was read before may have changed it
        return read_settings(said, beneath)

    try:
        config, warnings = read()
        from portico.server.logs import configure

        configure(config)
    except ConfigError as error:
        return refuse(error)
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    if said["check_config"] or said["print_config"]:
        from portico.cli.check import examine

        os.chdir(directory)
        return examine(config, sources_of(said, beneath), shows=said["print_config"])
    try:
        if config.supervise and os.name == "posix":
            from portico.server.processes.supervisor import run as run_supervised

            return run_supervised(config, lambda: read()[0], directory=directory, exits=True)
        from portico.server.processes.alone import run as run_alone

        return run_alone(config, exits=True)
    except ConfigError as error:  # of what only looking into files tells
        return refuse(error)


def refuse(error: ConfigError) -> int:
    """Say what is wrong with the settings, and return the exit status."""
    for problem in error.problems:
        click.echo(f"Error: {problem}", err=True)
    return WRONG_SETTINGS


def _open_standard_streams() -> None:
    """Have something where input and output are expected, lest a socket that is opened later be taken for them."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
            setattr(sys, name, os.fdopen(fd, "r" if fd == 0 else "w", closefd=False))


def read_settings(said: Mapping[str, Any], beneath: Mapping[str, Given] | None = None) -> tuple[Config, list[str]]:
    """Return the settings, with the environment, the file and `beneath` behind the command line, and warnings.

    Raises:
        ConfigError: with the problems of all sources.
    """
    given, warnings = _on_command_line(said)
    # A copy: what an env_file sets is for the workers, which read it themselves, each time anew.
    return gather(given, dict(os.environ), said["config_file"], beneath=beneath), warnings


def sources_of(said: Mapping[str, Any], beneath: Mapping[str, Given] | None = None) -> dict[str, Given]:
    """Return what the settings are made of, each with the label of its source; defaults are not among them."""
    given, _ = _on_command_line(said)
    return collect(given, dict(os.environ), said["config_file"], beneath=beneath)[0]


def _on_command_line(said: Mapping[str, Any]) -> tuple[dict[str, Given], list[str]]:
    """Return the settings that the options give, and warnings."""
    said = dict(said)
    given, warnings = translate(said)
    for name, entry in SETTINGS.items():
        value = said[name]
        if value is not None and value != ():
            given[name] = Given(value, "APP" if name == "app" else flag(name, entry), is_text=isinstance(value, str))
    return given, warnings


run = Grouped("run", callback=_serve, params=parameters(), help=_serve.__doc__)
