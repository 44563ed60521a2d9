"""`wsgi.input` over a real socket: complete, blocking, and never past the body."""

import io
import queue
from typing import Any

import pytest
from tests.live import CLOSING, Wire, live
from tests.wsgi.asked import PLAIN, ask, asking, request

from portico.wsgi.input import READ_AHEAD


def reading(read: Any) -> Any:
    """Return an application that answers with what is read of its input."""

    def app(environ: Any, start_response: Any) -> Any:
        found = repr(read(environ["wsgi.input"])).encode()
        start_response("200 OK", PLAIN)
        return [found]

    return app


def chunked(*parts: bytes) -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return request("POST", fields="Transfer-Encoding: chunked\r\n") + coded + b"0\r\n\r\n"


LINES = b"one\ntwo\n\nthree"


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda file: file.read(), LINES),
        (lambda file: file.read(-1), LINES),
        (lambda file: [file.read(5), file.read(0), file.read(100)], [b"one\nt", b"", b"wo\n\nthree"]),
        (lambda file: [file.read(100), file.read(1), file.read()], [LINES, b"", b""]),
        (lambda file: [file.readline(), file.readline(2), file.readline()], [b"one\n", b"tw", b"o\n"]),
        (lambda file: file.readlines(), [b"one\n", b"two\n", b"\n", b"three"]),
        (lambda file: [file.readlines(1), file.readlines()], [[b"one\n"], [b"two\n", b"\n", b"three"]]),
        (list, [b"one\n", b"two\n", b"\n", b"three"]),
        (lambda file: [next(file), file.read()], [b"one\n", b"two\n\nthree"]),
        (lambda file: io.TextIOWrapper(file).read(), LINES.decode()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("data", [request("POST", body=LINES), chunked(LINES), chunked(b"o", b"ne\ntwo\n", b"\nthree")])
def test_the_body_is_a_file(data: bytes, read: Any, found: Any) -> None:
    assert ask(reading(read), data, "POST").body == repr(found).encode()


@pytest.mark.parametrize(
    "data", [request(), request("POST", fields="Content-Length: 0\r\n"), request("POST"), chunked()]
)
def test_without_a_body_it_is_empty(data: bytes) -> None:
    app = reading(lambda file: [file.read(), file.readline(), list(file), file.read(1)])
    assert ask(app, data, "POST").body == repr([b"", b"", [], b""]).encode()


def test_a_get_may_have_a_body() -> None:
    assert ask(reading(lambda file: file.read()), request("GET", body=b"odd")).body == b"b'odd'"


def test_a_large_body_is_whole() -> None:
    body = bytes(range(256)) * 4096
    app = reading(lambda file: [file.read(10) == body[:10], file.read() == body[10:]])
    assert ask(app, request("POST", body=body), "POST").body == b"[True, True]"


def test_reading_blocks_until_the_body_comes() -> None:
    read: queue.Queue[bytes] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        for line in environ["wsgi.input"]:
            read.put(line)
        start_response("200 OK", PLAIN)
        return [b"done"]

    with asking(app) as wire:
        wire.send(request("POST", fields="Content-Length: 8\r\n"))
        for line in (b"one\n", b"two\n"):
            assert read.empty()
            wire.send(line)
            assert read.get(timeout=5) == line
        assert wire.answer("POST").body == b"done"


def test_the_next_request_is_not_read_as_the_body() -> None:
    app = reading(lambda file: file.read(100))
    with asking(app) as wire:
        wire.send(request("POST", body=b"first") + request("POST", body=b"second") + chunked(b"third") + CLOSING)
        assert [wire.answer("POST").body for _ in range(4)] == [b"b'first'", b"b'second'", b"b'third'", b"b''"]


def test_a_body_that_is_not_read_does_no_harm() -> None:
    app = reading(lambda file: None)
    with asking(app) as wire:
        wire.send(request("POST", body=b"x" * 3000) + request())
        assert [wire.answer("POST").body for _ in range(2)] == [b"None"] * 2


def test_the_client_is_told_to_continue_when_the_body_is_wanted() -> None:
    with asking(reading(lambda file: file.read())) as wire:
        wire.send(request("POST", fields="Content-Length: 2\r\nExpect: 100-continue\r\n"))
        assert wire.answer("POST").status == 100
        wire.send(b"hi")
        assert wire.answer("POST").body == b"b'hi'"


def test_a_client_that_goes_inside_its_body_is_an_error_of_the_input(caplog: pytest.LogCaptureFixture) -> None:
    raised: queue.Queue[BaseException] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raised.put(error)
            raise

    with live(app, interface="wsgi") as server:
        with Wire(server.port) as wire:
            wire.send(request("POST", fields="Content-Length: 100\r\n") + b"only this")
        assert isinstance(raised.get(timeout=5), ConnectionResetError)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


def send_some(wire: Wire, left: int) -> int:
    """Send until nothing is left, or nothing is taken any more; return what is left."""
    try:
        while left:
            left -= wire.socket.send(b"x" * min(left, 1 << 16))
    except TimeoutError:
        pass
    return left


def test_no_more_is_taken_than_is_read() -> None:
    sent: queue.Queue[int] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        file = environ["wsgi.input"]
        start_response("200 OK", PLAIN)
        yield b"%d" % len(file.read(READ_AHEAD))
        sent.get(timeout=10)
        yield b" %d" % len(file.read())

    size = 8 << 20
    with asking(app) as wire:
        wire.socket.settimeout(0.3)
        wire.socket.sendall(request("POST", fields=f"Content-Length: {size}\r\n"))
        left = send_some(wire, size)
        assert left  # the server does not read on
        wire.socket.settimeout(10)
        sent.put(left)
        assert send_some(wire, left) == 0
        assert wire.answer("POST").body == b"%d %d" % (READ_AHEAD, size - READ_AHEAD)
