"""A pytest plugin that leaves listed tests out of a run and writes down how each of the others ended.

Loaded with `-p conformance.outcomes`. `--left-out` names a JSON file of `[pattern, reason]` pairs. `--outcomes` names
the file that is written at the end: how many were collected, the reason of each that was left out, and the result of
each of the others.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from conformance.listed import Listed


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--left-out")
    parser.addoption("--outcomes")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Outcomes(config), "outcomes")


class Outcomes:
    """What happened in one run; with workers, each of them collects and their controller keeps the results."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.listed = Listed(read(config.getoption("--left-out")))
        self.collected = 0
        self.left_out: dict[str, str] = {}
        self.results: dict[str, tuple[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.collected = len(items)
        stay, go = [], []
        for item in items:
            reason = self.listed.reason(item.nodeid)
            if reason is None:
                stay.append(item)
            else:
                go.append(item)
                self.left_out[item.nodeid] = reason
        if go:
            self.config.hook.pytest_deselected(items=go)
            items[:] = stay
        self.output["collected"], self.output["left out"] = self.collected, self.left_out

    @property
    def output(self) -> dict[str, Any]:
        """What a worker tells its controller; for nobody in a run without workers."""
        output: dict[str, Any] = getattr(self.config, "workeroutput", {})
        return output

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output = getattr(node, "workeroutput", {})
        if output.get("collected", 0) > self.collected:
            self.collected, self.left_out = output["collected"], output["left out"]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.results[report.nodeid] = ("error", said(report))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        before, _ = self.results.get(report.nodeid, ("", ""))
        if report.failed:
            self.results[report.nodeid] = ("failed", said(report))
        elif report.skipped:
            self.results[report.nodeid] = ("expected" if hasattr(report, "wasxfail") else "skipped", "")
        elif report.when == "call" and before != "failed":
            self.results[report.nodeid] = ("passed", "")

    def pytest_sessionfinish(self) -> None:
        target = self.config.getoption("--outcomes")
        if target and not hasattr(self.config, "workerinput"):
            found = {"collected": self.collected, "left out": self.left_out, "results": self.results}
            Path(target).write_text(json.dumps(found))


def read(path: str | None) -> list[tuple[str, str]]:
    """Return the pairs in a JSON file; none without a file."""
    return [(text, reason) for text, reason in json.loads(Path(path).read_text())] if path else []


def said(report: pytest.CollectReport | pytest.TestReport) -> str:
    """Return why a report failed, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return f"{Path(crash.path).name}:{crash.lineno}: {crash.message.splitlines()[0] if crash.message else ''}"
    lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
    return lines[-1].removeprefix("E   ") if lines else ""
