"""Several certificates over real connections: the name is read before the handshake begins, however it comes."""

import socket
import ssl
from typing import Any

import pytest
from tests.certificates import authority, local, trusting
from tests.live import Live, live
from tests.server.tls.handshakes import client_hello

from portico.asgi import Receive, Scope, Send

SHOP = authority().issue("shop.example", "*.shop.example")
DEADLINE_S = 10


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def server() -> Any:
    with live(app, lifespan="off", ssl_sni=[(SHOP.certfile, SHOP.keyfile)], **local().settings) as found:
        yield found


def shown(server: Live, name: str | None, piece: int = 0) -> list[str]:
    """Return the names of the certificate that a client is shown who sends so many bytes at a time."""
    context = trusting()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                data = outgoing.read()
                for at in range(0, len(data), piece or len(data) or 1):
                    sock.sendall(data[at : at + (piece or len(data))])
                received = sock.recv(65536)
                assert received
                incoming.write(received)
        certificate: Any = tls.getpeercert()
        return [value for kind, value in certificate["subjectAltName"] if kind == "DNS"]


@pytest.mark.parametrize("piece", [0, 1, 7])
@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("localhost", ["localhost"]),
        ("shop.example", ["shop.example", "*.shop.example"]),
        ("www.shop.example", ["shop.example", "*.shop.example"]),
        ("other.example", ["localhost"]),
        (None, ["localhost"]),
    ],
)
def test_the_certificate_is_that_of_the_name(server: Live, name: str | None, names: list[str], piece: int) -> None:
    assert shown(server, name, piece) == names


def test_a_hello_in_a_record_for_each_byte_is_no_error(server: Live) -> None:
    hello = client_hello(trusting(), "shop.example")[5:]
    records = b"".join(b"\x16\x03\x01\x00\x01" + hello[at : at + 1] for at in range(len(hello)))
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as sock:
        sock.sendall(records)
        kinds = sock.recv(3)
    assert kinds[:2] == b"\x16\x03"  # a handshake goes on, no alert


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"])
def test_plain_http_is_told_so(server: Live, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as sock:
        sock.sendall(data)
        assert sock.recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", b"\x16\x03\x01\xff\xff" + b"\x01" * 9]
)
def test_what_is_no_hello_ends_the_connection(server: Live, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        received = b""
        while part := sock.recv(4096):
            received += part
    assert received[:1] in (b"", b"\x15")
    assert shown(server, "shop.example") == ["shop.example", "*.shop.example"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_goes_on_under_its_name_and_under_no_other(server: Live, version: ssl.TLSVersion) -> None:
    context = trusting()
    context.maximum_version = version

    def connect(name: str, session: ssl.SSLSession | None) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)
        tls = context.wrap_socket(sock, server_hostname=name, session=session)
        tls.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while tls.recv(4096):
            pass
        return tls

    with connect("localhost", None) as first:
        session = first.session
    with connect("localhost", session) as again:
        assert again.session_reused
    with connect("shop.example", session) as other:
        assert not other.session_reused
