"""The server's own log: standard logging, in lines that people who come from uvicorn know.

`portico` is the logger of the server, `portico.access` that of the access log, which uses logging only where a
`log_config` gives it somewhere to go.
"""

import logging
import os
import stat
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from portico.server.config import DEFAULTS, Config
from portico.server.settling import ConfigError

if TYPE_CHECKING:
    from portico.server.processes.accounts import Identity

logger = logging.getLogger("portico")

TRACE = 5
COLOURS = {"TRACE": 34, "DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 91}
WIDTH = 9  # of the level, its colon and the blanks: "CRITICAL:"


class LineFormatter(logging.Formatter):
    """`INFO:     message`, with a coloured level on a terminal."""

    def __init__(self, colours: bool) -> None:
        super().__init__("%(prefix)s %(message)s")
        self.prefixes = {name: _prefix(name, colours) for name in COLOURS}

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line; an exception's traceback follows below it."""
        name = record.levelname
        record.prefix = self.prefixes.get(name) or _prefix(name, False)
        return super().formatMessage(record)


def configure(config: Config) -> None:
    """Set up logging as the settings say; a `log_config` decides alone, but for a `log_level` other than the default.

    Raises:
        ConfigError: the configuration of logging cannot be read or is wrong.
    """
    logging.addLevelName(TRACE, "TRACE")
    if config.log_config is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(LineFormatter(wants_colours(config.use_colors, sys.stderr)))
        logger.handlers[:] = [handler]
        logger.propagate = False
    else:
        _apply(config.log_config)
    if config.log_config is None or config.log_level != DEFAULTS["log_level"]:
        logger.setLevel(config.log_level.upper())


def reopen() -> None:
    """Open the files of all handlers anew, under their old names, after these have been moved away.

    A file that cannot be opened is warned of, and the old one kept.
    """
    for handler in _file_handlers():
        with handler.lock or nullcontext():
            if handler.stream is None:
                continue
            handler.mode = "a"  # whoever wrote over the file at the start does not want to lose it now
            try:
                stream = handler._open()
            except OSError as error:
                logger.warning("Cannot reopen %s: %s; the old file is kept", handler.baseFilename, error.strerror)
                continue
            old = handler.setStream(stream)
        if old is not None:
            old.close()


def give_files(config: Config, identity: "Identity | None") -> None:
    """Create the log files and give them to the workers' user: they may lie where only root can create files."""
    if identity is None:
        return
    files = [handler.baseFilename for handler in _file_handlers()]
    if config.access_log and config.access_log_file not in (None, "-"):
        files.append(str(config.access_log_file))
    for path in files:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
        except OSError:
            continue  # whoever writes it will say what is wrong
        # In a directory of theirs, links must not get them any file of the system; and devices are for everybody.
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.geteuid():
            os.fchown(fd, identity.user, identity.group)
        os.close(fd)


def _file_handlers() -> list[logging.FileHandler]:
    """Return the handlers with a file: those of all loggers, and those to which others pass their records on."""
    manager = logging.Logger.manager
    loggers = [logging.root, *(each for each in manager.loggerDict.values() if isinstance(each, logging.Logger))]
    left: list[Any] = [handler for logger in loggers for handler in logger.handlers]
    found: dict[int, logging.FileHandler] = {}
    while left:
        handler = left.pop()
        if isinstance(handler, logging.FileHandler):
            found[id(handler)] = handler
        listener = getattr(handler, "listener", None)  # of a QueueHandler
        left += [*getattr(listener, "handlers", ()), *filter(None, [getattr(handler, "target", None)])]
    return list(found.values())


def _prefix(name: str, colours: bool) -> str:
    shown = f"\x1b[{COLOURS[name]}m{name}\x1b[0m" if colours else name
    return f"{shown}:".ljust(WIDTH + len(shown) - len(name))


def wants_colours(wanted: bool | None, stream: TextIO) -> bool:
    """Tell whether to write to the stream in colours: as the setting says, else on a terminal."""
    if wanted is None:
        return stream.isatty() and not os.environ.get("NO_COLOR")
    return wanted


def _apply(source: str | dict[str, Any]) -> None:
    import logging.config

    label = f"log_config: {source}" if isinstance(source, str) else "log_config"
    try:
        if isinstance(source, str):
            read = _READERS.get(os.path.splitext(source)[1].lower())
            if read is None:
                logging.config.fileConfig(source, disable_existing_loggers=False)
                return
            source = read(source)
        if not isinstance(source, dict):
            raise ConfigError([f"{label}: expected a table of logging's configuration, got {source!r}"])
        # Our loggers are older than the configuration, and one that is not named in it would fall silent.
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False} | source)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, ImportError, OSError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        raise ConfigError([f"{label}: {type(error).__name__}: {error}{cause}"]) from error


def _read_json(path: str) -> Any:
    import json

    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _read_yaml(path: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ConfigError([f"log_config: {path}: PyYAML is needed: pip install 'portico[yaml]'"]) from None
    with open(path, encoding="utf-8") as file:
        try:
            return yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise ConfigError([f"log_config: {path}: {error}"]) from None


_READERS: dict[str, Callable[[str], Any]] = {".json": _read_json, ".yaml": _read_yaml, ".yml": _read_yaml}
