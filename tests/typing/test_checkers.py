"""What users write is clean for mypy and for pyright, in their strict modes; what they mistype is reported.

`programs` has programs as FastAPI's own users write them. In `mistakes` each line that has to be reported says by which
rule: `# wrong: mypy=call-arg pyright=reportCallIssue`. No other line may be reported.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.served import ROOT

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
FILES = sorted([*HERE.glob("programs/*.py"), *HERE.glob("mistakes/*.py")])
REPORT = re.compile(r"^([^:\n]+):(\d+): error: (.*)  \[([a-z-]+)\]$", re.MULTILINE)
WRONG = re.compile(r"# wrong: mypy=([\w-]+) pyright=(\w+)$")
PYRIGHT = {
    "typeCheckingMode": "strict",
    "reportDeprecated": "none",  # of the standard library's names, by the version that checks
    "include": ["programs", "mistakes"],
    "extraPaths": [str(ROOT / "src")],
}
TIMEOUT_S = 300


def problems(reports: Iterable[tuple[str, int, str, str]], checker: int) -> list[str]:
    """Return the reports (file, line, message, rule) of lines that are right, and the mistakes without theirs."""
    found = defaultdict[str, list[tuple[str, str]]](list)
    for name, number, message, rule in reports:
        found[f"{Path(name).name}:{number}"].append((rule, message))
    missed = []
    for file in FILES:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if (mark := WRONG.search(line)) and mark[checker] not in dict(found.pop(f"{file.name}:{number}", [])):
                missed.append(f"{file.name}:{number}: not reported as {mark[checker]}: {line}")
    return missed + [f"{where}: {message} [{rule}]" for where, each in found.items() for rule, message in each]


def test_mypy_strict_reports_the_mistakes_and_nothing_else(tmp_path: Path) -> None:
    # The sources are a library here, as they are for a user: nothing in them is reported.
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--follow-imports=silent", "--config-file="]
    ran = subprocess.run(
        [*command, f"--cache-dir={ROOT / '.mypy_cache' / 'programs'}", *map(str, FILES)],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    reports = REPORT.findall(ran.stdout)
    assert problems(((file, int(line), message, rule) for file, line, message, rule in reports), 1) == []


def test_pyright_strict_reports_the_mistakes_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("basedpyright", reason="pip install basedpyright: pyright's engine")
    for directory in ("programs", "mistakes"):
        (tmp_path / directory).symlink_to(HERE / directory)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(PYRIGHT))
    ran = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    faults = [each for each in json.loads(ran.stdout)["generalDiagnostics"] if each["severity"] == "error"]
    reports = [
        (each["file"], each["range"]["start"]["line"] + 1, each["message"], each.get("rule", "")) for each in faults
    ]
    assert problems(reports, 2) == []
