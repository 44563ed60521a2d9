"""The page of the notes service in a real browser: what one window does, the others show."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.browser import Page, chromium, page
from tests.examples.ported import on_fastapi
from tests.served import Served, served

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with chromium(tmp_path_factory.mktemp("profile")) as address:
        yield address


@pytest.fixture(params=["portico", "fastapi"])
def notes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """The service, with a database of its own; on our server in either case."""
    env = {"NOTES_DATABASE": str(tmp_path / "notes.db")}
    if request.param == "portico":
        app, options = "examples.notes:app", []
    else:  # where an event stream learns with its next event that the client has gone
        app = f"{on_fastapi(tmp_path)}:app"
        options = ["--app-dir", str(tmp_path), "--timeout-graceful-shutdown", "0.1"]
    with served(app, *options, env=env, supervised=True) as server:
        yield server
    assert "Traceback" not in server.log


@pytest.fixture
def windows(notes: Served, browser: str) -> Iterator[tuple[Page, Page]]:
    """Two windows: one gets its news by WebSocket, the other as events."""
    with page(browser) as one, page(browser) as other:
        for window, way in ((one, "websocket"), (other, "events")):
            window.open(f"{notes.url}/?live={way}")
        assert one.shown("#state", "Live") == "Live, by WebSocket"
        assert other.shown("#state", "Live") == "Live, by events"
        yield one, other


def fill(window: Page, form: str, **fields: str) -> None:
    """Put texts into the fields of a form and send it."""
    for name, text in fields.items():
        window.run(f"document.querySelector({json.dumps(f'{form} [name={name}]')}).value = {json.dumps(text)}")
    window.run(f"document.querySelector({json.dumps(form)}).requestSubmit()")


def press(window: Page, button: str) -> None:
    window.run(f"document.querySelector({json.dumps(button)}).click()")


def gone(window: Page, selector: str) -> None:
    """Wait until the page has no such element."""
    window.run(f"""new Promise(resolve => {{
        const look = () => document.querySelector({json.dumps(selector)}) || resolve();
        new MutationObserver(look).observe(document, {{subtree: true, childList: true, attributes: true}});
        look();
    }})""")


def test_what_one_window_adds_edits_and_deletes_the_other_shows(windows: tuple[Page, Page]) -> None:
    for one, other in (windows, windows[::-1]):
        fill(one, "#new", title="milk", text="two <litres>")
        for window in windows:
            window.shown("#notes h2", "milk")
            assert window.shown("#notes .text", "two") == "two <litres>"
        press(other, "#notes [name=edit]")
        fill(other, "#notes form", title="tea")
        for window in windows:
            window.shown("#notes h2", "tea")
            gone(window, "#notes form")
        press(one, "#notes [name=delete]")
        for window in windows:
            gone(window, "#notes .note")


def test_a_title_is_typed_and_sent_with_enter(windows: tuple[Page, Page]) -> None:
    windows[0].type("bread", into="#new [name=title]")
    for window in windows:
        window.shown("#notes h2", "bread")


def test_a_note_that_is_being_edited_is_not_torn_away_by_news(windows: tuple[Page, Page]) -> None:
    one, other = windows
    fill(one, "#new", title="milk")
    other.shown("#notes h2", "milk")
    press(other, "#notes [name=edit]")
    press(one, "#notes [name=edit]")
    fill(one, "#notes form", title="tea")
    one.shown("#notes h2", "tea")
    fill(one, "#new", title="bread")
    other.shown("#notes h2", "bread")
    assert other.run("document.querySelector('#notes form [name=title]').value") == "milk"
    press(other, "#notes form [name=cancel]")
    other.shown("#notes h2", "tea")


def test_what_the_api_refuses_is_shown(notes: Served, windows: tuple[Page, Page]) -> None:
    one, _ = windows
    fill(one, "#new", title="milk")
    one.shown("#notes h2", "milk")
    one.run("document.querySelector('#new').noValidate = true")
    fill(one, "#new", title=" ")
    assert one.shown("#problem", "1 character") == "String should have at least 1 character"
    fill(one, "#new", title="bread")
    one.shown("#notes h2", "bread")
    gone(one, "#problem:not([hidden])")


def test_windows_come_back_with_the_server(tmp_path: Path, browser: str) -> None:
    env = {"NOTES_DATABASE": str(tmp_path / "notes.db")}
    with page(browser) as window:
        with served("examples.notes:app", env=env) as server:
            port = str(server.client.base_url.port)
            window.open(server.url)
            window.shown("#state", "Live")
        window.shown("#state", "Disconnected")
        with served("examples.notes:app", "--port", port, env=env) as server:
            window.shown("#state", "Live")
            server.client.post("/api/notes", json={"title": "back again"})
            window.shown("#notes h2", "back again")
            window.open("about:blank")
