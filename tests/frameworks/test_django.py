"""Django, served for real."""

from collections.abc import Iterator

import pytest
from tests.served import Served, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served("tests.frameworks.django_app:app", "--header", "x-served-by:portico", supervised=True) as server:
        yield server


def test_a_form_is_posted(site: Served) -> None:
    answer = site.client.post("/greet/", data={"name": "Ada", "times": "2"})
    assert (answer.status_code, answer.text) == (200, "Hello Ada! Hello Ada! ")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-length"] == str(len(answer.content))


def test_a_wrong_form_is_refused_by_the_view(site: Served) -> None:
    answer = site.client.post("/greet/", data={"name": "Ada", "times": "9"})
    assert answer.status_code == 422
    assert list(answer.json()) == ["times"]


def test_a_streaming_response_is_chunked_and_whole(site: Served) -> None:
    answer = site.client.get("/stream/")
    assert answer.text == "".join(f"row {number}\n" for number in range(100))
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["content-type"] == "text/csv"


def test_a_large_file_is_uploaded(site: Served) -> None:
    content = bytes(range(256)) * 12_000  # larger than what Django keeps in memory
    answer = site.client.post("/upload/", files={"file": ("data.bin", content)}, data={"note": "a note"})
    assert answer.json() == {"name": "data.bin", "size": len(content), "note": "a note"}


def test_cookies_go_both_ways(site: Served) -> None:
    assert [site.client.get("/visit/").text for _ in range(3)] == ["1", "2", "3"]
    answer = site.client.get("/visit/")
    assert len(answer.headers.get_list("set-cookie")) == 2  # one field each, never joined


def test_path_and_query_are_decoded(site: Served) -> None:
    about = site.client.get("/about/caf%C3%A9%20noir/?q=a%26b&page=2").json()
    assert (about["path"], about["what"]) == ("/about/café noir/", "café noir")
    assert about["query"] == {"q": "a&b", "page": "2"}
    assert (about["method"], about["client"], about["secure"]) == ("GET", "127.0.0.1", False)


def test_a_trusted_proxy_tells_client_scheme_and_host(site: Served) -> None:
    headers = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example"}
    about = site.client.get("/about/me/", headers=headers).json()
    assert (about["client"], about["secure"], about["host"]) == ("203.0.113.7", True, "shop.example")


def test_an_unknown_path_is_a_404(site: Served) -> None:
    answer = site.client.get("/nowhere/")
    assert answer.status_code == 404
    assert "Not Found" in answer.text


def test_a_missing_slash_is_redirected(site: Served) -> None:
    answer = site.client.get("/visit")
    assert (answer.status_code, answer.headers["location"]) == (301, "/visit/")


def test_a_view_that_fails_is_a_500_and_the_server_lives_on(site: Served) -> None:
    assert site.client.get("/crash/").status_code == 500
    assert site.client.get("/about/life/").status_code == 200


def test_head_has_the_headers_of_get_and_no_body(site: Served) -> None:
    answer = site.client.head("/about/head/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-served-by"] == "portico"
