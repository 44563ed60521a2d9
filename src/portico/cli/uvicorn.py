"""Options of uvicorn, and one of gunicorn, that Portico takes so that a command line need not change, but that are no
settings.

They have nothing left to decide, and warn.
"""

from dataclasses import dataclass
from typing import Any

import click

from portico.server.settling import Given

ONE_PARSER = "there is one HTTP/1.1 parser"
ONE_CODEC = "there is one WebSocket implementation"
HEAD_SIZE = "h11_max_incomplete_event_size"
WS_IMPLEMENTATIONS = ("websockets", "websockets-sansio", "wsproto")  # values of --ws


@dataclass(frozen=True)
class Foreign:
    """An option and what is said about it; `harmless` values pass in silence."""

    says: str
    harmless: tuple[str, ...] = ()
    short: tuple[str, ...] = ()


FOREIGN = {
    "http": Foreign(ONE_PARSER, harmless=("auto", "httptools")),
    "ssl_version": Foreign("use --ssl-minimum-version", harmless=("17",)),
    HEAD_SIZE: Foreign("the option is called --limit-request-head here"),
    "worker_class": Foreign("there is one kind of worker, for ASGI and WSGI", short=("-k",)),
}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(name: str, foreign: Foreign) -> click.Option:
    return click.Option([_flag(name), *foreign.short, name], hidden=True)


OPTIONS = [_option(name, foreign) for name, foreign in FOREIGN.items()]


def translate(said: dict[str, Any]) -> tuple[dict[str, Given], list[str]]:
    """Return the settings that follow from these options, and warnings; replace a foreign value of --ws."""
    warnings: list[str] = []
    for name, foreign in FOREIGN.items():
        value = said[name]
        if value and value not in foreign.harmless:
            warnings.append(f"{_flag(name)}: {foreign.says}")
    if said["ws"] in WS_IMPLEMENTATIONS:
        said["ws"] = "auto"
        warnings.append(f"--ws: {ONE_CODEC}")
    size = said[HEAD_SIZE]
    given = {"limit_request_head": Given(size, _flag(HEAD_SIZE), is_text=True)} if size is not None else {}
    return given, warnings
