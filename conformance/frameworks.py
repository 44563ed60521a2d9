"""Run the peers' own published tests on our framework: `python conformance/frameworks.py starlette -- -k routing`.

`starlette`: Starlette's tests, its name bound to `portico.web`. `fastapi`: the tests of the real FastAPI, unmodified,
on our core. `portico`: the same tests, with both names bound to `portico.web`. Source archives are downloaded by name
and hash into a cache directory, where each suite has an environment of its own; nothing of theirs is changed. `--peer`
runs the same tests on the real packages, as the oracle. Arguments after `--` go to pytest; what a run of a selection
says nothing about is then not asked for: the bar, and completeness.

The exit status is 1 if a test fails that `expected_failures.toml` does not list with its reason, if a test is missing,
or if fewer pass than the bar.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import PIP, clean_environment, kept, run
from groups import print_groups
from listed import Listed

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LISTED = HERE / "expected_failures.toml"


@dataclass(frozen=True)
class Archive:
    """A source archive as it was published."""

    name: str
    version: str
    sha256: str

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.version}"

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True)
class Suite:
    """A peer's test suite."""

    archive: Archive
    tests: int
    """How many are collected where nothing is missing."""
    bar: float
    """The percentage of the portable tests that have to pass."""
    path: tuple[str, ...] = ()
    """Folders of the archive that its tests import from."""
    bound: str = "starlette"
    """The names that are bound to ours."""
    grouped: bool = False
    """Whether the report says how the groups of the tests did."""


STARLETTE = Archive("starlette", "1.10.0", "b8399098d4c1e3522734f7235dc79b1fc967f96cf139c81e0fa30479e0685f9b")
FASTAPI = Archive("fastapi", "0.165.0", "dd94d4128319c1e1d50535ab023ab698f850a4d2822f0e181747b46f4ff3c0ab")
SUITES = {
    "starlette": Suite(STARLETTE, tests=1416, bar=97.0),
    "fastapi": Suite(FASTAPI, tests=5227, bar=95.0, path=("docs_src",)),
    "portico": Suite(FASTAPI, tests=5227, bar=98.0, path=("docs_src",), bound="starlette,fastapi", grouped=True),
}
# Every interpreter of the environment reads this: those that the tests start are bound as well.
HOOK = "import os; os.environ.get('PORTICO_ALIASES') and __import__('conformance.aliases')\n"


def unpacked(archive: Archive) -> Path:
    """Return the archive's folder, after downloading it if the cache does not have it."""
    with kept(f"archives/{archive.folder}", archive.requirement) as (home, empty):
        if empty:
            (home / "wanted.txt").write_text(archive.requirement)
            where = ("--dest", str(home), "--requirement", str(home / "wanted.txt"))
            kind = ("--no-deps", "--no-binary", archive.name, "--require-hashes")
            run(sys.executable, *PIP, "download", *kind, *where)
            with tarfile.open(home / f"{archive.folder}.tar.gz") as tar:
                tar.extractall(home, filter="data")
    return home / archive.folder


def environment(suite: Suite, source: Path) -> Path:
    """Return the Python of the suite's own environment, which has everything but Starlette and Portico."""
    name = suite.archive.name
    requirements = HERE / f"{name}_requirements.txt"
    version = sys.version.split()[0]
    with kept(f"suites/{name}", sys.executable, version, suite.archive.sha256, requirements.read_text()) as (
        home,
        empty,
    ):
        python = home / "environment" / "bin" / "python"
        if empty:
            run(sys.executable, "-m", "venv", str(python.parent.parent))
            run(str(python), *PIP, "install", "--requirement", str(requirements))
            if suite.archive is not STARLETTE:  # packages on top of it look for what is installed
                run(str(python), *PIP, "install", "--no-deps", str(source))
            (site,) = python.parent.parent.glob("lib/python*/site-packages")
            (site / "portico_aliases.pth").write_text(HOOK)
    return python


def listed(suite: str) -> tuple[Listed, Listed]:
    """Return the suite's tests that are left out, and those that are known to fail."""
    entries = tomllib.loads(LISTED.read_text())[suite]
    left_out, failing = (
        Listed((test, entry["reason"]) for entry in entries.get(kind, []) for test in entry["tests"])
        for kind in ("left_out", "failing")
    )
    return left_out, failing


def test(suite: Suite, chosen: argparse.Namespace, left_out: Listed) -> dict[str, Any]:
    """Run the suite and return what the plugin has written down."""
    source = unpacked(suite.archive)
    python = environment(suite, source)
    path = [*suite.path, str(ROOT / "src"), str(ROOT)]
    if chosen.peer:
        path.append(str(unpacked(STARLETTE)))
    variables = {"PYTHONPATH": os.pathsep.join(path)} | ({} if chosen.peer else {"PORTICO_ALIASES": suite.bound})
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        "conformance.outcomes",
        "--timeout",
        "60",
    ]
    options += ["--continue-on-collection-errors", "--quiet", "--tb", "short" if chosen.verbose else "no"]
    if chosen.workers > 1:
        options += ["--numprocesses", str(chosen.workers), "--dist", "loadgroup"]
    with tempfile.TemporaryDirectory(prefix="frameworks-") as scratch:
        given, written = Path(scratch, "left_out.json"), Path(scratch, "outcomes.json")
        given.write_text(json.dumps(left_out.pairs))
        options += ["--left-out", str(given), "--outcomes", str(written)]
        done = subprocess.run(
            [str(python), "-m", "pytest", *options, *(chosen.options or ["tests"])],
            cwd=source,
            env=clean_environment(**variables),
            stdout=None if chosen.verbose else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if not written.exists():
            sys.exit(
                f"{done.stdout or ''}The suite ended with status {done.returncode} before its results were written."
            )
        found: dict[str, Any] = json.loads(written.read_text())
        return found


def report(suite: Suite, found: dict[str, Any], failing: Listed, chosen: argparse.Namespace, seconds: float) -> bool:
    """Print how the run ended; returns whether it is as good as it has to be."""
    results: dict[str, list[str]] = found["results"]
    counts = Counter(outcome for outcome, _ in results.values())
    left_out: dict[str, str] = found["left out"]
    portable = found["collected"] - len(left_out)
    bad = unlisted(results, failing, peer=chosen.peer)
    for test in sorted(name for name, (outcome, _) in results.items() if outcome == "passed" and not chosen.peer):
        if failing.reason(test) and not chosen.options:
            print(f"{test}: passes, although it is listed: {failing.reason(test)}")
    for reason, number in Counter(left_out.values()).items():
        print(f"left out: {number} tests, {reason}")
    if suite.grouped:
        print_groups(results, left_out)
    core = "the real packages" if chosen.peer else "portico.web"
    print(
        f"{suite.archive.folder} on {core}, CPython {sys.version.split()[0]}, {seconds:.0f} s: collected "
        f"{found['collected']}, left out {len(left_out)}, portable {portable}, passed {counts['passed']}, "
        f"failed {counts['failed']} ({bad} not listed), failed as their suite expects {counts['expected']}, "
        f"skipped {counts['skipped']}, modules not importable {counts['error']}"
    )
    if chosen.options:
        return not bad
    missing = suite.tests - found["collected"]
    if missing > 0:
        print(f"{missing} of {suite.tests} tests were not collected; they count as failed")
    share = 100 * counts["passed"] / (portable + max(missing, 0))
    print(f"{share:.2f} % of the portable tests pass; the bar is {suite.bar:g} %")
    return not bad and missing <= 0 and share >= suite.bar


def unlisted(results: dict[str, list[str]], failing: Listed, *, peer: bool) -> int:
    """Print a line for each test that has failed; returns how many of them nothing excuses."""
    bad = 0
    for test, (outcome, said) in sorted(results.items()):
        if outcome in ("failed", "error"):
            reason = None if peer else failing.reason(test)
            bad += reason is None
            print(f"{test}: {'listed: ' + reason if reason else outcome + ': ' + said}")
    return bad


def main() -> None:
    parser = argparse.ArgumentParser(description="Run a peer's own tests on portico.web.")
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--peer", action="store_true", help="run them on the real packages")
    parser.add_argument("--workers", type=int, default=1, help="processes that run tests; 1")
    parser.add_argument("--verbose", action="store_true", help="show pytest's own output, with tracebacks")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="what pytest is to run instead of all")
    chosen = parser.parse_args()
    suite = SUITES[chosen.suite]
    left_out, failing = listed(chosen.suite)
    started = time.monotonic()
    found = test(suite, chosen, left_out)
    sys.exit(not report(suite, found, failing, chosen, time.monotonic() - started))


if __name__ == "__main__":
    main()
