"""One small site in the words of each framework: text, JSON, a path parameter, an upload form, files, many routes.

Every module has `app`, the site, and those whose framework has a router `routed(count)`: an application with `count`
static and as many parametrised routes, of which the bench asks for the last.
"""

import os
from pathlib import Path

TEXT = "Hello, world!"
MESSAGE = {"message": TEXT}
SMALL, LARGE = "small.bin", "large.bin"
SIZES = {SMALL: 10_000, LARGE: 1_000_000}
FILES = Path(os.environ.get("BENCH_FILES", "."))
"""Where the files are that every site serves below /files."""


def fill(directory: Path) -> None:
    """Make the files that the sites serve."""
    for name, size in SIZES.items():
        (directory / name).write_bytes(b"x" * size)
