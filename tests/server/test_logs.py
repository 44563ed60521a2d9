"""The server's log: its lines, colours, levels, and the configurations that replace it."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.children import environment

from portico.server.config import Config
from portico.server.logs import configure
from portico.server.settling import ConfigError

INI = """[loggers]
keys=root,portico
[handlers]
keys=file
[formatters]
keys=plain
[logger_root]
handlers=
[logger_portico]
qualname=portico
level=WARNING
handlers=file
[handler_file]
class=FileHandler
args=('out.log',)
formatter=plain
[formatter_plain]
format=<%(message)s>
"""
TABLE = {
    "formatters": {"plain": {"format": "<%(message)s>"}},
    "handlers": {"file": {"class": "logging.FileHandler", "filename": "out.log", "formatter": "plain"}},
    "loggers": {"portico": {"level": "WARNING", "handlers": ["file"]}},
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """Give the server's logger back as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    found, root = logging.getLogger("portico"), logging.getLogger()
    kept = found.handlers[:], found.level, found.propagate, root.handlers[:], root.level
    yield found
    for handler in found.handlers:
        if handler not in kept[0]:
            handler.close()
    found.handlers[:], found.level, found.propagate, root.handlers[:], root.level = kept
    found.setLevel(kept[1])
    root.setLevel(kept[4])


def set_up(**settings: Any) -> logging.Logger:
    configure(Config("main:app", **settings))
    return logging.getLogger("portico")


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (5, "TRACE:    hello\n"),
        (logging.INFO, "INFO:     hello\n"),
        (logging.WARNING, "WARNING:  hello\n"),
        (logging.CRITICAL, "CRITICAL: hello\n"),
    ],
)
def test_a_line_is_what_users_of_uvicorn_know(capsys: pytest.CaptureFixture[str], level: int, line: str) -> None:
    set_up(log_level="trace").log(level, "hello")
    assert capsys.readouterr().err == line


def test_a_level_of_its_own_has_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up(use_colors=True).log(35, "hello")
    assert capsys.readouterr().err == "Level 35: hello\n"


def test_a_traceback_follows_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        set_up().exception("Exception in ASGI application")
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert (first, second) == ("ERROR:    Exception in ASGI application", "Traceback (most recent call last):")


@pytest.mark.parametrize(("level", "shown"), [("warning", False), ("info", True), ("trace", True)])
def test_the_level_decides(capsys: pytest.CaptureFixture[str], level: str, shown: bool) -> None:
    set_up(log_level=level).info("hello")
    assert bool(capsys.readouterr().err) is shown


def test_a_level_is_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    set_up().info("hello")
    assert terminal.getvalue() == "\x1b[32mINFO\x1b[0m:     hello\n"


@pytest.mark.parametrize(("setting", "variable"), [(False, ""), (None, "1")])
def test_colours_can_be_declined(monkeypatch: pytest.MonkeyPatch, setting: bool | None, variable: str) -> None:
    monkeypatch.setenv("NO_COLOR", variable)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    set_up(use_colors=setting).info("hello")
    assert terminal.getvalue() == "INFO:     hello\n"


def test_setting_up_twice_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    set_up()
    set_up().info("hello")
    assert capsys.readouterr().err == "INFO:     hello\n"


# --- log_config ---------------------------------------------------------------------------------


def configuration(suffix: str) -> Any:
    """Return a log_config of that kind that writes `out.log`."""
    if not suffix:
        return TABLE
    if suffix in (".yaml", ".yml"):
        pytest.importorskip("yaml")
    Path(f"log{suffix}").write_text(INI if suffix in (".ini", ".conf") else json.dumps(TABLE))  # JSON is YAML
    return f"log{suffix}"


@pytest.mark.parametrize("suffix", ["", ".ini", ".conf", ".json", ".yaml", ".yml"])
def test_a_configuration_decides(suffix: str) -> None:
    logger = set_up(log_config=configuration(suffix))
    logger.info("too quiet")
    logger.warning("hello")
    assert Path("out.log").read_text() == "<hello>\n"


def test_a_level_that_was_chosen_beats_the_configuration() -> None:
    set_up(log_config=TABLE, log_level="debug").debug("hello")
    assert Path("out.log").read_text() == "<hello>\n"


@pytest.mark.parametrize("suffix", [".ini", ".json"])
def test_loggers_that_a_configuration_does_not_name_stay_alive(suffix: str) -> None:
    other = logging.getLogger("portico.test_logs")
    set_up(log_config=configuration(suffix))
    assert not other.disabled


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.json", "{"),
        ("log.json", "[]"),
        ("log.json", '{"handlers": {"a": {"class": "nowhere.Handler"}}}'),
        ("log.ini", "nonsense"),
        ("log.ini", "[loggers]\n"),
        ("log.yaml", "a: [b"),
    ],
)
def test_a_bad_configuration_is_a_problem_that_names_its_file(name: str, content: str) -> None:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    Path(name).write_text(content)
    with pytest.raises(ConfigError) as caught:
        set_up(log_config=name)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"log_config: {name}: ")


def test_without_pyyaml_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("log.yaml").write_text("version: 1")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigError, match=r"pip install 'portico\[yaml\]'"):
        set_up(log_config="log.yaml")


def test_logging_config_is_imported_only_where_it_is_needed() -> None:
    code = "import sys, portico.server.logs; sys.exit('logging.config' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0
