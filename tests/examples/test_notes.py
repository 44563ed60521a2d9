"""The notes service: its API and its news, on the framework and, with other import lines, on FastAPI itself."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient as TestClientOfStarlette
from tests.examples.ported import CHANGES, NOTES, on_fastapi

from portico.web.testclient import TestClient

FRAMEWORKS = ("portico", "fastapi")


@pytest.fixture(scope="module", params=FRAMEWORKS)
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The package `notes`, as it is or ported."""
    if request.param == "portico":
        yield importlib.import_module("examples.notes")
        return
    directory = tmp_path_factory.mktemp("ported")
    name = on_fastapi(directory)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(directory)
        yield importlib.import_module(name)
    for module in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture
def client(package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of the service, with a database of its own."""
    monkeypatch.setenv("NOTES_DATABASE", str(tmp_path / "notes.db"))
    with (TestClient if package.__name__ == "examples.notes" else TestClientOfStarlette)(package.app) as client:
        yield client


def added(client: Any, title: str = "milk", **more: str) -> dict[str, Any]:
    answer = client.post("/api/notes", json={"title": title, **more})
    assert answer.status_code == 201, answer.text
    note: dict[str, Any] = answer.json()
    return note


def without_times(note: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in note.items() if name not in ("added", "edited")}


# --- notes --------------------------------------------------------------------------------------


def test_a_note_that_was_added_is_where_the_answer_says(client: Any) -> None:
    answer = client.post("/api/notes", json={"title": " milk ", "text": "two <litres>\n"})
    assert (answer.status_code, answer.headers["location"]) == (201, "http://testserver/api/notes/1")
    assert without_times(answer.json()) == {"title": "milk", "text": "two <litres>\n", "id": 1}
    assert client.get(answer.headers["location"]).json() == answer.json()


def test_an_edit_changes_what_it_has_and_leaves_the_rest(client: Any) -> None:
    note = added(client, text="two litres")
    edited = client.patch(f"/api/notes/{note['id']}", json={"text": "three litres"}).json()
    assert without_times(edited) == without_times(note) | {"text": "three litres"}
    assert edited["added"] == note["added"]
    assert edited["edited"] > note["edited"]
    assert client.get(f"/api/notes/{note['id']}").json() == edited


def test_a_deleted_note_is_gone_and_its_number_is_not_given_again(client: Any) -> None:
    path = f"/api/notes/{added(client)['id']}"
    answer = client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert added(client)["id"] == 2
    for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
        answer = client.request(method, path, json=body)
        assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such note."})


def test_the_list_has_what_was_edited_last_first(client: Any) -> None:
    for title in ("one", "two", "three"):
        added(client, title)
    client.patch("/api/notes/1", json={})
    assert [note["title"] for note in client.get("/api/notes").json()] == ["one", "three", "two"]
    page = client.get("/api/notes", params={"limit": 1, "offset": 1}).json()
    assert [note["title"] for note in page] == ["three"]


def test_a_search_looks_at_titles_and_texts_and_not_at_capitals(client: Any) -> None:
    added(client, "Milk")
    added(client, "bread", text="and MILK")
    added(client, "50 % off")
    assert [note["id"] for note in client.get("/api/notes", params={"search": "milk"}).json()] == [2, 1]
    assert [note["id"] for note in client.get("/api/notes", params={"search": "%"}).json()] == [3]


def test_notes_outlive_the_process(client: Any, package: ModuleType) -> None:
    note = added(client)
    with type(client)(package.app) as another:
        assert another.get("/api/notes").json() == [note]


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "where", "kind"),
    [
        (b"{", ["body", 1], "json_invalid"),
        (b"[]", ["body"], "model_attributes_type"),
        (b"{}", ["body", "title"], "missing"),
        (b'{"title": " "}', ["body", "title"], "string_too_short"),
        (b'{"title": 1}', ["body", "title"], "string_type"),
        (b'{"title": "%s"}' % (b"x" * 101), ["body", "title"], "string_too_long"),
    ],
)
def test_what_is_no_note_is_refused_with_the_place_of_the_fault(
    client: Any, body: bytes, where: list[str | int], kind: str
) -> None:
    answer = client.post("/api/notes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert [(fault["loc"], fault["type"]) for fault in answer.json()["detail"]] == [(where, kind)]


@pytest.mark.parametrize("package", ["portico"], indirect=True)  # FastAPI answers with 500
def test_half_a_character_is_refused_like_any_other_fault(client: Any) -> None:
    fields = {"content-type": "application/json"}
    answer = client.post("/api/notes", content=b'{"title": "\\ud800"}', headers=fields)
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "json_invalid")


@pytest.mark.parametrize(
    "path", ["/api/notes/0", "/api/notes/x", f"/api/notes/{2**63}", "/api/notes?limit=0", f"/api/notes?offset={2**63}"]
)
def test_numbers_that_the_database_cannot_hold_are_refused(client: Any, path: str) -> None:
    assert client.get(path).status_code == 422


def test_a_body_over_the_limit_is_refused(client: Any) -> None:
    assert client.post("/api/notes", json={"title": "x", "text": "x" * (1 << 20)}).status_code == 413


def test_a_page_of_another_site_gets_no_news(client: Any) -> None:
    foreign = {"origin": "http://evil.example"}
    with pytest.raises(Exception) as refused, client.websocket_connect("/api/live", headers=foreign):
        pass
    assert type(refused.value).__name__ == "WebSocketDisconnect"
    with client.websocket_connect("/api/live", headers={"origin": "http://testserver"}) as listener:
        assert listener.receive_json()["what"] == "all"


# --- news ---------------------------------------------------------------------------------------


def test_who_listens_hears_of_all_notes_and_then_of_each_change(client: Any) -> None:
    first = added(client)
    with client.websocket_connect("/api/live") as listener:
        assert listener.receive_json() == {"what": "all", "notes": [first]}
        second = added(client, "bread")
        assert listener.receive_json() == {"what": "saved", "notes": [second]}
        edited = client.patch("/api/notes/1", json={"title": "tea"}).json()
        assert listener.receive_json() == {"what": "saved", "notes": [edited]}
        client.delete("/api/notes/2")
        assert listener.receive_json() == {"what": "deleted", "notes": [second]}


def test_who_is_too_far_behind_hears_of_all_notes_again(package: ModuleType, tmp_path: Path) -> None:
    live = importlib.import_module(f"{package.__name__}.live")
    models = importlib.import_module(f"{package.__name__}.models")
    store = importlib.import_module(f"{package.__name__}.store")

    async def told() -> list[Any]:
        path = str(tmp_path / "notes.db")
        await store.create(path)
        feed = live.Feed(path)
        news = feed.news()
        assert (await anext(news)).notes == []
        async with store.opened(path) as opened:
            note = await opened.add(models.NewNote(title="milk"))
        for _ in range(live.MAX_BEHIND + 1):
            feed.deleted(note)
        feed.saved(note)
        heard = [await anext(news), await anext(news)]
        await news.aclose()
        assert feed.listeners == set()
        return heard

    assert [(news.what, len(news.notes)) for news in asyncio.run(told())] == [("all", 1), ("saved", 1)]


def test_the_api_is_described(client: Any) -> None:
    document = client.get("/openapi.json").json()
    assert document["info"]["title"] == "Notes"
    assert sorted(document["paths"]) == ["/api/events", "/api/notes", "/api/notes/{number}"]
    assert sorted(document["components"]["schemas"]["Note"]["required"]) == ["added", "edited", "id", "title"]


def test_the_page_and_its_files_are_served(client: Any) -> None:
    assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    for name in ("notes.js", "notes.css"):
        assert client.get(f"/{name}").status_code == 200
    assert client.get("/api/none").status_code == 404


# --- the port -----------------------------------------------------------------------------------


def test_a_port_changes_nothing_but_import_lines_and_the_name_of_the_class() -> None:
    for source in NOTES.glob("*.py"):
        for line in source.read_text().splitlines():
            ported = line
            for ours, theirs in CHANGES:
                ported = ours.sub(theirs, ported)
            if ported != line:
                assert line.startswith("from portico") or ported == line.replace("Portico", "FastAPI"), line


def test_both_describe_the_same_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    theirs = importlib.import_module(on_fastapi(tmp_path, "notes_described")).app.openapi()
    ours = importlib.import_module("examples.notes").app.openapi()
    assert json.loads(json.dumps(ours)) == json.loads(json.dumps(theirs))
