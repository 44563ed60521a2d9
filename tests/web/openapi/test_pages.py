"""The documentation over HTTP: the document, the pages, and the files that these load."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from portico.web import Portico
from portico.web.openapi.bundles import BUNDLES
from portico.web.openapi.docs import FILES, SWAGGER_JS, get_swagger_ui_html
from portico.web.requests import Request
from portico.web.responses import HTMLResponse
from portico.web.testclient import TestClient

START = "/docs-assets/" + BUNDLES["start.js"]
BUNDLE = "/docs-assets/" + BUNDLES["swagger-ui-bundle.js"]


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(Portico()) as client:
        yield client


def raw(client: TestClient, url: str) -> bytes:
    """Return a body as it was sent."""
    with client.stream("GET", url) as response:
        return b"".join(response.iter_raw())


@pytest.mark.parametrize("name", BUNDLES)
def test_the_address_of_a_file_changes_with_its_content(name: str) -> None:
    """Where this fails: `python docs/refresh_ui.py`."""
    path = FILES / name
    content = path.read_bytes() if path.exists() else gzip.decompress((FILES / f"{name}.gz").read_bytes())
    assert BUNDLES[name].split(".")[-2] == hashlib.sha256(content).hexdigest()[:12]


@pytest.mark.parametrize("name", BUNDLES)
def test_a_file_is_served_to_be_kept_for_ever(client: TestClient, name: str) -> None:
    response = client.get("/docs-assets/" + BUNDLES[name])
    assert response.status_code == 200
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["etag"].startswith('"')


def test_a_bundle_is_sent_compressed_as_it_is_stored(client: TestClient) -> None:
    response = client.get(BUNDLE)
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["vary"] == "accept-encoding"
    assert raw(client, BUNDLE) == (FILES / "swagger-ui-bundle.js.gz").read_bytes()


@pytest.mark.parametrize("accepted", ["identity", "gzip;q=0", "br"])
def test_a_bundle_is_unpacked_for_those_who_do_not_take_gzip(client: TestClient, accepted: str) -> None:
    response = client.get(BUNDLE, headers={"accept-encoding": accepted})
    assert "content-encoding" not in response.headers
    assert response.content == gzip.decompress((FILES / "swagger-ui-bundle.js.gz").read_bytes())


@pytest.mark.parametrize("url", [START, BUNDLE])
def test_who_has_a_file_gets_it_no_second_time(client: TestClient, url: str) -> None:
    tag = client.get(url).headers["etag"]
    response = client.get(url, headers={"if-none-match": tag})
    assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)


def test_the_compressed_file_has_an_entity_tag_of_its_own(client: TestClient) -> None:
    plain = client.get(BUNDLE, headers={"accept-encoding": "identity"})
    assert plain.headers["etag"] != client.get(BUNDLE).headers["etag"]


@pytest.mark.parametrize("name", ["start.js", "../pages.py", "README.md", "swagger-ui-bundle.js.gz", ""])
def test_only_the_addresses_lead_to_files(client: TestClient, name: str) -> None:
    assert client.get("/docs-assets/" + name).status_code == 404


def test_a_file_may_be_asked_about_by_head(client: TestClient) -> None:
    response = client.head(START)
    assert (response.status_code, response.content) == (200, b"")


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


@pytest.mark.parametrize("openapi_url", [None, "/openapi.json"])
def test_a_page_of_ones_own_finds_its_files_wherever_it_says_the_document_is(openapi_url: str | None) -> None:
    app = Portico(openapi_url=openapi_url)

    @app.get("/own-docs")
    def own_docs() -> HTMLResponse:
        return get_swagger_ui_html(openapi_url="/api/own.json", title="Own")

    client = TestClient(app)
    assert [client.get(link).status_code for link in links(client.get("/own-docs"))] == [200, 200]
    assert client.get("/api/docs-assets/other.js").status_code == 404
    assert client.post("/api/" + SWAGGER_JS).status_code == 404


def test_routes_for_everything_do_not_hide_the_files() -> None:
    app = Portico()
    app.add_api_route("/{path:path}", lambda path: path)
    assert TestClient(app).get(START).headers["content-type"].startswith("text/javascript")


def test_the_pages_are_no_operations(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["paths"] == {}
