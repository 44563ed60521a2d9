import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from portico.server.sourcefiles import SourceFiles

TREE = (
    "main.py",
    "notes.txt",
    ".env",
    ".hidden.py",
    ".config/app.toml",
    ".config/tool.py",
    ".git/hooks/x.py",
    "__pycache__/main.cpython-313.pyc",
    "app/__init__.py",
    "app/.#__init__.py",
    "app/__init__.py~",
    "app/models.py",
    "app/.models.py.swp",
    "app/pages/index.html",
    "app/pages/parts/head.html",
    "app/pages/parts/.head.html.swp",
    "app/pages/parts/style.css",
    "app/generated/schema.py",
    "app/generated/deep/more.py",
    "lib/generated/other.py",
    "lib/pages/other.html",
    "node_modules/left/pad.py",
    "node_modules/left/pad.html",
    "venv/lib/x.py",
    "envs/mine/pyvenv.cfg",
    "envs/mine/lib/y.py",
    "site-packages/z.py",
)
PYTHON = {
    "main.py",
    "app/__init__.py",
    "app/models.py",
    "app/generated/schema.py",
    "app/generated/deep/more.py",
    "lib/generated/other.py",
}
PAGES = {"app/pages/index.html", "app/pages/parts/head.html", "lib/pages/other.html"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # What lies above the project must not count.
    project = tmp_path / "node_modules" / ".build" / "project"
    for name in TREE:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(project)
    return project


def watched(
    directories: Iterable[str] = (".",), includes: Iterable[str] = (), excludes: Iterable[str] = ()
) -> set[str]:
    """Return the source files, as seen from the current directory."""
    files = SourceFiles(directories, includes, excludes)
    return {os.path.relpath(path) for path in files.inside(files.walk())}


INCLUDES = [
    ("nothing that is there", "*.sql", set()),
    ("a name with a wildcard", "*.html", PAGES),
    ("a character class", "*.[ch][st]*", {*PAGES, "app/pages/parts/style.css"}),
    ("a question mark", "notes.t?t", {"notes.txt"}),
    ("in a directory called so, wherever", "pages/*.html", {"app/pages/index.html", "lib/pages/other.html"}),
    ("from the current directory on", "app/pages/*.html", {"app/pages/index.html"}),
    ("the current directory only", "./*.txt", {"notes.txt"}),
    ("nothing in the current directory", "./*.html", set()),
    ("a star stays within a name", "app/*.html", set()),
    ("two stars cross directories", "app/**/*.html", {"app/pages/index.html", "app/pages/parts/head.html"}),
    ("two stars are no directory too", "pages/**/index.html", {"app/pages/index.html"}),
    ("two stars at the end", "app/pages/**", {*PAGES, "app/pages/parts/style.css"} - {"lib/pages/other.html"}),
    ("a directory", "parts", {"app/pages/parts/head.html", "app/pages/parts/style.css"}),
    ("a directory with a slash", "parts/", {"app/pages/parts/head.html", "app/pages/parts/style.css"}),
    ("a directory from the current one", "./lib", {"lib/pages/other.html"}),
    ("a hidden file by name", ".env", {".env"}),
    ("a hidden file by its beginning", ".e*", {".env"}),
    ("no hidden file by a wildcard", "*env", set()),
    ("what is in a hidden directory by name", ".config/*.toml", {".config/app.toml"}),
    ("all of a hidden directory by name", ".config", {".config/app.toml", ".config/tool.py"}),
    ("nothing of a hidden directory by a wildcard", "*/*.toml", set()),
    ("nothing of a hidden directory by two stars", "**/*.toml", set()),
    ("what is excluded by default, by name", "node_modules/left/*.html", {"node_modules/left/pad.html"}),
    ("an absolute file", "{here}/notes.txt", {"notes.txt"}),
    ("an absolute pattern", "{here}/**/*.css", {"app/pages/parts/style.css"}),
    ("a way up and down again", "../project/notes.txt", {"notes.txt"}),
]


@pytest.mark.parametrize(("pattern", "more"), [each[1:] for each in INCLUDES], ids=[each[0] for each in INCLUDES])
def test_an_include_adds(tree: Path, pattern: str, more: set[str]) -> None:
    assert watched(includes=[pattern.format(here=tree)]) == PYTHON | more


GENERATED = {"app/generated/schema.py", "app/generated/deep/more.py"}
EXCLUDES = [
    ("nothing that is there", "*.sql", set()),
    ("a file by name, wherever", "__init__.py", {"app/__init__.py"}),
    ("a name with a wildcard", "m*.py", {"main.py", "app/models.py", "app/generated/deep/more.py"}),
    ("a directory, wherever", "generated", {*GENERATED, "lib/generated/other.py"}),
    ("a directory with a slash", "generated/", {*GENERATED, "lib/generated/other.py"}),
    ("what is in a directory, wherever", "generated/*", {*GENERATED, "lib/generated/other.py"}),
    ("the files in a directory, not deeper", "generated/*.py", {"app/generated/schema.py", "lib/generated/other.py"}),
    ("a directory from the current one", "app/generated", GENERATED),
    ("a directory from the current one only", "./generated", set()),
    ("an anchored directory", "./app/generated", GENERATED),
    ("an absolute directory", "{here}/app/generated", GENERATED),
    ("an absolute pattern", "{here}/*/generated/*.py", {"app/generated/schema.py", "lib/generated/other.py"}),
    ("two stars at the end", "app/generated/**", GENERATED),
    ("two stars at the start", "**/generated/**", {*GENERATED, "lib/generated/other.py"}),
    ("two stars between", "app/**/m*.py", {"app/models.py", "app/generated/deep/more.py"}),
    ("a directory elsewhere", "/nowhere/app", set()),
]


@pytest.mark.parametrize(("pattern", "less"), [each[1:] for each in EXCLUDES], ids=[each[0] for each in EXCLUDES])
def test_an_exclude_takes_away(tree: Path, pattern: str, less: set[str]) -> None:
    assert watched(excludes=[pattern.format(here=tree)]) == PYTHON - less


def test_what_is_python_and_not_excluded_by_default_is_watched(tree: Path) -> None:
    assert watched() == PYTHON


def test_the_directory_itself_as_an_include_is_all_files_in_it(tree: Path) -> None:
    everything = {*PYTHON, *PAGES, "notes.txt", "app/pages/parts/style.css"}
    assert watched(includes=["."]) == watched(includes=[str(tree)]) == watched(includes=["*"]) == everything
    assert watched(["app/pages"], ["app/pages"]) == {path for path in everything if path.startswith("app/pages/")}


def test_an_exclude_beats_an_include(tree: Path) -> None:
    assert watched(includes=["app/pages"], excludes=["parts"]) == {*PYTHON, "app/pages/index.html"}
    assert watched(includes=["notes.txt"], excludes=["notes.txt"]) == PYTHON


@pytest.mark.parametrize("directory", ["app", "./app", "{here}/app", "lib/../app/"])
def test_only_the_directories_named_are_watched(tree: Path, directory: str) -> None:
    assert watched([directory.format(here=tree)]) == {path for path in PYTHON if path.startswith("app/")}


def test_several_directories_are_watched_with_the_same_patterns(tree: Path) -> None:
    assert watched(["app/pages", "lib"], ["*.html"], ["generated"]) == PAGES


def test_a_directory_in_another_is_watched_once(tree: Path) -> None:
    assert watched([".", "app"]) == watched(["app", "."]) == PYTHON


def test_a_pattern_from_the_current_directory_fits_whichever_directory_is_watched(tree: Path) -> None:
    assert watched(["app"], excludes=["app/generated"]) == {"app/__init__.py", "app/models.py"}
    assert watched(["app"], excludes=["generated"]) == {"app/__init__.py", "app/models.py"}


def test_a_directory_that_is_excluded_by_default_is_watched_when_it_is_named(tree: Path) -> None:
    assert watched(["node_modules/left"]) == {"node_modules/left/pad.py"}
    assert watched(["envs/mine"]) == {"envs/mine/lib/y.py"}


def test_a_directory_that_is_named_is_watched_though_an_exclude_matches_it(tree: Path) -> None:
    assert watched(["app"], excludes=["app"]) == {path for path in PYTHON if path.startswith("app/")}
    assert watched([".", "app"], excludes=["app"]) == PYTHON


def test_a_directory_outside_the_current_one_is_watched(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree / "lib")
    assert watched(["../app"], excludes=["generated"]) == {"../app/__init__.py", "../app/models.py"}
    assert watched(["../app"], excludes=["../app/generated"]) == {"../app/__init__.py", "../app/models.py"}


def test_an_include_that_exists_is_watched_outside_the_directories(tree: Path) -> None:
    models = {"app/__init__.py", "app/models.py"}
    assert watched(["app"], [".env", "notes.txt"], ["generated"]) == {*models, ".env", "notes.txt"}
    assert watched(["app"], [f"{tree}/.env"], ["generated"]) == {*models, ".env"}
    assert watched(["app"], ["lib/pages"], ["generated"]) == {*models, "lib/pages/other.html"}


def test_directories_without_what_is_watched_are_not_entered(tree: Path) -> None:
    files = SourceFiles(["."], ["*.html", "**/*.css"])
    entered = {os.path.relpath(path, tree) for path in files.walk()}
    assert entered == {
        ".", "app", "app/pages", "app/pages/parts", "app/generated", "app/generated/deep", "lib", "lib/generated",
        "lib/pages", "envs",
    }  # fmt: skip
    assert {os.path.relpath(path, tree) for path in SourceFiles(["."], [], ["app", "lib"]).walk()} == {".", "envs"}


def test_a_link_to_a_directory_is_followed(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "linked.py").touch()
    (tree / "link").symlink_to(other)
    assert watched() == {*PYTHON, "link/linked.py"}
    assert watched(excludes=["link"]) == PYTHON


def test_links_that_lead_in_circles_end(tree: Path) -> None:
    (tree / "app" / "round").symlink_to(tree)
    assert watched() == PYTHON


def test_a_link_to_what_is_excluded_is_judged_by_its_own_name(tree: Path) -> None:
    (tree / "pad").symlink_to(tree / "node_modules" / "left")
    assert watched() == {*PYTHON, "pad/pad.py"}


def test_a_link_to_nothing_and_a_directory_that_may_not_be_read_do_no_harm(tree: Path) -> None:
    (tree / "broken").symlink_to(tree / "nowhere")
    (tree / "lib").chmod(0)
    try:
        assert watched() >= PYTHON - {"lib/generated/other.py"}
    finally:
        (tree / "lib").chmod(0o755)


def test_a_directory_that_does_not_exist_is_watched_once_it_does(tree: Path) -> None:
    files = SourceFiles(["later"])
    assert files.walk() == []
    assert not files.moved()
    (tree / "later").mkdir()
    (tree / "later" / "x.py").touch()
    assert files.moved()
    assert files.walk() == [str(tree / "later")]
    assert files.inside(files.directories) == {str(tree / "later" / "x.py")}
