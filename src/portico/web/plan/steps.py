"""A plan: the calls that answer a request, in order, with where each of their arguments comes from.

The tree of dependencies is flattened once. A dependency that several others share is one step, whose result they all
take. All inputs are read before the first call; then the steps run, those without errors below them. Steps that block
and follow each other run in one visit to a thread.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass, replace
from enum import Enum
from typing import Any

from portico.web.background import BackgroundTasks
from portico.web.concurrency import holds, run_in_threadpool
from portico.web.connections import HTTPConnection
from portico.web.exceptions import DefinitionError, DependencyScopeError
from portico.web.plan.appscope import AppDependencies, app_key
from portico.web.plan.bodies import BodyPlan, flat_body_params, should_embed
from portico.web.plan.callables import is_async_generator, is_coroutine, is_generator
from portico.web.plan.cleanup import ThreadedExit, async_context, cleanup_of
from portico.web.plan.dependant import Dependant
from portico.web.plan.inputs import Inputs
from portico.web.plan.signature import get_dependant
from portico.web.responses import Response
from portico.web.security.scopes import SecurityScopes


class Kind(Enum):
    """How a callable is called."""

    FUNCTION = "in a thread"
    INLINE = "on the loop, for it cannot block"
    COROUTINE = "on the loop"
    GENERATOR = "entered and left in a thread"
    ASYNC_GENERATOR = "entered and left on the loop"


def kind_of(call: Callable[..., Any]) -> Kind:
    """Return how the callable is called."""
    if is_async_generator(call):
        return Kind.ASYNC_GENERATOR
    if is_generator(call):
        return Kind.GENERATOR
    if is_coroutine(call):
        return Kind.COROUTINE
    return Kind.INLINE if _only_stores(call) else Kind.FUNCTION


def _only_stores(call: Callable[..., Any]) -> bool:
    """Tell whether the callable is a class that does nothing but keep its arguments."""
    return (
        isinstance(call, type)
        and is_dataclass(call)
        and type(call).__call__ is type.__call__
        and call.__new__ is object.__new__
        and "<string>" in call.__init__.__code__.co_filename
        and not hasattr(call, "__post_init__")
    )


class Step:
    """One call: a dependency, or at last the endpoint."""

    __slots__ = (
        "app_key",
        "app_scope",
        "call",
        "concurrency",
        "function_scope",
        "injections",
        "inputs",
        "kind",
        "needs",
        "number",
        "scopes",
    )

    def __init__(self, number: int, dependant: Dependant, needs: list[tuple[str | None, int]]) -> None:
        assert dependant.call is not None
        self.number = number
        self.call = dependant.call
        self.kind = kind_of(dependant.call)
        self.needs = tuple(needs)
        self.inputs = Inputs.of(dependant)
        self.function_scope = dependant.scope == "function"
        self.app_scope = dependant if dependant.scope == "app" else None
        self.app_key = app_key(dependant) if dependant.scope == "app" else None
        self.concurrency = dependant.concurrency
        self.scopes = dependant.oauth_scopes if dependant.security_scopes_param_name else None
        self.injections = tuple(
            (name, inject)
            for name, inject in (
                (dependant.http_connection_param_name, _connection),
                (dependant.request_param_name, _connection),
                (dependant.websocket_param_name, _connection),
                (dependant.background_tasks_param_name, _background),
                (dependant.response_param_name, _response),
                (dependant.security_scopes_param_name, _scopes),
            )
            if name
        )

    @property
    def blocks(self) -> bool:
        """Whether the call belongs into a thread."""
        return self.kind in (Kind.FUNCTION, Kind.GENERATOR) and self.concurrency is None and self.app_scope is None


class Frame:
    """What one request has brought, and what its steps have made."""

    __slots__ = ("background", "body", "conn", "errors", "failed", "injected", "results", "values")

    def __init__(self, conn: HTTPConnection[Any], steps: int) -> None:
        self.conn = conn
        self.values: list[dict[str, Any]] = [{} for _ in range(steps)]
        self.errors: list[list[Any] | None] = [None] * steps
        self.results: list[Any] = [None] * steps
        self.failed: set[int] | None = None
        self.injected: InjectedResponse | None = None
        self.background: BackgroundTasks | None = None
        self.body: Any = None


class InjectedResponse(Response):
    """The response that handlers ask for to set a status, fields and cookies of the real one."""

    def __init__(self) -> None:
        self.status_code = None  # type: ignore[assignment]
        self.background = None
        self.body = b""
        self.raw_headers = []


def _connection(frame: Frame, step: Step) -> Any:
    return frame.conn


def _background(frame: Frame, step: Step) -> BackgroundTasks:
    if frame.background is None:
        frame.background = BackgroundTasks()
    return frame.background


def _response(frame: Frame, step: Step) -> Response:
    if frame.injected is None:
        frame.injected = InjectedResponse()
    return frame.injected


def _scopes(frame: Frame, step: Step) -> SecurityScopes:
    return SecurityScopes(scopes=list(step.scopes or ()))


class Plan:
    """The steps of a route.

    Args:
        dependant: What the endpoint's signature was found to ask for, with all its dependencies.
        body: Makes the reader of the body from the places that want something of it.
        registered: What the route was registered with, where `dependant` has overrides in it: clients go on to send
            the body in the shape that this one asks for.
    """

    __slots__ = ("beside_endpoint", "body", "endpoint", "runs", "simple", "steps")

    def __init__(
        self, dependant: Dependant, body: Callable[..., BodyPlan] = BodyPlan, registered: Dependant | None = None
    ) -> None:
        flat = _Flattening()
        flat.add(dependant)
        _check_limits(flat.steps)
        self.steps = flat.steps
        self.endpoint = flat.steps[-1]
        self.body: BodyPlan | None = None
        if flat.bodies:
            fields = flat_body_params(registered or dependant) or flat_body_params(dependant)
            self.body = body(flat.bodies, embed=should_embed(fields))
        runs = _runs(flat.steps[:-1])
        # The dependencies that the endpoint's own visit to a thread begins with.
        self.beside_endpoint: tuple[Step, ...] = ()
        if runs and runs[-1][0] and self.endpoint.kind is Kind.FUNCTION:
            self.beside_endpoint = runs.pop()[1]
        self.runs = tuple(runs)
        # The whole of it is: read the parameters, call the endpoint.
        self.simple = len(flat.steps) == 1 and not self.endpoint.injections and self.body is None

    async def read(self, frame: Frame) -> list[Any]:
        """Read what the steps take from the request; return everything that is wrong with it, in order."""
        for step in self.steps:
            if step.inputs is not None:
                errors: list[Any] = []
                step.inputs.read(frame.conn, frame.values[step.number], errors)
                if errors:
                    frame.errors[step.number] = errors
        if self.body is not None:
            frame.body = await self.body.gather(frame.conn, frame.values, frame.errors)
        found = [error for errors_of_step in frame.errors if errors_of_step for error in errors_of_step]
        if found:
            frame.failed = self._failed(frame)
        return found

    def _failed(self, frame: Frame) -> set[int]:
        """Return the steps that cannot be called, since something below them is wrong."""
        failed: set[int] = set()
        for step in self.steps:
            if frame.errors[step.number] or any(need in failed for _, need in step.needs):
                failed.add(step.number)
        return failed

    async def call(self, frame: Frame, in_thread: bool, steps: tuple[Step, ...]) -> None:
        """Call one run of the dependencies, those that nothing is wrong with."""
        if not in_thread:
            for step in steps:
                if frame.failed is None or step.number not in frame.failed:
                    frame.results[step.number] = await call_on_loop(frame, step)
        elif steps:
            await run_in_threadpool(call_in_thread, frame, steps)


class _Flattening:
    """Turns the tree of dependencies into steps, each after those that it needs."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.bodies: list[tuple[int, Sequence[Any]]] = []
        self.known: dict[Any, int] = {}

    def add(self, dependant: Dependant) -> int:
        """Add the step of a dependency, unless it is there already; return its number."""
        key = dependant.cache_key
        if dependant.use_cache and key in self.known:
            return self.known[key]
        needs: list[tuple[str | None, int]] = []
        if dependant.scope != "app":  # which the application calls, with all that is below them
            for below in dependant.dependencies:
                number = self.add(below)
                needs.append((below.name, number))
        number = len(self.steps)
        self.steps.append(Step(number, dependant, needs))
        self.known.setdefault(key, number)
        if dependant.body_params:
            self.bodies.append((number, dependant.body_params))
        return number


def _check_limits(steps: Sequence[Step]) -> None:
    """Refuse what would wait for itself for ever: a turn that only other calls of the same request could give back."""
    held: dict[int, int] = {}
    for step in steps:
        limit = step.concurrency
        if limit is None:
            continue
        if held.get(id(limit), 0) >= limit.max_concurrency:
            raise DefinitionError(
                f"{step.call!r} has max_concurrency={limit.max_concurrency}, and one request calls it more often than "
                "that: each call has a turn until the request ends, so that the last one would never get one. Let it "
                "be called once in a request, without use_cache=False, or raise the limit"
            )
        if step.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR):
            held[id(limit)] = held.get(id(limit), 0) + 1


def _runs(steps: Sequence[Step]) -> list[tuple[bool, tuple[Step, ...]]]:
    """Divide the steps into those that run on the loop and those that run in one visit to a thread, in order."""
    runs: list[tuple[bool, list[Step]]] = []
    for step in steps:
        if not runs or runs[-1][0] is not step.blocks:
            runs.append((step.blocks, []))
        runs[-1][1].append(step)
    return [(in_thread, tuple(steps)) for in_thread, steps in runs]


def arguments(frame: Frame, step: Step) -> dict[str, Any]:
    """Return what the step is called with."""
    values = frame.values[step.number]
    for name, number in step.needs:
        if name is not None:
            values[name] = frame.results[number]
    for name, inject in step.injections:
        values[name] = inject(frame, step)
    return values


def call_in_thread(frame: Frame, steps: Sequence[Step]) -> None:
    """Call steps that block, one after the other, in the thread that this runs in."""
    for step in steps:
        if frame.failed is not None and step.number in frame.failed:
            continue
        values = arguments(frame, step)
        if step.kind is Kind.GENERATOR:
            context = contextmanager(step.call)(**values)
            frame.results[step.number] = context.__enter__()
            stack = cleanup_of(frame.conn.scope).stack(step.function_scope)
            stack.push_async_exit(ThreadedExit(context))
            holds.set(True)
        else:
            frame.results[step.number] = step.call(**values)


async def call_on_loop(frame: Frame, step: Step) -> Any:
    """Call a step that does not block, or that has to wait for its turn."""
    if step.app_scope is not None:
        return await _app_dependencies(frame.conn).value(step.app_scope, step.app_key)
    if step.concurrency is not None:
        return await _call_in_turn(frame, step)
    values = arguments(frame, step)
    if step.kind is Kind.COROUTINE:
        return await step.call(**values)
    if step.kind is Kind.INLINE:
        return step.call(**values)
    return await _enter(frame, step, values)


def _app_dependencies(conn: HTTPConnection[Any]) -> AppDependencies:
    app: Any = conn.scope.get("app")
    if not hasattr(app, "app_dependencies"):
        raise DependencyScopeError(
            f'dependencies of scope "app" live as long as their application, a Portico; this route is served by {app!r}'
        )
    dependencies: AppDependencies = app.app_dependencies
    return dependencies


async def _enter(frame: Frame, step: Step, values: dict[str, Any]) -> Any:
    cleanup = cleanup_of(frame.conn.scope)
    context = async_context(step.call, values, cleanup)
    value = await cleanup.stack(step.function_scope).enter_async_context(context)
    holds.set(True)
    return value


async def _call_in_turn(frame: Frame, step: Step) -> Any:
    """Call a dependency of which only so many may run at a time; one with `yield` counts until it is left."""
    assert step.concurrency is not None
    semaphore = step.concurrency.get_semaphore()
    if step.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR):
        stack = cleanup_of(frame.conn.scope).stack(step.function_scope)
        await stack.enter_async_context(semaphore)
        return await _call_now(frame, step)
    async with semaphore:
        return await _call_now(frame, step)


async def _call_now(frame: Frame, step: Step) -> Any:
    if step.kind in (Kind.FUNCTION, Kind.GENERATOR):
        await run_in_threadpool(call_in_thread, frame, (step,))
        return frame.results[step.number]
    values = arguments(frame, step)
    if step.kind is Kind.ASYNC_GENERATOR:
        return await _enter(frame, step, values)
    result = step.call(**values)
    return await result if step.kind is Kind.COROUTINE else result


def overridden(
    dependant: Dependant,
    overrides: Mapping[Callable[..., Any], Callable[..., Any]],
    within: frozenset[Callable[..., Any]] = frozenset(),
) -> Dependant:
    """Return the tree of dependencies with others in the place of some.

    Args:
        dependant: The root of the tree, which stays as it is.
        overrides: The callables that take the place of others.
        within: What is not replaced, for its override may ask for it.
    """
    below = []
    for sub in dependant.dependencies:
        assert sub.call is not None
        call = overrides.get(sub.call) if sub.call not in within else None
        if call is not None and not callable(call):
            raise TypeError(
                f"dependency_overrides has {call!r} for {sub.call!r}: give it a callable that returns the value, such as "
                "lambda: value"
            )
        if call is None:
            below.append(overridden(sub, overrides, within))
            continue
        other = get_dependant(
            path=sub.path or "",
            call=call,
            name=sub.name,
            parent_oauth_scopes=sub.oauth_scopes,
            use_cache=sub.use_cache,
            scope=sub.scope,
            concurrency=sub.concurrency,
        )
        below.append(overridden(other, overrides, within | {sub.call}))
    return replace(dependant, dependencies=below)
