"""Lifespans of applications that are mounted: run once, in order, each with its own state."""

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.applications import Application
from portico.web.requests import Request
from portico.web.responses import JSONResponse, Response
from portico.web.routing import Host, Mount, Route
from portico.web.testclient import TestClient


async def state(request: Request) -> Response:
    return JSONResponse(request.scope["state"])


class Log(list[str]):
    """What happens, in order; makes lifespans that write to it."""

    def lifespan(self, name: str, **given: str) -> Any:
        @asynccontextmanager
        async def context(app: Any) -> AsyncIterator[dict[str, str]]:
            self.append(f"{name} starts")
            yield given
            self.append(f"{name} stops")

        return context


def test_mounted_applications_start_after_and_stop_before_the_one_they_are_mounted_on() -> None:
    log = Log()
    inmost = Application(lifespan=log.lifespan("inmost"))
    inner = Application(routes=[Mount("/inmost", app=inmost)], lifespan=log.lifespan("inner"))
    other = Application(lifespan=log.lifespan("other"))
    app = Application(routes=[Mount("/inner", app=inner), Host("other", app=other)], lifespan=log.lifespan("app"))
    with TestClient(app):
        assert log == ["app starts", "inner starts", "inmost starts", "other starts"]
    assert log[4:] == ["other stops", "inmost stops", "inner stops", "app stops"]


def test_an_application_that_is_mounted_twice_starts_once() -> None:
    log = Log()
    inner = Application(lifespan=log.lifespan("inner"))
    with TestClient(Application(routes=[Mount("/a", app=inner), Mount("/b", app=inner)])):
        assert log == ["inner starts"]
    assert log == ["inner starts", "inner stops"]


def test_a_mounted_application_sees_its_own_state_and_that_of_the_outer_one() -> None:
    log = Log()
    inner = Application(routes=[Route("/", state)], lifespan=log.lifespan("inner", who="inner", more="of inner"))
    app = Application(
        routes=[Mount("/in", app=inner), Route("/", state)], lifespan=log.lifespan("app", who="app", db="of app")
    )
    with TestClient(app) as client:
        assert client.get("/in/").json() == {"who": "inner", "more": "of inner", "db": "of app"}
        assert client.get("/").json() == {"who": "app", "db": "of app"}


def test_a_mounted_application_that_does_not_know_lifespans_is_no_trouble() -> None:
    async def bare(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await JSONResponse("bare")(scope, receive, send)

    with TestClient(Application(routes=[Mount("/bare", app=bare)])) as client:
        assert client.get("/bare/").json() == "bare"


def test_a_mounted_application_that_fails_to_start_keeps_the_whole_from_starting() -> None:
    log = Log()

    @asynccontextmanager
    async def broken(app: Any) -> AsyncIterator[None]:
        raise RuntimeError("no database")
        yield

    inner = Application(lifespan=broken)
    first = Application(lifespan=log.lifespan("first"))
    app = Application(routes=[Mount("/a", app=first), Mount("/b", app=inner)], lifespan=log.lifespan("app"))
    with pytest.raises(Exception, match="no database"), TestClient(app):
        pass
    assert log == ["app starts", "first starts", "first stops"]


def mounted_by(lifespan: Any, inner: ASGIApp) -> Application:
    return Application(routes=[Mount("/in", app=inner)], lifespan=lifespan)


def test_a_mounted_application_that_the_outer_lifespan_has_entered_starts_once() -> None:
    log = Log()
    inner = Application(routes=[Route("/", state)], lifespan=log.lifespan("inner", who="inner"))

    @asynccontextmanager
    async def outer(app: Any) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    with TestClient(mounted_by(outer, inner)) as client:
        assert log == ["inner starts"]
        assert client.get("/in/").json() == {"who": "inner"}
    assert log == ["inner starts", "inner stops"]


def test_a_lifespan_that_the_outer_application_has_from_the_mounted_one_runs_once() -> None:
    log = Log()
    inner = Application(routes=[Route("/", state)], lifespan=log.lifespan("inner", who="inner"))
    with TestClient(mounted_by(inner.router.lifespan_context, inner)) as client:
        assert client.get("/in/").json() == {"who": "inner"}
    assert log == ["inner starts", "inner stops"]


def test_the_same_holds_for_an_application_of_another_framework_that_shows_its_lifespan() -> None:
    log = Log()

    class Router:
        lifespan_context = staticmethod(log.lifespan("inner"))

    class Foreign:
        router = Router()

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async with self.router.lifespan_context(self):
                raise AssertionError("started by the mount")

    foreign = Foreign()
    with TestClient(mounted_by(foreign.router.lifespan_context, foreign)):
        assert log == ["inner starts"]
    assert log == ["inner starts", "inner stops"]


def test_an_application_can_run_twice_at_the_same_time() -> None:
    log = Log()
    app = Application(
        routes=[Mount("/", app=Application(lifespan=log.lifespan("inner")))], lifespan=log.lifespan("app")
    )
    with TestClient(app), TestClient(app):
        assert log == ["app starts", "inner starts"] * 2


def test_what_is_mounted_is_left_alone_where_the_outer_application_says_so() -> None:
    log = Log()
    inner = Application(lifespan=log.lifespan("inner"))
    with TestClient(Application(routes=[Mount("/in", app=inner)], mounted_lifespans=False)):
        assert log == []


def test_a_failure_to_start_names_the_mount() -> None:
    @asynccontextmanager
    async def once(app: Any) -> AsyncIterator[None]:
        raise RuntimeError("can only be called once")
        yield

    with (
        pytest.raises(Exception, match="called once") as caught,
        TestClient(mounted_by(None, Application(lifespan=once))),
    ):
        pass
    assert "mounted_lifespans=False" in "".join(traceback.format_exception(caught.value))
