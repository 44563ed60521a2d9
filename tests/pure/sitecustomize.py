"""Runs Portico's sources even where compiled modules lie beside them.

Python imports this at its start where the directory is on PYTHONPATH; conftest.py puts it there for PORTICO_PURE=1, so
that it holds for every process that a test starts, and for those that they start.
"""

import importlib.machinery
import os
import sys
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parents[2] / "src" / "portico")


def _sources_first(path: str) -> importlib.machinery.FileFinder:
    if not path.startswith(PACKAGE) or not os.path.isdir(path):  # python FILE asks too
        raise ImportError
    return importlib.machinery.FileFinder(
        path, (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
    )


sys.path_hooks.insert(0, _sources_first)
sys.path_importer_cache.clear()
