"""The commands as a whole: each is there, and starting one costs nothing of the others."""

import subprocess
import sys

import pytest
from click.testing import CliRunner, Result
from tests.children import environment

from portico.cli import COMMANDS, portico

MAIN = "from portico.cli import portico; portico(['run', '--help'], standalone_mode=False); import sys; "


def invoke(*args: str) -> Result:
    return CliRunner().invoke(portico, args, prog_name="portico")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_help(name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: portico {name} ")


def test_the_help_lists_the_commands_serving_first() -> None:
    listed = invoke("--help").output.partition("Commands:\n")[2]
    assert tuple(line.split()[0] for line in listed.splitlines()) == COMMANDS


def test_whatever_is_no_command_is_an_application_to_run() -> None:
    assert invoke("main:app", "--port", "x").output == invoke("run", "main:app", "--port", "x").output


def test_serving_imports_none_of_the_other_commands_and_no_client() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN + "print(*sys.modules, file=sys.stderr)"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stderr.split())
    others = {f"portico.cli.{name}" for name in COMMANDS if name != "run"}
    assert loaded & ({"email", "http.client", "ssl"} | others) == set()
    assert "portico.cli.run" in loaded
