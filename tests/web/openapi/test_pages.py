"""The documentation over HTTP: the document and the pages."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from portico.web import Portico
from portico.web.openapi.bundles import BUNDLES
from portico.web.requests import Request
from portico.web.responses import HTMLResponse
from portico.web.testclient import TestClient

START = "/docs-assets/" + BUNDLES["start.js"]
BUNDLE = "/docs-assets/" + BUNDLES["swagger-ui-bundle.js"]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Portico()) as client:
        yield client


def test_the_document_is_encoded_once(client: TestClient) -> None:
    first, second = client.get("/openapi.json"), client.get("/openapi.json")
    assert first.content == second.content
    assert first.headers["content-type"] == "application/json"


def test_the_first_document_is_made_while_the_loop_goes_on() -> None:
    app = Portico()
    threads: list[int] = []
    make = app.openapi

    def openapi() -> dict[str, Any]:
        threads.append(threading.get_ident())
        return make()

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/loop")
    async def loop() -> int:
        return threading.get_ident()

    with TestClient(app) as client:
        client.get("/openapi.json")
        assert threads[0] != client.get("/loop").json()


def test_who_has_the_document_gets_it_no_second_time(client: TestClient) -> None:
    tag = client.get("/openapi.json").headers["etag"]
    assert client.get("/openapi.json", headers={"if-none-match": f'"x", W/{tag}'}).status_code == 304


def test_what_is_done_to_a_response_is_done_to_that_one_only() -> None:
    app = Portico()
    count = 0

    @app.middleware("http")
    async def number(request: Request, call_next: object) -> HTMLResponse:
        nonlocal count
        count += 1
        response: HTMLResponse = await call_next(request)  # type: ignore[operator]
        response.headers.append("x-number", str(count))
        return response

    client = TestClient(app)
    client.get("/openapi.json")
    assert client.get("/openapi.json").headers.get_list("x-number") == ["2"]


def test_a_document_that_was_made_otherwise_is_served() -> None:
    app = Portico()
    client = TestClient(app)
    client.get("/openapi.json")
    app.openapi = lambda: {"openapi": "3.1.0", "x-own": True}  # type: ignore[method-assign]
    assert client.get("/openapi.json").json() == {"openapi": "3.1.0", "x-own": True}


def test_a_change_of_the_routes_shows_in_the_document() -> None:
    app = Portico()
    client = TestClient(app)
    assert client.get("/openapi.json").json()["paths"] == {}
    app.add_api_route("/new", lambda: None)
    assert list(client.get("/openapi.json").json()["paths"]) == ["/new"]


def test_the_root_path_is_the_first_server() -> None:
    app = Portico(servers=[{"url": "https://example.com"}])
    there, here = TestClient(app, root_path="/there"), TestClient(app)
    assert [server["url"] for server in there.get("/openapi.json").json()["servers"]] == [
        "/there",
        "https://example.com",
    ]
    assert [server["url"] for server in here.get("/openapi.json").json()["servers"]] == ["https://example.com"]


def test_the_root_path_is_no_server_where_the_program_says_so() -> None:
    client = TestClient(Portico(root_path_in_servers=False), root_path="/there")
    assert "servers" not in client.get("/openapi.json").json()


def links(response: httpx.Response) -> list[str]:
    return [part.split('"')[0] for part in response.text.split('src="')[1:]]


@pytest.mark.parametrize("page", ["/docs", "/redoc", "/docs/oauth2-redirect"])
def test_the_pages_of_a_mounted_application_find_their_files(page: str) -> None:
    app = Portico()
    app.mount("/sub", Portico())
    client = TestClient(app, root_path="/root")
    response = client.get(f"/root/sub{page}")
    assert response.status_code == 200
    for link in links(response):
        assert link.startswith("/root/sub/docs-assets/")
        assert client.get(link).status_code == 200


def test_the_pages_may_have_other_urls() -> None:
    app = Portico(
        openapi_url="/v1/api.json", docs_url="/ui", redoc_url="/read", swagger_ui_oauth2_redirect_url="/ui/back"
    )
    client = TestClient(app)
    assert [client.get(url).status_code for url in ("/v1/api.json", "/ui", "/read", "/ui/back")] == [200] * 4
    assert [client.get(url).status_code for url in ("/openapi.json", "/docs", "/redoc")] == [404] * 3
    assert "window.location.origin + '/ui/back'" in client.get("/ui").text
    assert all(client.get(link).status_code == 200 for link in links(client.get("/ui")))


@pytest.mark.parametrize("setting", ["docs_url", "redoc_url"])
def test_a_page_without_a_url_is_not_there(setting: str) -> None:
    app = Portico(docs_url=None) if setting == "docs_url" else Portico(redoc_url=None)
    found = [
        TestClient(app).get(url).status_code for url in ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")
    ]
    assert found == ([200, 404, 404, 200] if setting == "docs_url" else [200, 200, 200, 404])


def test_without_a_document_there_is_no_route() -> None:
    app = Portico(openapi_url=None)
    assert app.routes == []
    assert [TestClient(app).get(url).status_code for url in ("/openapi.json", "/docs", "/redoc")] == [404] * 3


def test_the_pages_are_no_operations(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["paths"] == {}
