"""The gateway under `wsgiref.validate`, which checks both sides of PEP 3333."""

import sys
from typing import Any
from wsgiref.validate import validator

import pytest
from tests.wsgi.asked import PLAIN, ask, request

from portico.web.testclient import TestClient
from portico.wsgi import Gateway


def hello(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return [b"Hello"]


def counting(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return (b"%d " % number for number in range(3))


def writing(environ: Any, start_response: Any) -> Any:
    write = start_response("200 OK", PLAIN)
    write(b"written ")
    return [b"returned"]


def reading(environ: Any, start_response: Any) -> Any:
    file = environ["wsgi.input"]
    parts = [file.read(3), file.readline(), *file.readlines(1), *file, file.read(10)]
    start_response("200 OK", PLAIN)
    return [repr(parts).encode()]


def failing(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    try:
        raise ValueError("wrong")
    except ValueError:
        start_response("500 Wrong", PLAIN, sys.exc_info())
    return [b"an error page"]


def empty(environ: Any, start_response: Any) -> Any:
    start_response("204 No Content", [])
    return []


def reporting(environ: Any, start_response: Any) -> Any:
    errors = environ["wsgi.errors"]
    errors.write("an error's text\n")
    errors.writelines(["and another's\n"])
    errors.flush()
    start_response("200 OK", PLAIN)
    return [b"reported"]


APPS = [
    (hello, 200, b"Hello"),
    (counting, 200, b"0 1 2 "),
    (writing, 200, b"written returned"),
    (failing, 500, b"an error page"),
    (empty, 204, b""),
    (reporting, 200, b"reported"),
]


@pytest.mark.parametrize(("app", "status", "body"), APPS)
def test_both_sides_keep_to_pep_3333(app: Any, status: int, body: bytes) -> None:
    answer = ask(validator(app))
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize(("app", "status", "body"), APPS)
def test_they_do_with_the_test_client(app: Any, status: int, body: bytes) -> None:
    answer = TestClient(Gateway(validator(app))).get("/")
    assert (answer.status_code, answer.content) == (status, body)


def test_the_input_keeps_to_it_too() -> None:
    body = b"one\ntwo\nthree\nfour"
    answer = ask(validator(reading), request("POST", body=body), "POST")
    assert answer.body == repr([b"one", b"\n", b"two\n", b"three\n", b"four", b""]).encode()


def test_errors_are_written_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    ask(reporting)
    assert "an error's text\nand another's\n" in capsys.readouterr().err


def test_head_keeps_to_it() -> None:
    answer = ask(validator(hello), method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
