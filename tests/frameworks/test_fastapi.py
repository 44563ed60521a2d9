"""FastAPI, served for real."""

import json
from collections.abc import Iterator

import pytest
from tests.served import Served, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served("tests.frameworks.fastapi_app:app", supervised=True) as server:
        yield server


def test_path_and_query_parameters_are_typed(site: Served) -> None:
    assert site.client.get("/items/7?q=a&q=b%20c").json() == {"number": 7, "q": ["a", "b c"]}


def test_a_body_becomes_a_model_and_an_answer(site: Served) -> None:
    answer = site.client.post("/items", json={"name": "théière", "price": 12.5})
    assert answer.status_code == 201
    assert answer.json() == {"name": "théière", "price": 12.5, "tags": []}


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ({"name": "", "price": 1}, ["body", "name"]),
        ({"name": "cup", "price": -1}, ["body", "price"]),
        ({"name": "cup"}, ["body", "price"]),
    ],
)
def test_a_wrong_body_is_a_422_that_says_where(site: Served, item: dict[str, object], where: list[str]) -> None:
    answer = site.client.post("/items", json=item)
    assert answer.status_code == 422
    assert [problem["loc"] for problem in answer.json()["detail"]] == [where]


def test_a_body_that_is_not_json_is_a_422(site: Served) -> None:
    answer = site.client.post("/items", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_a_wrong_path_parameter_is_a_422(site: Served) -> None:
    assert site.client.get("/items/seven").status_code == 422


def test_a_dependency_refuses(site: Served) -> None:
    answer = site.client.get("/me")
    assert (answer.status_code, answer.json()) == (401, {"detail": "who are you?"})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_dependency_provides_and_is_closed(site: Served) -> None:
    assert site.client.get("/me", headers={"authorization": "Bearer Ada"}).json() == {"name": "Ada"}
    assert site.client.get("/closed").json() == ["Bearer Ada"]


def test_a_plain_function_runs_in_a_thread(site: Served) -> None:
    assert site.client.get("/thread").json() == {"main": False}


def test_lines_are_streamed(site: Served) -> None:
    with site.client.stream("GET", "/lines") as answer:
        assert [json.loads(line)["line"] for line in answer.iter_lines()] == list(range(20))
    assert answer.headers["content-type"] == "application/x-ndjson"


def test_a_204_has_no_body_and_no_length(site: Served) -> None:
    answer = site.client.delete("/items/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-length" not in answer.headers


def test_openapi_and_its_page_are_served(site: Served) -> None:
    assert site.client.get("/openapi.json").json()["info"] == {"title": "Shop", "version": "2"}
    assert "swagger" in site.client.get("/docs").text.lower()


def test_root_path_reaches_the_description() -> None:
    with served("tests.frameworks.fastapi_app:app", "--root-path", "/shop") as server:
        assert server.client.get("/openapi.json").json()["servers"] == [{"url": "/shop"}]
        assert server.client.get("/items/1").json()["number"] == 1  # the proxy stripped the prefix
        assert server.client.get("/shop/items/2").json()["number"] == 2  # the proxy left it
