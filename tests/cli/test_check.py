"""`portico check APP`, `--check-config` and `--print-config`: what they print, and the exit status."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.children import PORTICO, environment

from portico.cli import portico
from portico.server.config import SETTINGS, Config

APP = "async def app(scope, receive, send): ...\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a directory with an application, and with no settings around."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_") or name == "FORWARDED_ALLOW_IPS"]:
        monkeypatch.delenv(name)
    (tmp_path / "fine.py").write_text(APP)
    return tmp_path


def invoke(*args: str) -> Result:
    return CliRunner().invoke(portico, args, prog_name="portico")


def in_a_process(*args: str) -> "subprocess.CompletedProcess[str]":
    command = [*PORTICO, *args]
    return subprocess.run(command, check=False, env=environment(), capture_output=True, text=True, timeout=30)


def shown(output: str) -> dict[str, tuple[str, str]]:
    """Return value and source of each setting that was printed."""
    found = {}
    for line in output.splitlines():
        setting, _, source = line.rpartition("  # ")
        if setting:
            name, _, value = setting.strip().removeprefix("# ").partition(" = ")
            found[name] = (value.strip(), source)
    return found


# --- checking -----------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize(
    "args", [("check", "fine:app"), ("run", "fine:app", "--check-config"), ("fine:app", "--check-config")]
)
def test_an_application_that_can_be_served_passes_and_is_not_served(args: tuple[str, ...]) -> None:
    done = in_a_process(*args)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "The settings are right, and the application fine:app can be imported.\n"


def test_all_problems_of_the_settings_are_reported_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "portico.toml").write_text("prot = 1\n")
    monkeypatch.setenv("PORTICO_BACKLOG", "many")
    result = invoke("check", "missing:app", "--port", "x")
    assert result.exit_code == 2
    assert result.stdout == ""
    errors = result.stderr.splitlines()
    assert [line.split(":")[1].strip() for line in errors] == ["portico.toml", "PORTICO_BACKLOG", "--port"]


def test_an_event_loop_that_is_not_there_is_a_wrong_setting() -> None:
    result = invoke("check", "fine:app", "--loop", "nowhere:loop")
    assert result.exit_code == 2
    assert "--loop nowhere:loop" in result.stderr


def test_without_an_application_there_is_nothing_to_check() -> None:
    result = invoke("check")
    assert result.exit_code == 2
    assert "there is nothing to serve" in result.stderr


@pytest.mark.process
def test_an_application_that_cannot_be_imported_fails_with_its_traceback(folder: Path) -> None:
    (folder / "broken.py").write_text("def helper():\n    return 1 / 0\n\nhelper()\n")
    done = in_a_process("check", "broken:app")
    assert done.returncode == 1
    assert "broken.py" in done.stderr
    assert "return 1 / 0" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.process
def test_an_application_that_is_none_fails(folder: Path) -> None:
    (folder / "none.py").write_text("app = 'text'\n")
    done = in_a_process("check", "none:app")
    assert done.returncode == 1
    assert "a callable was expected" in done.stderr


def test_foreign_options_are_warned_of() -> None:
    result = invoke("check", "fine:app", "--http", "h11", "-k", "uvicorn.workers.UvicornWorker")
    assert result.exit_code == 0
    assert "Warning: --http: there is one HTTP/1.1 parser" in result.stderr
    assert "Warning: --worker-class: there is one kind of worker" in result.stderr


# --- printing -----------------------------------------------------------------------------------


def test_every_setting_is_printed() -> None:
    result = invoke("run", "fine:app", "--print-config")
    assert result.exit_code == 0
    assert set(shown(result.stdout)) == set(SETTINGS)


def test_a_setting_is_printed_with_its_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "portico.toml").write_text('port = 1\nbacklog = 5\nlog-level = "debug"\n')
    monkeypatch.setenv("PORTICO_BACKLOG", "6")
    monkeypatch.setenv("WEB_CONCURRENCY", "3")
    settings = shown(invoke("run", "fine:app", "--port", "2", "--no-date-header", "--print-config").stdout)
    assert settings["app"] == ('"fine:app"', "APP")
    assert settings["port"] == ("2", "--port")
    assert settings["date_header"] == ("false", "--date-header")
    assert settings["backlog"] == ("6", "PORTICO_BACKLOG")
    assert settings["workers"] == ("3", "WEB_CONCURRENCY")
    assert settings["log_level"] == ('"debug"', "portico.toml: log-level")
    assert settings["host"] == ('"127.0.0.1"', "default")
    assert settings["pid"] == ("none", "default")


def test_the_other_defaults_of_dev_are_printed_as_defaults() -> None:
    settings = shown(invoke("dev", "fine:app", "--print-config").stdout)
    assert settings["access_log_format"] == ('"dev"', "default")


def test_a_relative_directory_to_change_to_is_changed_to_once(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.py").write_text(APP)
    result = invoke("run", "deep:app", "--chdir", "inner", "--print-config")
    assert result.exit_code == 0, result.stderr
    assert shown(result.stdout)["chdir"] == (f'"{folder / "inner"}"', "--chdir")


def test_what_is_printed_can_be_used_as_a_file() -> None:
    settings = {
        "bind": ("127.0.0.1:1", "unix:/tmp/a"),
        "uds_permissions": 0o60,
        "headers": (("X-A", 'b"\\'),),
        "reload_delay": 0.5,
        "log_config": {"version": 1, "loggers": {"a.b": {"level": "INFO", "handlers": []}}},
        "workers": 2,
        "root_path": "/läden",
    }
    from portico.cli.check import listing

    config = Config(app="fine:app", **settings)
    assert Config(**tomllib.loads(listing(config, {}))) == config


def test_with_wrong_settings_nothing_is_printed() -> None:
    result = invoke("run", "fine:app", "--port", "x", "--print-config")
    assert (result.exit_code, result.stdout) == (2, "")
