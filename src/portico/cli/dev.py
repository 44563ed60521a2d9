"""`portico dev [APP]`: `portico run` for the developer's own machine: a change of the source is served at once."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from portico.asgi import PorticoError
from portico.cli.run import WRONG_SETTINGS, Grouped, parameters, read_settings, serve
from portico.server.config import Config
from portico.server.listeners import parse_bind
from portico.server.settling import ConfigError, Given

# What the command means; only the command line takes it back.
# HSTS would have browsers refuse whatever else the developer serves at localhost.
MEANT: dict[str, Any] = {"debug": True, "reload": True, "hsts": "none"}
# Whatever anybody says counts more.
USUAL: dict[str, Any] = {
    "workers": 1,
    "access_log_format": "dev",
    "timeout_graceful_shutdown": 1.0,  # an open page or stream must not hold up a reload
    "timeout_worker_hang": None,  # a debugger's prompt blocks the loop
    "timeout_worker_startup": 86400.0,
}
CERTIFICATE = ("ssl_certfile", "ssl_keyfile")
UNNAMED = "portico.cli.dev:UNNAMED"


def _develop(**said: Any) -> None:
    """Serve APP while it is written: reload on changes, pages with tracebacks, a log for reading.

    Without APP, it is looked for in the usual files: main.py, app.py, app/main.py, a Django project's asgi.py and such.
    The options are those of `portico run`; the files and the environment that it reads count here too.
    """
    https = said.pop("https")
    said |= {name: value for name, value in MEANT.items() if said[name] is None}
    beneath = {name: Given(value, name) for name, value in (*USUAL.items(), ("app", UNNAMED))}
    directory = os.getcwd()
    try:
        config, _ = read_settings(said, beneath)
    except ConfigError:
        config = None  # `serve` says what is wrong
    if config is not None and config.app == UNNAMED:
        from portico.cli.detect import DetectionError, detect

        try:
            found = detect(config.app_dir)
        except DetectionError as error:
            click.echo(f"Error: {error}", err=True)
            raise click.exceptions.Exit(WRONG_SETTINGS) from None
        click.echo(f"Found the application {found}", err=True)
        values = {"app": found.target, "factory": found.is_factory, "app_dir": config.app_dir or found.directory}
        beneath |= {name: Given(value, name) for name, value in values.items()}
    if https:
        said |= _own_certificate(config, said)
    os.chdir(directory)  # the settings may have changed it, and will again
    with _terminal_kept():
        status = serve(said, beneath)
    raise click.exceptions.Exit(status)


def _own_certificate(config: Config | None, said: dict[str, Any]) -> dict[str, str]:
    """Return the settings of a certificate of the developer's own, and tell how browsers come to trust it."""
    given = ", ".join(f"--{name.replace('_', '-')}" for name in CERTIFICATE if said[name] is not None)
    if given:
        click.echo(f"Error: --https makes a certificate: leave out {given}, or leave out --https", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS)
    try:
        from portico.cli.authority import data_directory, find_authority, how_to_trust, issue, reachable_names

        folder = data_directory() / "portico"
        authority = find_authority(folder)
        file = str(issue(authority, reachable_names(_hosts(config)), folder))
    except (PorticoError, OSError, RuntimeError) as error:  # RuntimeError: of a user without a home
        click.echo(f"Error: --https: {error}", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS) from None
    click.echo(f"The certificate is from your own authority, {authority.file}", err=True)
    if authority.is_new:
        click.echo(f"Browsers warn of it until they trust that, such as by: {how_to_trust(authority.file)}", err=True)
    return dict.fromkeys(CERTIFICATE, file)


def _hosts(config: Config | None) -> list[str]:
    """Return what is listened on; an empty name is every interface."""
    if config is None:  # with wrong settings nothing is served
        return []
    binds = [parse_bind(text, config.host) for text in config.bind]
    return [bind.host or "" for bind in binds if bind.port is not None] if binds else [config.host]


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Leave the terminal as it was: a worker that is killed at a debugger's prompt leaves it without echo."""
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    keyboard = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else -1
    attributes = termios.tcgetattr(keyboard) if keyboard >= 0 else []
    try:
        yield
    finally:
        # In the background it would stop us.
        if keyboard >= 0 and os.tcgetpgrp(keyboard) == os.getpgrp():
            termios.tcsetattr(keyboard, termios.TCSADRAIN, attributes)


def _parameters() -> list[click.Parameter]:
    usual = MEANT | USUAL
    https = click.Option(
        ["--https"], is_flag=True, help="Serve HTTPS with a certificate of your own; needs portico[https]."
    )
    return [*parameters({name: "none" if value is None else value for name, value in usual.items()}), https]


dev = Grouped("dev", callback=_develop, params=_parameters(), help=_develop.__doc__)
