"""Write docs/settings.md out of the table of settings: `python docs/generate_settings.py`."""

from collections.abc import Iterable
from pathlib import Path

from portico.server.config import DEFAULTS, SETTINGS
from portico.server.settling import Setting

HEAD = """# Settings

Every setting has one name: `log_level` in `portico.toml` (or `[tool.portico]` of `pyproject.toml`) and as a keyword of
`portico.Config`, `portico.run` and `portico.serve`. On the command line it is an option, `--log-level`, and in the
environment a variable, `PORTICO_LOG_LEVEL`. The command line beats the environment, which beats the file.

The file is the `portico.toml` of the current directory, else its `pyproject.toml`; `--config FILE` (`-c`,
`$PORTICO_CONFIG`) names another one.

What is on or off has `--no-its-name` too. In a variable, lists are separated by commas, header fields by line breaks,
pairs of `--ssl-sni` by blanks, and `none` stands for nothing. All problems are reported at once, with exit status 2.

`portico check main:app` looks for problems without serving, and `portico run main:app --print-config` prints every
setting with its value and where that comes from, in the form of a `portico.toml`.

This page is generated from the table in the program.
"""


def page() -> str:
    """Return the reference page."""
    lines = [HEAD]
    group = ""
    for name, entry in SETTINGS.items():
        if entry.group != group:
            lines += [""] * bool(group) + [f"## {entry.group}\n"]
            lines += ["| option | variable | default | meaning |", "|---|---|---|---|"]
            group = entry.group
        lines.append(f"| {options(name, entry)} | {variables(name, entry)} | {default(name)} | {meaning(entry)} |")
    return "\n".join(lines) + "\n"


def options(name: str, entry: Setting) -> str:
    """Return how the setting is called on the command line."""
    if name == "app":
        return "`APP`"
    return codes(entry.flags or (f"--{name.replace('_', '-')}",))


def variables(name: str, entry: Setting) -> str:
    """Return how the setting is called in the environment."""
    return codes(filter(None, (f"PORTICO_{name.upper()}", entry.variable)))


def default(name: str) -> str:
    """Return the default as it is written on the command line."""
    value = DEFAULTS[name]
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value in (None, (), "") else f"`{value}`"


def meaning(entry: Setting) -> str:
    """Return what is said of the setting."""
    choices = f" One of {codes(entry.choices)}." if entry.choices else ""
    return entry.help.replace("|", "&#124;") + choices


def codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page(), "utf-8")
