"""The documentation does what it says: its Python runs, its commands answer, its options and links exist."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.children import PORTICO, PYTHONPATH, ROOT, environment
from tests.served import served

pytestmark = pytest.mark.process

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# (\w+\.py)\n")  # a block that begins with a file's name is that file for the others of its folder
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+[a-z]\b")
OTHER_PROGRAMS = re.compile(
    r"^(?:\$ curl|# systemctl|# certbot|RUN|HEALTHCHECK) .*|`(?:docker|systemctl|portico dev) [^`]*`", re.MULTILINE
)
SERVE_AND_ASK = re.compile(r"^\$ portico run (\S+)[^\n]*\n\$ (curl [^\n]+)$", re.MULTILINE)


def python_blocks() -> dict[str, str]:
    """Return every block of Python in the documentation by its page and number."""
    found: dict[str, str] = {}
    for page in PAGES:
        texts = [text for name, text in BLOCK.findall(page.read_text()) if name == "python"]
        name = relative(page).removeprefix("docs/").removesuffix(".md")
        found |= {f"{name}-{number}": text for number, text in enumerate(texts, 1)}
    return found


def relative(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def write_files(block: str, directory: Path) -> None:
    """Write a block, and the files that it may import."""
    (directory / "hello.py").write_text(BLOCKS["index-1"])
    for other, text in BLOCKS.items():
        if other.rpartition("/")[0] == block.rpartition("/")[0] and (named := NAMED.match(text)):
            (directory / named[1]).write_text(text)
    (directory / "block.py").write_text(BLOCKS[block])


BLOCKS = python_blocks()
# Those that call the application themselves, in a loop of their own, cannot be imported by a server that runs.
APPLICATIONS = [name for name, text in BLOCKS.items() if "async def app(" in text and "from asking import" not in text]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_runs(block: str, tmp_path: Path) -> None:
    write_files(block, tmp_path)
    path = os.pathsep.join((str(tmp_path), PYTHONPATH))
    ran = subprocess.run(
        [sys.executable, "-W", "error", "block.py"],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": path, "no_proxy": "*"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("block", APPLICATIONS)
def test_an_application_in_a_block_answers(block: str, tmp_path: Path) -> None:
    write_files(block, tmp_path)
    with served("block:app", "--app-dir", str(tmp_path)) as server:
        answer = server.client.post("/", content=iter([b"some ", b"body"]))
    assert answer.status_code == 200
    assert answer.content
    assert "Traceback" not in server.log


@pytest.mark.parametrize(("app", "command"), SERVE_AND_ASK.findall((ROOT / "README.md").read_text()))
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_curl_command_of_the_readme_is_answered(app: str, command: str) -> None:
    with served(app) as server:
        asked = command.replace("http://127.0.0.1:8000", server.url)
        ran = subprocess.run(
            [*shlex.split(asked), "--fail", "--silent", "--show-error", "--noproxy", "*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("\n")


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(f"docs/{page}.md" for page in ("index", "deployment", "processes", "asgi", "websockets", "tls", "http2")),
    ],
)
def test_every_option_that_a_page_names_exists(name: str) -> None:
    command = [*PORTICO, "run", "--help"]
    help_text = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout
    named = set(OPTION.findall(OTHER_PROGRAMS.sub("", (ROOT / name).read_text())))
    assert named - set(OPTION.findall(help_text)) == set()


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()] == []


def test_the_settings_page_is_what_the_table_of_settings_says() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "generate_settings.py"))["page"]()
    assert (ROOT / "docs" / "settings.md").read_text() == page
