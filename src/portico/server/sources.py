"""Where settings come from: the command line beats the environment, which beats the file, which beats the defaults."""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from portico.server.config import SETTINGS, Config, ConfigError


def gather(command_line: Mapping[str, Any], environment: Mapping[str, str], file: str | None) -> Config:
    """Return the settings from all sources; raises ConfigError with the problems of all of them."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    path, table = _read_file(file, problems)
    for name, value in table.items():
        key = name.replace("-", "_")
        if key in SETTINGS:
            values[key] = value
        else:
            close = get_close_matches(key, SETTINGS, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            problems.append(f"{path}: there is no setting {name!r}{hint}")
    if "FORWARDED_ALLOW_IPS" in environment:
        values["forwarded_allow_ips"] = environment["FORWARDED_ALLOW_IPS"]
    for name in SETTINGS:
        variable = "PORTICO_" + name.upper()
        if variable in environment:
            values[name] = environment[variable]
    values.update(command_line)
    try:
        config = Config(**values)
    except ConfigError as error:
        raise ConfigError(problems + error.problems) from None
    if problems:
        raise ConfigError(problems)
    return config


def _read_file(file: str | None, problems: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the table of the named file, of `portico.toml`, or `[tool.portico]` of `pyproject.toml`."""
    candidates = [Path(file)] if file else [Path("portico.toml"), Path("pyproject.toml")]
    for path in candidates:
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            if file:
                problems.append(f"{file}: no such file")
            continue
        except (OSError, ValueError) as error:
            problems.append(f"{path}: {error}")
            continue
        if path.name == "pyproject.toml":
            content = content.get("tool", {}).get("portico", {})
            if not content:
                continue
        return str(path), content
    return "", {}


def load_env_file(path: str) -> None:
    """Set the variables of a file for this process, without replacing those that are set."""
    try:
        from dotenv import load_dotenv
    except ImportError:
        raise ConfigError(["env_file needs python-dotenv: pip install 'portico[env]'"]) from None
    if not os.path.isfile(path):
        raise ConfigError([f"env_file: {path}: no such file"])
    load_dotenv(path)
