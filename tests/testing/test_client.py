"""TestClient: requests to a bare ASGI application, the loop they run in, and what reaches the test."""

import asyncio
import contextvars
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import httpx2
import pytest
from tests.testing.apps import describe, read, respond, run_lifespan

from portico.asgi import Receive, Scope, Send
from portico.testing import ProtocolViolation, TestClient


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, b"hello", headers=[(b"content-type", b"text/plain")])


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, json.dumps([chunk.decode() for chunk in await read(receive)]).encode())


def scope_for(url: str, **settings: Any) -> Any:
    return TestClient(describe, **settings).get(url).json()


def test_the_response_is_the_applications() -> None:
    response = TestClient(hello).get("/")
    assert (response.status_code, response.text) == (200, "hello")
    assert response.headers["content-type"] == "text/plain"


def test_it_extends_the_newer_library_where_both_are_installed() -> None:
    assert issubclass(TestClient, httpx2.Client)


def test_the_scope_is_that_of_asgi_2_5() -> None:
    scope = scope_for("/a%20b?c=d%20e")
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert (scope["type"], scope["http_version"], scope["method"]) == ("http", "1.1", "GET")
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/a b", "/a%20b", "c=d%20e")
    assert (scope["scheme"], scope["server"], scope["client"]) == ("http", ["testserver", 80], ["testclient", 50000])
    assert (scope["root_path"], scope["state"]) == ("", {})
    assert ["host", "testserver"] in scope["headers"]
    assert ["user-agent", "testclient"] in scope["headers"]


def test_a_path_is_decoded_once() -> None:
    assert scope_for("/a%2520b")["path"] == "/a%20b"


def test_a_path_that_is_not_utf_8_is_no_error() -> None:
    assert scope_for("/a%FFb")["path"] == "/a\ufffdb"


def test_the_base_url_says_scheme_host_and_port() -> None:
    scope = scope_for("/x", base_url="https://example.org:8443/api")
    assert (scope["scheme"], scope["server"], scope["path"]) == ("https", ["example.org", 8443], "/api/x")


def test_root_path_and_client_are_as_given() -> None:
    scope = scope_for("/", root_path="/api", client=("10.0.0.1", 1))
    assert (scope["root_path"], scope["client"]) == ("/api", ["10.0.0.1", 1])


def test_header_values_are_bytes_as_they_are() -> None:
    scope = TestClient(describe).get("/", headers=[(b"x-name", b"caf\xe9")]).json()
    assert ["x-name", "caf\xe9"] in scope["headers"]


def test_the_headers_given_are_not_changed() -> None:
    headers = {"x-a": "b"}
    TestClient(hello, headers=headers)
    assert headers == {"x-a": "b"}


def test_pathsend_is_offered_only_if_asked_for() -> None:
    assert "http.response.pathsend" not in scope_for("/")["extensions"]
    assert "http.response.pathsend" in scope_for("/", extensions=["http.response.pathsend"])["extensions"]


def test_an_unknown_extension_is_an_error_that_names_the_known() -> None:
    with pytest.raises(ValueError, match=r"http\.response\.pathsend"):
        TestClient(hello, extensions=["http.response.path_send"])


def test_a_body_of_bytes_is_one_message() -> None:
    assert TestClient(echo).post("/", content=b"all of it").json() == ["all of it"]


def test_a_body_from_an_iterator_is_a_message_a_chunk() -> None:
    assert TestClient(echo).post("/", content=iter([b"one", b"two"])).json() == ["one", "two", ""]


def test_a_body_is_not_read_before_the_application_asks() -> None:
    given: list[int] = []

    def body() -> Iterator[bytes]:
        for number in range(3):
            given.append(number)
            yield b"x"

    async def reads_one(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await respond(send)

    TestClient(reads_one).post("/", content=body())
    assert given == [0]


def test_a_body_may_block_without_blocking_the_loop() -> None:
    goes_on = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"first"
        assert goes_on.wait(10)
        yield b"second"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        first = await receive()
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, goes_on.set)
        await respond(send, first["body"] + (await receive())["body"])

    assert TestClient(app).post("/", content=body()).content == b"firstsecond"


def test_a_receive_that_is_cancelled_loses_no_chunk() -> None:
    goes_on = threading.Event()

    def body() -> Iterator[bytes]:
        assert goes_on.wait(10)
        yield b"kept"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.01)
        goes_on.set()
        await respond(send, b"".join(await read(receive)))

    assert TestClient(app).post("/", content=body()).content == b"kept"


def test_what_an_iterated_body_raises_reaches_the_test() -> None:
    def body() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        TestClient(echo).post("/", content=body())


def test_a_file_is_uploaded() -> None:
    body = TestClient(echo).post("/", files={"file": ("a.txt", b"content")}).text
    assert 'filename=\\"a.txt\\"' in body
    assert "content" in body


def test_a_redirect_keeps_the_body_of_a_post() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/old":
            await respond(send, status=307, headers=[(b"location", b"/new")])
        else:
            await echo(scope, receive, send)

    assert TestClient(app).post("/old", content=b"again").json() == ["again"]
    assert TestClient(app, follow_redirects=False).post("/old").status_code == 307


def test_cookies_are_kept_between_requests() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cookies = dict(scope["headers"]).get(b"cookie", b"")
        await respond(send, cookies, headers=[(b"set-cookie", b"id=7; path=/")])

    client = TestClient(app)
    assert client.get("/").content == b""
    assert client.get("/").content == b"id=7"


def test_the_body_of_a_head_response_is_dropped() -> None:
    assert TestClient(hello).head("/").content == b""


def test_what_the_application_raises_is_raised_with_its_traceback() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken") as caught:
        TestClient(app).get("/")
    assert caught.traceback[-1].name == "app"


@pytest.mark.parametrize("started", [False, True])
def test_what_the_application_raises_can_be_a_response(started: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 201})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
        raise LookupError("broken")

    response = TestClient(app, raise_server_exceptions=False).get("/")
    assert (response.status_code, response.content) == ((201, b"part") if started else (500, b""))


def test_system_exit_is_raised_in_the_test_and_leaves_nothing_behind() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit):
        TestClient(app, raise_server_exceptions=False).get("/")
    with TestClient(app, lifespan="off") as client:
        for _ in range(2):
            with pytest.raises(SystemExit):
                client.get("/")


@pytest.mark.parametrize("entered", [False, True])
def test_an_interrupted_wait_cancels_the_application(entered: bool) -> None:
    ended: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    client = TestClient(app, lifespan="off")
    with client if entered else nullcontext(), pytest.raises(KeyboardInterrupt):
        client.get("/")
    assert ended == ["cancelled"]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "did not receive any response"),
        ([{"type": "http.response.body"}], "before 'http.response.start'"),
        ([{"type": "http.response.start", "status": 200}] * 2, "sent twice"),
        ([{"type": "http.response.start", "status": "200"}], "an int from 100 to 999, not '200'"),
        ([{"type": "http.response.start", "status": 200, "headers": [("a", "b")]}], "must be bytes, not 'a'"),
        (
            [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": "text"}],
            "must be bytes, not str",
        ),
        (
            [{"type": "http.response.start", "status": 200}, *[{"type": "http.response.body"}] * 2],
            "after body completed",
        ),
        ([{"type": "http.response.pathsend", "path": "/x"}], "no message that an application may send here"),
        ([{"type": "websocket.send"}], "no message that an application may send here"),
    ],
)
def test_what_asgi_does_not_allow_fails_the_test(messages: list[Any], text: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(ProtocolViolation, match=text) as caught:
        TestClient(app).get("/")
    assert isinstance(caught.value, AssertionError)


def test_early_hints_trailers_and_debug_are_in_the_responses_extensions() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
        await send({"type": "http.response.debug", "info": {"template": "t", "context": {"a": 1}}})
        await send({"type": "http.response.start", "status": 200, "trailers": True})
        await send({"type": "http.response.body", "body": b"x"})
        await send({"type": "http.response.trailers", "headers": [(b"digest", b"0")]})

    response: Any = TestClient(app).get("/")
    assert response.extensions["http.response.early_hint"] == [b"</a.css>; rel=preload"]
    assert response.extensions["http.response.trailers"] == [(b"digest", b"0")]
    assert (response.template, response.context) == ("t", {"a": 1})


@pytest.mark.parametrize("streamed", [False, True])
def test_pathsend_sends_the_file(tmp_path: Any, streamed: bool) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"0123456789" * 20_000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.pathsend", "path": str(path)})

    client = TestClient(app, extensions=["http.response.pathsend"])
    response = client.send(client.build_request("GET", "/"), stream=streamed)
    assert response.read() == path.read_bytes()
    assert response.extensions["http.response.pathsend"] == str(path)


def test_the_application_sees_a_disconnect_after_its_response() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)
        seen.append((await receive())["type"])

    TestClient(app).get("/")
    assert seen == ["http.disconnect"]


def test_a_response_that_never_ends_can_be_timed_out_by_the_application() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        async with asyncio.timeout(0.05):
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})

    with pytest.raises(TimeoutError):
        TestClient(app).get("/")


def test_context_variables_of_the_test_are_seen_by_the_application_and_kept_apart() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
            return
        await respond(send, variable.get().encode())
        variable.set("of the application")

    token = variable.set("of the test")
    client = TestClient(app)
    assert client.get("/").text == "of the test"
    with client:
        assert client.get("/").text == "of the test"
    assert variable.get() == "of the test"
    variable.reset(token)


def test_each_request_has_a_loop_of_its_own_and_one_while_entered() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loops.append(asyncio.get_running_loop())
        await respond(send)

    client = TestClient(app, lifespan="off")
    client.get("/")
    client.get("/")
    with client:
        client.get("/")
        client.get("/")
    assert loops[0] is not loops[1]
    assert loops[2] is loops[3]
    assert all(loop.is_closed() for loop in loops)


def test_no_thread_and_no_loop_is_left() -> None:
    before = set(threading.enumerate())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await run_lifespan(receive, send)
            return
        assert await asyncio.to_thread(int, "1") == 1
        await respond(send)

    client = TestClient(app)
    client.get("/")
    with client:
        client.get("/")
        client.send(client.build_request("GET", "/"), stream=True)  # and never closed
    assert set(threading.enumerate()) == before
    gc.collect()  # a loop that was not closed would warn, and a warning is an error


def test_a_program_that_never_leaves_its_client_ends() -> None:
    program = (
        "from portico.testing import TestClient\n"
        "async def app(scope, receive, send):\n"
        "    await send({'type': 'http.response.start', 'status': 200})\n"
        "    await send({'type': 'http.response.body', 'body': b'x', 'more_body': True})\n"
        "    await receive()\n"
        "    await receive()\n"
        "entered = TestClient(app, lifespan='off')\n"
        "entered.__enter__()\n"
        "client = TestClient(app)\n"
        "response = client.send(client.build_request('GET', '/'), stream=True)\n"
    )
    done = subprocess.run([sys.executable, "-Werror", "-c", program], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_portal_calls_functions_in_the_loop() -> None:
    async def name(text: str) -> str:
        await asyncio.sleep(0)
        return f"{text} in {threading.current_thread().name}"

    async def fail() -> None:
        raise LookupError("from the loop")

    with TestClient(hello, lifespan="off") as client:
        assert client.portal is not None
        assert client.portal.call(name, "run") == "run in portico-testclient"
        assert client.portal.call(threading.get_ident) != threading.get_ident()
        with pytest.raises(LookupError, match="from the loop"):
            client.portal.call(fail)


def test_a_task_in_the_portal_can_be_cancelled() -> None:
    running, cancelled = threading.Event(), threading.Event()

    async def wait() -> None:
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with TestClient(hello, lifespan="off") as client:
        assert client.portal is not None
        task = client.portal.start_task_soon(wait)
        assert running.wait(10)
        task.cancel()
        assert cancelled.wait(10)


def test_the_portals_own_thread_cannot_wait_for_itself() -> None:
    with TestClient(hello, lifespan="off") as client:
        portal = client.portal
        assert portal is not None
        with pytest.raises(RuntimeError, match="await the function instead"):
            portal.call(lambda: portal.call(int))


def test_the_loop_is_made_as_the_options_say() -> None:
    made: list[asyncio.AbstractEventLoop] = []

    def factory() -> asyncio.AbstractEventLoop:
        made.append(asyncio.new_event_loop())
        return made[-1]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        await respond(send, f"{loop is made[-1]} {loop.get_debug()}".encode())

    client = TestClient(app, backend_options={"loop_factory": factory, "debug": True})
    assert client.get("/").text == "True True"


def test_uvloop_can_be_asked_for() -> None:
    pytest.importorskip("uvloop")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, type(asyncio.get_running_loop()).__module__.encode())

    assert TestClient(app, backend_options={"use_uvloop": True}).get("/").text.startswith("uvloop")


def test_another_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="'asyncio', the only one that Portico has, not 'trio'"):
        TestClient(hello, backend="trio")


def test_a_timeout_is_warned_of() -> None:
    with pytest.warns(UserWarning, match="'timeout'"):
        TestClient(hello).get("/", timeout=1)


def test_an_application_of_asgi_2_is_driven() -> None:
    def app(scope: Scope) -> Any:
        async def instance(receive: Receive, send: Send) -> None:
            await describe(scope, receive, send)

        return instance

    assert TestClient(app).get("/").json()["asgi"]["version"] == "2.0"


def test_a_plain_function_that_returns_a_coroutine_is_asgi_3() -> None:
    def app(scope: Scope, receive: Receive, send: Send) -> Any:
        return hello(scope, receive, send)

    assert TestClient(app).get("/").text == "hello"


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="needs an ASGI application, not 7"):
        TestClient(7)  # type: ignore[arg-type]


def test_a_client_may_be_used_inside_an_application() -> None:
    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, await asyncio.to_thread(lambda: TestClient(hello).get("/").content))

    assert TestClient(outer).get("/").text == "hello"
