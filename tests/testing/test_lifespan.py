"""The lifespan as the test clients' context manager."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.testing.apps import respond, run_lifespan

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.lifespan import LifespanError
from portico.testing import AsyncTestClient, ProtocolViolation, TestClient


def enter(app: ASGIApp, **settings: Any) -> None:
    with TestClient(app, **settings):
        pass


def enter_async(app: ASGIApp, **settings: Any) -> None:
    async def main() -> None:
        async with AsyncTestClient(app, **settings):
            pass

    asyncio.run(main())


both = pytest.mark.parametrize("enter", [enter, enter_async])


def failing(stage: str, how: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if stage == "shutdown":
            await send({"type": "lifespan.startup.complete"})
            await receive()
        if how != "raises":
            await send({"type": f"lifespan.{stage}.failed", "message": "no database"})
        if how == "fails slowly":
            await asyncio.sleep(0)
        if how != "fails":
            raise LookupError("the cause")

    return app


@both
@pytest.mark.parametrize("stage", ["startup", "shutdown"])
@pytest.mark.parametrize("how", ["raises", "fails and raises", "fails slowly"])
def test_the_applications_own_exception_is_raised(enter: Callable[..., None], stage: str, how: str) -> None:
    with pytest.raises(LookupError, match="the cause"):
        enter(failing(stage, how))


@both
@pytest.mark.parametrize("stage", ["startup", "shutdown"])
def test_a_failure_that_was_only_said_is_a_lifespan_error(enter: Callable[..., None], stage: str) -> None:
    with pytest.raises(LifespanError, match="no database"):
        enter(failing(stage, "fails"))


@both
def test_an_exit_in_startup_is_raised(enter: Callable[..., None]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise SystemExit(4)

    with pytest.raises(SystemExit):
        enter(app)


@both
def test_an_application_without_lifespan_needs_auto_or_off(enter: Callable[..., None]) -> None:
    async def raises(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"

    async def returns(scope: Scope, receive: Receive, send: Send) -> None:
        return

    with pytest.raises(AssertionError):
        enter(raises)
    with pytest.raises(ProtocolViolation, match="lifespan='auto'"):
        enter(returns)
    for app in (raises, returns):
        for lifespan in ("auto", "off"):
            enter(app, lifespan=lifespan)


def test_off_does_not_ask() -> None:
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["type"])
        await respond(send)

    with TestClient(app, lifespan="off") as client:
        client.get("/")
    assert asked == ["http"]


def test_another_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="'on', 'auto' or 'off', not 'maybe'"):
        TestClient(run_lifespan, lifespan="maybe")  # type: ignore[arg-type]


@both
def test_a_lifespan_that_dies_while_it_is_served_is_raised_at_the_end(enter: Callable[..., None]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise LookupError("died")

    with pytest.raises(LookupError, match="died"):
        enter(app)


def test_a_request_gets_a_copy_of_the_state() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["shared"] = []
            await run_lifespan(receive, send)
            return
        scope["state"]["own"] = True
        scope["state"]["shared"].append(sorted(scope["state"]))
        await respond(send)

    with TestClient(app) as client:
        client.get("/")
        client.get("/")
        assert client.app_state == {"shared": [["own", "shared"]] * 2}


def test_startup_and_shutdown_run_in_one_task_and_can_run_again() -> None:
    tasks: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for stage in ("startup", "shutdown"):
            await receive()
            tasks.append(asyncio.current_task())
            await send({"type": f"lifespan.{stage}.complete"})

    client = TestClient(app)
    for _ in range(2):
        with client:
            pass
    assert tasks[0] is tasks[1]
    assert tasks[2] is tasks[3]
    assert tasks[0] is not tasks[2]


@both
def test_it_cannot_be_entered_twice_at_once(enter: Callable[..., None]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await run_lifespan(receive, send)

    with TestClient(app) as client, pytest.raises(RuntimeError, match="entered already"):
        client.__enter__()
    enter(app)
