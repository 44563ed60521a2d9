"""A client that goes away is no error of the application, in whatever exception that has put it."""

from pathlib import Path

import pytest
from tests.served import served

from portico.asgi import ClientDisconnected, means_disconnected

APP = """
import asyncio


class ClientDisconnect(Exception):
    "What Starlette raises in the place of the OSError of send()."


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.01)
    except OSError:
        print("the client has gone", flush=True)
        try:
            raise ClientDisconnect
        except ClientDisconnect as error:
            if scope["path"] == "/group":
                raise ExceptionGroup("tasks", [error])
            raise
"""


class ClientDisconnect(Exception):
    pass


def raised(error: Exception, cause: Exception) -> Exception:
    error.__context__ = cause
    return error


def test_an_exception_means_it_that_comes_of_it() -> None:
    gone = ClientDisconnected("gone")
    assert means_disconnected(gone)
    assert means_disconnected(raised(ClientDisconnect(), gone))
    assert means_disconnected(ExceptionGroup("tasks", [raised(ClientDisconnect(), gone), gone]))


def test_other_exceptions_do_not_mean_it() -> None:
    gone = ClientDisconnected("gone")
    assert not means_disconnected(None)
    assert not means_disconnected(ClientDisconnect())
    assert not means_disconnected(raised(ValueError("handling it went wrong"), gone))
    assert not means_disconnected(ExceptionGroup("tasks", [gone, ValueError("no")]))


@pytest.mark.parametrize("path", ["/", "/group"])
def test_a_stream_whose_client_leaves_is_not_logged_as_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "leaving.py").write_text(APP)
    with served("leaving:app", "--app-dir", str(tmp_path)) as server:
        with server.client.stream("GET", path) as answer:
            next(answer.iter_raw())
        server.wait_for("the client has gone")
    assert "Traceback" not in server.log
