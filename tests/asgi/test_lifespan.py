"""ASGI lifespan 2.0: start-up before anything is served, shutdown after everything, and `state` in between."""

from typing import Any

import pytest
from tests.live import answers, finished, live, reply

from portico.asgi import PorticoError, Receive, Scope, Send

BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Resource:
    """Opens something at start-up, closes it at shutdown, and writes down what happened."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.log.append(("http", dict(scope["state"])))
            scope["state"]["count"] = len(self.log)
            scope["state"]["shared"].append(scope["path"])
            await reply(send)
            return
        self.log.append({key: scope[key] for key in scope if key != "state"})
        self.log.append(await receive())
        scope["state"]["shared"] = []
        await send({"type": "lifespan.startup.complete"})
        self.log.append(await receive())
        await send({"type": "lifespan.shutdown.complete"})
        self.log.append("over")


def test_the_life_of_an_application() -> None:
    """startup, requests with `state`, shutdown."""
    app = Resource()
    with live(app) as server:
        assert app.log[:2] == [
            {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}},
            {"type": "lifespan.startup"},
        ]
        finished(server.port, BYE)
    assert app.log[-2:] == [{"type": "lifespan.shutdown"}, "over"]


def test_state_is_a_shallow_copy_for_every_request() -> None:
    """state: what a request adds is its own; the values are shared."""
    app = Resource()
    with live(app) as server:
        finished(server.port, b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n" + BYE)
    states = [entry[1] for entry in app.log if isinstance(entry, tuple)]
    assert [state.keys() for state in states] == [{"shared"}, {"shared"}]
    shared = [state["shared"] for state in states]
    assert shared[0] is shared[1]
    assert shared[0] == ["/one", "/bye"]


def test_a_failed_start_is_an_error_with_the_message_of_the_application() -> None:
    """lifespan.startup.failed: the server logs the message and does not start."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(PorticoError, match="no database"), live(app):
        pass


@pytest.mark.parametrize("reads", [False, True])
def test_an_application_without_lifespan_is_served(reads: bool) -> None:
    """An exception before any answer means: unsupported; `auto` goes on without."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if reads:
                await receive()
            raise NotImplementedError(scope["type"])
        await reply(send, repr(scope.get("state", {})).encode())

    with live(app) as server:
        assert answers(finished(server.port, BYE))[0].body == b"{}"


def test_an_application_that_returns_from_lifespan_is_served() -> None:
    """An early return is as good as an exception."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await reply(send)

    with live(app) as server:
        assert answers(finished(server.port, BYE))[0].status == 200


def test_on_insists() -> None:
    """`--lifespan on`: unsupported is an error."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError("not this one")

    with pytest.raises(PorticoError), live(app, lifespan="on"):
        pass


def test_off_never_asks() -> None:
    """`--lifespan off`: the application sees no lifespan scope."""
    kinds: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kinds.append(scope["type"])
        await reply(send)

    with live(app, lifespan="off") as server:
        finished(server.port, BYE)
    assert kinds == ["http"]


@pytest.mark.parametrize("ending", ["failed", "raises", "returns"])
def test_a_shutdown_that_fails_still_ends(ending: str) -> None:
    """lifespan.shutdown.failed, an exception or a plain return: the server stops all the same."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if ending == "failed":
            await send({"type": "lifespan.shutdown.failed", "message": "still busy"})
        elif ending == "raises":
            raise ValueError("still busy")

    try:
        with live(app):
            pass
    except PorticoError as error:
        assert ending != "returns", error  # noqa: PT017 - a failed shutdown may raise


def test_an_asgi_2_application_has_a_lifespan_too() -> None:
    """Double callables are wrapped for every scope."""
    log: list[str] = []

    def app(scope: Scope) -> Any:
        async def run(receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await reply(send)
                return
            for event in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{event}"
                log.append(event)
                await send({"type": f"lifespan.{event}.complete"})

        return run

    with live(app):
        assert log == ["startup"]
    assert log == ["startup", "shutdown"]


def test_wrong_lifespan_messages_are_refused() -> None:
    """As on HTTP: the error says what was expected."""
    errors: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        for message in ({"type": "http.response.start", "status": 200}, {"type": "lifespan.shutdown.complete"}, {}):
            try:
                await send(message)
            except RuntimeError as error:
                errors.append(str(error))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    with live(app):
        pass
    assert len(errors) == 3
    assert all("lifespan.startup.complete" in error for error in errors)
