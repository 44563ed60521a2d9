"""The HTML of the documentation pages: what they load, and that nothing gets out of the place where it is put."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from portico.web.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
    swagger_ui_default_parameters,
)
from portico.web.responses import HTMLResponse

EVIL = "</script></title>'\"><img src=x onerror=alert(1)>\\&\u2028"


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the texts of scripts."""

    def __init__(self, response: HTMLResponse) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self._inside = ""
        self.feed(bytes(response.body).decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        self.text.setdefault(self._inside, []).append(data)

    def loads(self) -> list[str | None]:
        return [attrs.get("src", attrs.get("href")) for tag, attrs in self.found if tag in ("script", "link")]


def swagger(**settings: Any) -> Elements:
    return Elements(get_swagger_ui_html(**{"openapi_url": "/openapi.json", "title": "T", **settings}))


def shown_settings(page: Elements) -> dict[str, Any]:
    """Return the settings that are written as JSON, one a line."""
    text = next(text for text in page.text["script"] if "SwaggerUIBundle" in text)
    lines = [line[:-1] for line in text.split("\n") if line.startswith('"')]
    found: dict[str, Any] = json.loads("{" + ",".join(lines) + "}")
    return found


def test_the_page_of_swagger_ui_loads_only_what_is_beside_the_document() -> None:
    urls = [url for url in swagger(openapi_url="/api/v1/openapi.json").loads() if url]
    assert len(urls) == 4
    assert all(url.startswith("/api/v1/docs-assets/") for url in urls)


def test_the_page_of_swagger_ui_has_no_script_that_a_browser_would_run_in_it() -> None:
    scripts = [attrs for tag, attrs in swagger(init_oauth={"a": 1}).found if tag == "script"]
    assert [bool(attrs.get("src")) or attrs.get("type") == "text/plain" for attrs in scripts] == [True] * 3


def test_with_a_script_from_elsewhere_the_page_starts_swagger_ui_itself() -> None:
    page = swagger(swagger_js_url="https://cdn/swagger.js", swagger_css_url="/own.css", swagger_favicon_url="/own.png")
    assert page.loads() == ["/own.css", "/own.png", "https://cdn/swagger.js", None]
    assert [attrs for tag, attrs in page.found if tag == "script"][1] == {}


def test_the_query_of_the_documents_url_is_none_of_the_assets_business() -> None:
    urls = swagger(openapi_url="/a/openapi.json?key=/x/y").loads()
    assert all(url and url.startswith("/a/docs-assets/") for url in urls if url)


def test_settings_of_swagger_ui_go_over_the_defaults() -> None:
    found = shown_settings(swagger(swagger_ui_parameters={"deepLinking": False, "syntaxHighlight": {"theme": "x"}}))
    assert found == {
        "url": "/openapi.json",
        **swagger_ui_default_parameters,
        "deepLinking": False,
        "syntaxHighlight": {"theme": "x"},
    }


@pytest.mark.parametrize("place", ["openapi_url", "title", "swagger_js_url", "swagger_css_url", "oauth2_redirect_url"])
def test_no_text_gets_out_of_its_place_in_the_page_of_swagger_ui(place: str) -> None:
    page = swagger(**{place: EVIL})
    assert not [tag for tag, _ in page.found if tag == "img"]


def test_no_setting_gets_out_of_the_script() -> None:
    page = swagger(swagger_ui_parameters={EVIL: [EVIL]}, init_oauth={EVIL: EVIL}, swagger_js_url="/x.js")
    assert not [tag for tag, _ in page.found if tag == "img"]
    assert shown_settings(page)[EVIL] == [EVIL]


def test_the_redirect_path_is_text_in_single_quotes_in_a_script() -> None:
    page = swagger(oauth2_redirect_url="/o'\"\\<")
    assert "window.location.origin + '/o\\u0027\\\"\\\\\\u003c'," in "".join(page.text["script"])


@pytest.mark.parametrize("place", ["openapi_url", "title", "redoc_js_url", "redoc_favicon_url"])
def test_no_text_gets_out_of_its_place_in_the_page_of_redoc(place: str) -> None:
    page = Elements(get_redoc_html(**{"openapi_url": "/openapi.json", "title": "T", place: EVIL}))
    assert not [tag for tag, _ in page.found if tag == "img"]


def test_redoc_is_told_where_the_document_is() -> None:
    page = Elements(get_redoc_html(openapi_url="/a/o.json?x=1&y=2", title="T"))
    assert ("redoc", {"spec-url": "/a/o.json?x=1&y=2"}) in page.found


def test_without_fonts_redoc_loads_only_what_is_beside_the_document() -> None:
    page = Elements(get_redoc_html(openapi_url="/openapi.json", title="T", with_google_fonts=False))
    assert all(url and url.startswith("/docs-assets/") for url in page.loads())


def test_the_redirect_page_has_its_script_in_it_where_no_other_is_named() -> None:
    page = Elements(get_swagger_ui_oauth2_redirect_html())
    assert "window.opener.swaggerUIRedirectOauth2" in page.text["script"][0]
    assert "</" not in re.sub(r"//.*", "", page.text["script"][0])


def test_the_redirect_page_may_load_its_script() -> None:
    page = Elements(get_swagger_ui_oauth2_redirect_html(script_url="/a&b.js"))
    assert page.loads() == ["/a&b.js"]
    assert "script" not in page.text or not "".join(page.text["script"]).strip()
