"""Which paths may lead to a file."""

import os
from pathlib import Path

import pytest

from portico.files.paths import find_below, is_below, safe_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b.txt", "a/b.txt"),
        ("a", "a"),
        ("", ""),
        ("/", ""),
        ("//a///b/", "a/b"),
        ("/./a/./b", "a/b"),
        ("/a..b/c..", "a..b/c.."),
        ("/.well-known/acme", ".well-known/acme"),
        ("/12:30.txt", "12:30.txt"),
    ],
)
def test_a_harmless_path_is_made_relative(path: str, expected: str) -> None:
    assert safe_path(path, windows=False) == expected.replace("/", os.sep)


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../a",
        "/a/../b",
        "/a/..",
        "..",
        "/..\\a",
        "\\a",
        "/a\\b",
        "\\\\server\\share",
        "//server\\share",
        "/C:/a",
        "/c:",
        "/a/C:b",
        "/a\0.txt",
        "\0",
        "/" + "a" * 256,
        "/a" * 4096,
    ],
)
def test_what_could_leave_the_directory_is_refused(path: str) -> None:
    for windows in (False, True):
        assert safe_path(path, windows=windows) is None


@pytest.mark.parametrize("path", ["/.env", "/.git/config", "/a/.hidden", "/a/.well-known", "/..a"])
def test_dotfiles_are_off_unless_asked_for(path: str) -> None:
    assert safe_path(path) is None
    assert safe_path(path, dotfiles=True) is not None


@pytest.mark.parametrize(
    "path",
    [
        "/CON",
        "/aux",
        "/NUL.txt",
        "/a/con.tar.gz",
        "/com1",
        "/LPT9.x",
        "/ab:c",
        "/f.txt::$DATA",
        "/a.",
        "/a ",
        "/con .txt",
    ],
)
def test_names_that_windows_takes_for_something_else_are_refused_there(path: str) -> None:
    assert safe_path(path, windows=True) is None
    assert safe_path(path, windows=False) is not None


def test_a_sibling_that_begins_like_the_root_is_not_below_it() -> None:
    """Starlette CVE-2023-29159."""
    assert is_below(os.path.join("/srv/static", "a"), "/srv/static")
    assert is_below("/srv/static", "/srv/static")
    assert not is_below("/srv/static-foo/a", "/srv/static")
    assert not is_below("/srv", "/srv/static")
    assert is_below("/etc", "/")


def test_the_first_root_that_has_it_gives_it(tmp_path: Path) -> None:
    roots = [tmp_path / "one", tmp_path / "two"]
    for root in roots:
        root.mkdir()
    (roots[1] / "a").write_text("2")
    found = find_below(map(str, roots), "a", follow_symlinks=False)
    assert found is not None
    assert found[0] == str(roots[1] / "a")
    (roots[0] / "a").write_text("1")
    found = find_below(map(str, roots), "a", follow_symlinks=False)
    assert found is not None
    assert found[0] == str(roots[0] / "a")


def test_a_link_out_is_followed_only_if_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("s")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to(tmp_path)
    (root / "in.txt").write_text("i")
    (root / "inside").symlink_to(root / "in.txt")
    for name in ("out", "up", "up/secret"):
        assert find_below([str(root)], name, follow_symlinks=False) is None
        assert find_below([str(root)], name, follow_symlinks=True) is not None
    assert find_below([str(root)], "inside", follow_symlinks=False) is not None


def test_a_root_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "a").write_text("a")
    (tmp_path / "current").symlink_to("release")
    assert find_below([str(tmp_path / "current")], "a", follow_symlinks=False) is not None


def test_pipes_and_what_the_file_system_refuses_are_not_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("f")
    for name in ("pipe", "loop", "file/below", "absent", "\ud800", "x" * 255 + "/" + "y" * 5000):
        assert find_below([str(tmp_path)], name, follow_symlinks=True) is None
        assert find_below([str(tmp_path)], name, follow_symlinks=False) is None
