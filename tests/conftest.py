"""Picks the build under test: PORTICO_PURE=1 runs the sources, here and in every process that a test starts."""

import importlib
import os

from tests.children import PYTHONPATH

if os.environ.get("PORTICO_PURE") == "1":
    importlib.import_module("tests.pure.sitecustomize")
    os.environ["PYTHONPATH"] = PYTHONPATH
