"""The soak of the bench in a few seconds: all kinds of load are answered while workers stay and while they change."""

import csv
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from bench.soak.load import KINDS
from tests.children import ROOT, environment

OPTIONS = "--minutes 0.12 --steady 0.4 --reload-every 1.5 --limit-max-requests 500"


@pytest.mark.process
def test_a_short_soak_fails_no_request(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.soak", *OPTIONS.split(), "--folder", str(tmp_path)],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    said = done.stdout
    assert (done.returncode, done.stderr) == (0, ""), said + done.stderr
    assert re.match(r"[\d,]+ answered, 0 failed\n", said), said
    assert "GOOD: nothing failed and nothing grew\n" in said
    assert set(re.findall(r"^  ([\w -]+): [\d,]*[1-9][\d,]* answered$", said, re.MULTILINE)) == set(KINDS)

    log = (tmp_path / "soak.log").read_text()
    assert log.count("Traceback") == log.count("\nbench.soak.app.Deliberate: ") == log.count("ERROR:") > 0
    assert not re.search("CRITICAL|WARNING", log)

    with (tmp_path / "soak.csv").open() as file:
        seen = {(row["phase"], row["role"], row["pid"]) for row in csv.DictReader(file)}
    processes = Counter((phase, role) for phase, role, _ in seen)
    workers = processes.pop(("replaced", "worker"))
    assert processes == {("steady", "supervisor"): 1, ("steady", "worker"): 2, ("replaced", "supervisor"): 1}
    assert workers > 2
    if importlib.util.find_spec("matplotlib") is not None:
        assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
