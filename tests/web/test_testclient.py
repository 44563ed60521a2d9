"""portico.web.testclient: the names of the peer's module, on an application of ours."""

import subprocess
import sys
from typing import Any

import pytest

from portico import testing
from portico.asgi import Receive, Scope, Send, WebSocketDisconnect
from portico.web import testclient
from portico.web.exceptions import PorticoDeprecationWarning


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


def test_the_names_are_the_peers_and_ours() -> None:
    assert issubclass(testclient.TestClient, testing.TestClient)
    assert testclient.AsyncTestClient is testing.AsyncTestClient
    assert testclient.WebSocketTestSession is testing.WebSocketTestSession
    assert issubclass(testclient.WebSocketDenialResponse, WebSocketDisconnect)
    for name in ("ASGIInstance", "ASGI2App", "ASGI3App"):
        assert hasattr(testclient, name)


def test_a_timeout_warns_as_everything_in_the_framework_that_will_go() -> None:
    with pytest.warns(PorticoDeprecationWarning, match="You should not use the 'timeout' argument"):
        testclient.TestClient(hello).get("/", timeout=1)


def test_pytest_does_not_collect_the_classes() -> None:
    assert testclient.TestClient.__test__ is False
    assert testclient.WebSocketTestSession.__test__ is False
    assert testclient.AsyncTestClient.__test__ is False


@pytest.mark.parametrize("kept", ["httpx", None])
def test_the_older_library_will_do_and_none_is_an_error_that_says_what_to_install(kept: Any) -> None:
    missing = [name for name in ("httpx", "httpx2") if name != kept]
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
        "from portico.testing import TestClient\n"
        "async def app(scope, receive, send):\n"
        "    await send({'type': 'http.response.start', 'status': 200})\n"
        "    await send({'type': 'http.response.body', 'body': b'hello'})\n"
        "print(TestClient.__mro__[1].__module__, TestClient(app).get('/').text)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    if kept is None:
        assert "pip install 'portico[testclient]'" in done.stderr
        assert "ImportError" in done.stderr
    else:
        assert done.stdout == "httpx hello\n"


def test_importing_portico_testing_needs_no_http_library() -> None:
    program = "import portico.testing, sys; print({'httpx', 'httpx2'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
