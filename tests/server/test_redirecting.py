"""Plain HTTP that is redirected to HTTPS: where to, and for whom it is not; and ACME's challenges beside it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.certificates import local
from tests.live import Answer, Live, Wire, answers, finished, http_only, live, reply

from portico.asgi import Message, Receive, Scope, Send
from portico.server.redirecting import redirecting

GET = b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await reply(send, b"the application")


@contextmanager
def redirected(**settings: Any) -> Iterator[tuple[Live, int]]:
    """Yield a server with TLS that redirects, and its port without TLS."""
    settings = {"redirect_http": "127.0.0.1:0", "ws": "auto"} | local().settings | settings
    with live(http_only(app), **settings) as server:
        yield server, int(server.server.addresses[-1].rsplit(":", 1)[1])


async def no_receive() -> Message:
    raise AssertionError


def ask(port: int, line: str, *fields: str, body: bytes = b"") -> Answer:
    head = "\r\n".join((line, *fields, "Connection: close", "", ""))
    method = line.split()[0]
    (answer,) = answers(finished(port, head.encode() + body), method)
    return answer


def location(answer: Answer) -> str:
    return (answer.field(b"location") or b"").decode()


@pytest.fixture(scope="module")
def there() -> Iterator[tuple[Live, int]]:
    with redirected() as found:
        yield found


def test_a_request_goes_to_the_same_url_with_https_at_the_port_of_tls(there: tuple[Live, int]) -> None:
    server, port = there
    answer = ask(port, "GET /a%20b//c?d=e&f=%2F HTTP/1.1", f"Host: example.org:{port}")
    assert answer.status == 301
    assert location(answer) == f"https://example.org:{server.port}/a%20b//c?d=e&f=%2F"


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308), ("OPTIONS", 308)]
)
def test_only_a_status_that_keeps_the_method_is_for_what_is_no_get(
    there: tuple[Live, int], method: str, status: int
) -> None:
    _, port = there
    assert ask(port, f"{method} / HTTP/1.1", "Host: a:1", "Content-Length: 0").status == status


def test_the_body_of_a_request_is_passed_over_and_the_connection_kept(there: tuple[Live, int]) -> None:
    _, port = there
    with Wire(port) as wire:
        wire.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" + GET)
        assert wire.answer().status == 308
        assert wire.answer().status == 301


def test_the_application_is_not_called_and_the_head_asks_for_no_body(there: tuple[Live, int]) -> None:
    _, port = there
    answer = ask(port, "HEAD /a HTTP/1.1", "Host: a:1")
    assert (answer.status, answer.body) == (301, b"")


@pytest.mark.parametrize("host", ["example.org", "EXAMPLE.org:80"])
def test_who_came_through_mapped_ports_goes_to_the_usual_one(there: tuple[Live, int], host: str) -> None:
    # Host says port 80, which is not ours: what maps it is taken to map 443 too.
    assert location(ask(there[1], "GET /a HTTP/1.1", f"Host: {host}")) == "https://example.org/a"


def test_an_ipv6_address_keeps_its_brackets(there: tuple[Live, int]) -> None:
    server, port = there
    assert location(ask(port, "GET / HTTP/1.1", f"Host: [::1]:{port}")) == f"https://[::1]:{server.port}/"


def test_the_authority_of_an_absolute_target_counts_and_not_the_host_field(there: tuple[Live, int]) -> None:
    # RFC 9112 §3.2.2
    server, port = there
    answer = ask(port, f"GET http://one.example:{port}/x HTTP/1.1", "Host: two.example")
    assert location(answer) == f"https://one.example:{server.port}/x"


def test_a_request_of_http_2_without_tls_is_redirected_as_well(there: tuple[Live, int]) -> None:
    server, port = there
    with httpx.Client(http1=False, http2=True, timeout=30) as client:
        answer = client.post(f"http://127.0.0.1:{port}/a?b", content=b"c")
    assert (answer.http_version, answer.status_code) == ("HTTP/2", 308)
    assert answer.headers["location"] == f"https://127.0.0.1:{server.port}/a?b"


@pytest.mark.parametrize("path", ["//evil.example/a", "/@evil.example", "/\\evil.example", "/.evil.example", "/:1@x"])
def test_no_path_becomes_the_host(there: tuple[Live, int], path: str) -> None:
    server, port = there
    found = location(ask(port, f"GET {path} HTTP/1.1", f"Host: a:{port}"))
    assert found == f"https://a:{server.port}{path}"


@pytest.mark.parametrize("host", ["", "a b", "a/b", "user@a", "a:b", "a:99999", "[::1", "a#b", "a?b"])
def test_a_host_that_is_none_is_refused(there: tuple[Live, int], host: str) -> None:
    answer = ask(there[1], "GET / HTTP/1.1", f"Host: {host}")
    assert answer.status == 400
    assert answer.field(b"location") is None


def test_a_request_of_http_1_0_without_host_is_refused(there: tuple[Live, int]) -> None:
    assert ask(there[1], "GET / HTTP/1.0").status == 400


def test_a_request_of_http_1_0_with_host_is_redirected(there: tuple[Live, int]) -> None:
    assert location(ask(there[1], "GET /a HTTP/1.0", "Host: a")) == "https://a/a"


def test_a_target_that_is_no_path_is_refused(there: tuple[Live, int]) -> None:
    assert ask(there[1], "OPTIONS * HTTP/1.1", "Host: a").status == 400


def test_the_handshake_of_a_websocket_is_redirected_as_any_request(there: tuple[Live, int]) -> None:
    fields = ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    answer = ask(there[1], "GET /chat HTTP/1.1", "Host: a", *fields, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    assert (answer.status, location(answer)) == (301, "https://a/chat")


def test_port_80_goes_to_whatever_the_port_of_tls_is() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b""}
    scope["headers"] = [(b"host", b"a")]
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask_both() -> None:
        for port in (8443, 443):
            await redirecting([80], port)(scope, no_receive, send)

    asyncio.run(ask_both())
    found = [dict(message["headers"])[b"location"] for message in sent if message["type"] == "http.response.start"]
    assert found == [b"https://a:8443/", b"https://a/"]


def test_hsts_is_only_for_connections_with_tls() -> None:
    with redirected(hsts=300) as (_, port):
        assert ask(port, "GET / HTTP/1.1", "Host: a").field(b"strict-transport-security") is None


# --- it is one server ----------------------------------------------------------------------------


def test_its_connections_count_towards_the_limit() -> None:
    with redirected(limit_connections=1, timeout_header=30) as (_, port), Wire(port) as first:
        first.send(GET[:5])  # what is begun cannot make room
        first.send(GET[5:] + GET[:5])
        assert first.answer().status == 301
        (answer,) = answers(finished(port, b""))
        assert answer.status == 503


def test_its_connections_end_when_the_server_stops() -> None:
    with redirected(timeout_graceful_shutdown=30) as (_, port), Wire(port) as wire:
        wire.send(GET)
        assert wire.answer().status == 301
        idle = wire.socket.dup()
    idle.settimeout(5)
    assert idle.recv(1) == b""
    idle.close()


def test_what_it_answers_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with redirected(access_log=True, access_log_file=str(log)) as (_, port):
        ask(port, "GET /a?b HTTP/1.1", "Host: a")
    assert '"GET /a?b HTTP/1.1" 301' in log.read_text()


# --- ACME ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    webroot = tmp_path_factory.mktemp("webroot")
    challenges = webroot / ".well-known" / "acme-challenge"
    (challenges / "folder").mkdir(parents=True)
    (webroot / "secret").write_text("no")
    (challenges / "to-ken_1").write_text("to-ken_1.thumbprint")
    (challenges / ".hidden").write_text("no")
    (challenges / "leads_out").symlink_to(webroot / "secret")
    with redirected(acme_webroot=str(webroot)) as (_, port):
        yield port


def test_a_challenge_is_answered_without_tls(acme: int) -> None:
    answer = ask(acme, "GET /.well-known/acme-challenge/to-ken_1 HTTP/1.1", "Host: a")
    assert (answer.status, answer.body) == (200, b"to-ken_1.thumbprint")


@pytest.mark.parametrize(
    "path",
    [
        "unknown",
        "",
        ".hidden",
        "folder",
        "folder/",
        "leads_out",
        "../secret",
        "%2e%2e/secret",
        "..%2f..%2fsecret",
        "a/b",
    ],
)
def test_nothing_else_of_the_directory_is_there(acme: int, path: str) -> None:
    assert ask(acme, f"GET /.well-known/acme-challenge/{path} HTTP/1.1", "Host: a").status == 404


def test_a_challenge_is_only_read(acme: int) -> None:
    answer = ask(acme, "DELETE /.well-known/acme-challenge/to-ken_1 HTTP/1.1", "Host: a")
    assert (answer.status, answer.field(b"allow")) == (405, b"GET, HEAD")


def test_all_else_is_redirected(acme: int) -> None:
    for path in ("/", "/secret", "/.well-known/", "/.well-known/acme-challenge", "/.well-known/security.txt"):
        assert location(ask(acme, f"GET {path} HTTP/1.1", "Host: a")) == f"https://a{path}"


def test_without_a_directory_challenges_are_redirected_too(there: tuple[Live, int]) -> None:
    answer = ask(there[1], "GET /.well-known/acme-challenge/x HTTP/1.1", "Host: a")
    assert location(answer) == "https://a/.well-known/acme-challenge/x"
