"""The units of the deployment page are what systemd takes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.children import ROOT

UNIT = re.compile(r"^```ini\n# /etc/systemd/system/(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SECTION, SETTING = re.compile(r"\[\w+\]"), re.compile(r"[A-Z]\w+=.*")


def units() -> dict[str, str]:
    return dict(UNIT.findall((ROOT / "docs" / "deployment.md").read_text()))


def test_a_unit_has_sections_settings_and_comments_only() -> None:
    assert sorted(units()) == ["app.service", "app.socket"]
    lines = [line for text in units().values() for line in text.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not SECTION.fullmatch(line) and not SETTING.fullmatch(line)] == []


@pytest.mark.process
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    for name, text in units().items():
        here = text.replace("/srv/app/.venv/bin/portico", sys.executable).replace("=/srv/app", f"={tmp_path}")
        (tmp_path / name).write_text(here)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in units())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
