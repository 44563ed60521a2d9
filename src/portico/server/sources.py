"""Where settings come from: the command line beats the environment, which beats the file, which beats the defaults."""

import os
from collections.abc import Mapping, MutableMapping
from typing import Any

from portico.server.config import SETTINGS, Config, settle
from portico.server.settling import ConfigError, Given

FILES = ("portico.toml", "pyproject.toml")


def gather(
    given: Mapping[str, Given],
    environment: MutableMapping[str, str],
    file: str | None = None,
    *,
    beneath: Mapping[str, Given] | None = None,
) -> Config:
    """Return the settings from all sources, `given` being the command line's, `beneath` other defaults.

    The file is the one named, or `$PORTICO_CONFIG`, or the first of `FILES` that has settings. An env_file fills in the
    environment first, and `chdir` is obeyed before anything but the file's name is looked at.

    Raises:
        ConfigError: with the problems of all sources.
    """
    settings, problems = collect(given, environment, file, beneath=beneath)
    settings.setdefault("app", Given(None, "app"))
    values, found = settle(settings)
    if problems or found:
        raise ConfigError(problems + found)
    return Config(**values)


def collect(
    given: Mapping[str, Given],
    environment: MutableMapping[str, str],
    file: str | None = None,
    *,
    beneath: Mapping[str, Given] | None = None,
) -> tuple[dict[str, Given], list[str]]:
    """Return what `gather` takes the settings from, as it is given and labelled, and the problems of reading it."""
    problems: list[str] = []
    file = file or environment.get("PORTICO_CONFIG")
    early = _from_environment(environment) | dict(given)
    if file and "chdir" in early:
        file = os.path.abspath(file)
    changed = _change_directory(early)
    from_file = _from_file(file, problems)
    if "chdir" not in early:
        changed = _change_directory(from_file)
    settings = from_file | _from_environment(environment) | dict(given)
    if "env_file" in settings:
        values, _ = settle({"env_file": settings["env_file"]})
        if values.get("env_file"):
            try:
                load_env_file(values["env_file"], environment)
            except ConfigError as error:
                problems += error.problems
            settings = from_file | _from_environment(environment) | dict(given)
    settings = dict(beneath or {}) | settings
    for name, entry in SETTINGS.items():
        if entry.variable in environment and name not in settings:
            settings[name] = Given(environment[entry.variable], entry.variable, is_text=True)
    if changed:  # a relative one is no longer to be found from here
        settings["chdir"] = Given(os.getcwd(), settings["chdir"].label)
    return settings, problems


def working_directory() -> str:
    """Return the current directory as the shell calls it: a link to the current release is followed by each reload."""
    name = os.environ.get("PWD", "")
    try:
        return name if os.path.isabs(name) and os.path.samefile(name, os.curdir) else os.getcwd()
    except OSError:
        return os.getcwd()


def _change_directory(settings: Mapping[str, Given]) -> bool:
    """Change to the directory that is given, and tell whether there was one; a problem is found again later."""
    if "chdir" not in settings:
        return False
    values, problems = settle({"chdir": settings["chdir"]})
    if problems or not values["chdir"]:
        return False
    os.chdir(values["chdir"])
    return True


def load_env_file(path: str, environment: MutableMapping[str, str]) -> None:
    """Set the variables that the file has and the environment lacks."""
    try:
        from dotenv import dotenv_values
    except ImportError:
        raise ConfigError(["env_file: python-dotenv is needed: pip install 'portico[env]'"]) from None
    try:
        variables = dotenv_values(path)
    except (OSError, ValueError) as error:
        raise ConfigError([f"env_file: {path}: {error}"]) from None
    for name, value in variables.items():
        if value is not None:
            environment.setdefault(name, value)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    names = {name: f"PORTICO_{name.upper()}" for name in SETTINGS}
    return {
        name: Given(environment[variable], variable, is_text=True)
        for name, variable in names.items()
        if variable in environment
    }


def _from_file(file: str | None, problems: list[str]) -> dict[str, Given]:
    found: dict[str, Given] = {}
    path, table = _read_file(file, problems)
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in SETTINGS:
            found[name] = Given(value, f"{path}: {key}")
        else:
            from difflib import get_close_matches

            close = get_close_matches(name, SETTINGS, 1)
            problems.append(f"{path}: there is no setting {key!r}" + (f": did you mean {close[0]!r}?" if close else ""))
    return found


def _read_file(file: str | None, problems: list[str]) -> tuple[str, Mapping[str, Any]]:
    """Return the path and the settings of the file that counts."""
    for path in (file,) if file else FILES:
        if not file and not os.path.isfile(path):
            continue
        is_project = os.path.basename(path) == "pyproject.toml"
        try:
            with open(path, "rb") as source:
                data = source.read()
            # The parser costs 5 ms of the start, and most projects keep no settings there.
            if is_project and b"portico" not in data:
                continue
            import tomllib

            content: Any = tomllib.loads(data.decode())
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
            continue
        except ValueError as error:
            problems.append(f"{path}: {error}")
            continue
        if is_project:
            content = content.get("tool", {}).get("portico", {})
        if not isinstance(content, dict):
            problems.append(f"{path}: expected a table [tool.portico], got {content!r}")
        elif content or file:
            return path, content
    return "", {}
