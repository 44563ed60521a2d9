"""Static files in an application: the framework's errors, and subclasses that have their own ways."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.asking import Answer, ask

from portico.web.exceptions import HTTPException
from portico.web.responses import PlainTextResponse, Response
from portico.web.staticfiles import StaticFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "sub").mkdir(parents=True)
    for name in ("a.txt", "sub/index.html", "app.3f2a9c1d.js", ".env"):
        (root / name).write_text(name)
        os.utime(root / name, (1_600_000_000, 1_600_000_000))
    (tmp_path / "secret.txt").write_text("SECRET")
    (root / "out").symlink_to(tmp_path / "secret.txt")
    return root


class Longer(StaticFiles):
    """One that takes the long way, since it has its own of a method."""

    async def get_response(self, path: str, scope: Any) -> Response:
        return await super().get_response(path, scope)


def status_of(app: StaticFiles, path: str, **more: Any) -> int:
    try:
        return ask(app, path, **more).status
    except HTTPException as error:
        return error.status_code


WAYS = pytest.mark.parametrize("kind", [StaticFiles, Longer])


@WAYS
def test_both_ways_send_the_same(root: Path, kind: type[StaticFiles]) -> None:
    app = kind(directory=root, cache_control="no-cache", immutable=True)
    answer = ask(app, "/a.txt")
    assert answer.body == b"a.txt"
    assert answer.fields["cache-control"] == "no-cache"
    assert "immutable" in ask(app, "/app.3f2a9c1d.js").fields["cache-control"]
    unchanged = ask(app, "/a.txt", headers={"if-none-match": answer.fields["etag"]})
    assert (unchanged.status, unchanged.fields["cache-control"], unchanged.body) == (304, "no-cache", b"")
    part = ask(app, "/a.txt", headers={"range": "bytes=0-0"})
    assert (part.status, part.body) == (206, b"a")
    assert ask(app, "/a.txt", method="HEAD").body == b""


@WAYS
@pytest.mark.parametrize(
    "path",
    ["/absent", "/out", "/.env", "/../secret.txt", "/a\0", "/\\x", "/sub", "/" + "a" * 5000, "//etc/passwd", "/C:/x"],
)
def test_what_is_forbidden_and_what_is_absent_is_404(root: Path, kind: type[StaticFiles], path: str) -> None:
    assert status_of(kind(directory=root), path) == 404


@WAYS
def test_other_methods_are_405_with_allow(root: Path, kind: type[StaticFiles]) -> None:
    with pytest.raises(HTTPException) as caught:
        ask(kind(directory=root), "/a.txt", method="DELETE")
    assert (caught.value.status_code, caught.value.headers) == (405, {"Allow": "GET, HEAD"})


@WAYS
def test_options_let_more_be_seen(root: Path, kind: type[StaticFiles]) -> None:
    app = kind(directory=root, follow_symlink=True, dotfiles=True)
    assert ask(app, "/out").body == b"SECRET"
    assert ask(app, "/.env").body == b".env"


@WAYS
def test_an_index_is_reached_by_a_relative_redirect(root: Path, kind: type[StaticFiles]) -> None:
    app = kind(directory=root, html=True)
    assert ask(app, "/sub/").body == b"sub/index.html"
    for path in ("/sub", "//sub"):
        assert ask(app, path).fields["location"] == "./sub/"


@WAYS
def test_pages_answer_for_what_is_absent(root: Path, kind: type[StaticFiles]) -> None:
    (root / "index.html").write_text("app")
    app = kind(directory=root, fallback="auto")
    page = {"headers": {"accept": "text/html"}}
    assert ask(app, "/users/1", **page).body == b"app"
    assert status_of(app, "/gone.js", **page) == 404
    assert status_of(app, "/users/1") == 404
    (root / "404.html").write_text("none")
    answer: Answer = ask(app, "/users/1", **page)
    assert (answer.status, answer.body) == (404, b"none")


def test_a_precompressed_sibling_is_sent(root: Path) -> None:
    (root / "a.txt.br").write_text("br")
    app = StaticFiles(directory=root, precompressed=True)
    assert ask(app, "/a.txt", headers={"accept-encoding": "br"}).fields["content-encoding"] == "br"


def test_a_mounted_application_looks_below_its_root_path(root: Path) -> None:
    assert ask(StaticFiles(directory=root), "/static/a.txt", root_path="/static").body == b"a.txt"


def test_a_subclass_may_answer_for_what_is_absent(root: Path) -> None:
    class Single(StaticFiles):
        async def get_response(self, path: str, scope: Any) -> Response:
            try:
                return await super().get_response(path, scope)
            except HTTPException:
                return await super().get_response("a.txt", scope)

    assert ask(Single(directory=root), "/any/where").body == b"a.txt"


@pytest.mark.parametrize("name", ["get_path", "lookup_path", "file_response", "is_not_modified"])
def test_every_hook_of_a_subclass_is_called(root: Path, name: str) -> None:
    called = []

    def hook(self: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(name)
        return getattr(StaticFiles, name)(self, *args, **kwargs)

    ask(type("Hooked", (StaticFiles,), {name: hook})(directory=root), "/a.txt")
    assert called


def test_a_file_response_of_another_kind_is_sent(root: Path) -> None:
    class Kind(StaticFiles):
        def file_response(self, *args: Any, **kwargs: Any) -> Response:
            return PlainTextResponse("mine")

    assert ask(Kind(directory=root), "/a.txt").body == b"mine"


def test_a_package_without_the_directory_is_the_authors_error() -> None:
    with pytest.raises(RuntimeError, match="could not be found"):
        StaticFiles(packages=["portico"])
    with pytest.raises(RuntimeError, match="could not be found"):
        StaticFiles(packages=["there_is_no_such_package"])
    assert ask(StaticFiles(packages=[("portico", "web")]), "/types.py").status == 200
