"""`portico run APP`: options made from the table of settings."""

import os
import sys
from collections.abc import Callable
from typing import Any

import click

from portico.server.config import DEFAULTS, SETTINGS, Config, ConfigError, Setting

IGNORED = {
    "http": "there is one HTTP/1.1 parser",
    "ws": "WebSocket is not served yet",
    "h11_max_incomplete_event_size": "use --limit-request-head",
}
NOT_YET = ("workers", "reload", "ssl_keyfile", "ssl_certfile")


class Grouped(click.Command):
    """A command whose help shows the settings by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                entry = SETTINGS.get(parameter.name or "")
                groups.setdefault(entry.group if entry else "Other", []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


def option(name: str, entry: Setting) -> click.Option:
    """Return the option of a setting; it has no default of its own, so that what was not said can be told."""
    flag = entry.flags[0] if entry.flags else "--" + name.replace("_", "-")
    default = DEFAULTS[name]
    shown = (
        ""
        if default in (None, (), "")
        else f"  [{'on' if default is True else 'off' if default is False else default}]"
    )
    text = entry.help + shown
    if entry.kind == "bool":
        return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=text)
    if entry.kind in ("list", "header"):
        return click.Option([flag, name], multiple=True, metavar="TEXT", help=text)
    metavar = (
        "|".join(entry.choices)
        if entry.choices
        else {"int": "N", "float": "SECONDS", "octal": "MODE"}.get(entry.kind, "TEXT")
    )
    return click.Option([flag, name], default=None, metavar=metavar, help=text)


def with_settings(command: Callable[..., Any]) -> click.Command:
    options: list[click.Parameter] = [click.Argument(["app"], required=False)]
    options += [option(name, entry) for name, entry in SETTINGS.items() if name != "app"]
    options.append(
        click.Option(
            ["--config"],
            metavar="FILE",
            help="TOML file of settings; else portico.toml, or [tool.portico] in pyproject.toml.",
        )
    )
    options += [click.Option(["--" + name.replace("_", "-"), name], hidden=True) for name in IGNORED]
    options += [
        click.Option(["--" + name.replace("_", "-"), name], hidden=True, is_flag=name == "reload") for name in NOT_YET
    ]
    return Grouped("run", callback=command, params=options, help=command.__doc__)


@with_settings
def run(**given: Any) -> None:
    """Serve APP, an ASGI application named as module:attribute.

    Every option is also a variable (--log-level is PORTICO_LOG_LEVEL) and a key of the file.
    """
    try:
        config = settings(given)
        from portico.server.logs import configure

        configure(config)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        sys.exit(2)
    from portico.server.worker import Server

    sys.exit(Server(config).run())


def settings(given: dict[str, Any]) -> Config:
    """Return the settings of a command line, with the environment and the file behind it."""
    problems = []
    for name in NOT_YET:
        value = given.pop(name)
        if value and value != "1":
            problems.append(f"--{name.replace('_', '-')} is not supported yet")
    for name, why in IGNORED.items():
        if given.pop(name) is not None:
            click.echo(f"Warning: --{name.replace('_', '-')} is ignored: {why}", err=True)
    file = given.pop("config")
    said = {name: value for name, value in given.items() if value is not None and value != ()}
    if said.get("env_file") or os.environ.get("PORTICO_ENV_FILE"):
        from portico.server.sources import load_env_file

        load_env_file(said.get("env_file") or os.environ["PORTICO_ENV_FILE"])
    from portico.server.sources import gather

    try:
        config = gather(said, os.environ, file)
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    if config.app is None:
        problems.append("there is no application to serve: portico run module:attribute")
    if problems:
        raise ConfigError(problems)
    return config
