"""The notice board, used over real sockets: on our server and on uvicorn."""

import json
from collections.abc import Iterator

import httpx
import pytest
from tests.hosted import SERVERS, hosted
from tests.served import Served
from websockets.sync.client import connect

pytestmark = pytest.mark.process

APP = "examples.board:app"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400


@pytest.fixture(scope="module", params=SERVERS)
def site(request: pytest.FixtureRequest) -> Iterator[Served]:
    with hosted(APP, request.param) as server:
        yield server
    assert "Traceback" not in server.log


@pytest.fixture
def ada(site: Served) -> Iterator[httpx.Client]:
    """A browser in which Ada has signed in."""
    with httpx.Client(base_url=site.url, trust_env=False, timeout=10) as client:
        answer = client.post("/sign-in", data={"name": "Ada <1>"})
        assert (answer.status_code, answer.headers["location"]) == (303, f"{site.url}/")
        yield client


def test_a_visitor_is_asked_for_a_name(site: Served) -> None:
    page = site.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'action="{site.url}/sign-in"' in page.text


def test_a_name_is_needed(site: Served) -> None:
    answer = site.client.post("/sign-in", data={"name": "  "})
    assert (answer.status_code, answer.text) == (422, "<p>A name is needed.\n")


def test_a_note_of_the_api_is_read_back_and_shown_as_text(ada: httpx.Client) -> None:
    answer = ada.post("/api/notes", json={"text": "milk & <eggs>"})
    assert answer.status_code == 201
    note = ada.get(answer.headers["location"]).json()
    assert note == {"author": "Ada <1>", "text": "milk & <eggs>", "picture": None}
    assert "<b>Ada &lt;1&gt;</b> milk &amp; &lt;eggs&gt;" in ada.get("/").text
    assert {"id": answer.json()["id"], **note} in ada.get("/api/notes").json()


def test_an_uploaded_picture_is_served_with_ranges_and_validators(ada: httpx.Client) -> None:
    answer = ada.post(
        "/notes", data={"text": "a picture"}, files={"picture": ("../../etc/passwd", PICTURE, "image/png")}
    )
    assert answer.status_code == 303
    name = ada.get("/api/notes").json()[-1]["picture"]
    assert name.endswith(".png")
    whole = ada.get(f"/pictures/{name}")
    assert (whole.content, whole.headers["content-type"]) == (PICTURE, "image/png")
    part = ada.get(f"/pictures/{name}", headers={"range": "bytes=8-11"})
    assert (part.status_code, part.content) == (206, PICTURE[8:12])
    assert ada.get(f"/pictures/{name}", headers={"if-none-match": whole.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/pictures/../board.py", "/pictures/%2e%2e/board.py", "/pictures/none.png"])
def test_no_other_file_is_served(site: Served, path: str) -> None:
    assert site.client.get(path).status_code == 404


def test_a_picture_of_another_type_is_refused(ada: httpx.Client) -> None:
    answer = ada.post("/notes", data={"text": "x"}, files={"picture": ("a.svg", b"<svg/>", "image/svg+xml")})
    assert answer.status_code == 415


def test_a_body_over_the_limit_is_refused(ada: httpx.Client) -> None:
    answer = ada.post("/notes", data={"text": "x"}, files={"picture": ("a.png", b"x" * (6 << 20), "image/png")})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b"\xff", 400), (b"[]", 422), (b'{"text": 1}', 422), (b'{"text": ""}', 422)]
)
def test_what_is_no_note_is_refused_in_json(ada: httpx.Client, content: bytes, status: int) -> None:
    answer = ada.post("/api/notes", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_who_has_not_signed_in_writes_nothing(site: Served) -> None:
    assert site.client.post("/api/notes", json={"text": "x"}).status_code == 401
    assert site.client.post("/notes", data={"text": "x"}).status_code == 401


def test_a_forged_session_is_nobody(site: Served) -> None:
    forged = {"cookie": "session=eyJ1c2VyIjogIkV2ZSJ9.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb"}
    assert site.client.post("/api/notes", json={"text": "x"}, headers=forged).status_code == 401


@pytest.mark.parametrize(("method", "path", "status"), [("DELETE", "/api/notes/1", 405), ("GET", "/api/notes/x", 404)])
def test_the_api_says_its_errors_in_json(site: Served, method: str, path: str, status: int) -> None:
    answer = site.client.request(method, path)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_who_listens_hears_of_a_new_note(site: Served, ada: httpx.Client) -> None:
    with connect(f"{site.url.replace('http', 'ws')}/news") as listener:
        number = ada.post("/api/notes", json={"text": "news"}).json()["id"]
        assert json.loads(listener.recv(10)) == {"id": number, "author": "Ada <1>"}
