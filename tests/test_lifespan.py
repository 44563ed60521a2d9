"""Lifespan where nobody logs: what the framework and the test clients learn of a lifespan."""

import asyncio
import logging
from typing import Any

import pytest

from portico.asgi import Receive, Scope, Send
from portico.lifespan import Lifespan, LifespanError


async def lives(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["a"] = 1
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("none here")


def run(app: Any, mode: str = "auto", timeout_s: float | None = 1, **settings: Any) -> Lifespan:
    async def main() -> Lifespan:
        lifespan = Lifespan(app, mode, **settings)
        await lifespan.startup()
        await lifespan.shutdown(timeout_s)
        return lifespan

    return asyncio.run(main())


def test_the_state_may_be_the_callers() -> None:
    state: dict[str, Any] = {}
    assert run(lives, state=state).state is state
    assert state == {"a": 1}


@pytest.mark.parametrize(
    ("app", "mode", "supported"), [(lives, "auto", True), (raises, "auto", False), (lives, "off", False)]
)
def test_it_is_known_whether_the_application_has_one(app: Any, mode: str, supported: bool) -> None:
    assert run(app, mode).supported is supported


def test_the_exception_of_the_application_is_the_cause() -> None:
    with pytest.raises(LifespanError) as caught:
        run(raises, "on")
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_shutdown_that_takes_too_long_is_an_error_where_nobody_logs() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await asyncio.sleep(60)

    with pytest.raises(LifespanError, match=r"took longer than 0\.01 s"):
        run(app, timeout_s=0.01)


def test_nothing_is_logged_without_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="portico"):
        run(raises)
        run(lives)
    assert caplog.records == []


def test_the_steps_are_logged_to_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="portico"):
        run(lives, log=logging.getLogger("portico"))
    assert [record.getMessage() for record in caplog.records] == [
        "Waiting for application startup.",
        "Application startup complete.",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
    ]
