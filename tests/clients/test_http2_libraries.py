"""Python's HTTP/2 clients, httpx and niquests, against a server as a user starts it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import niquests
import pytest
from tests.certificates import authority, trusting
from tests.clients.echo import in_a_loop
from tests.clients.secured import SITE, secured
from tests.served import Served, served

pytestmark = pytest.mark.process

ANSWER_S = 20
SIZES = pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 3_000_000])


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with secured(supervised=True) as server:
        yield server
    assert "Traceback" not in server.log


# --- httpx --------------------------------------------------------------------------------------------


@pytest.fixture
def client(site: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site.url, http2=True, verify=trusting(), trust_env=False, timeout=ANSWER_S) as client:
        yield client


def asynchronous(server: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, http2=True, verify=trusting(), trust_env=False, timeout=ANSWER_S)


def test_httpx_speaks_http2(client: httpx.Client) -> None:
    answer = client.get("/caf%C3%A9", params={"q": "a b"})
    assert answer.http_version == "HTTP/2"
    said = answer.json()
    assert (said["http_version"], said["scheme"], said["path"], said["query"]) == ("2", "https", "/café", "q=a+b")


@SIZES
def test_bodies_of_httpx_go_both_ways(client: httpx.Client, size: int) -> None:
    content = os.urandom(size)
    assert client.post("/echo", content=content).content == content
    assert len(client.get(f"/bytes?{size}").content) == size


def test_a_body_without_a_length_goes_up(client: httpx.Client) -> None:
    answer = client.post("/", content=iter([b"one ", b"two ", b"three"])).json()
    assert answer["sha256"] == hashlib.sha256(b"one two three").hexdigest()
    assert "content-length" not in dict(answer["headers"])


def test_cookies_are_one_field(client: httpx.Client) -> None:
    client.cookies.update({"a": "1", "b": "2"})
    headers = client.get("/").json()["headers"]
    assert [value for name, value in headers if name == "cookie"] == ["a=1; b=2"]


def test_a_failure_ends_one_request_and_not_the_connection() -> None:
    with (
        secured() as server,
        httpx.Client(base_url=server.url, http2=True, verify=trusting(), trust_env=False) as client,
    ):
        before = client.get("/bytes?1").extensions["network_stream"].get_extra_info("client_addr")
        assert client.get("/crash").status_code == 500
        after = client.get("/bytes?1")
        assert after.extensions["network_stream"].get_extra_info("client_addr") == before


@in_a_loop
async def test_a_hundred_requests_of_httpx_share_a_connection(site: Served) -> None:
    async with asynchronous(site) as client:
        await client.get("/bytes?1")  # they would all connect else
        answers = await asyncio.gather(*(client.get(f"/bytes?{number * 100}") for number in range(100)))
        assert [len(answer.content) for answer in answers] == [number * 100 for number in range(100)]
        streams = [answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers]
        assert len(set(streams)) == 1
        assert len({answer.extensions["stream_id"] for answer in answers}) == 100


@in_a_loop
async def test_answers_come_while_others_are_not_read(site: Served) -> None:
    async with asynchronous(site) as client, client.stream("GET", "/endless") as unread:
        assert unread.status_code == 200
        assert len((await client.get("/bytes?200000")).content) == 200_000
    site.wait_for("the endless answer has ended")


@in_a_loop
async def test_a_body_comes_back_while_it_goes_up(site: Served) -> None:
    heard = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await asyncio.wait_for(heard.wait(), ANSWER_S)
        yield b"two"

    async with asynchronous(site) as client:
        # httpx sends all of a body before it reads: only the first piece is known to arrive while the second waits.
        sending = asyncio.create_task(client.post("/echo", content=pieces()))
        assert len((await client.get("/bytes?10")).content) == 10
        heard.set()
        assert (await sending).content == b"onetwo"


def test_httpx_speaks_http2_without_tls() -> None:
    with served(SITE) as server, httpx.Client(http1=False, http2=True, trust_env=False) as client:
        answer = client.get(server.url + "/")
        assert answer.http_version == "HTTP/2"
        assert (answer.json()["http_version"], answer.json()["scheme"]) == ("2", "http")


# --- niquests -----------------------------------------------------------------------------------------


@pytest.fixture
def session(site: Served) -> Iterator[niquests.Session]:
    with niquests.Session(base_url=site.url, disable_http3=True, multiplexed=False) as session:
        session.trust_env = False
        session.verify = authority().file
        yield session


def test_niquests_speaks_http2(session: niquests.Session) -> None:
    answer = session.get("/caf%C3%A9", params={"q": "a b"})
    assert answer.http_version == 20
    assert (answer.json()["http_version"], answer.json()["path"]) == ("2", "/café")


@SIZES
def test_bodies_of_niquests_go_both_ways(session: niquests.Session, size: int) -> None:
    content = os.urandom(size)
    # It reads nothing before all is sent: what gives back while it reads would wait for it for ever.
    assert session.post("/", data=content).json()["sha256"] == hashlib.sha256(content).hexdigest()
    assert len(session.get(f"/bytes?{size}").content or b"") == size


def test_a_hundred_requests_of_niquests_are_under_way_at_once(site: Served) -> None:
    with niquests.Session(base_url=site.url, disable_http3=True, multiplexed=True) as session:
        session.trust_env = False
        session.verify = authority().file
        answers = [session.get(f"/bytes?{number * 100}") for number in range(100)]
        session.gather()
        assert [len(answer.content or b"") for answer in answers] == [number * 100 for number in range(100)]
        assert {answer.http_version for answer in answers} == {20}


def test_niquests_reads_early_hints_and_trailers(session: niquests.Session) -> None:
    hints: list[int | None] = []
    hooks = {"early_response": [lambda answer: hints.append(answer.status_code)]}
    assert session.get("/hints", hooks=hooks).text == "after the hints"
    assert hints == [103]
    answer = session.get("/trailers", headers={"te": "trailers"})
    assert answer.text == "with trailers"
    assert dict(answer.trailers) == {"x-checksum": "1234"}


def test_threads_share_a_session_of_niquests(session: niquests.Session) -> None:
    def ask(number: int) -> int:
        return len(session.get(f"/bytes?{number * 100}").content or b"")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(80))) == [number * 100 for number in range(80)]
