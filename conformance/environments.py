"""Cached environments for suites that are not ours: built by pip the first time, kept until what they need changes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


@contextmanager
def kept(name: str, *wanted: str) -> Iterator[tuple[Path, bool]]:
    """Yield the cache directory called `name` and whether it is still to be filled.

    It is emptied when it was filled from something else than `wanted`, and counts as filled once the block is left.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "portico" / name
    stamp = home / "installed.txt"
    text = "\n".join(wanted)
    if stamp.exists() and stamp.read_text() == text:
        yield home, False
        return
    print(f"Installing into {home} (the first time takes a minute) ...", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    yield home, True
    stamp.write_text(text)


def run(*command: str, **environment: str) -> None:
    """Run a step of an installation; its output is shown only if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment(**environment))
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}Failed: {' '.join(command)}")


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without what would lead another Python astray."""
    return {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"} | more
