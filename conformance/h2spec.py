"""Run h2spec, the conformance test of HTTP/2, in clear text and over TLS: `python conformance/h2spec.py`.

h2spec is a program of its own (version 2.6: 147 cases with `--strict`), which is taken from PATH or from --h2spec.
Arguments after `--` go to it, such as `http2/6.5`. The exit status is 1 if any case fails.
"""

import argparse
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = "conformance.h2spec_site:app"
SERVERS = {
    "portico": (
        ["portico", "run", APP, "--port", "0", "--no-access-log"],
        ["--ssl-certfile", "{certfile}", "--ssl-keyfile", "{keyfile}"],
    ),
    "hypercorn": (
        ["hypercorn", APP, "--bind", "127.0.0.1:0"],
        ["--certfile", "{certfile}", "--keyfile", "{keyfile}"],
    ),
}
RUNNING = re.compile(r"running on https?://[\d.]+:(\d+)", re.IGNORECASE)
START_S, STOP_S, RUN_S = 30, 20, 600


@contextlib.contextmanager
def served(command: list[str], log: Path) -> Iterator[str]:
    """Run the server until the block is left; yields the port that it has printed into `log`."""
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


def judged(h2spec: str, port: str, options: list[str]) -> bool:
    """Run the cases; print what has failed, and the totals; return whether all have passed."""
    done = subprocess.run(
        [h2spec, "--host", "127.0.0.1", "--port", port, "--strict", *options],
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_S,
    )
    lines = done.stdout.splitlines()
    failures = lines.index("Failures: ") if "Failures: " in lines else len(lines) - 1
    print("\n".join(lines[failures:]) or done.stderr)
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(description="Run h2spec against a server, in clear text and over TLS.")
    parser.add_argument("--h2spec", default=shutil.which("h2spec"), metavar="PATH", help="the program; else of PATH")
    parser.add_argument("--server", choices=SERVERS, default="portico", help="server under test; portico")
    parser.add_argument("options", nargs="*", metavar="-- OPTION", help="further options of h2spec")
    arguments = parser.parse_args()
    if arguments.h2spec is None:
        sys.exit("There is no h2spec on PATH (github.com/summerwind/h2spec); say where it is with --h2spec.")
    sys.path.insert(0, str(ROOT))
    from tests.certificates import local

    issued = local()
    command, secure = SERVERS[arguments.server]
    secure = [option.format(certfile=issued.certfile, keyfile=issued.keyfile) for option in secure]
    passed = True
    with tempfile.TemporaryDirectory(prefix="h2spec-") as scratch:
        log = Path(scratch) / "server.log"
        for name, extra, options in (("clear text", [], []), ("TLS", secure, ["--tls", "--insecure"])):
            print(f"{arguments.server}, {name}:", flush=True)
            with served(command + extra, log) as port:
                passed &= judged(arguments.h2spec, port, [*options, *arguments.options])
    sys.exit(not passed)


if __name__ == "__main__":
    main()
