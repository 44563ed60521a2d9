"""The files that the pages load: compressed, kept for ever, found wherever a page looks for them."""

import gzip
import hashlib
from collections.abc import Iterator

import httpx
import pytest

from portico.web import Portico
from portico.web.openapi.bundles import BUNDLES
from portico.web.openapi.docs import FILES, SWAGGER_JS, get_swagger_ui_html
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


def links(response: httpx.Response) -> list[str]:
    return [part.split('"')[0] for part in response.text.split('src="')[1:]]


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
