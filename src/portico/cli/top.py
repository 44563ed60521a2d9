"""`portico top`: a live view of a running server and its workers, from the address of its metrics."""

import http.client
import json
import os
import socket
import sys
import time
from collections.abc import MutableMapping

import click

from portico.asgi import PorticoError
from portico.cli.report import Report, table
from portico.cli.run import WRONG_SETTINGS
from portico.cli.terminal import Line, Screen
from portico.server.config import settle
from portico.server.listeners import parse_bind
from portico.server.settling import ConfigError
from portico.server.sources import collect

TIMEOUT_S = 2.0
EVERYWHERE = ("0.0.0.0", "::")


class NoAnswerError(PorticoError):
    """The metrics cannot be had now; the text says why."""


class Source:
    """The address of the metrics of one server; the connection is kept."""

    def __init__(self, address: str) -> None:
        """Take an address in the forms of `bind`, or a URL; raises ValueError for any other."""
        self.address = address
        text = address.removeprefix("http://")
        text = text if text.startswith("unix:") else text.partition("/")[0]
        bind = parse_bind(text, port=0)
        if bind.fd is not None or bind.port == 0:
            raise ValueError(f"{address!r} is no address to connect to: use HOST:PORT or unix:/PATH")
        self._connection: http.client.HTTPConnection
        if bind.path is not None:
            self._connection = _UnixConnection(bind.path)
        else:
            host = "localhost" if bind.host is None else bind.host
            self._connection = http.client.HTTPConnection(
                "127.0.0.1" if host in EVERYWHERE else host, bind.port, timeout=TIMEOUT_S
            )

    def read(self) -> Report:
        """Return the report of now; raises NoAnswerError."""
        try:
            try:
                self._connection.request("GET", "/workers")
                response = self._connection.getresponse()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._connection.close()  # it has closed the connection that was idle, or is another server by now
                self._connection.request("GET", "/workers")
                response = self._connection.getresponse()
            body = response.read()
            report: Report = json.loads(body) if response.status == 200 else {}
            if "workers" not in report or "bounds" not in report:
                raise NoAnswerError(f"{self.address} answers, but not as the metrics of Portico do")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NoAnswerError(f"no answer from {self.address}: {_reason(error)}") from None
        except (ValueError, TypeError):
            raise NoAnswerError(f"{self.address} answers, but not as the metrics of Portico do") from None
        return report | {"at": time.monotonic()}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {TIMEOUT_S:g} s"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


@click.command()
@click.argument("address", required=False)
@click.option("--interval", type=click.FloatRange(0.1, 3600), default=1.0, help="Seconds between two looks.  [1]")
@click.option("--once", is_flag=True, help="Print one table, of what happens within the interval, and end.")
@click.option("--config", "file", metavar="FILE", help="TOML file of settings, as `portico run` reads it.")
def top(address: str | None, interval: float, once: bool, file: str | None) -> None:
    """Show what a running server does, worker by worker: requests, durations, memory.

    ADDRESS is where its metrics are (127.0.0.1:9100); else the setting `metrics` says, from $PORTICO_METRICS or the
    file, as `portico run` has it. The view is left with q or Ctrl-C.
    """
    try:
        source = Source(address or _setting(os.environ, file))
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"Error: {problem}", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS) from None
    except ValueError as error:
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS) from None
    if once:
        raise click.exceptions.Exit(_print_once(source, interval))
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        click.echo("Error: the live view needs a terminal; --once prints one table", err=True)
        raise click.exceptions.Exit(WRONG_SETTINGS)
    try:
        with Screen() as screen:
            _watch(screen, source, interval)
    except KeyboardInterrupt:
        pass


def _setting(environment: MutableMapping[str, str], file: str | None) -> str:
    """Return the setting `metrics`; raises ConfigError where it is wrong or there is none."""
    given, problems = collect({}, environment, file)
    values, found = settle({name: one for name, one in given.items() if name == "metrics"})
    if problems or found:
        raise ConfigError(problems + found)
    value = values.get("metrics")
    if value is None:
        raise ConfigError(
            ["which server? Name where its metrics are, as in `portico top 127.0.0.1:9100`, or set PORTICO_METRICS"]
        )
    return str(value)


def _print_once(source: Source, interval: float) -> int:
    try:
        before = source.read()
        time.sleep(interval)
        lines = table(source.read(), before)
    except NoAnswerError as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    except KeyboardInterrupt:
        return 130
    for _, text in lines:
        click.echo(text)
    return 0


def _watch(screen: Screen, source: Source, interval: float) -> None:
    """Draw until `q` is pressed; a server that is not there may come (back)."""
    report: Report | None = None
    shown: list[Line] = []
    due = 0.0
    while True:
        now = time.monotonic()
        if now >= due:
            due = now + interval
            try:
                before, report = report, source.read()
                shown = [*table(report, before), ("", ""), ("faint", "q: quit")]
            except NoAnswerError as error:
                report = None
                text = str(error)
                shown = [("red", f"{text[0].upper()}{text[1:]}"), ("", f"Trying again every {interval:g} s; q: quit")]
        screen.draw(shown)
        if "q" in screen.wait(due - time.monotonic()).lower():
            return
