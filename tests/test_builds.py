"""Every process of the tests runs the build under test: the sources for PORTICO_PURE=1, else what is compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.children import ROOT, environment
from tests.supervised import supervised

import portico.server.service

WHERE = "import portico.server.service as it; print(it.__file__)"
WORKER = """
import portico.server.service

async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": portico.server.service.__file__.encode()})
"""
THROUGH_A_CHILD = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"


@pytest.mark.process
@pytest.mark.parametrize("command", [["-c", WHERE], ["-c", THROUGH_A_CHILD, WHERE]], ids=["child", "grandchild"])
def test_a_process_runs_the_build_under_test(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command], env=environment(), cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == portico.server.service.__file__


@pytest.mark.process
def test_a_worker_runs_the_build_under_test(tmp_path: Path) -> None:
    with supervised(tmp_path, source=WORKER) as server:
        assert server.client.get("/").text == portico.server.service.__file__


def test_the_sources_are_run_when_they_are_asked_for() -> None:
    asked = os.environ.get("PORTICO_PURE") == "1"
    assert portico.server.service.__file__.endswith(".py") or not asked
