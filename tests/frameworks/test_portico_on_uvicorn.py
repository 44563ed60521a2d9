"""`portico.web` over real sockets, on our server and on uvicorn: what an application sees is the same."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from tests.hosted import SERVERS, hosted
from tests.live import Wire
from tests.served import Served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

pytestmark = pytest.mark.process

APP = "tests.frameworks.portico_app:app"
SOURCE = (Path(__file__).parent / "portico_app.py").read_bytes()
PLAIN = {"accept-encoding": "identity"}
Start = Callable[[], AbstractContextManager[Served]]


@pytest.fixture(scope="module", params=SERVERS)
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    with hosted(APP, request.param) as server:
        yield server


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest) -> Start:
    """Start a server of the test's own."""
    return lambda: hosted(APP, request.param)


def talking(site: Served, path: str, *subprotocols: str) -> ClientConnection:
    offered = [Subprotocol(name) for name in subprotocols]
    return connect(site.url.replace("http", "ws") + path, subprotocols=offered or None, proxy=None)


def test_a_route_takes_parameters(site: Served) -> None:
    answer = site.client.get("/users/42", params={"full": "yes"})
    assert answer.json() == {"id": 42, "query": {"full": "yes"}}
    assert answer.headers["x-middleware"] == "seen"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_sync_endpoint_answers(site: Served, method: str) -> None:
    assert site.client.request(method, "/sync").text == method


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_a_body_comes_back_as_it_was(site: Served, size: int) -> None:
    content = b"0123456789" * (size // 10)
    answer = site.client.post("/echo", content=content, headers={"content-type": "application/x-test"})
    assert (answer.content, answer.headers["content-type"]) == (content, "application/x-test")


def test_a_request_is_streamed_into_its_response(site: Served) -> None:
    answer = site.client.post("/stream", content=(b"piece %d\n" % number for number in range(50)))
    assert answer.text == "".join(f"PIECE {number}\n" for number in range(50))


def test_a_background_task_runs_and_lifespan_state_is_shared(site: Served) -> None:
    answer = site.client.post("/later", params={"what": "mail"})
    assert (answer.status_code, answer.text) == (202, "accepted")
    site.wait_for("done in the background: mail")
    assert site.client.get("/done").json() == ["mail"]


def test_a_compressed_answer_has_no_length_of_the_plain_one(site: Served) -> None:
    answer = site.client.post("/echo", content=b"a" * 50_000, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == b"a" * 50_000


def test_an_http_exception_becomes_its_answer(site: Served) -> None:
    answer = site.client.get("/teapot")
    assert (answer.status_code, answer.text, answer.headers["x-pot"]) == (418, "short and stout", "tea")
    assert site.client.get("/missing").status_code == 404


def test_a_wrong_method_is_told_the_right_ones(site: Served) -> None:
    answer = site.client.delete("/echo")
    assert answer.status_code == 405
    assert {name.strip() for name in answer.headers["allow"].split(",")} == {"POST", "PUT"}


# --- files --------------------------------------------------------------------------------------


def test_only_our_server_offers_to_send_files_by_path() -> None:
    found = []
    for server in SERVERS:
        with hosted(APP, server) as site:
            found.append("http.response.pathsend" in site.client.get("/offered").json())
    assert found == [True, False]


@pytest.mark.parametrize("path", ["/file", "/static/portico_app.py"])
def test_a_file_is_served_whole(site: Served, path: str) -> None:
    answer = site.client.get(path, headers=PLAIN)
    assert (answer.status_code, answer.content) == (200, SOURCE)
    assert answer.headers["content-length"] == str(len(SOURCE))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("path", ["/file", "/static/portico_app.py"])
def test_a_part_of_a_file_is_served(site: Served, path: str) -> None:
    part = site.client.get(path, headers={"range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, SOURCE[3:10])
    assert part.headers["content-range"] == f"bytes 3-9/{len(SOURCE)}"


def test_several_parts_of_a_file_come_as_multipart(site: Served) -> None:
    parts = site.client.get("/file", headers={"range": "bytes=0-2,10-12"})
    kind, _, boundary = parts.headers["content-type"].partition("; boundary=")
    assert (parts.status_code, kind) == (206, "multipart/byteranges")
    assert parts.content.count(f"--{boundary}".encode()) == 3
    for piece in (SOURCE[:3], SOURCE[10:13]):
        assert b"\r\n\r\n" + piece + b"\r\n" in parts.content


def test_a_part_that_is_not_there_is_refused(site: Served) -> None:
    answer = site.client.get("/file", headers={"range": "bytes=9999999-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(SOURCE)}")


def test_a_file_that_the_client_has_is_not_sent(site: Served) -> None:
    answer = site.client.get("/static/portico_app.py")
    again = site.client.get("/static/portico_app.py", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/file", "/static/portico_app.py", "/users/1"])
def test_head_has_the_fields_of_get_and_no_body(site: Served, path: str) -> None:
    head, get = site.client.head(path, headers=PLAIN), site.client.get(path, headers=PLAIN)
    assert head.content == b""
    for name in ("content-length", "content-type", "etag", "last-modified"):
        assert head.headers.get(name) == get.headers.get(name)


# --- what goes wrong ----------------------------------------------------------------------------


def test_an_exception_is_a_500_logged_once(start: Start) -> None:
    with start() as server:
        answer = server.client.get("/crash", headers={"connection": "close"})
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert server.client.get("/users/1").status_code == 200
    assert server.log.count("RuntimeError: an endpoint that fails") == 1


def test_a_stream_that_fails_is_seen_as_truncated(start: Start) -> None:
    with start() as server, pytest.raises(httpx.RemoteProtocolError):
        server.client.get("/crash-late")
    assert "RuntimeError: a stream that fails" in server.log


def test_an_endless_stream_ends_when_the_client_leaves(start: Start) -> None:
    with start() as server:
        with server.client.stream("GET", "/endless") as answer:
            assert next(answer.iter_text()).startswith("data: tick")
        server.wait_for("the endless stream has ended")
        assert server.client.get("/users/1").status_code == 200
    assert "Traceback" not in server.log


def test_an_endpoint_sees_through_middleware_that_the_client_has_left(start: Start) -> None:
    with start() as server:
        with Wire(port_of(server)) as wire:
            wire.send(b"GET /patient HTTP/1.1\r\nHost: a\r\n\r\n")
            server.wait_for("waiting for the client to leave")
        server.wait_for("the client has left")
    assert "Traceback" not in server.log


def test_an_endpoint_learns_that_the_client_has_left_in_its_body(start: Start) -> None:
    with start() as server:
        with Wire(port_of(server)) as wire:
            wire.send(b"POST /hungry HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome")
            server.wait_for("a piece has come")
        server.wait_for("the client left in the middle of its body")
        assert server.client.get("/users/1").status_code == 200


def test_lifespan_runs_once_each_way(start: Start) -> None:
    with start() as server:
        server.client.get("/done")
    assert [line for line in server.log.splitlines() if line in ("startup", "shutdown")] == ["startup", "shutdown"]


def port_of(server: Served) -> int:
    port = server.client.base_url.port
    assert port is not None
    return port


# --- WebSockets ---------------------------------------------------------------------------------


def test_a_websocket_talks_json_in_the_subprotocol_that_was_chosen(site: Served) -> None:
    with talking(site, "/talk/7", "first", "second") as session:
        assert session.subprotocol == "first"
        assert session.response is not None
        assert session.response.headers["x-room"] == "1"
        session.send(json.dumps({"hello": "wörld"}))
        assert json.loads(session.recv(10)) == {"id": 7, "heard": {"hello": "wörld"}}


def test_an_endpoint_learns_how_a_websocket_was_closed(start: Start) -> None:
    with start() as server:
        with talking(server, "/talk/7") as session:
            session.close(4000, "bye")
        server.wait_for("left with 4000 'bye'")
    assert "Traceback" not in server.log


def test_a_client_learns_how_a_websocket_was_closed(site: Served) -> None:
    with talking(site, "/closing") as session, pytest.raises(ConnectionClosed) as closed:
        session.recv(10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")


@pytest.mark.parametrize("path", ["/talk/x", "/elsewhere"])
def test_a_websocket_that_no_route_takes_is_refused(site: Served, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        talking(site, path)
    assert refused.value.response.status_code == 403
