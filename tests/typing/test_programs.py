"""The programs that the checkers read are real: each can be run, and describes itself."""

import runpy
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_can_be_run_and_described(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = runpy.run_path(str(program))["app"]
    if program.stem != "untyped":
        assert app.openapi()["openapi"].startswith("3.1")
