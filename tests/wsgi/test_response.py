"""Responses of WSGI applications: heads, lengths, parts, errors."""

import sys
from typing import Any

import pytest
from tests.live import CLOSING, Wire, answers, finished, live
from tests.wsgi.asked import PLAIN, ask, asking, request

from portico.wsgi import head as heads


def responding(*parts: Any, status: Any = "200 OK", headers: Any = PLAIN, result: Any = list) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, headers if isinstance(headers, str) else list(headers))
        return result(parts)

    return app


def lines(*parts: bytes) -> Any:
    yield from parts


class Closing:
    """A result that counts how often it is closed."""

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.closed = 0

    def __iter__(self) -> Any:
        return iter(self.parts)

    def close(self) -> None:
        self.closed += 1


def problem(app: Any, caplog: pytest.LogCaptureFixture, method: str = "GET") -> str:
    """Return what the log says of an application whose answer is a 500."""
    assert ask(app, method=method).status == 500
    (record,) = [record for record in caplog.records if record.exc_info]
    return str(record.exc_info[1])  # type: ignore[index]


# --- lengths ------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [list, tuple])
def test_the_length_of_a_list_of_one_part_is_its_content_length(result: Any) -> None:
    answer = ask(responding(b"one", result=result))
    assert (answer.field(b"content-length"), answer.body) == (b"3", b"one")


def test_an_empty_list_is_an_empty_body() -> None:
    answer = ask(responding())
    assert (answer.field(b"content-length"), answer.body) == (b"0", b"")


def test_a_list_of_many_parts_is_sent_as_a_whole() -> None:
    for parts in ((b"a", b"", b"b"), (b"x" * 100_000, b"y", b"z" * 100_000)):
        assert ask(responding(*parts)).body == b"".join(parts)


def test_what_is_iterated_over_is_sent_in_chunks() -> None:
    answer = ask(responding(b"a", b"", b"b", result=lambda parts: lines(*parts)))
    assert (answer.chunked, answer.body) == (True, b"ab")


def test_to_http_1_0_the_end_of_the_connection_is_the_end() -> None:
    with live(responding(b"a", b"b", result=lambda parts: lines(*parts)), interface="wsgi") as server:
        (answer,) = answers(finished(server.port, request(version="1.0")))
    assert (answer.chunked, answer.field(b"content-length"), answer.body) == (False, None, b"ab")


def test_a_declared_length_is_kept() -> None:
    app = responding(b"a", b"b", headers=[("Content-Length", "2")], result=lambda parts: lines(*parts))
    answer = ask(app)
    assert (answer.field(b"content-length"), answer.chunked, answer.body) == (b"2", False, b"ab")


def test_a_body_longer_than_declared_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    assert "longer than its Content-Length: 3 > 2" in problem(
        responding(b"abc", headers=[("Content-Length", "2")]), caplog
    )


def test_a_part_too_many_is_an_error_and_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    app = responding(b"ab", b"c", headers=[("Content-Length", "2")], result=lambda parts: lines(*parts))
    with asking(app) as wire:
        wire.send(request() + CLOSING)
        assert [wire.answer().body for _ in range(2)] == [b"ab"] * 2
    assert "longer than its Content-Length: 3 > 2" in caplog.text


def test_a_body_shorter_than_declared_is_an_error_and_the_client_sees_it(caplog: pytest.LogCaptureFixture) -> None:
    app = responding(b"a", headers=[("Content-Length", "2")], result=lambda parts: lines(*parts))
    assert ask(app).complete is False
    assert "shorter than its Content-Length: 1 < 2" in caplog.text


@pytest.mark.parametrize("result", [list, lambda parts: lines(*parts), Closing])
def test_head_has_the_fields_and_no_body(result: Any) -> None:
    answer = ask(responding(b"one", headers=[("X-A", "b"), ("Content-Length", "3")], result=result), method="HEAD")
    assert (answer.field(b"x-a"), answer.field(b"content-length"), answer.body) == (b"b", b"3", b"")


def test_head_gets_the_length_of_a_list() -> None:
    assert ask(responding(b"one"), method="HEAD").field(b"content-length") == b"3"
    assert ask(responding(b""), method="HEAD").field(b"content-length") is None  # an answer made for HEAD tells nothing


def test_head_ends_an_endless_response() -> None:
    def endless(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        while True:
            yield b"more"

    with asking(endless) as wire:
        wire.send(request("HEAD") + request("HEAD"))
        assert [wire.answer("HEAD").status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_status_without_a_body_has_none(status: str) -> None:
    with asking(responding(b"ignored", status=status, headers=[])) as wire:
        wire.send(request() + request())
        for _ in range(2):
            answer = wire.answer()
            assert (answer.status, answer.field(b"content-length"), answer.body) == (int(status[:3]), None, b"")


# --- heads --------------------------------------------------------------------------------------


def test_fields_are_sent_as_they_are_given() -> None:
    answer = ask(responding(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Latin", " é\tü ")]))
    assert (answer.fields(b"set-cookie"), answer.field(b"x-latin")) == ([b"a=1", b"b=2"], b"\xe9\t\xfc")


def test_a_status_may_lack_its_phrase() -> None:
    assert ask(responding(status="404")).status == 404


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (200, [], "a final status such as '200 OK', not 200"),
        ("OK", [], "a final status"),
        ("2000 OK", [], "a final status"),
        ("100 Continue", [], "a final status"),
        (b"200 OK", [], "a final status"),
        ("200 OK", [("Größe", "1")], "'Größe' is not a header name"),
        ("200 OK", [("", "1")], "'' is not a header name"),
        ("200 OK", [("X A", "1")], "'X A' is not a header name"),
        ("200 OK", [(b"X-A", "1")], "a header name must be str, not b'X-A'"),
        ("200 OK", [("X-A", b"1")], "the value of header 'X-A' must be str, not b'1'"),
        ("200 OK", [("X-A", "1\r\nX-B: 2")], "the value of header 'X-A' has control characters"),
        ("200 OK", [("X-A", "1\x00")], "the value of header 'X-A' has control characters"),
        ("200 OK", [("X-A", "€")], "the value of header 'X-A' has characters beyond latin-1"),
        ("200 OK", [("Content-Length", "many")], "Content-Length must be a number of bytes, not b'many'"),
        ("200 OK", [("X-A",)], "a list of (name, value) tuples of str"),
        ("200 OK", "X-A: 1", "a list of (name, value) tuples of str"),
        ("200 OK", [None], "a list of (name, value) tuples of str"),
    ],
)
def test_what_cannot_be_sent_is_an_error_where_it_is_given(status: Any, headers: Any, text: str) -> None:
    raised = []

    def app(environ: Any, start_response: Any) -> Any:
        try:
            start_response(status, headers)
        except heads.WSGIProtocolError as error:
            raised.append(str(error))
        start_response("200 OK", PLAIN)
        return [b"recovered"]

    assert ask(app).body == b"recovered"
    assert text in raised[0]


def test_hop_by_hop_fields_are_dropped_and_reported_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "_reported", set())
    headers = [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Keep-Alive", "timeout=5"), ("X-A", "b")]
    with asking(responding(b"one", headers=headers)) as wire:
        wire.send(request() + request())
        for _ in range(2):
            answer = wire.answer()
            assert (answer.field(b"x-a"), answer.field(b"content-length"), answer.body) == (b"b", b"3", b"one")
            assert not {b"connection", b"transfer-encoding", b"keep-alive"} & {name for name, _ in answer.headers}
    assert caplog.text.count("'transfer-encoding', which PEP 3333 leaves to the server") == 1


# --- start_response -----------------------------------------------------------------------------


def test_it_must_be_called(caplog: pytest.LogCaptureFixture) -> None:
    assert "did not call start_response()" in problem(lambda environ, start_response: [b"x"], caplog)


def test_it_may_be_called_when_the_first_part_is_asked_for() -> None:
    def late(environ: Any, start_response: Any) -> Any:
        start_response("201 Created", PLAIN)
        yield b"late"

    answer = ask(late)
    assert (answer.status, answer.body) == (201, b"late")


def test_twice_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def twice(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        start_response("200 OK", PLAIN)

    assert "called twice" in problem(twice, caplog)


def error_page(environ: Any, start_response: Any) -> Any:
    try:
        start_response("200 OK", [("X-Before", "1")])
        yield b"begun" if environ["PATH_INFO"] == "/late" else b""
        raise ValueError("the reason")
    except ValueError:
        start_response("503 Sorry", PLAIN, sys.exc_info())
        yield b"an error page"


def test_an_error_page_takes_the_place_of_what_has_not_been_sent(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(error_page)
    assert (answer.status, answer.field(b"x-before"), answer.body) == (503, None, b"an error page")
    assert not [record for record in caplog.records if record.exc_info]  # the application knows of it


def test_it_comes_too_late_once_the_head_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    answer = ask(error_page, request(target="/late"))
    assert (answer.status, answer.body, answer.complete) == (200, b"begun", False)
    assert "ValueError: the reason" in caplog.text


def test_write_sends_at_once() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", PLAIN)
        write(b"")
        write(b"first ")
        write(environ["wsgi.input"].read())
        return lines(b" last")

    with asking(app) as wire:
        wire.send(request("POST", fields="Content-Length: 2\r\n"))
        wire.until(b"first ")  # comes before the body is there
        wire.send(b"hi")
        rest = wire.until(b"0\r\n\r\n")
        assert (b"hi" in rest, b" last" in rest) == (True, True)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (lambda parts: None, "an iterable of bytes, not None"),
        (lambda parts: b"bytes", "an iterable of bytes such as [data], not b'bytes'"),
        (lambda parts: "text", "an iterable of bytes such as [data], not 'text'"),
        (lambda parts: ["text"], "made of bytes, not of str: 'text'"),
        (lambda parts: iter([1]), "made of bytes, not of int: 1"),
    ],
)
def test_what_is_no_body_is_an_error(result: Any, text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert text in problem(responding(result=result), caplog)


def test_an_exception_before_the_start_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("wrong")

    assert problem(app, caplog) == "wrong"


def test_an_exception_after_the_start_cuts_the_response(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        yield b"begun"
        raise ValueError("wrong")

    answer = ask(app)
    assert (answer.status, answer.body, answer.complete) == (200, b"begun", False)
    assert "ValueError: wrong" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration(), GeneratorExit()])
def test_no_exception_ends_the_server(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/bye":
            start_response("200 OK", PLAIN)
            return [b"alive"]
        raise error

    with live(app, interface="wsgi") as server:
        with Wire(server.port) as wire:
            wire.send(request())
            assert wire.answer().status == 500
        (answer,) = answers(finished(server.port, CLOSING))
        assert answer.body == b"alive"


def test_bytes_like_parts_are_taken() -> None:
    assert ask(responding(bytearray(b"a"), memoryview(b"b"))).body == b"ab"


# --- close() ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", [PLAIN, [("Content-Length", "2")]])
def test_the_result_is_closed_once(method: str, headers: Any) -> None:
    results: list[Closing] = []

    def result(parts: Any) -> Any:
        results.append(Closing(parts))
        return results[-1]

    with asking(responding(b"a", b"b", headers=headers, result=result)) as wire:
        wire.send(request(method))
        wire.answer(method)
    assert [each.closed for each in results] == [1]


def test_it_is_closed_when_iterating_fails(caplog: pytest.LogCaptureFixture) -> None:
    def failing() -> Any:
        yield b"a"
        raise ValueError("wrong")

    result = Closing(failing())
    ask(responding(result=lambda parts: result))
    assert result.closed == 1


def test_what_close_raises_is_logged_and_the_response_is_whole(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Closing):
        def close(self) -> None:
            raise ValueError("not closed")

    answer = ask(responding(b"a", headers=[("Content-Length", "1")], result=Failing))
    assert (answer.body, answer.complete) == (b"a", True)
    assert "ValueError: not closed" in caplog.text
