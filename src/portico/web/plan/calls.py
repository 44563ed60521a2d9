"""Calling the steps of a plan: in a thread, on the loop, or when it is their turn."""

from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any

from portico.web.concurrency import holds, run_in_threadpool
from portico.web.connections import HTTPConnection
from portico.web.exceptions import DependencyScopeError
from portico.web.plan.appscope import AppDependencies
from portico.web.plan.cleanup import ThreadedExit, async_context, cleanup_of
from portico.web.plan.steps import Frame, Kind, Step, arguments


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
