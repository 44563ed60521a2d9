"""A pytest plugin that binds the peers' module names to ours: `starlette.X` is `portico.web.X`, the same module object.

Loaded with `-p conformance.aliases`, or by a `.pth` file into every interpreter of an environment, before anything
imports the peers. PORTICO_ALIASES names what is bound (`starlette` by default; `starlette,fastapi` binds both). There
is no falling back to the real package: a module that we lack is an ImportError.
"""

import asyncio
import importlib
import importlib.abc
import importlib.metadata
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
# The same where several of ours hold it; `home.name` is where we have it.
GATHERED = {
    "_utils": {
        "get_route_path": "routing.get_route_path",
        "is_async_callable": "concurrency.is_async_callable",
    },
    "_compat": {
        "Undefined": "plan.fields.Undefined",
        "is_uploadfile_sequence_annotation": "plan.annotations.is_upload_sequence",
    },
    "_form_limits": {"_FormLimits": "plan.bodies.FormLimits"},
    "dependencies": {},
    "dependencies.models": {
        "Dependant": "plan.dependant.Dependant",
        "_is_async_gen_callable": "plan.callables.is_async_generator",
        "_is_coroutine_callable": "plan.callables.is_coroutine",
        "_is_gen_callable": "plan.callables.is_generator",
    },
    "dependencies.utils": {
        "get_dependant": "plan.signature.get_dependant",
        "get_typed_annotation": "plan.signature.get_typed_annotation",
    },
    "_compat.shared": {"is_bytes_sequence_annotation": "plan.annotations.is_bytes_sequence"},
    "_compat.v2": {"ModelField": "plan.fields.ModelField"},
    "cli": {},
    "telemetry": {},
    "telemetry._asgi": {},
    "telemetry._runtime": {},
}
# Of the peers' own machinery, for which we have another: test modules import it, only the tests left out call it.
ABSENT = {
    "_utils": ("create_collapsing_task_group",),
    "cli": ("cli_main", "main"),
    "dependencies.models": (
        "_get_cache_key",
        "_get_computed_scope",
        "_get_oauth_scopes",
        "_get_security_scheme",
        "_is_async_gen_callable_cached",
        "_is_coroutine_callable_cached",
        "_is_gen_callable_cached",
        "_is_security_scheme",
        "_uses_scopes",
    ),
    "dependencies.utils": (
        "_read_file_bytes",
        "multipart_incorrect_install_error",
        "multipart_not_installed_error",
        "request_body_to_args",
        "request_params_to_args",
    ),
    "routing": ("_IncludedRouter", "_iter_included_route_candidates", "_restore_fastapi_scope_key"),
    "telemetry": ("TelemetryConfig", "get_telemetry_data"),
    "telemetry._asgi": ("NativeTelemetry",),
}
# The names that a port changes besides its import lines, by the peer and the module.
RENAMED = {
    "starlette": {
        "applications": {"Starlette": "Application"},
        "exceptions": {"StarletteDeprecationWarning": "PorticoDeprecationWarning"},
    },
    "fastapi": {
        "": {"FastAPI": "Portico"},
        "applications": {"FastAPI": "Portico"},
        "exceptions": {"FastAPIError": "DefinitionError", "FastAPIDeprecationWarning": "PorticoDeprecationWarning"},
    },
}
# Packages on top ask for the version that they work with.
VERSIONS = {"starlette": "1.10.0", "fastapi": "0.165.0"}
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
        for name in ABSENT.get(self.tail, ()):
            setattr(module, name, None)
        self.kept = {name: getattr(module, name) for name in KEPT if hasattr(module, name)}
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        for name, value in self.kept.items():  # importlib has just overwritten these with the alias's
            setattr(module, name, value)


def gathered(name: str, tail: str) -> types.ModuleType:
    """Return a module of the peer's that holds names of several of ours."""
    module = types.ModuleType(name)
    for peers, ours in GATHERED[tail].items():
        home, _, own = ours.rpartition(".")
        setattr(module, peers, getattr(importlib.import_module(f"{OURS}.{home}"), own))
    for absent in ABSENT.get(tail, ()):
        setattr(module, absent, None)
    if tail == "_compat":
        version = importlib.metadata.version("pydantic")
        module.PYDANTIC_VERSION_MINOR_TUPLE = tuple(map(int, version.split(".")[:2]))  # type: ignore[attr-defined]
    return module


class CountedSemaphore(asyncio.Semaphore):
    """One of our semaphores, saying of itself what FastAPI's tests ask the one that it has from anyio."""

    @property
    def value(self) -> int:
        return self._value

    def statistics(self) -> types.SimpleNamespace:
        waiters = getattr(self, "_waiters", None) or ()
        return types.SimpleNamespace(tasks_waiting=sum(not waiter.done() for waiter in waiters))


def count_semaphores() -> None:
    """Let the limits of `Depends(max_concurrency=...)` be looked at."""
    limit = importlib.import_module(f"{OURS}.params").ConcurrencyLimit
    get_semaphore = limit.get_semaphore

    def get_counted(self: object) -> asyncio.Semaphore:
        semaphore: asyncio.Semaphore = get_semaphore(self)
        semaphore.__class__ = CountedSemaphore
        return semaphore

    limit.get_semaphore = get_counted


def rename(peer: str) -> None:
    """Give the peer's names to what has another with us."""
    if peer == "fastapi":
        count_semaphores()
    for tail, names in RENAMED[peer].items():
        module = importlib.import_module(f"{OURS}.{tail}".rstrip("."))
        for peers, ours in names.items():
            setattr(module, peers, getattr(module, ours))
            # The title of an application that has none is the framework's name.
            defaults = getattr(getattr(module, ours).__init__, "__kwdefaults__", None) or {}
            if defaults.get("title") == ours:
                defaults["title"] = peers


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
