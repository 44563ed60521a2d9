"""What the peers call otherwise, and what of their own machinery their tests look at, for the aliases.

Names are those of modules below the package: `routing` is `starlette.routing`, `fastapi.routing` and ours.
"""

import asyncio
import importlib.metadata
import types
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

OURS = "portico.web"

# Modules that the peers keep private, and where we have what is in them.
ELSEWHERE = {"_exception_handler": "handling"}
# The same where several of ours hold it; `home.name` is where we have it.
GATHERED: dict[str, dict[str, str]] = {
    "_utils": {
        "get_route_path": "routing.get_route_path",
        "is_async_callable": "concurrency.is_async_callable",
    },
    "_compat": {
        "Undefined": "plan.fields.Undefined",
        "is_uploadfile_sequence_annotation": "plan.annotations.is_upload_sequence",
    },
    "_compat.shared": {"is_bytes_sequence_annotation": "plan.annotations.is_bytes_sequence"},
    "_compat.v2": {"ModelField": "plan.fields.ModelField"},
    "_form_limits": {"_FormLimits": "plan.bodies.FormLimits"},
    "cli": {},
    "dependencies": {},
    "dependencies.models": {
        "Dependant": "plan.dependant.Dependant",
        "_is_async_gen_callable": "plan.callables.is_async_generator",
        "_is_coroutine_callable": "plan.callables.is_coroutine",
        "_is_gen_callable": "plan.callables.is_generator",
    },
    "dependencies.utils": {
        "_read_file_bytes": "plan.formvalues.read_file_bytes",
        "get_dependant": "plan.signature.get_dependant",
        "get_typed_annotation": "plan.signature.get_typed_annotation",
    },
    "telemetry": {},
    "telemetry._asgi": {},
    "telemetry._runtime": {},
}
# Functions of a peer that are attributes with us.
ATTRIBUTES = {
    "dependencies.models": {
        "_get_cache_key": "cache_key",
        "_get_computed_scope": "computed_scope",
        "_get_oauth_scopes": "oauth_scopes",
        "_get_security_scheme": "security_scheme",
        "_is_security_scheme": "security_scheme",
        "_uses_scopes": "uses_scopes",
    }
}
# For what we have nothing: test modules import it, only tests that are listed use it.
ABSENT = {
    "_utils": ("create_collapsing_task_group",),
    "cli": ("cli_main", "main"),
    "dependencies.models": (
        "_is_async_gen_callable_cached",
        "_is_coroutine_callable_cached",
        "_is_gen_callable_cached",
    ),
    "dependencies.utils": (
        "multipart_incorrect_install_error",
        "multipart_not_installed_error",
    ),
    "routing": ("_IncludedRouter", "_iter_included_route_candidates", "_restore_fastapi_scope_key"),
    "telemetry": ("TelemetryConfig", "get_telemetry_data"),
    "telemetry._asgi": ("NativeTelemetry",),
}
# Constants that tests change in the peer's module.
CONSTANTS = {"routing": {"_PING_INTERVAL": "responses.events.PING_INTERVAL"}}
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


def ours(name: str) -> types.ModuleType:
    """Return our module of that name; the package for the empty name."""
    return import_module(f"{OURS}.{name}".rstrip("."))


def gathered(name: str, tail: str) -> types.ModuleType:
    """Return a module of the peer's that holds names of several of ours."""
    module = types.ModuleType(name)
    for peers, place in GATHERED[tail].items():
        home, _, own = place.rpartition(".")
        setattr(module, peers, getattr(ours(home), own))
    for peers, attribute in ATTRIBUTES.get(tail, {}).items():
        setattr(module, peers, asked(attribute, yes_or_no=peers.startswith("_is_")))
    if tail == "_compat":
        version = importlib.metadata.version("pydantic")
        module.PYDANTIC_VERSION_MINOR_TUPLE = tuple(map(int, version.split(".")[:2]))  # type: ignore[attr-defined]
    if tail == "_compat.v2":
        vars(module).update(serialize_sequence_value=serialize_sequence)
    if tail == "dependencies.utils":
        vars(module).update(request_params_to_args=read_parameters, request_body_to_args=read_body)
    complete(module, tail)
    return module


Read = tuple[dict[str, Any], list[Any]]


def read_parameters(fields: Sequence[Any], received: Any) -> Read:
    """Read parameters as a request does; returns their values by name, and what is wrong with them."""
    values: dict[str, Any] = {}
    errors: list[Any] = []
    for reader in ours("plan.inputs").readers(fields, fields[0].field_info.in_.value):
        reader.read(received, values, errors)
    return values, errors


async def read_body(body_fields: Sequence[Any], received_body: Any, embed_body_fields: bool) -> Read:
    """The same for a body."""
    values: list[dict[str, Any]] = [{}]
    errors: list[list[Any] | None] = [None]
    bodies = ours("plan.bodies")
    plan = bodies.BodyPlan([(0, body_fields)], embed=embed_body_fields)
    received = bodies.Received(object(), b"", received_body)
    if plan.is_form:
        await plan.place_form(received, values, errors)
    else:
        plan.place(received, values, errors)
    return values[0], errors[0] or []


def serialize_sequence(*, field: Any, value: Any) -> Any:
    """Return the value as the kind of sequence that the field is annotated with."""
    return ours("plan.annotations").sequence_of(field.field_info.annotation, value)


def asked(attribute: str, *, yes_or_no: bool) -> Callable[..., Any]:
    """Return a function that asks a dependant for an attribute, or whether it has one."""

    def answer(*, dependant: Any, cache: object = None) -> Any:
        value = getattr(dependant, attribute)
        return value is not None if yes_or_no else value

    return answer


def complete(module: types.ModuleType, tail: str) -> None:
    """Give the module the names of the peer's that we have nothing for, and its constants."""
    for name in ABSENT.get(tail, ()):
        setattr(module, name, None)
    if tail in CONSTANTS:
        constants = {name: constant(place) for name, place in CONSTANTS[tail].items()}
        module.__class__ = type("Module", (types.ModuleType,), constants)


def constant(place: str) -> property:
    """Return a property that stands for a constant of one of our modules."""
    home, _, name = place.rpartition(".")
    return property(lambda _: getattr(ours(home), name), lambda _, value: setattr(ours(home), name, value))


def rename(peer: str) -> None:
    """Give the peer's names to what has another with us."""
    for tail, names in RENAMED[peer].items():
        module = ours(tail)
        for peers, own in names.items():
            value = getattr(module, own)
            setattr(module, peers, value)
            # The title of an application that has none is the framework's name.
            defaults = getattr(value.__init__, "__kwdefaults__", None) or {}
            if defaults.get("title") == own:
                defaults["title"] = peers
    if peer == "fastapi":
        count_semaphores()


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
    limit = ours("params").ConcurrencyLimit
    get_semaphore = limit.get_semaphore

    def get_counted(self: object) -> asyncio.Semaphore:
        semaphore: asyncio.Semaphore = get_semaphore(self)
        semaphore.__class__ = CountedSemaphore
        return semaphore

    limit.get_semaphore = get_counted
