"""Each example, run as the README says and asked over a real socket."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.served import Served, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def body() -> Iterator[Served]:
    with served("examples.body:app", supervised=True) as server:
        yield server


def test_hello_answers_with_one_body() -> None:
    with served("examples.hello:app", supervised=True) as server:
        answer = server.client.get("/")
    assert (answer.status_code, answer.text) == (200, "Hello from Portico!\n")
    assert answer.headers["content-length"] == "20"


def test_hello_logs_the_lines_an_operator_expects() -> None:
    with served("examples.hello:app", supervised=True) as server:
        server.client.get("/logged?yes=1")
    for line in (
        "Started supervisor",
        "Started worker 1",
        "Waiting for application startup",
        "Portico running on",
        "/logged?yes=1",
    ):
        assert line in server.log
    assert "Traceback" not in server.log


@pytest.mark.parametrize("directory", [("--app-dir", "examples"), ()])
def test_an_example_is_found_by_package_or_by_directory(directory: tuple[str, ...]) -> None:
    with served("hello:app" if directory else "examples.hello:app", *directory, supervised=True) as server:
        assert server.client.get("/").status_code == 200


@pytest.mark.parametrize("size", [0, 1, 65_536, 3_000_000])
def test_body_counts_a_body_of_declared_length(body: Served, size: int) -> None:
    answer = body.client.post("/upload", content=b"x" * size)
    assert answer.text == f"POST /upload ({size} bytes of body)\n"


def test_body_counts_a_chunked_body(body: Served) -> None:
    answer = body.client.put("/chunks", content=(b"y" * 1000 for _ in range(50)))
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.text == "PUT /chunks (50000 bytes of body)\n"


def test_body_counts_what_comes_byte_by_byte(body: Served) -> None:
    address = urlsplit(body.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello":
            client.sendall(bytes((byte,)))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nPOST /slow (5 bytes of body)\n")


def test_stream_arrives_in_pieces() -> None:
    with served("examples.stream:app", supervised=True) as server, server.client.stream("GET", "/") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        pieces = list(answer.iter_raw())
    assert b"".join(pieces) == b"".join(b"piece %d\n" % number for number in range(1, 6))
    assert len(pieces) > 1  # the first one did not wait for the last


def test_lifespan_opens_a_resource_serves_from_it_and_closes_it() -> None:
    with served("examples.lifespan:app", supervised=True) as server:
        assert "database opened" in server.log
        assert [server.client.get(path).text for path in ("/a", "/b", "/a")] == [
            "visit 1 to /a\n",
            "visit 1 to /b\n",
            "visit 2 to /a\n",
        ]
        assert "database closed" not in server.log
    assert "database closed" in server.log
