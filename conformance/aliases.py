"""A pytest plugin that binds the peers' module names to ours: `starlette.X` is `portico.web.X`, the same module object.

Loaded with `-p conformance.aliases`, or by a `.pth` file into every interpreter of an environment, before anything
imports the peers. PORTICO_ALIASES names what is bound (`starlette` by default; `starlette,fastapi` binds both). There
is no falling back to the real package: a module that we lack is an ImportError.
"""

import importlib
import importlib.abc
import importlib.util
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

from conformance.peers import ELSEWHERE, GATHERED, OURS, VERSIONS, complete, gathered, rename

BOUND = tuple(os.environ.get("PORTICO_ALIASES", "starlette").split(","))
KEPT = ("__spec__", "__loader__", "__package__", "__name__", "__file__", "__path__")


class AliasLoader(importlib.abc.Loader):
    """Gives out one of our modules under a peer's name."""

    def __init__(self, real: str, tail: str) -> None:
        self.real = real
        self.tail = tail
        self.kept: dict[str, object] = {}

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        if self.tail in GATHERED:
            return gathered(spec.name, self.tail)
        module = importlib.import_module(self.real)
        if spec.name in VERSIONS:
            module.__version__ = VERSIONS[spec.name]  # type: ignore[attr-defined]
        if not self.tail:  # now, since `from starlette import applications` finds what is imported already
            rename(spec.name)
        complete(module, self.tail)
        self.kept = {name: getattr(module, name) for name in KEPT if hasattr(module, name)}
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        for name, value in self.kept.items():  # importlib has just overwritten these with the alias's
            setattr(module, name, value)


class AliasFinder(importlib.abc.MetaPathFinder):
    """Finds `starlette.X` where `portico.web.X` is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        top, dot, tail = fullname.partition(".")
        if fullname.startswith(OURS + "."):  # `from starlette import X` asks the module for its name, which is ours
            tail = fullname[len(OURS) + 1 :]
            if tail not in ELSEWHERE and tail not in GATHERED:
                return None
        elif top not in BOUND:
            return None
        if tail in GATHERED:
            package = any(other.startswith(f"{tail}.") for other in GATHERED)
            return importlib.util.spec_from_loader(fullname, AliasLoader("", tail), is_package=package)
        real = OURS + dot + ELSEWHERE.get(tail, tail)
        found = importlib.util.find_spec(real)
        if found is None:
            raise ModuleNotFoundError(f"{real} does not exist, which stands for {fullname}", name=fullname)
        package = found.submodule_search_locations is not None
        return importlib.util.spec_from_loader(fullname, AliasLoader(found.name, tail), is_package=package)


def bind() -> None:
    """Put the names in force; whatever was imported under them before is forgotten."""
    sys.meta_path.insert(0, AliasFinder())
    for name in [name for name in sys.modules if name.partition(".")[0] in BOUND]:
        del sys.modules[name]


bind()
