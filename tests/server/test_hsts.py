"""HTTP Strict Transport Security: on every response over TLS, and on no other (RFC 6797 §7)."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.certificates import local, trusting
from tests.live import Live, http_only, live, raw, reply

from portico.asgi import Receive, Scope, Send

FIELD = "strict-transport-security"
VALUE = "max-age=31536000; includeSubDomains"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/boom":
        raise ValueError("the fault")
    own = [(b"Strict-Transport-Security", b"max-age=0")] if scope["path"] == "/own" else []
    await reply(send, b"ok", headers=own)


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    settings: dict[str, Any] = {"hsts": VALUE, "insecure_bind": "127.0.0.1:0", "headers": ["x-a: b"]}
    with live(http_only(app), **settings, **local().settings) as server:
        yield server


def ask(server: Live, path: str, *, http2: bool) -> httpx.Response:
    with httpx.Client(verify=trusting(), http2=http2, http1=not http2, timeout=30) as client:
        return client.get(f"https://127.0.0.1:{server.port}{path}")


@pytest.mark.parametrize("http2", [False, True])
def test_a_response_over_tls_has_the_field(server: Live, http2: bool) -> None:
    answer = ask(server, "/", http2=http2)
    assert answer.headers.get_list(FIELD) == [VALUE]
    assert answer.headers["x-a"] == "b"


@pytest.mark.parametrize("http2", [False, True])
def test_what_the_application_sends_takes_its_place(server: Live, http2: bool) -> None:
    assert ask(server, "/own", http2=http2).headers.get_list(FIELD, split_commas=True) == ["max-age=0"]


@pytest.mark.parametrize("http2", [False, True])
def test_what_the_server_answers_by_itself_has_the_field(server: Live, http2: bool) -> None:
    answer = ask(server, "/boom", http2=http2)
    assert (answer.status_code, answer.headers.get_list(FIELD)) == (500, [VALUE])


def test_a_response_without_tls_does_not_have_it(server: Live) -> None:
    # RFC 6797 §7.2
    port = int(server.server.addresses[1].rsplit(":", 1)[1])
    assert httpx.get(f"http://127.0.0.1:{port}/").headers.get_list(FIELD) == []
    assert httpx.get(f"http://127.0.0.1:{port}/boom").headers.get_list(FIELD) == []


def test_plain_http_at_the_port_of_tls_is_refused_without_it(server: Live) -> None:
    answer = raw(server.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert FIELD.encode() not in answer
