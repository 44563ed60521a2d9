"""Dependencies: what is called, in which order and how often, where it runs, and when it is left."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, field_validator

from portico.web import BackgroundTasks, Body, Depends, Header, HTTPException, Portico, Request, Response, WebSocket
from portico.web.responses import StreamingResponse
from portico.web.testclient import TestClient

JSON = "application/json"
user: ContextVar[str] = ContextVar("user", default="nobody")


def get(app: Portico, path: str = "/", **options: Any) -> Any:
    return TestClient(app, **options).get(path)


def test_dependencies_are_called_before_what_needs_them() -> None:
    app = Portico()
    calls: list[str] = []

    async def first() -> str:
        calls.append("first")
        return "1"

    async def second(one: Annotated[str, Depends(first)]) -> str:
        calls.append("second")
        return one + "2"

    @app.get("/")
    async def endpoint(two: Annotated[str, Depends(second)]) -> str:
        calls.append("endpoint")
        return two

    assert get(app).json() == "12"
    assert calls == ["first", "second", "endpoint"]


def test_a_dependency_that_several_share_is_called_once() -> None:
    app = Portico()
    calls: list[int] = []

    async def shared() -> int:
        calls.append(1)
        return len(calls)

    async def other(value: Annotated[int, Depends(shared)]) -> int:
        return value

    @app.get("/")
    async def endpoint(a: Annotated[int, Depends(other)], b: Annotated[int, Depends(shared)]) -> list[int]:
        return [a, b]

    assert get(app).json() == [1, 1]
    assert get(app).json() == [2, 2]


def test_a_dependency_without_cache_is_called_for_each_use() -> None:
    app = Portico()
    calls: list[int] = []

    async def counted() -> int:
        calls.append(1)
        return len(calls)

    @app.get("/")
    async def endpoint(
        a: Annotated[int, Depends(counted)], b: Annotated[int, Depends(counted, use_cache=False)]
    ) -> list[int]:
        return [a, b]

    assert get(app).json() == [1, 2]


def test_a_dependency_is_not_called_where_something_below_it_is_invalid_but_others_are() -> None:
    app = Portico()
    calls: list[str] = []

    async def number(n: int) -> int:
        calls.append("number")
        return n

    async def doubled(n: Annotated[int, Depends(number)]) -> int:
        calls.append("doubled")
        return 2 * n

    async def independent() -> None:
        calls.append("independent")

    @app.get("/", dependencies=[Depends(independent)])
    async def endpoint(n: Annotated[int, Depends(doubled)], m: int) -> int:
        calls.append("endpoint")
        return n + m

    response = get(app, "/?n=x&m=y")
    assert response.status_code == 422
    assert [error["loc"] for error in response.json()["detail"]] == [["query", "n"], ["query", "m"]]
    assert calls == ["independent"]


def test_what_a_dependency_raises_goes_before_what_is_invalid_in_the_endpoint() -> None:
    app = Portico()

    async def guard() -> None:
        raise HTTPException(401)

    @app.get("/", dependencies=[Depends(guard)])
    async def endpoint(n: int) -> int:
        return n

    assert get(app, "/?n=x").status_code == 401


class Seen(BaseModel):
    """A model that notes when it is validated."""

    times: ClassVar[list[str]] = []
    name: str

    @field_validator("name")
    @classmethod
    def note(cls, name: str) -> str:
        cls.times.append(name)
        return name


def test_the_body_of_the_endpoint_is_validated_after_the_dependencies() -> None:
    app = Portico()
    Seen.times.clear()

    async def guard(x_key: Annotated[str, Header()]) -> None:
        if x_key != "secret":
            raise HTTPException(401)

    @app.post("/", dependencies=[Depends(guard)])
    async def endpoint(seen: Seen) -> str:
        return seen.name

    client = TestClient(app)
    assert client.post("/", json={"name": "a"}, headers={"x-key": "wrong"}).status_code == 401
    assert client.post("/", content=b"{", headers={"x-key": "wrong", "content-type": JSON}).status_code == 401
    assert Seen.times == []
    assert client.post("/", json={"name": "a"}, headers={"x-key": "secret"}).json() == "a"
    assert Seen.times == ["a"]


def test_the_body_has_come_before_a_dependency_is_entered() -> None:
    app = Portico()
    events: list[str] = []

    async def connection() -> AsyncIterator[None]:
        events.append("enter")
        yield

    @app.post("/", dependencies=[Depends(connection)])
    async def endpoint(body: Annotated[dict[str, int], Body()]) -> dict[str, int]:
        return body

    def slowly() -> Iterator[bytes]:
        yield b'{"a"'
        events.append("sent")
        yield b": 1}"

    assert TestClient(app).post("/", content=slowly(), headers={"content-type": JSON}).json() == {"a": 1}
    assert events == ["sent", "enter"]


def test_the_body_of_a_sync_endpoint_is_validated_in_its_thread() -> None:
    app = Portico()
    threads: list[int] = []

    class Model(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def note(cls, name: str) -> str:
            threads.append(threading.get_ident())
            return name

    def dependency() -> None:
        threads.append(threading.get_ident())

    @app.post("/", dependencies=[Depends(dependency)])
    def endpoint(model: Model) -> str:
        threads.append(threading.get_ident())
        return model.name

    client = TestClient(app)
    assert client.post("/", json={"name": "a"}).json() == "a"
    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert client.post("/", json={"name": 1}).status_code == 422


def test_sync_dependencies_in_a_row_and_the_sync_endpoint_share_one_thread() -> None:
    app = Portico()
    threads: list[int] = []

    def first() -> None:
        threads.append(threading.get_ident())

    def second(_: Annotated[None, Depends(first)]) -> Iterator[None]:
        threads.append(threading.get_ident())
        yield

    @app.get("/")
    def endpoint(_: Annotated[None, Depends(second)]) -> list[bool]:
        threads.append(threading.get_ident())
        return [thread == threading.main_thread().ident for thread in threads]

    hops: list[Any] = []
    from portico.web.plan import handler

    real = handler.run_in_threadpool

    async def counted(*args: Any) -> Any:
        hops.append(args)
        return await real(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "run_in_threadpool", counted)
        assert get(app).json() == [False, False, False]
    assert len(set(threads)) == 1
    assert len(hops) == 1


def test_context_variables_that_a_sync_dependency_sets_are_seen_by_the_endpoint() -> None:
    app = Portico()

    def login() -> None:
        user.set("ann")

    @app.get("/", dependencies=[Depends(login)])
    async def endpoint() -> str:
        return user.get()

    assert get(app).json() == "ann"


def test_a_dataclass_is_made_without_a_thread() -> None:
    app = Portico()

    @dataclass
    class Page:
        size: int = 10

    from portico.web.plan.steps import Kind, kind_of

    @app.get("/")
    async def endpoint(page: Annotated[Page, Depends()]) -> int:
        return page.size

    assert kind_of(Page) is Kind.INLINE
    assert get(app, "/?size=3").json() == 3


def test_a_class_with_a_constructor_of_its_own_is_made_in_a_thread() -> None:
    from portico.web.plan.steps import Kind, kind_of

    class Page:
        def __init__(self, size: int = 10) -> None:
            self.size = size

    @dataclass
    class Checked:
        size: int

        def __post_init__(self) -> None:
            self.size += 1

    assert kind_of(Page) is Kind.FUNCTION
    assert kind_of(Checked) is Kind.FUNCTION


def events_app(scope: Any = None, fail: bool = False) -> tuple[Portico, list[str]]:
    app = Portico()
    events: list[str] = []

    async def outer() -> AsyncIterator[str]:
        events.append("enter outer")
        try:
            yield "outer"
        except ValueError:
            events.append("outer saw it")
            raise
        finally:
            events.append("leave outer")

    def inner(value: Annotated[str, Depends(outer, scope=scope)]) -> Iterator[str]:
        events.append("enter inner")
        try:
            yield value + " inner"
        finally:
            events.append("leave inner")

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(inner, scope=scope)]) -> Any:
        if fail:
            raise ValueError("no")

        async def body() -> AsyncIterator[bytes]:
            events.append("body")
            yield value.encode()

        return StreamingResponse(body())

    return app, events


def test_dependencies_with_yield_are_left_after_the_response_last_first() -> None:
    app, events = events_app()
    assert get(app).text == "outer inner"
    assert events == ["enter outer", "enter inner", "body", "leave inner", "leave outer"]


def test_dependencies_of_scope_function_are_left_before_the_response() -> None:
    app, events = events_app(scope="function")
    assert get(app).text == "outer inner"
    assert events == ["enter outer", "enter inner", "leave inner", "leave outer", "body"]


@pytest.mark.parametrize("scope", ["function", "request"])
def test_dependencies_with_yield_see_what_the_endpoint_raises(scope: str) -> None:
    app, events = events_app(scope=scope, fail=True)
    assert get(app, raise_server_exceptions=False).status_code == 500
    assert events == ["enter outer", "enter inner", "leave inner", "outer saw it", "leave outer"]


def test_an_exception_that_a_dependency_swallows_is_an_error_of_the_program() -> None:
    app = Portico()

    async def careless() -> AsyncIterator[None]:
        try:
            yield
        except ValueError:
            pass

    @app.get("/", dependencies=[Depends(careless)])
    async def endpoint() -> None:
        raise ValueError("no")

    with pytest.raises(RuntimeError, match="End its `except` block with `raise`"):
        get(app)


def test_a_dependency_may_answer_an_exception_with_an_http_exception() -> None:
    app = Portico()

    async def translating() -> AsyncIterator[None]:
        try:
            yield
        except KeyError:
            raise HTTPException(404, detail="no such key") from None

    @app.get("/", dependencies=[Depends(translating)])
    async def endpoint() -> None:
        raise KeyError

    response = get(app)
    assert (response.status_code, response.json()) == (404, {"detail": "no such key"})


def test_what_fails_while_a_request_is_left_leaves_the_other_dependencies_too() -> None:
    app = Portico()
    left: list[str] = []

    async def good() -> AsyncIterator[None]:
        yield
        left.append("good")

    async def good_with_finally() -> AsyncIterator[None]:
        try:
            yield
        finally:
            left.append("finally")

    async def bad(
        a: Annotated[None, Depends(good)], b: Annotated[None, Depends(good_with_finally)]
    ) -> AsyncIterator[None]:
        yield
        raise OSError("disk full")

    @app.get("/", dependencies=[Depends(bad)])
    async def endpoint() -> str:
        return "ok"

    with pytest.raises(OSError, match="disk full"):
        get(app)
    assert left == ["finally"]


def test_no_exit_stack_is_made_without_yield() -> None:
    app = Portico()
    seen: list[bool] = []

    async def plain() -> int:
        return 1

    @app.get("/")
    async def endpoint(request: Request, one: Annotated[int, Depends(plain)]) -> int:
        cleanup = request.scope["portico.cleanup"]
        seen.append(cleanup.function is None and cleanup.request is None)
        return one

    assert get(app).json() == 1
    assert seen == [True]


def test_the_response_and_the_background_tasks_are_shared_by_dependencies_and_endpoint() -> None:
    app = Portico()
    done: list[str] = []

    async def first(response: Response, tasks: BackgroundTasks) -> None:
        response.headers["x-first"] = "1"
        response.status_code = 202
        tasks.add_task(done.append, "first")

    @app.get("/", dependencies=[Depends(first)])
    async def endpoint(response: Response, tasks: BackgroundTasks) -> str:
        response.set_cookie("a", "b")
        tasks.add_task(done.append, "endpoint")
        return "ok"

    response = get(app)
    assert response.status_code == 202
    assert response.headers["x-first"] == "1"
    assert response.cookies["a"] == "b"
    assert done == ["first", "endpoint"]


def test_overrides_take_the_place_of_dependencies_with_parameters_of_their_own() -> None:
    app = Portico()

    async def real(q: str) -> str:
        return q

    async def fake(n: int = 7) -> str:
        return f"fake {n}"

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(real)]) -> str:
        return value

    client = TestClient(app)
    assert client.get("/?q=x").json() == "x"
    app.dependency_overrides[real] = fake
    assert client.get("/").json() == "fake 7"
    assert client.get("/?n=1").json() == "fake 1"
    app.dependency_overrides[real] = lambda: "other"
    assert client.get("/").json() == "other"
    app.dependency_overrides.clear()
    assert client.get("/").status_code == 422


def test_an_override_may_ask_for_what_it_overrides() -> None:
    app = Portico()

    async def real() -> str:
        return "real"

    async def fake(value: Annotated[str, Depends(real)]) -> str:
        return f"fake of {value}"

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(real)]) -> str:
        return value

    app.dependency_overrides[real] = fake
    assert get(app).json() == "fake of real"


def test_overrides_count_below_other_dependencies_and_on_websockets() -> None:
    app = Portico()

    async def real() -> str:
        return "real"

    async def above(value: Annotated[str, Depends(real)]) -> str:
        return value

    @app.websocket("/")
    async def endpoint(websocket: WebSocket, value: Annotated[str, Depends(above)]) -> None:
        await websocket.accept()
        await websocket.send_text(value)
        await websocket.close()

    app.dependency_overrides[real] = lambda: "fake"
    with TestClient(app).websocket_connect("/") as session:
        assert session.receive_text() == "fake"


def test_at_most_max_concurrency_calls_of_a_dependency_run_at_a_time() -> None:
    app = Portico()
    running, most = 0, 0

    async def slow() -> AsyncIterator[None]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        yield
        running -= 1

    @app.get("/", dependencies=[Depends(slow, max_concurrency=2)])
    async def endpoint() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "ok"

    from portico.web.testclient import AsyncTestClient

    async def main() -> list[int]:
        async with AsyncTestClient(app) as client:
            return [r.status_code for r in await asyncio.gather(*(client.get("/") for _ in range(6)))]

    assert asyncio.run(main()) == [200] * 6
    assert most == 2


def test_dependencies_of_websockets_are_left_after_the_conversation() -> None:
    app = Portico()
    events: list[str] = []

    async def held() -> AsyncIterator[str]:
        yield "held"
        events.append("left")

    @app.websocket("/")
    async def endpoint(websocket: WebSocket, value: Annotated[str, Depends(held)]) -> None:
        await websocket.accept()
        await websocket.send_text(value)
        events.append("sent")
        await websocket.close()

    with TestClient(app).websocket_connect("/") as session:
        assert session.receive_text() == "held"
    assert events == ["sent", "left"]


def test_a_websocket_with_invalid_parameters_is_closed_before_the_endpoint_is_called() -> None:
    app = Portico()
    called: list[int] = []

    @app.websocket("/{n}")
    async def endpoint(websocket: WebSocket, n: int) -> None:
        called.append(n)

    from portico.web.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect) as caught, TestClient(app).websocket_connect("/x"):
        raise AssertionError("accepted")
    assert caught.value.code == 1008
    assert called == []


class Pool:
    opened = 0
    closed = 0


def pooled_app() -> tuple[Portico, type[Pool], Any]:
    class Mine(Pool):
        pass

    async def settings() -> str:
        return "settings"

    async def pool(config: Annotated[str, Depends(settings, scope="app")]) -> AsyncIterator[str]:
        Mine.opened += 1
        yield f"pool of {config}"
        Mine.closed += 1

    app = Portico()

    @app.get("/")
    async def endpoint(value: Annotated[str, Depends(pool, scope="app")]) -> str:
        return value

    return app, Mine, pool


def test_a_dependency_of_scope_app_is_made_once_and_left_at_shutdown() -> None:
    app, pool, _ = pooled_app()
    with TestClient(app) as client:
        assert pool.opened == 0
        assert [client.get("/").json() for _ in range(3)] == ["pool of settings"] * 3
        assert (pool.opened, pool.closed) == (1, 0)
    assert (pool.opened, pool.closed) == (1, 1)


def test_a_dependency_of_scope_app_can_be_had_outside_requests() -> None:
    app, pool, dependency = pooled_app()

    async def main() -> str:
        try:
            return str(await app.resolve(dependency))
        finally:
            await app.app_dependencies.aclose()

    assert asyncio.run(main()) == "pool of settings"
    assert (pool.opened, pool.closed) == (1, 1)


def test_a_dependency_of_scope_app_cannot_take_anything_from_a_request() -> None:
    app = Portico()

    async def wrong(q: str) -> str:
        return q

    with pytest.raises(RuntimeError, match="app"):

        @app.get("/")
        async def endpoint(value: Annotated[str, Depends(wrong, scope="app")]) -> str:
            return value
