"""What the Python processes that tests start have in common: they run this checkout, in the build under test."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PURE = (str(TESTS / "pure"),) if os.environ.get("PORTICO_PURE") == "1" else ()
PYTHONPATH = os.pathsep.join((*PURE, str(ROOT), str(ROOT / "src")))
PORTICO = (sys.executable, "-m", "portico")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for a child: ours, without a developer's own settings of Portico, and `more`."""
    kept = {name: value for name, value in os.environ.items() if name == "PORTICO_PURE" or name[:8] != "PORTICO_"}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": PYTHONPATH} | dict(more or {})
