"""A directory as an application: what is served, under which fields, and what never is."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.asking import PATHSEND, Answer, ask

from portico.files.directory import Directory, DirectoryApp

OUTSIDE = [
    "/../secret.txt",
    "/a/../../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/secret.txt",
    "/%5c..%5csecret.txt",
    "/..\\secret.txt",
    "\\..\\secret.txt",
    "/a\0.txt",
    "/C:/secret.txt",
    "//server/share",
    "\\\\server\\share",
    "/static-foo/x.txt",
    "/../static-foo/x.txt",
    "..",
    "/..",
    "/.env",
    "/.git/config",
    "/link-out",
    "/dir-out/secret.txt",
    "/pipe",
    "/\ud800",
    "/" + "a" * 5000,
    "/" + "a" * 300 + ".txt",
    "/a.txt/",
    "/a.txt/b",
    "/sub",
    "/sub/",
    "/absent.txt",
    "//etc/passwd",
    "/etc/passwd",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "static"
    (root / "sub").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".well-known").mkdir()
    (tmp_path / "static-foo").mkdir()
    for path, content in {
        "static/a.txt": "a",
        "static/sub/b.js": "b",
        "static/.env": "SECRET",
        "static/.git/config": "SECRET",
        "static/.well-known/acme": "token",
        "static/app.3f2a9c1d.js": "hashed",
        "static/report-20240101.pdf": "dated",
        "static-foo/x.txt": "SECRET",
        "secret.txt": "SECRET",
    }.items():
        (tmp_path / path).write_text(content)
        os.utime(tmp_path / path, (1_600_000_000, 1_600_000_000))
    (root / "link-out").symlink_to(tmp_path / "secret.txt")
    (root / "dir-out").symlink_to(tmp_path)
    os.mkfifo(root / "pipe")
    return root


def get(root: Path, path: str, accept: str | None = None, **options: Any) -> Answer:
    app = DirectoryApp(Directory([root], **options))
    return ask(app, path, headers={} if accept is None else {"accept": accept})


def test_a_file_is_served_and_found_again(root: Path) -> None:
    app = DirectoryApp(Directory([root]))
    for _ in range(3):
        answer = ask(app, "/sub/b.js")
        assert (answer.status, answer.body) == (200, b"b")
        assert answer.fields["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_is_refused_looks_like_what_is_absent(root: Path, path: str) -> None:
    answer, absent = get(root, path), get(root, "/nothing-here")
    assert (answer.status, answer.fields, answer.body) == (404, absent.fields, b"Not Found")


def test_a_file_that_may_not_be_read_looks_absent(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.files.paths.os.access", lambda path, mode: False)
    assert get(root, "/a.txt").status == 404


def test_nothing_is_asked_of_the_file_system_about_a_refused_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette CVE-2026-48818: on Windows the very look at a UNC path opens a connection."""

    def find_below(*args: object, **kwargs: object) -> None:
        raise AssertionError(args)

    monkeypatch.setattr("portico.files.directory.find_below", find_below)
    for path in ("\\\\server\\share", "/\\\\server\\share", "/C:/a", "/../a", "/a\0"):
        assert get(root, path).status == 404


def test_links_out_and_dotfiles_are_there_when_asked_for(root: Path) -> None:
    assert get(root, "/link-out", follow_symlinks=True).body == b"SECRET"
    assert get(root, "/.env", dotfiles=True).body == b"SECRET"
    assert get(root, "/.well-known/acme").body == b"token"


def test_other_methods_get_405_with_allow(root: Path) -> None:
    for path in ("/a.txt", "/absent"):
        answer = ask(DirectoryApp(Directory([root])), path, method="POST")
        assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD")


def test_a_mounted_directory_looks_below_its_root_path(root: Path) -> None:
    app = DirectoryApp(Directory([root]))
    assert ask(app, "/static/a.txt", root_path="/static").body == b"a"
    assert ask(app, "/staticfoo/a.txt", root_path="/static").status == 404


def test_a_websocket_is_refused(root: Path) -> None:
    assert ask(DirectoryApp(Directory([root])), type="websocket").kinds == ["websocket.close"]


def test_changes_are_seen_at_once(root: Path) -> None:
    app = DirectoryApp(Directory([root]))
    first = ask(app, "/a.txt")
    (root / "a.txt").write_text("longer")
    second = ask(app, "/a.txt")
    assert (second.body, second.fields["content-length"]) == (b"longer", "6")
    assert first.fields["etag"] != second.fields["etag"]
    (root / "a.txt").unlink()
    assert ask(app, "/a.txt").status == 404
    (root / "a.txt").write_text("back")
    assert ask(app, "/a.txt").body == b"back"


def test_a_link_that_is_turned_elsewhere_is_seen_at_once(root: Path, tmp_path: Path) -> None:
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "v.txt").write_text(release)
    link = tmp_path / "current"
    link.symlink_to("one")
    app = DirectoryApp(Directory([link]))
    assert ask(app, "/v.txt").body == b"one"
    (tmp_path / "next").symlink_to("two")
    os.replace(tmp_path / "next", link)
    assert ask(app, "/v.txt").body == b"two"


def test_a_known_file_that_becomes_a_link_out_is_not_served(root: Path, tmp_path: Path) -> None:
    app = DirectoryApp(Directory([root]))
    assert ask(app, "/a.txt").status == 200
    (root / "a.txt").unlink()
    (root / "a.txt").symlink_to(tmp_path / "secret.txt")
    assert ask(app, "/a.txt").status == 404


def test_a_large_file_goes_by_path(root: Path) -> None:
    (root / "big").write_bytes(b"x" * 100_000)
    answer = ask(DirectoryApp(Directory([root])), "/big", extensions=PATHSEND)
    assert answer.messages[1] == {"type": "http.response.pathsend", "path": str(root / "big")}


def test_an_index_stands_for_its_directory(root: Path) -> None:
    (root / "sub" / "index.html").write_text("index")
    assert get(root, "/sub/", html=True).body == b"index"
    assert get(root, "/sub/").status == 404
    assert get(root, "/", html=True).status == 404


def test_a_directory_is_redirected_to_its_slash_by_a_relative_reference(root: Path) -> None:
    (root / "sub" / "index.html").write_text("index")
    app = DirectoryApp(Directory([root], html=True))
    answer = ask(app, "/sub", query_string=b"a=b")
    assert (answer.status, answer.fields["location"]) == (307, "./sub/?a=b")


@pytest.mark.parametrize("name", ["evil.example", "javascript:alert(1)", "@evil", "a b"])
def test_no_name_leads_the_redirect_to_another_host(root: Path, name: str) -> None:
    """Starlette #3671."""
    (root / name).mkdir()
    (root / name / "index.html").write_text("x")
    app = DirectoryApp(Directory([root], html=True))
    for path in (f"/{name}", f"//{name}", f"///{name}"):
        location = ask(app, path).fields["location"]
        assert location.startswith("./")
        assert "//" not in location
        assert "\\" not in location


def test_a_page_answers_for_what_is_absent(root: Path) -> None:
    assert get(root, "/absent", html=True).body == b"Not Found"
    (root / "404.html").write_text("no such page")
    for options in ({"html": True}, {"fallback": "404.html"}, {"fallback": "auto"}):
        answer = get(root, "/absent", **options)
        assert (answer.status, answer.body) == (404, b"no such page")
        assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert get(root, "/../secret.txt", html=True).body == b"no such page"
    assert get(root, "/absent").body == b"Not Found"


PAGE = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        ("/users/7", PAGE, 200),
        ("/users/john.doe", PAGE, 200),
        ("/docs/v1.2", PAGE, 200),
        ("/deep/page.html", PAGE, 200),
        ("/users/7", "*/*", 404),
        ("/users/7", "application/json", 404),
        ("/users/7", "text/html;q=0", 404),
        ("/users/7", None, 404),
        ("/gone.js", PAGE, 404),
        ("/gone.PNG", PAGE, 404),
    ],
)
def test_an_application_in_the_browser_answers_for_pages_only(
    root: Path, path: str, accept: str | None, expected: int
) -> None:
    (root / "index.html").write_text("app")
    for fallback in ("index.html", "auto"):
        answer = get(root, path, accept, fallback=fallback)
        assert answer.status == expected
        assert (answer.body == b"app") is (expected == 200)


def test_an_unknown_fallback_is_the_authors_error(root: Path) -> None:
    with pytest.raises(ValueError, match="fallback"):
        Directory([root], fallback="home.html")  # type: ignore[arg-type]


def test_hashed_names_are_kept_for_ever(root: Path) -> None:
    options = {"cache_control": "no-cache", "immutable": True}
    assert "immutable" in get(root, "/app.3f2a9c1d.js", **options).fields["cache-control"]
    for path in ("/a.txt", "/report-20240101.pdf"):
        assert get(root, path, **options).fields["cache-control"] == "no-cache"
    assert "immutable" in get(root, "/a.txt", immutable=r"^a\.").fields["cache-control"]
    assert "cache-control" not in get(root, "/app.3f2a9c1d.js").fields


@pytest.fixture
def packed(root: Path) -> Path:
    for name, content in {"a.txt.gz": "gz", "a.txt.br": "br", "a.txt.zst": "zst"}.items():
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"br"),
        ("gzip, zstd", "zstd", b"zst"),
        ("gzip", "gzip", b"gz"),
        ("gzip;q=1, br;q=0.5", "gzip", b"gz"),
        ("br;q=0, *", "zstd", b"zst"),
        ("identity, gzip;q=0.5", None, b"a"),
        ("deflate", None, b"a"),
        ("br;q=0", None, b"a"),
        ("x" * 600 + ", gzip", None, b"a"),
        (None, None, b"a"),
    ],
)
def test_the_sibling_that_the_client_likes_best_is_sent(
    packed: Path, accepted: str | None, encoding: str | None, body: bytes
) -> None:
    app = DirectoryApp(Directory([packed], precompressed=True))
    answer = ask(app, "/a.txt", headers={} if accepted is None else {"accept-encoding": accepted})
    assert (answer.fields.get("content-encoding"), answer.body) == (encoding, body)
    assert answer.fields["content-type"] == "text/plain; charset=utf-8"
    assert answer.fields["vary"] == "accept-encoding"


def test_each_encoding_has_a_tag_of_its_own(packed: Path) -> None:
    app = DirectoryApp(Directory([packed], precompressed=True))
    tags = {}
    for encoding in ("identity", "gzip", "br", "zstd"):
        tags[encoding] = ask(app, "/a.txt", headers={"accept-encoding": encoding}).fields["etag"]
    assert len(set(tags.values())) == 4
    headers = {"accept-encoding": "br", "if-none-match": tags["br"]}
    unchanged = ask(app, "/a.txt", headers=headers)
    assert (unchanged.status, unchanged.fields["vary"]) == (304, "accept-encoding")
    assert ask(app, "/a.txt", headers={**headers, "if-none-match": tags["gzip"]}).status == 200


def test_a_range_is_of_the_encoded_bytes(packed: Path) -> None:
    app = DirectoryApp(Directory([packed], precompressed=True))
    answer = ask(app, "/a.txt", headers={"accept-encoding": "br", "range": "bytes=1-"})
    assert (answer.status, answer.body, answer.fields["content-range"]) == (206, b"r", "bytes 1-1/2")


def test_a_sibling_that_goes_leaves_the_file(packed: Path) -> None:
    app = DirectoryApp(Directory([packed], precompressed=True))
    assert ask(app, "/a.txt", headers={"accept-encoding": "br"}).body == b"br"
    (packed / "a.txt.br").unlink()
    assert ask(app, "/a.txt", headers={"accept-encoding": "br"}).body == b"a"


def test_a_sibling_is_below_the_directory_too(packed: Path, tmp_path: Path) -> None:
    (packed / "sub" / "b.js.br").symlink_to(tmp_path / "secret.txt")
    app = DirectoryApp(Directory([packed], precompressed=True))
    assert ask(app, "/sub/b.js", headers={"accept-encoding": "br"}).body == b"b"


def test_what_is_known_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.files.directory.MAX_ENTRIES", 3)
    directory = Directory([root])
    for number in range(10):
        (root / f"{number}.txt").write_text("x")
        assert ask(DirectoryApp(directory), f"/{number}.txt").status == 200
        assert ask(DirectoryApp(directory), f"/absent/{number}").status == 404
    assert len(directory.entries) == 3
