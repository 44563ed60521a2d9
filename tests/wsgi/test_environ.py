"""The environment: what a WSGI application is told of its request."""

from typing import Any

import pytest
from tests.live import raw
from tests.wsgi.asked import PLAIN, ask, live, request

from portico.lifespan import LifespanError
from portico.wsgi.environ import make_environ


def environ_of(data: bytes = b"", **settings: Any) -> dict[str, Any]:
    """Return what the application got, as far as it can be copied."""
    seen: dict[str, Any] = {}

    def app(environ: Any, start_response: Any) -> Any:
        seen.update(environ)
        start_response("200 OK", PLAIN)
        return []

    ask(app, data, **settings)
    return seen


def make(**more: Any) -> dict[str, Any]:
    scope = {"http_version": "1.1", "method": "GET", "path": "/", "query_string": b"", "headers": [], **more}
    return make_environ(scope)


def test_the_request_is_told() -> None:
    fields = "Content-Type: text/x\r\nX-Two-Words: a\r\n"
    environ = environ_of(request("POST", "/shop/caf%C3%A9?q=%C3%A9&p", fields, b"hi"))
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/shop/cafÃ©",
        "QUERY_STRING": "q=%C3%A9&p",
        "CONTENT_TYPE": "text/x",
        "CONTENT_LENGTH": "2",
        "HTTP_X_TWO_WORDS": "a",
        "HTTP_HOST": "shop.example:8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_URI": "/shop/caf%C3%A9?q=%C3%A9&p",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {name: environ[name] for name in expected} == expected
    assert environ["REMOTE_PORT"].isdigit()
    assert environ["SERVER_PORT"].isdigit()
    assert type(environ) is dict
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(environ)


def test_http_1_0_is_told() -> None:
    assert environ_of(request(version="1.0"))["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_one_thread_is_told() -> None:
    assert environ_of(threads=1)["wsgi.multithread"] is False


@pytest.mark.parametrize("target", ["/shop/a", "/a"])
def test_the_root_path_is_the_script_name(target: str) -> None:
    environ = environ_of(request(target=target), root_path="/shop")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", "/a")


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("/app", "/application", ("/app", "/application")),
        ("/app", "/app", ("/app", "")),
        ("/app/", "/app/users", ("/app", "/users")),
        ("/中国", "/中国/小星", ("/\xe4\xb8\xad\xe5\x9b\xbd", "/\xe5\xb0\x8f\xe6\x98\x9f")),
        ("/", "/a", ("", "/a")),
    ],
)
def test_what_follows_the_root_path_is_the_path(root: str, path: str, expected: tuple[str, str]) -> None:
    environ = make(root_path=root, path=path)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected


def test_a_proxy_that_is_trusted_tells_client_and_scheme() -> None:
    environ = environ_of(request(fields="X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n"))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("203.0.113.7", "https")


def test_fields_that_come_twice_are_joined() -> None:
    fields = [(b"accept", b"a"), (b"cookie", b"x=1"), (b"accept", b"b"), (b"cookie", b"y=2")]
    environ = make(headers=fields)
    assert (environ["HTTP_ACCEPT"], environ["HTTP_COOKIE"]) == ("a,b", "x=1; y=2")


def test_fields_that_could_pose_as_others_are_left_out() -> None:
    environ = environ_of(request(fields="X_User: root\r\nX-User: ann\r\nProxy: http://evil.example\r\n"))
    assert environ["HTTP_X_USER"] == "ann"
    assert "HTTP_PROXY" not in environ


def test_a_unix_socket_is_named_as_the_client_calls_it() -> None:
    for host, scheme, expected in (
        (b"shop.example", "https", ("shop.example", "443")),
        (b"shop.example:81", "http", ("shop.example", "81")),
        (b"[::1]", "http", ("[::1]", "80")),
    ):
        environ = make(server=("/run/app.sock", None), client=None, scheme=scheme, headers=[(b"host", host)])
        assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == expected
        assert environ["REMOTE_ADDR"] == ""
    assert make()["SERVER_NAME"] == "localhost"


def test_there_is_no_lifespan() -> None:
    with pytest.raises(LifespanError, match="does not support lifespan"), live(lambda e, s: [], lifespan="on"):
        pass


def test_a_websocket_is_refused() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise AssertionError

    upgrade = request(
        fields="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    with live(app, lifespan="auto") as server:
        assert raw(server.port, upgrade).startswith(b"HTTP/1.1 403 ")
