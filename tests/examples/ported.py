"""The notes service as FastAPI's users would have it: other import lines, the other class name, nothing else."""

import re
from pathlib import Path

from tests.served import ROOT

NOTES = ROOT / "examples" / "notes"
CHANGES = (
    (re.compile(r"^from portico import ", re.MULTILINE), "from fastapi import "),
    (re.compile(r"^from portico\.web\.", re.MULTILINE), "from fastapi."),
    (re.compile(r"\bPortico\b"), "FastAPI"),
)


def on_fastapi(directory: Path, name: str = "notes_on_fastapi") -> str:
    """Write the ported package into a directory, and return its name."""
    (directory / name).mkdir()
    for source in NOTES.glob("*.py"):
        text = source.read_text()
        for ours, theirs in CHANGES:
            text = ours.sub(theirs, text)
        (directory / name / source.name).write_text(text)
    (directory / name / "page").symlink_to(NOTES / "page")
    return name
