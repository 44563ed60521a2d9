"""Run Autobahn's WebSocket test suite against a server: `python conformance/autobahn.py --cases '6.*,7.*'`.

The suite is its fuzzing client and runs on CPython 2.7 only; it is installed by pip into a cache directory the first
time. Arguments after `--` go to the server. The exit status is 1 if any case is neither OK nor INFORMATIONAL.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from environments import PIP, clean_environment, kept, run

ROOT = Path(__file__).resolve().parent.parent
APP = "conformance.autobahn_echo:app"
SERVERS = {
    "portico": ["portico", "run", APP, "--port", "0", "--no-access-log", "--log-level", "info"],
    "uvicorn": ["uvicorn", APP, "--port", "0", "--no-access-log", "--log-level", "info", "--lifespan", "off"],
}
RUNNING = re.compile(r"running on (http://[\d.]+:\d+)")
START_S, STOP_S = 30, 20

# The last virtualenv that makes environments for Python 2.7, the suite, and what the suite leaves unpinned.
VIRTUALENV = "virtualenv==20.21.1"
SUITE = "autobahntestsuite==25.10.1"
PINS = """attrs==21.4.0 Automat==22.10.0 cffi==1.15.1 constantly==15.1.0 enum34==1.1.10 hyperlink==21.0.0 idna==2.10
ipaddress==1.0.23 linecache2==1.0.0 pyasn1==0.5.1 pyasn1-modules==0.3.0 pycparser==2.21 PyHamcrest==1.10.1
traceback2==1.4.0 typing==3.10.0.0 ujson==2.0.3 wsaccel==0.6.6"""
PROBE = "import ssl, sys, zlib; assert sys.version_info[:2] == (2, 7), sys.version; print(sys.executable)"
NO_PYTHON = """No CPython 2.7 with ssl and zlib, on which alone the suite runs. Tried:
{tried}
Install one (pyenv install 2.7.18) or say where it is with --python2."""

PASSED = ("OK", "INFORMATIONAL")
Case = dict[str, Any]


def find_python2(given: str | None) -> str:
    """Return the path of a Python 2.7 that can install packages: the given one, or the first of PATH and of pyenv."""
    found = [path for name in ("python2.7", "python2") if (path := shutil.which(name))]
    for root in dict.fromkeys((Path(os.environ.get("PYENV_ROOT", "~/.pyenv")), Path("~/.pyenv"))):
        found += sorted(map(str, root.expanduser().glob("versions/2.7*/bin/python2.7")), reverse=True)
    tried = []
    for path in [given] if given else found:
        try:
            done = subprocess.run(
                [path, "-c", PROBE], check=False, capture_output=True, text=True, env=clean_environment()
            )
        except OSError as error:
            tried.append(f"  {path}: {error.strerror}")
            continue
        if done.returncode == 0:
            return done.stdout.strip()
        tried.append(f"  {path}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    sys.exit(NO_PYTHON.format(tried="\n".join(tried) or "  nothing: neither PATH nor pyenv has a python2.7"))


def installed_suite(python2: str) -> Path:
    """Return the suite's command, after installing it if the cache has none of these versions."""
    with kept("autobahn", python2, VIRTUALENV, SUITE, *PINS.split()) as (home, empty):
        environment = str(home / "environment")
        if empty:
            tool = str(home / "virtualenv")
            run(sys.executable, *PIP, "install", "--target", tool, VIRTUALENV)
            run(sys.executable, "-m", "virtualenv", "--python", python2, environment, PYTHONPATH=tool)
            run(f"{environment}/bin/python", *PIP, "install", SUITE, *PINS.split())
    return home / "environment" / "bin" / "wstest"


@contextlib.contextmanager
def served(command: list[str], log: Path) -> Iterator[str]:
    """Run the server until the block is left; yields the address that it has printed into `log`."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}", "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S
        while not (found := RUNNING.search(log.read_text())):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{log.read_text()}No address printed by: {' '.join(command)}")
            time.sleep(0.05)
        yield found[1]
        if process.poll() is not None:
            print(f"{log.read_text()[-4000:]}\nThe server ended with status {process.returncode}.")
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fuzz(wstest: Path, url: str, cases: list[str], reports: Path) -> tuple[int, dict[str, Case]]:
    """Run the cases; returns how many there were to run, and the results of those that have been run."""
    server = {"agent": "server", "url": url.replace("http", "ws", 1)}
    spec = {"outdir": str(reports), "servers": [server], "cases": cases}
    (reports / "spec.json").write_text(json.dumps(spec))
    number = 0
    lines = []
    with subprocess.Popen(
        [str(wstest), "-m", "fuzzingclient", "-s", str(reports / "spec.json")],
        cwd=reports,
        env=clean_environment(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if found := re.match(r"Ok, will run (\d+) test cases", line):
                number = int(found[1])
                if not number:
                    process.kill()
                    sys.exit(f"No case is called {', '.join(cases)}.")
            elif sys.stdout.isatty() and (found := re.match(r"Running test case ID (\S+)", line)):
                print(f"\r{found[1]:10}", end="\r", flush=True)
    index = reports / "index.json"
    if process.returncode or not index.exists():
        sys.exit(f"{''.join(lines)}The suite ended with status {process.returncode}.")
    return number, json.loads(index.read_text()).get("server", {})


def verdict(case: Case) -> str:
    """Return how the case ended, in one phrase: its own outcome or, if that is fine, a wrong end of the connection."""
    behavior, close = str(case["behavior"]), str(case["behaviorClose"])
    return behavior if behavior not in PASSED or close in PASSED else f"CLOSE {close}"


def report(number: int, results: dict[str, Case], reports: Path, seconds: float) -> bool:
    """Print the cases that have not passed, and the totals; returns whether all have passed."""
    totals = Counter({"OK": 0, "NON-STRICT": 0, "INFORMATIONAL": 0, "FAILED": 0})
    for name in sorted(results, key=lambda name: [int(part) for part in name.split(".")]):
        case = results[name]
        said = verdict(case)
        totals[said] += 1
        if said not in PASSED:
            details = json.loads((reports / case["reportfile"]).read_text())
            print(f"{name} {said}: {details['result']} {details['resultClose']} (close {case['remoteCloseCode']})")
        elif said != "OK":
            print(f"{name} {said}")
    if missing := number - len(results):
        totals["NOT RUN"] = missing
    print(f"{number} cases in {seconds:.0f} s:", ", ".join(f"{said} {count}" for said, count in totals.items()))
    return all(said in PASSED or not count for said, count in totals.items())


def main() -> None:
    parser = argparse.ArgumentParser(description="Run Autobahn's WebSocket test suite against a server.")
    parser.add_argument("--cases", default="*", metavar="LIST", help="cases to run, such as '6.*,7.1.2'; all")
    parser.add_argument("--python2", metavar="PATH", help="CPython 2.7 to run the suite with; else searched for")
    parser.add_argument("--server", choices=SERVERS, default="portico", help="server under test; portico")
    parser.add_argument("--reports", metavar="DIRECTORY", help="where to keep the suite's reports, JSON and HTML")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="further options of the server")
    arguments = parser.parse_args()
    wstest = installed_suite(find_python2(arguments.python2))
    with tempfile.TemporaryDirectory(prefix="autobahn-") as scratch:
        reports = Path(arguments.reports or scratch).resolve()
        reports.mkdir(parents=True, exist_ok=True)
        (reports / "index.json").unlink(missing_ok=True)
        started = time.monotonic()
        with served(SERVERS[arguments.server] + arguments.options, reports / "server.log") as url:
            number, results = fuzz(wstest, url, arguments.cases.split(","), reports)
        passed = report(number, results, reports, time.monotonic() - started)
    sys.exit(not passed)


if __name__ == "__main__":
    main()
