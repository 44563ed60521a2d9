"""Frontends: which files answer where no route leads, what falls back to the page, and what stands before the files."""

import os
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest

from portico.web import APIRouter, BackgroundTasks, Depends, HTTPException, Portico, Request, Response, WebSocket
from portico.web.routing import Match, NoMatchFound
from portico.web.routing.frontend import FrontendFiles, FrontendRoute, FrontendRoutes, check_directory
from portico.web.testclient import TestClient

PAGE = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTICO_ENV", raising=False)
    monkeypatch.delenv("FASTAPI_ENV", raising=False)


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    root = tmp_path / "dist"
    (root / "assets").mkdir(parents=True)
    (root / "about").mkdir()
    (root / "empty").mkdir()
    for name in ("index.html", "assets/app.js", "about/index.html"):
        (root / name).write_text(name)
    (tmp_path / "secret.txt").write_text("SECRET")
    return root


def client_of(dist: Path, path: str = "/", **more: Any) -> TestClient:
    app = Portico()
    app.frontend(path, directory=dist, **more)
    return TestClient(app)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "index.html"),
        ("/index.html", "index.html"),
        ("/assets/app.js", "assets/app.js"),
        ("/about/", "about/index.html"),
    ],
)
def test_files_and_pages_of_directories_are_served(dist: Path, path: str, body: str) -> None:
    answer = client_of(dist).get(path)
    assert (answer.status_code, answer.text) == (200, body)


def test_a_directory_without_its_slash_is_redirected(dist: Path) -> None:
    answer = client_of(dist).get("/about?x=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "./about/?x=1")


def test_files_have_validators_and_ranges(dist: Path) -> None:
    client = client_of(dist)
    answer = client.get("/assets/app.js")
    assert client.get("/assets/app.js", headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert client.get("/assets/app.js", headers={"range": "bytes=0-5"}).text == "assets"
    assert client.head("/assets/app.js").headers["content-length"] == "13"


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/..%5csecret.txt"])
def test_nothing_outside_is_served(dist: Path, path: str) -> None:
    assert client_of(dist).get(path).status_code == 404


def test_links_that_lead_outside_are_not_followed(dist: Path) -> None:
    (dist / "out").symlink_to(dist.parent / "secret.txt")
    assert client_of(dist).get("/out").status_code == 404


def test_below_a_path_only_whole_segments_count(dist: Path) -> None:
    client = client_of(dist, "/app/")
    assert client.get("/app/assets/app.js").text == "assets/app.js"
    assert client.get("/application", headers=PAGE).status_code == 404


def test_the_path_itself_is_redirected_to_its_page(dist: Path) -> None:
    client = client_of(dist, "/app")
    assert client.get("/app", follow_redirects=False).headers["location"] == "./app/"
    assert client.get("/app").text == "index.html"


def test_a_root_path_is_not_part_of_the_path(dist: Path) -> None:
    app = Portico()
    app.frontend("/app", directory=dist)
    assert TestClient(app, root_path="/proxy").get("/app/assets/app.js").status_code == 200


@pytest.mark.parametrize("path", ["/assets/app.js", "/", "/about/"])
def test_what_is_there_may_only_be_read(dist: Path, path: str) -> None:
    answer = client_of(dist).post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "/empty/"])
def test_what_is_not_there_is_not_found_by_any_method(dist: Path, path: str) -> None:
    assert client_of(dist, fallback="index.html").delete(path, headers=PAGE).status_code == 404


# --- what is not there ---------------------------------------------------------------------------


@pytest.mark.parametrize("fallback", ["auto", "index.html"])
def test_a_page_that_is_not_there_is_the_applications(dist: Path, fallback: Any) -> None:
    answer = client_of(dist, fallback=fallback).get("/users/42", headers=PAGE)
    assert (answer.status_code, answer.text) == (200, "index.html")


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/users", "application/json"),
        ("/users", "*/*"),
        ("/users", "text/html;q=0, */*"),
        ("/assets/gone.js", "text/html"),
    ],
)
def test_what_is_no_page_does_not_fall_back(dist: Path, path: str, accept: str) -> None:
    answer = client_of(dist).get(path, headers={"accept": accept})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


def test_a_404_page_goes_before_the_index(dist: Path) -> None:
    (dist / "404.html").write_text("gone")
    answer = client_of(dist).get("/users/42", headers=PAGE)
    assert (answer.status_code, answer.text) == (404, "gone")


def test_without_a_fallback_the_404_page_is_not_looked_at(dist: Path) -> None:
    (dist / "404.html").write_text("gone")
    answer = client_of(dist, fallback=None).get("/users/42", headers=PAGE)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})


# --- before the files ----------------------------------------------------------------------------


def test_every_route_goes_before_the_frontends(dist: Path) -> None:
    app, router = Portico(), APIRouter()
    app.frontend("/", directory=dist)

    @router.get("/assets/app.js")
    async def read() -> str:
        return "route"

    app.include_router(router)
    client = TestClient(app)
    assert client.get("/assets/app.js").json() == "route"
    assert client.post("/assets/app.js").status_code == 405


def test_a_404_of_a_route_stays_one(dist: Path) -> None:
    app = Portico()
    app.frontend("/", directory=dist)

    @app.get("/users")
    async def users() -> None:
        raise HTTPException(404, "no users")

    assert TestClient(app).get("/users", headers=PAGE).json() == {"detail": "no users"}


def test_the_longest_path_of_all_frontends_answers(dist: Path, tmp_path: Path) -> None:
    admin = tmp_path / "admin"
    admin.mkdir()
    (admin / "index.html").write_text("admin")
    app, router = Portico(), APIRouter()
    app.frontend("/", directory=dist)
    router.frontend("/", directory=admin)
    app.include_router(router, prefix="/admin")
    client = TestClient(app)
    assert client.get("/admin/users", headers=PAGE).text == "admin"
    assert client.get("/users", headers=PAGE).text == "index.html"


def test_a_websocket_is_no_matter_of_a_frontend(dist: Path) -> None:
    app = Portico()
    app.frontend("/", directory=dist)

    @app.websocket("/assets/app.js")
    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close()

    with TestClient(app).websocket_connect("/assets/app.js"):
        pass
    route = FrontendRoute("/", directory=dist)
    assert route.matches({"type": "websocket", "path": "/", "root_path": ""}) == (Match.NONE, {})


def test_frontends_are_neither_routes_nor_operations(dist: Path) -> None:
    app = Portico(docs_url=None, redoc_url=None)
    before = list(app.routes)
    app.frontend("/", directory=dist)
    assert list(app.routes) == before
    assert app.openapi()["paths"] == {}
    with pytest.raises(NoMatchFound):
        FrontendRoutes([FrontendRoute("/", directory=dist)]).url_path_for("anything")


# --- dependencies --------------------------------------------------------------------------------


async def signed_in(request: Request) -> None:
    if request.cookies.get("session") != "ok":
        raise HTTPException(401)


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/users/42"])
def test_dependencies_stand_before_files_and_fallbacks(dist: Path, path: str) -> None:
    app = Portico(dependencies=[Depends(signed_in)])
    app.frontend("/", directory=dist)
    client = TestClient(app)
    assert client.get(path, headers=PAGE).status_code == 401
    assert client.get(path, headers={**PAGE, "cookie": "session=ok"}).status_code == 200


def test_dependencies_are_called_from_the_outside_in(dist: Path) -> None:
    calls: list[str] = []

    def noting(name: str) -> Any:
        async def note() -> None:
            calls.append(name)

        return Depends(note)

    child, parent = APIRouter(dependencies=[noting("child")]), APIRouter(dependencies=[noting("parent")])
    child.frontend("/ui", directory=dist)
    parent.include_router(child, prefix="/child", dependencies=[noting("included")])
    app = Portico(dependencies=[noting("app")])
    app.include_router(parent, prefix="/parent")
    assert TestClient(app).get("/parent/child/ui/").status_code == 200
    assert calls == ["app", "parent", "included", "child"]


def test_what_dependencies_set_is_sent_with_the_file(dist: Path) -> None:
    done: list[str] = []

    async def marking(response: Response, tasks: BackgroundTasks) -> None:
        response.headers["x-mark"] = "set"
        response.set_cookie("seen", "1")
        tasks.add_task(done.append, "background")

    app = Portico(dependencies=[Depends(marking)])
    app.frontend("/", directory=dist)
    answer = TestClient(app).get("/assets/app.js")
    assert (answer.text, answer.headers["x-mark"], answer.cookies["seen"]) == ("assets/app.js", "set", "1")
    assert answer.headers["content-length"] == "13"
    assert done == ["background"]


def test_dependencies_with_yield_end_after_the_file(dist: Path) -> None:
    seen: list[str] = []

    async def session() -> AsyncIterator[None]:
        seen.append("entered")
        yield
        seen.append("left")

    app = Portico(dependencies=[Depends(session)])
    app.frontend("/", directory=dist)
    assert TestClient(app).get("/").text == "index.html"
    assert seen == ["entered", "left"]


def test_a_dependency_that_is_given_nonsense_is_a_422(dist: Path) -> None:
    async def counted(page: Annotated[int, "from the query"]) -> int:
        return page

    app = Portico(dependencies=[Depends(counted)])
    app.frontend("/", directory=dist)
    assert TestClient(app).get("/?page=x").status_code == 422


def test_overrides_count(dist: Path) -> None:
    app = Portico(dependencies=[Depends(signed_in)])
    app.frontend("/", directory=dist)
    app.dependency_overrides[signed_in] = lambda: None
    assert TestClient(app).get("/").status_code == 200


# --- what is refused when it is made -------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "app"])
def test_a_path_begins_with_a_slash(dist: Path, path: str) -> None:
    with pytest.raises(AssertionError, match="starts with '/'"):
        Portico().frontend(path, directory=dist)
    with pytest.raises(AssertionError, match="starts with '/'"):
        APIRouter(prefix="/prefix").frontend(path, directory=dist)


def test_an_unknown_fallback_is_refused(dist: Path) -> None:
    with pytest.raises(AssertionError, match=r"fallback is 'auto', .* not 'home.html'"):
        Portico().frontend("/", directory=dist, fallback="home.html")  # type: ignore[arg-type]


def test_a_directory_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match="'missing' of the frontend does not exist") as caught:
        Portico().frontend("/", directory="missing")
    assert str(tmp_path / "missing") in str(caught.value)


@pytest.mark.parametrize("variable", ["PORTICO_ENV", "FASTAPI_ENV"])
def test_in_development_a_missing_directory_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "development")
    app = Portico()
    for target in (app, app.router):
        with pytest.warns(UserWarning, match="does not exist") as caught:
            target.frontend("/", directory=tmp_path / "missing")
        assert caught[0].filename == __file__


def test_in_development_a_directory_that_is_there_is_no_matter(dist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_ENV", "development")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_directory(dist) is False


def test_a_directory_may_come_later(tmp_path: Path) -> None:
    client = client_of(tmp_path / "later", check_dir=False)
    with pytest.raises(RuntimeError, match="does not exist"):
        client.get("/")
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "index.html").write_text("built")
    assert client.get("/").text == "built"


@pytest.mark.parametrize("fallback", ["index.html", "404.html"])
def test_a_fallback_that_was_asked_for_has_to_be_there(tmp_path: Path, fallback: Any) -> None:
    with pytest.raises(RuntimeError, match=rf"'{fallback}', the fallback .* does not exist"):
        Portico().frontend("/", directory=tmp_path, fallback=fallback)
    client = client_of(tmp_path, fallback=fallback, check_dir=False)
    with pytest.raises(RuntimeError, match=rf"'{fallback}', the fallback .* does not exist"):
        client.get("/nothing", headers=PAGE)


def test_a_fallback_may_not_be_a_directory(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "404.html")
    with pytest.raises(RuntimeError, match="does not exist"):
        FrontendFiles(directory=tmp_path, fallback="404.html", check_dir=True)


# --- many of them --------------------------------------------------------------------------------


@pytest.fixture
def two(dist: Path) -> FrontendRoutes:
    return FrontendRoutes([FrontendRoute("/", directory=dist), FrontendRoute("/app", directory=dist)])


def asked(path: str, method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}


def test_the_group_matches_as_its_best_route(two: FrontendRoutes) -> None:
    assert two.matches(asked("/app/x"))[1]["route"].path == "/app"
    assert two.matches(asked("/apply"))[1]["route"].path == "/"
    assert two.matches(asked("/app", "POST"))[0] is Match.PARTIAL


def test_of_two_with_the_same_path_the_first_answers(two: FrontendRoutes, dist: Path) -> None:
    first = two.routes[0]
    two.add(FrontendRoute(first.path, directory=dist))
    assert two.matches(asked("/app/x"))[1]["route"] is first


def test_an_included_frontend_shares_the_files(dist: Path) -> None:
    route = FrontendRoute("/", directory=dist)
    included = route.included("/prefix", [Depends(signed_in)], None)
    assert included.app is route.app
    assert (included.path, included.path_format) == ("/prefix", "/prefix/{path}")
    assert route.dependencies == []
    assert repr(included).startswith("FrontendRoute(path='/prefix', directory=")
