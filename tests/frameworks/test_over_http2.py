"""Django, FastAPI, Litestar and Starlette, served for real over HTTP/2 and TLS: what the protocol could get wrong."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.certificates import trusting
from tests.clients.echo import in_a_loop
from tests.clients.secured import secured
from tests.served import Served

pytestmark = pytest.mark.process

SOURCE = (Path(__file__).parent / "starlette_app.py").read_bytes()
ANSWER_S = 20


@contextmanager
def over_http2(app: str) -> Iterator[tuple[Served, httpx.Client]]:
    """Serve an application, and ask it over HTTP/2 only."""
    with ExitStack() as stack:
        server = stack.enter_context(secured(f"tests.frameworks.{app}"))
        client = httpx.Client(
            base_url=server.url, http1=False, http2=True, verify=trusting(), trust_env=False, timeout=ANSWER_S
        )
        yield server, stack.enter_context(client)


@pytest.fixture(scope="module")
def django() -> Iterator[httpx.Client]:
    with over_http2("django_app:app") as (_, client):
        yield client


@pytest.fixture(scope="module")
def fastapi() -> Iterator[httpx.Client]:
    with over_http2("fastapi_app:app") as (_, client):
        yield client


@pytest.fixture(scope="module")
def litestar() -> Iterator[httpx.Client]:
    with over_http2("litestar_app:app") as (_, client):
        yield client


@pytest.fixture(scope="module")
def starlette() -> Iterator[tuple[Served, httpx.Client]]:
    with over_http2("starlette_app:app") as both:
        yield both


# --- Django -------------------------------------------------------------------------------------


def test_django_knows_that_it_is_https_and_the_host(django: httpx.Client) -> None:
    about = django.get("/about/caf%C3%A9%20noir/", params={"q": "a&b"}).json()
    assert (about["path"], about["query"]) == ("/about/café noir/", {"q": "a&b"})
    assert about["secure"] is True
    assert about["host"] == f"{django.base_url.host}:{django.base_url.port}"
    assert about["client"] == "127.0.0.1"


def test_django_takes_a_form_and_a_large_file(django: httpx.Client) -> None:
    assert django.post("/greet/", data={"name": "Ada", "times": "2"}).text == "Hello Ada! Hello Ada! "
    content = bytes(range(256)) * 12_000
    answer = django.post("/upload/", files={"file": ("data.bin", content)}, data={"note": "a note"})
    assert answer.json() == {"name": "data.bin", "size": len(content), "note": "a note"}


def test_cookies_go_both_ways(django: httpx.Client) -> None:
    assert [django.get("/visit/").text for _ in range(3)] == ["1", "2", "3"]
    assert len(django.get("/visit/").headers.get_list("set-cookie")) == 2  # one field each, never joined


def test_a_streaming_response_of_django_is_whole(django: httpx.Client) -> None:
    answer = django.get("/stream/")
    assert answer.text == "".join(f"row {number}\n" for number in range(100))
    assert "transfer-encoding" not in answer.headers


# --- FastAPI ------------------------------------------------------------------------------------


def test_fastapi_makes_models_of_bodies(fastapi: httpx.Client) -> None:
    answer = fastapi.post("/items", json={"name": "théière", "price": 12.5})
    assert (answer.status_code, answer.json()) == (201, {"name": "théière", "price": 12.5, "tags": []})
    assert fastapi.post("/items", json={"name": "cup"}).status_code == 422
    assert fastapi.get("/items/7?q=a&q=b%20c").json() == {"number": 7, "q": ["a", "b c"]}


def test_an_answer_without_content_has_none(fastapi: httpx.Client) -> None:
    answer = fastapi.delete("/items/7")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers


def test_fastapi_sees_credentials_and_streams_lines(fastapi: httpx.Client) -> None:
    assert fastapi.get("/me", headers={"authorization": "Bearer Ada"}).json() == {"name": "Ada"}
    assert fastapi.get("/me").headers["www-authenticate"] == "Bearer"
    with fastapi.stream("GET", "/lines") as answer:
        assert [json.loads(line)["line"] for line in answer.iter_lines()] == list(range(20))


@in_a_loop
async def test_fastapi_answers_many_requests_of_a_connection_at_once(fastapi: httpx.Client) -> None:
    async with httpx.AsyncClient(
        base_url=fastapi.base_url, http1=False, http2=True, verify=trusting(), trust_env=False, timeout=ANSWER_S
    ) as client:
        answers = await asyncio.gather(*(client.get(f"/items/{number}") for number in range(200)))
    assert [answer.json()["number"] for answer in answers] == list(range(200))


# --- Litestar -----------------------------------------------------------------------------------


def test_litestar_answers(litestar: httpx.Client) -> None:
    assert litestar.post("/points", json={"x": 1, "y": -2}).json() == {"x": 1, "y": -2}
    assert litestar.get("/points").json() == [{"x": 1, "y": -2}]
    assert litestar.get("/hello/ada?shout=true").text == "ADA"
    assert litestar.get("/secret").json() == {"status_code": 401, "detail": "not for you"}


def test_litestar_streams_and_takes_a_large_body(litestar: httpx.Client) -> None:
    assert litestar.get("/count").text == "".join(f"{number}," for number in range(30))
    assert litestar.post("/size", content=b"x" * 2_000_000).json() == {"size": 2_000_000}


# --- Starlette ----------------------------------------------------------------------------------


def test_starlette_sends_a_file_and_ranges_of_it(starlette: tuple[Served, httpx.Client]) -> None:
    _, client = starlette
    answer = client.get("/file")
    assert (answer.content, answer.headers["content-length"]) == (SOURCE, str(len(SOURCE)))
    part = client.get("/file", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, SOURCE[10:20])
    assert client.get("/file", headers={"if-none-match": answer.headers["etag"]}).status_code in (200, 304)
    static = client.get("/static/starlette_app.py", headers={"accept-encoding": "gzip"})
    assert static.content == SOURCE
    assert client.head("/static/starlette_app.py").content == b""


def test_a_request_is_streamed_into_its_response(starlette: tuple[Served, httpx.Client]) -> None:
    _, client = starlette
    answer = client.post("/stream", content=(b"piece %d\n" % number for number in range(50)))
    assert answer.text == "".join(f"PIECE {number}\n" for number in range(50))
    assert answer.headers["x-middleware"] == "seen"


def test_a_background_task_runs_after_the_answer(starlette: tuple[Served, httpx.Client]) -> None:
    server, client = starlette
    assert client.post("/later", params={"what": "mail"}).status_code == 202
    server.wait_for("done in the background: mail")


def test_a_client_that_leaves_ends_its_stream() -> None:
    with over_http2("starlette_app:app") as (server, client):
        with client.stream("GET", "/endless") as answer:
            assert next(answer.iter_raw()).startswith(b"data: tick")
        client.close()
        server.wait_for("the endless stream has ended")


def test_failures_are_seen(starlette: tuple[Served, httpx.Client]) -> None:
    _, client = starlette
    assert client.get("/teapot").headers["x-pot"] == "tea"
    assert client.get("/crash").status_code == 500


def test_a_stream_that_fails_is_not_taken_for_whole() -> None:
    with (
        over_http2("starlette_app:bare") as (_, client),
        pytest.raises(httpx.RemoteProtocolError, match="error_code:2"),
    ):
        client.get("/crash-late")
