"""Flask, found to be a WSGI application and served for real."""

from collections.abc import Iterator

import pytest
from tests.frameworks import flask_app
from tests.served import Served, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served("tests.frameworks.flask_app:app", "--threads", "4") as server:
        yield server


def test_a_form_is_posted(site: Served) -> None:
    answer = site.client.post("/greet", data={"name": "Ada", "times": "2"})
    assert (answer.status_code, answer.text) == (200, "Hello Ada! Hello Ada! ")
    assert answer.headers["content-length"] == str(len(answer.content))


def test_a_missing_field_is_flasks_400(site: Served) -> None:
    assert site.client.post("/greet", data={}).status_code == 400


def test_json_is_posted(site: Served) -> None:
    assert site.client.post("/json", json=[1, 2, 3]).json() == {"sum": 6}


def test_a_large_file_is_uploaded(site: Served) -> None:
    content = bytes(range(256)) * 12_000
    answer = site.client.post("/upload", files={"file": ("data.bin", content)})
    assert answer.json() == {"name": "data.bin", "size": len(content), "same": True}


def test_a_body_in_chunks_is_read_by_lines(site: Served) -> None:
    answer = site.client.post("/lines", content=(b"line\n" * 10 for _ in range(10)))
    assert answer.text == "100"


def test_a_generator_is_streamed(site: Served) -> None:
    answer = site.client.get("/stream?what=row")
    assert answer.text == "".join(f"row {number}\n" for number in range(100))
    assert answer.headers["transfer-encoding"] == "chunked"


def test_a_file_is_downloaded_whole_and_in_part(site: Served) -> None:
    content = flask_app.FILE.read_bytes()
    answer = site.client.get("/file")
    assert (answer.content, answer.headers["content-length"]) == (content, str(len(content)))
    part = site.client.get("/file", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, content[10:20])
    unchanged = site.client.get("/file", headers={"if-none-match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


def test_a_file_in_memory_is_downloaded(site: Served) -> None:
    assert site.client.get("/memory").content == b"from memory"


def test_a_session_goes_both_ways(site: Served) -> None:
    assert [site.client.get("/visit").text for _ in range(3)] == ["1", "2", "3"]


def test_what_is_to_be_done_after_the_response_is_done(site: Served) -> None:
    assert site.client.get("/after").text == "answered"
    assert site.client.get("/closed").json() == ["closed"]


def test_the_request_is_told(site: Served) -> None:
    about = site.client.get("/about/caf%C3%A9%20noir?q=a%26b", headers={"host": "shop.example"}).json()
    assert about == {
        "what": "café noir",
        "path": "/about/café noir",
        "root": "",
        "query": {"q": "a&b"},
        "secure": False,
        "host": "shop.example",
        "client": "127.0.0.1",
        "url": "http://shop.example/about/café%20noir?q=a%26b",
        "multithread": True,
    }


def test_a_trusted_proxy_tells_client_scheme_and_host(site: Served) -> None:
    headers = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example"}
    about = site.client.get("/about/me", headers=headers).json()
    assert (about["client"], about["secure"], about["host"]) == ("203.0.113.7", True, "shop.example")


def test_head_has_the_headers_of_get_and_no_body(site: Served) -> None:
    for path in ("/about/head", "/file"):
        got, answer = site.client.get(path), site.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == got.headers["content-length"]


def test_a_view_that_fails_is_flasks_500_and_the_server_lives_on(site: Served) -> None:
    answer = site.client.get("/crash")
    assert (answer.status_code, "The server encountered an internal error" in answer.text) == (500, True)
    assert site.client.get("/about/life").status_code == 200


def test_an_unknown_path_is_flasks_404(site: Served) -> None:
    assert "The requested URL was not found" in site.client.get("/nowhere").text
