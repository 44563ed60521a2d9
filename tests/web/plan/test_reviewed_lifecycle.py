"""When dependencies are made and left: among requests, event loops and errors that get in each other's way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest

from portico.asgi import Receive, Scope, Send
from portico.web import APIRouter, BackgroundTasks, Depends, Portico, Request
from portico.web.concurrency import holds, set_threads
from portico.web.exceptions import DefinitionError, DependencyScopeError
from portico.web.responses import Response, StreamingResponse
from portico.web.routing import APIRoute
from portico.web.testclient import TestClient


async def ask(app: Portico, path: str = "/") -> bytes:
    """Answer one request in the running loop; return the body."""
    body = b""
    received: list[Any] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return received.pop() if received else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        nonlocal body
        body += message.get("body", b"")

    scope: Scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "state": {}}
    await app(scope, receive, send)
    return body


def test_request_dependencies_see_an_error_where_one_of_the_function_has_left_no_response() -> None:
    app = Portico()
    seen: list[str] = []

    def session() -> Iterator[None]:
        try:
            yield
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        else:
            seen.append("committed")

    def swallowing(session: Annotated[None, Depends(session)]) -> Iterator[None]:
        try:
            yield
        except ValueError:
            pass

    @app.get("/")
    async def endpoint(_: Annotated[None, Depends(swallowing, scope="function")]) -> None:
        raise ValueError

    with pytest.raises(DefinitionError, match="no response"):
        TestClient(app).get("/")
    assert seen == ["DefinitionError"]


def test_dependencies_are_left_where_a_route_goes_on_with_a_copy_of_the_scope() -> None:
    left: list[str] = []

    class CopyingRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Any]:
            handler = super().get_route_handler()

            async def handle(request: Request) -> Response:
                return await handler(Request(dict(request.scope), request.receive))

            return handle

    app = Portico()
    app.router.route_class = CopyingRoute

    async def dependency() -> AsyncIterator[str]:
        yield "made"
        left.append("left")

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(dependency)]) -> str:
        return value

    assert TestClient(app).get("/").json() == "made"
    assert left == ["left"]


def test_a_response_that_is_another_application_leaves_only_its_own_dependencies() -> None:
    events: list[str] = []
    inner, outer = Portico(), Portico()

    def noting(name: str) -> Callable[[], AsyncIterator[None]]:
        async def dependency() -> AsyncIterator[None]:
            yield
            events.append(f"{name} left")

        return dependency

    @inner.get("/", dependencies=[Depends(noting("inner"))])
    async def answer() -> str:
        return "inner"

    class Forwarding(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await inner.router(scope, receive, send)
            events.append("sent")

    @outer.get("/", dependencies=[Depends(noting("outer"))])
    async def forward() -> Response:
        return Forwarding()

    assert TestClient(outer).get("/").json() == "inner"
    assert events == ["inner left", "sent", "outer left"]


@pytest.mark.parametrize("path", ["/stream", "/background", "/later"])
def test_requests_with_a_connection_get_threads_before_those_that_wait_for_one(path: str) -> None:
    set_threads(4)
    connections = threading.BoundedSemaphore(2)
    app = Portico()

    def connection() -> Iterator[None]:
        if not connections.acquire(timeout=5):
            raise TimeoutError
        try:
            yield
        finally:
            connections.release()

    async def between(_: Annotated[None, Depends(connection)]) -> None:
        pass

    def after(_: Annotated[None, Depends(between)]) -> None:
        pass

    @app.get("/stream")
    def stream(_: Annotated[None, Depends(connection)]) -> StreamingResponse:
        return StreamingResponse(iter(("o", "k")))

    @app.get("/background")
    def background(_: Annotated[None, Depends(connection)], tasks: BackgroundTasks) -> Response:
        tasks.add_task(len, "")
        return Response("ok")

    @app.get("/later")
    def later(_: Annotated[None, Depends(after)]) -> Response:
        return Response("ok")

    async def main() -> list[bytes]:
        return await asyncio.wait_for(asyncio.gather(*(ask(app, path) for _ in range(16))), 5)

    try:
        assert asyncio.run(main()) == [b"ok"] * 16
    finally:
        set_threads(40)


def test_a_request_holds_nothing_once_its_dependencies_are_left() -> None:
    app = Portico()
    seen: list[bool] = []

    def dependency() -> Iterator[None]:
        yield

    @app.get("/", dependencies=[Depends(dependency)])
    async def endpoint() -> None:
        seen.append(holds.get())

    async def main() -> None:
        await ask(app)
        seen.append(holds.get())

    asyncio.run(main())
    assert seen == [True, False]


def settings() -> str:
    return "real"


def pool(config: Annotated[str, Depends(settings, scope="app")]) -> str:
    return f"pool of {config}"


def test_an_app_dependency_is_made_anew_for_other_overrides_of_what_it_needs() -> None:
    app = Portico()

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(pool, scope="app")]) -> str:
        return value

    async def main() -> None:
        app.dependency_overrides[settings] = lambda: "fake"
        assert await app.resolve(pool) == "pool of fake"
        assert await ask(app) == b'"pool of fake"'
        app.dependency_overrides.clear()
        assert await app.resolve(pool) == "pool of real"
        assert await ask(app) == b'"pool of real"'

    asyncio.run(main())


def test_an_app_dependency_of_a_closed_loop_is_made_anew() -> None:
    app = Portico()
    states: list[str] = []

    async def resource() -> AsyncIterator[int]:
        states.append("open")
        number = len(states) - 1
        yield number
        states[number] = "closed"

    @app.get("/")
    async def endpoint(number: Annotated[int, Depends(resource, scope="app")]) -> str:
        return states[number]

    client = TestClient(app)
    assert client.get("/").json() == client.get("/").json() == "open"


def test_an_app_dependency_is_made_once_by_requests_of_several_loops_at_a_time() -> None:
    app = Portico()
    made: list[int] = []
    both = threading.Barrier(2)

    async def resource() -> int:
        made.append(1)
        await asyncio.to_thread(both.wait, 5)
        return len(made)

    @app.get("/")
    async def endpoint(value: Annotated[int, Depends(resource, scope="app")]) -> int:
        return value

    answers: list[bytes] = []

    async def first() -> None:
        answers.append(await ask(app))
        await asyncio.to_thread(done.wait, 5)

    async def second() -> None:
        waiting = [asyncio.ensure_future(ask(app)) for _ in range(2)]
        while not app.app_dependencies._in_making:
            await asyncio.sleep(0)
        await asyncio.to_thread(both.wait, 5)
        answers.extend(await asyncio.gather(*waiting))
        done.set()

    done = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(first(),))
    thread.start()
    try:
        asyncio.run(second())
    finally:
        done.set()
        thread.join(5)
    assert answers == [b"1"] * 3
    assert made == [1]


def test_the_shutdown_waits_for_app_dependencies_in_making_and_tears_them_down() -> None:
    app = Portico()
    states: list[str] = []

    async def main() -> None:
        entered, go_on = asyncio.Event(), asyncio.Event()

        async def resource() -> AsyncIterator[None]:
            entered.set()
            await go_on.wait()
            yield
            states.append("closed")

        making = asyncio.ensure_future(app.resolve(resource))
        await entered.wait()
        closing = asyncio.ensure_future(app.app_dependencies.aclose())
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(making, closing)

    asyncio.run(main())
    assert states == ["closed"]


def test_overrides_that_are_gone_are_not_kept() -> None:
    app = Portico()

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(settings)]) -> str:
        return value

    class Fake:
        def __call__(self) -> str:
            return "fake"

    import gc
    import weakref

    fake = Fake()
    reference = weakref.ref(fake)
    app.dependency_overrides[settings] = fake
    del fake
    client = TestClient(app)
    assert client.get("/").json() == "fake"
    app.dependency_overrides.clear()
    assert client.get("/").json() == "real"
    gc.collect()
    assert reference() is None


def test_included_routers_are_routed_while_requests_run() -> None:
    app = Portico()

    @app.get("/")
    async def endpoint() -> str:
        router = APIRouter()

        @router.get("/late")
        async def late() -> str:
            return "late"

        app.include_router(router)
        return "included"

    client = TestClient(app)
    assert client.get("/late").status_code == 404
    assert client.get("/").json() == "included"
    assert client.get("/late").json() == "late"


def test_background_tasks_stay_with_their_request_where_all_get_the_same_response() -> None:
    app = Portico()
    shared, ran = Response("ok"), []

    @app.get("/{number}")
    async def endpoint(number: int, tasks: BackgroundTasks) -> Response:
        tasks.add_task(ran.append, number)
        return shared

    client = TestClient(app)
    assert [client.get(f"/{number}").text for number in (1, 2)] == ["ok", "ok"]
    assert ran == [1, 2]


@pytest.mark.parametrize(("limit", "is_refused"), [(1, True), (2, False)])
def test_a_request_that_would_wait_for_itself_is_refused(limit: int, is_refused: bool) -> None:
    app = Portico()

    def dependency() -> Iterator[int]:
        yield 1

    limited = Depends(dependency, use_cache=False, max_concurrency=limit)

    @app.get("/")
    async def endpoint(a: Annotated[int, limited], b: Annotated[int, limited]) -> int:
        return a + b

    client = TestClient(app)
    if is_refused:
        with pytest.raises(DefinitionError, match="max_concurrency=1"):
            client.get("/")
    else:
        assert client.get("/").json() == 2


def test_an_app_dependency_without_an_application_of_its_kind_is_an_error_that_says_so() -> None:
    router = APIRouter()

    @router.get("/")
    async def endpoint(value: Annotated[str, Depends(settings, scope="app")]) -> str:
        return value

    with pytest.raises(DependencyScopeError, match="served by None"):
        TestClient(router).get("/")
