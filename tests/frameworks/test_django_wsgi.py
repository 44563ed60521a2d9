"""Django's WSGI handler, found to be one and served for real."""

from collections.abc import Iterator

import pytest
from tests.frameworks.test_django import (
    test_a_form_is_posted,
    test_a_large_file_is_uploaded,
    test_a_missing_slash_is_redirected,
    test_a_trusted_proxy_tells_client_scheme_and_host,
    test_a_view_that_fails_is_a_500_and_the_server_lives_on,
    test_a_wrong_form_is_refused_by_the_view,
    test_an_unknown_path_is_a_404,
    test_cookies_go_both_ways,
    test_head_has_the_headers_of_get_and_no_body,
    test_path_and_query_are_decoded,
)
from tests.served import ROOT, Served, served

# What a browser sees is the same, whichever way Django is called.
__all__ = [
    "test_a_form_is_posted",
    "test_a_large_file_is_uploaded",
    "test_a_missing_slash_is_redirected",
    "test_a_trusted_proxy_tells_client_scheme_and_host",
    "test_a_view_that_fails_is_a_500_and_the_server_lives_on",
    "test_a_wrong_form_is_refused_by_the_view",
    "test_an_unknown_path_is_a_404",
    "test_cookies_go_both_ways",
    "test_head_has_the_headers_of_get_and_no_body",
    "test_path_and_query_are_decoded",
]
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served("tests.frameworks.django_wsgi_app", "--header", "x-served-by:portico") as server:
        yield server


def test_a_generator_is_streamed(site: Served) -> None:
    answer = site.client.get("/rows/")
    assert answer.text == "".join(f"row {number}\n" for number in range(100))
    assert answer.headers["transfer-encoding"] == "chunked"


def test_a_file_is_downloaded_and_closed(site: Served) -> None:
    content = (ROOT / "tests" / "frameworks" / "django_wsgi_app.py").read_bytes()
    for _ in range(3):
        answer = site.client.get("/download/")
        assert (answer.content, answer.headers["content-length"]) == (content, str(len(content)))
    # It is closed after the last byte is sent, in another thread.
    assert any(site.client.get("/descriptors/").text == "0" for _ in range(100))


def test_a_request_is_read_by_lines(site: Served) -> None:
    assert site.client.post("/lines/", content=b"line\n" * 1000).text == "1000"
