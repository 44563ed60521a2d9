"""A plan: the calls that answer a request, in order, with where each of their arguments comes from.

The tree of dependencies is flattened once. A dependency that several others share is one step, whose result they all
take. The dependencies are called before what the endpoint takes is validated, those without errors below them. Steps
that block and follow each other run in one visit to a thread, the endpoint's own included.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from portico.web.concurrency import run_in_threadpool
from portico.web.exceptions import DefinitionError
from portico.web.plan.bodies import BodyPlan, flat_body_params, should_embed, wants_form
from portico.web.plan.calls import call_in_thread, call_on_loop
from portico.web.plan.dependant import Dependant
from portico.web.plan.signature import get_dependant
from portico.web.plan.steps import Frame, Kind, Step


class Plan:
    """The steps of a route.

    Args:
        dependant: What the endpoint's signature was found to ask for, with all its dependencies.
        body: Makes the reader of the body from the places that want something of it.
        registered: What the route was registered with, where `dependant` has overrides in it: clients go on to send
            the body in the shape that this one asks for.
    """

    __slots__ = ("beside_endpoint", "bodies", "body", "endpoint", "has_form", "runs", "simple", "steps")

    def __init__(
        self, dependant: Dependant, body: Callable[..., BodyPlan] = BodyPlan, registered: Dependant | None = None
    ) -> None:
        flat = _Flattening()
        flat.add(dependant)
        _check_limits(flat.steps)
        self.steps = flat.steps
        self.endpoint = flat.steps[-1]
        # What the dependencies want of the body, and what the endpoint does.
        self.bodies: BodyPlan | None = None
        self.body: BodyPlan | None = None
        self.has_form = False
        if flat.bodies:
            fields = flat_body_params(registered or dependant) or flat_body_params(dependant)
            embed = should_embed(fields)
            self.has_form = wants_form([field for _, some in flat.bodies for field in some], embed)
            own = [place for place in flat.bodies if place[0] == self.endpoint.number]
            others = [place for place in flat.bodies if place[0] != self.endpoint.number]
            if own:
                self.body = body(own, embed=embed, is_form=self.has_form)
            if others:
                self.bodies = body(others, embed=embed, is_form=self.has_form)
        runs = _runs(flat.steps[:-1])
        # The dependencies that the endpoint's own visit to a thread begins with.
        self.beside_endpoint: tuple[Step, ...] = ()
        if runs and runs[-1][0] and self.endpoint.kind is Kind.FUNCTION:
            self.beside_endpoint = runs.pop()[1]
        self.runs = tuple(runs)
        # The whole of it is: read the parameters, call the endpoint.
        self.simple = len(flat.steps) == 1 and not self.endpoint.injections and self.body is None

    async def call_dependencies(self, frame: Frame) -> None:
        """Wait for the body, read what the dependencies take, and call those that nothing is wrong with.

        All but those that share the endpoint's visit to a thread.
        """
        body = self.body or self.bodies
        if body is not None:
            frame.received = await body.receive(frame.conn)
        if len(self.steps) > 1:
            for step in self.steps[:-1]:
                step.read(frame)
            if self.bodies is not None:
                await _place(self.bodies, frame)
            if any(frame.errors):
                frame.failed = self._failed(frame)
            for in_thread, steps in self.runs:
                await _call(frame, in_thread, steps)

    async def read_endpoint(self, frame: Frame) -> None:
        """Call what is left of the dependencies, and read what the endpoint takes."""
        if self.beside_endpoint:
            await _call(frame, True, self.beside_endpoint)
        self.endpoint.read(frame)
        if self.body is not None:
            await _place(self.body, frame)

    def read_endpoint_in_thread(self, frame: Frame) -> None:
        """Do what `read_endpoint` does, in the thread that this runs in; not for forms, which may have files."""
        call_in_thread(frame, self.beside_endpoint)
        self.endpoint.read(frame)
        if self.body is not None:
            assert frame.received is not None
            self.body.place(frame.received, frame.values, frame.errors)

    def _failed(self, frame: Frame) -> set[int]:
        """Return the steps that cannot be called, since something below them is wrong."""
        failed: set[int] = set()
        for step in self.steps:
            if frame.errors[step.number] or any(need in failed for _, need in step.needs):
                failed.add(step.number)
        return failed


async def _place(body: BodyPlan, frame: Frame) -> None:
    assert frame.received is not None
    if body.is_form:
        await body.place_form(frame.received, frame.values, frame.errors)
    else:
        body.place(frame.received, frame.values, frame.errors)


async def _call(frame: Frame, in_thread: bool, steps: Sequence[Step]) -> None:
    """Call one run of the dependencies, those that nothing is wrong with."""
    if in_thread:
        await run_in_threadpool(call_in_thread, frame, steps)
        return
    for step in steps:
        if frame.failed is None or step.number not in frame.failed:
            frame.results[step.number] = await call_on_loop(frame, step)


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
                f"dependency_overrides has {call!r} for {sub.call!r}: give it a callable that returns the value, such "
                "as lambda: value"
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
