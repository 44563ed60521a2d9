"""A pytest plugin that binds the peers' module names to ours: `starlette.X` is `portico.web.X`, the same module object.

Loaded with `-p conformance.aliases`, or by a `.pth` file into every interpreter of an environment, before anything
imports the peers. PORTICO_ALIASES names what is bound (`starlette` by default). There is no falling back to the real
package: a module that we lack is an ImportError.
"""

import importlib
import importlib.abc
import importlib.util
import os
import sys
import types
from collections.abc import Sequence
from importlib.machinery import ModuleSpec

OURS = "portico.web"
BOUND = tuple(os.environ.get("PORTICO_ALIASES", "starlette").split(","))

# Modules that the peers keep private, and where we have what is in them.
ELSEWHERE = {"_exception_handler": "handling"}
GATHERED = {
    "_utils": {
        "get_route_path": "routing",
        "is_async_callable": "concurrency",
    }
}
# Of a peer's machinery for other event loops: its test modules import it, only the tests left out call it.
ABSENT = {"_utils": ("create_collapsing_task_group",)}
# The names that a port changes besides its import lines.
RENAMED = {
    "applications": {"Starlette": "Application"},
    "exceptions": {"StarletteDeprecationWarning": "PorticoDeprecationWarning"},
}
# Packages on top ask for the version that they work with.
VERSIONS = {"starlette": "1.10.0"}
KEPT = ("__spec__", "__loader__", "__package__", "__name__", "__file__", "__path__")


class AliasLoader(importlib.abc.Loader):
    """Gives out one of our modules under a peer's name."""

    def __init__(self, real: str, tail: str) -> None:
        self.real = real
        self.tail = tail
        self.kept: dict[str, object] = {}

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        if self.tail in GATHERED:
            module = types.ModuleType(spec.name)
            for name, home in GATHERED[self.tail].items():
                setattr(module, name, getattr(importlib.import_module(f"{OURS}.{home}"), name))
            for name in ABSENT.get(self.tail, ()):
                setattr(module, name, None)
            return module
        module = importlib.import_module(self.real)
        if spec.name in VERSIONS:
            module.__version__ = VERSIONS[spec.name]  # type: ignore[attr-defined]
        if not self.tail:  # now, since `from starlette import applications` finds what is imported already
            for name in RENAMED:
                rename(name)
        self.kept = {name: getattr(module, name) for name in KEPT if hasattr(module, name)}
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        for name, value in self.kept.items():  # importlib has just overwritten these with the alias's
            setattr(module, name, value)


def rename(tail: str) -> None:
    """Give the peer's names to what has another with us."""
    module = importlib.import_module(f"{OURS}.{tail}")
    for peers, ours in RENAMED[tail].items():
        setattr(module, peers, getattr(module, ours))


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
            return importlib.util.spec_from_loader(fullname, AliasLoader("", tail))
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
