"""Starlette, served for real."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.served import Served, served

pytestmark = pytest.mark.process

APP = "tests.frameworks.starlette_app:app"
SOURCE = (Path(__file__).parent / "starlette_app.py").read_bytes()


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


def test_a_route_takes_parameters(site: Served) -> None:
    answer = site.client.get("/users/42", params={"full": "yes"})
    assert answer.json() == {"id": 42, "query": {"full": "yes"}}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-middleware"] == "seen"
    assert answer.headers["server"] == "portico"
    assert answer.headers["date"].endswith("GMT")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_a_body_comes_back_as_it_was(site: Served, method: str, size: int) -> None:
    content = b"0123456789" * (size // 10)
    answer = site.client.request(method, "/echo", content=content, headers={"content-type": "application/x-test"})
    assert answer.content == content
    assert answer.headers["content-type"] == "application/x-test"


def test_a_chunked_body_comes_back_as_it_was(site: Served) -> None:
    assert site.client.post("/echo", content=iter([b"one ", b"two ", b"three"])).text == "one two three"


def test_a_request_is_streamed_into_its_response(site: Served) -> None:
    answer = site.client.post("/stream", content=(b"piece %d\n" % number for number in range(50)))
    assert answer.text == "".join(f"PIECE {number}\n" for number in range(50))


def test_a_background_task_runs_and_lifespan_state_is_shared(site: Served) -> None:
    answer = site.client.post("/later", params={"what": "mail"})
    assert (answer.status_code, answer.text) == (202, "accepted")
    site.wait_for("done in the background: mail")
    assert site.client.get("/done").json() == ["mail"]


def test_a_file_is_served_with_validators_and_ranges(site: Served) -> None:
    answer = site.client.get("/file")
    assert answer.content == SOURCE
    assert answer.headers["content-length"] == str(len(SOURCE))
    assert answer.headers["content-disposition"] == 'attachment; filename="app.py"'
    part = site.client.get("/file", headers={"range": "bytes=3-9"})
    assert (part.status_code, part.content) == (206, SOURCE[3:10])


def test_static_files_answer_304(site: Served) -> None:
    answer = site.client.get("/static/starlette_app.py")
    assert answer.content == SOURCE
    again = site.client.get("/static/starlette_app.py", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert site.client.get("/static/none.txt").status_code == 404


def test_a_compressed_answer_has_no_length_of_the_plain_one(site: Served) -> None:
    answer = site.client.post("/echo", content=b"a" * 50_000, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == b"a" * 50_000


def test_an_http_exception_becomes_its_answer(site: Served) -> None:
    answer = site.client.get("/teapot")
    assert (answer.status_code, answer.text, answer.headers["x-pot"]) == (418, "short and stout", "tea")
    assert site.client.delete("/echo").status_code == 405
    assert site.client.get("/missing").status_code == 404


def test_head_has_the_length_and_no_body(site: Served) -> None:
    answer = site.client.head("/file")
    assert (answer.headers["content-length"], answer.content) == (str(len(SOURCE)), b"")


def test_an_exception_is_a_500_logged_once() -> None:
    with served(APP) as server:
        answer = server.client.get("/crash")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
        assert server.client.get("/users/1").status_code == 200
    assert server.log.count("RuntimeError: an endpoint that fails") == 1


def test_a_stream_that_fails_is_seen_as_truncated() -> None:
    with served("tests.frameworks.starlette_app:bare") as server, pytest.raises(httpx.RemoteProtocolError):
        server.client.get("/crash-late")
    assert "RuntimeError: a stream that fails" in server.log


def test_an_endless_stream_ends_when_the_client_leaves() -> None:
    with served(APP) as server:
        with server.client.stream("GET", "/endless") as answer:
            assert next(answer.iter_text()).startswith("data: tick")
        server.wait_for("the endless stream has ended")
        assert server.client.get("/users/1").status_code == 200
    assert "Traceback" not in server.log


def test_an_endless_stream_does_not_hold_up_the_stop() -> None:
    with (
        served(APP, "--timeout-graceful-shutdown", "0.2") as server,
        server.client.stream("GET", "/endless") as answer,
    ):
        next(answer.iter_text())
        assert server.stop() == 0
    assert "shutdown" in server.log


def test_lifespan_runs_once_each_way() -> None:
    with served(APP) as server:
        server.client.get("/done")
    assert [line for line in server.log.splitlines() if line in ("startup", "shutdown")] == ["startup", "shutdown"]


def test_many_clients_at_once_get_their_own_answers(site: Served) -> None:
    def ask(number: int) -> bool:
        with httpx.Client(base_url=site.url, trust_env=False, timeout=20) as client:
            return all(client.get(f"/users/{number + step}").json()["id"] == number + step for step in range(10))

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(0, 1000, 20)))
