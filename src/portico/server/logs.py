"""The server's own log: standard logging, in lines that people who come from uvicorn know."""

import logging
import os
import sys

from portico.server.config import Config, ConfigError

TRACE = 5
COLOURS = {"TRACE": 34, "DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 91}


class LineFormatter(logging.Formatter):
    """`INFO:     message`, with a coloured level on a terminal."""

    def __init__(self, colours: bool) -> None:
        super().__init__("%(prefix)s%(message)s")
        self.colours = colours

    def format(self, record: logging.LogRecord) -> str:
        name = record.levelname
        shown = f"\x1b[{COLOURS.get(name, 0)}m{name}\x1b[0m:" if self.colours else f"{name}:"
        record.prefix = shown + " " * (9 - len(name))
        return super().format(record)


def configure(config: Config) -> None:
    """Set up logging as the settings say; ConfigError where the logging configuration cannot be read."""
    logging.addLevelName(TRACE, "TRACE")
    logger = logging.getLogger("portico")
    if config.log_config is not None:
        _apply_file(config.log_config)
    elif not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        colours = sys.stderr.isatty() if config.use_colors is None else config.use_colors
        handler.setFormatter(LineFormatter(colours))
        logger.addHandler(handler)
        logger.propagate = False
    logger.setLevel(TRACE if config.log_level == "trace" else config.log_level.upper())


def _apply_file(path: str) -> None:
    import logging.config

    if not os.path.isfile(path):
        raise ConfigError([f"log_config: {path}: no such file"])
    try:
        if path.endswith(".json"):
            import json

            with open(path, encoding="utf-8") as file:
                logging.config.dictConfig(json.load(file))
        elif path.endswith((".yaml", ".yml")):
            logging.config.dictConfig(_read_yaml(path))
        else:
            logging.config.fileConfig(path, disable_existing_loggers=False)
    except (ValueError, TypeError, KeyError, RuntimeError, OSError) as error:
        raise ConfigError([f"log_config: {path}: {error}"]) from error


def _read_yaml(path: str) -> dict[str, object]:
    try:
        import yaml
    except ImportError:
        raise ConfigError(["a .yaml log_config needs PyYAML: pip install 'portico[yaml]'"]) from None
    with open(path, encoding="utf-8") as file:
        content: dict[str, object] = yaml.safe_load(file)
    return content
