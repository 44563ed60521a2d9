"""Litestar, served for real."""

from collections.abc import Iterator

import pytest
from tests.served import Served, served

pytestmark = pytest.mark.process

APP = "tests.frameworks.litestar_app:app"


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served(APP, supervised=True) as server:
        yield server


def test_lifespan_opens_what_requests_use_and_closes_it() -> None:
    with served(APP) as server:
        assert server.client.get("/points").json() == []
        answer = server.client.post("/points", json={"x": 1, "y": -2})
        assert (answer.status_code, answer.json()) == (201, {"x": 1, "y": -2})
        assert server.client.get("/points").json() == [{"x": 1, "y": -2}]
    assert "points opened" in server.log
    assert "points closed: 1" in server.log


def test_path_and_query_are_typed(site: Served) -> None:
    assert site.client.get("/hello/ada").text == "ada"
    assert site.client.get("/hello/ada?shout=true").text == "ADA"


def test_a_wrong_body_is_a_400(site: Served) -> None:
    assert site.client.post("/points", json={"x": "one"}).status_code == 400


def test_a_stream_is_whole(site: Served) -> None:
    answer = site.client.get("/count")
    assert answer.text == "".join(f"{number}," for number in range(30))
    assert answer.headers["transfer-encoding"] == "chunked"


def test_a_large_body_is_read(site: Served) -> None:
    assert site.client.post("/size", content=b"x" * 2_000_000).json() == {"size": 2_000_000}


def test_errors_are_the_frameworks_own(site: Served) -> None:
    assert site.client.get("/secret").json() == {"status_code": 401, "detail": "not for you"}
    assert site.client.get("/nowhere").status_code == 404
    assert site.client.put("/points").status_code == 405
