"""The documentation in a real browser, from a real server: it works, and asks no other host for anything."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.browser import Page, chromium, page
from tests.served import Served, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@pytest.fixture(scope="module", params=["app", "strict"])
def docs(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address that the documentation is below."""
    with served(f"tests.web.openapi.documented:{request.param}", supervised=True) as server:
        yield server.url + ("/birds" if request.param == "strict" else "")


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    with served("tests.web.openapi.documented:app") as server:
        yield server


@contextmanager
def watched(browser: str, url: str) -> Iterator[Page]:
    """Open a page, and expect that nothing is asked of another host, and that nothing is refused by a policy."""
    asked: list[str] = []
    refused: list[str] = []
    with page(browser) as tab:
        following = tab._next

        def listen() -> dict[str, Any]:
            message = following()
            if message.get("method") == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
            elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["source"] == "security":
                refused.append(message["params"]["entry"]["text"])
            return message

        tab._next = listen  # type: ignore[method-assign]
        tab.ask("Network.enable")
        tab.ask("Log.enable")
        tab.open(url)
        yield tab
    host = "/".join(url.split("/")[:3]) + "/"
    assert [each for each in asked if not each.startswith((host, "data:", "blob:" + host))] == []
    assert refused == []


def click(tab: Page, selector: str, text: str = "") -> None:
    """Click the first element of the selector that has the text, as soon as it is there, as a person would."""
    tab.shown(selector, text)
    elements = f"[...document.querySelectorAll({json.dumps(selector)})]"
    expression = f"{elements}.find(element => element.textContent.includes({json.dumps(text)})).click()"
    answer = tab.ask("Runtime.evaluate", expression=expression, userGesture=True)  # else no window is opened
    assert "exceptionDetails" not in answer, answer


def test_swagger_ui_executes_a_request(browser: str, docs: str) -> None:
    with watched(browser, f"{docs}/docs") as tab:
        tab.shown(".info .title", "Parrots")
        tab.shown(".info .renderedMarkdown strong", "parrots")
        click(tab, ".opblock-summary-control", "/parrots/{name}")
        click(tab, ".try-out__btn", "Try it out")
        tab.shown(".execute", "Execute")
        tab.type("Polly", into="input[placeholder=name]")
        click(tab, ".execute")
        tab.shown(".live-responses-table .response-col_status", "200")
        assert '"name": "Polly"' in tab.shown(".live-responses-table .response-col_description", "Polly")


def test_swagger_ui_sends_a_body(browser: str, docs: str) -> None:
    with watched(browser, f"{docs}/docs") as tab:
        click(tab, ".opblock-post .opblock-summary-control")
        click(tab, ".try-out__btn", "Try it out")
        click(tab, ".execute")
        tab.shown(".live-responses-table .response-col_status", "201")


def test_a_login_comes_back_to_swagger_ui(browser: str, docs: str) -> None:
    with watched(browser, f"{docs}/docs") as tab:
        click(tab, ".btn.authorize", "Authorize")
        tab.shown(".auth-container", "authorizationCode")
        assert tab.run("document.querySelector('#client_id_authorizationCode').value") == "O'Reilly & <sons>"
        click(tab, ".auth-btn-wrapper .authorize", "Authorize")
        tab.shown(".auth-container h6", "Authorized")
        click(tab, ".btn-done", "Close")
        click(tab, ".opblock-summary-control", "/secret")
        click(tab, ".try-out__btn", "Try it out")
        click(tab, ".execute")
        tab.shown(".live-responses-table .response-col_description", "The token is A=B")


def test_redoc_shows_the_operations(browser: str, plain: Served) -> None:
    with watched(browser, f"{plain.url}/redoc") as tab:
        tab.shown("h1", "Parrots")
        tab.shown("h2", "Read Parrot")
        tab.shown("[role=menuitem]", "Add Parrot")
