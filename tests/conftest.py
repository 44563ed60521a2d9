"""Picks the build under test: PORTICO_PURE=1 runs the sources even where compiled modules lie beside them."""

import importlib.machinery
import os
import sys

if os.environ.get("PORTICO_PURE") == "1":

    def _sources_first(path: str) -> importlib.machinery.FileFinder:
        loader = (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
        if "portico" not in path:
            raise ImportError
        return importlib.machinery.FileFinder(path, loader)

    sys.path_hooks.insert(0, _sources_first)
    sys.path_importer_cache.clear()
