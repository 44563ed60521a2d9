"""Options of uvicorn, and one of gunicorn, that Portico takes so that a command line need not change, but that are no
settings.

Some have nothing left to decide and only warn; some name what is not built yet, and are refused rather than ignored
where the user would otherwise believe to have it.
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
    """An option, what is said about it, and whether it is refused; `harmless` values pass in silence."""

    says: str
    refused: bool = False
    harmless: tuple[str, ...] = ()
    switch: str = ""  # the flag that turns it off; "-" where there is none
    many: bool = False
    short: tuple[str, ...] = ()


def _not_built(what: str, **more: Any) -> Foreign:
    return Foreign(f"{what} not built yet", refused=True, **more)


FOREIGN = {
    "http": Foreign(ONE_PARSER, harmless=("auto", "httptools")),
    "ssl_version": Foreign("use --ssl-minimum-version"),
    HEAD_SIZE: Foreign("the option is called --limit-request-head here"),
    "worker_class": Foreign("there is one kind of worker, for ASGI and WSGI", short=("-k",)),
}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(name: str, foreign: Foreign) -> click.Option:
    if foreign.switch:
        off = f"/{foreign.switch}" if foreign.switch != "-" else ""
        return click.Option([_flag(name) + off, name], is_flag=True, default=None, hidden=True)
    return click.Option([_flag(name), *foreign.short, name], multiple=foreign.many, hidden=True)


OPTIONS = [_option(name, foreign) for name, foreign in FOREIGN.items()]


def translate(said: dict[str, Any]) -> tuple[dict[str, Given], list[str], list[str]]:
    """Return the settings that follow from these options, warnings, and problems; replace a foreign value of --ws."""
    warnings: list[str] = []
    problems: list[str] = []
    for name, foreign in FOREIGN.items():
        value = said[name]
        if value and value not in foreign.harmless:
            (problems if foreign.refused else warnings).append(f"{_flag(name)}: {foreign.says}")
    if said["ws"] in WS_IMPLEMENTATIONS:
        said["ws"] = "auto"
        warnings.append(f"--ws: {ONE_CODEC}")
    size = said[HEAD_SIZE]
    given = {"limit_request_head": Given(size, _flag(HEAD_SIZE), is_text=True)} if size is not None else {}
    return given, warnings, problems
