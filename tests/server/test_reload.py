"""Watching source files, with the system's own notifications and by polling. `test_sourcefiles` has the patterns."""

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.children import environment

from portico.server import reload
from portico.server.config import Config
from portico.server.reload import Changes, ReloadError, watch

DEADLINE_S = 20.0
Story = Callable[[Changes], Awaitable[None]]


@pytest.fixture(params=["notified", "polled"], autouse=True)
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "1" if request.param == "polled" else "false")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "20")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "main.py").touch()
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "part.py").touch()
    return tmp_path


def play(story: Story, **settings: object) -> None:
    """Run the story with changes to come, once they are being watched for."""

    async def run() -> None:
        changes = watch(Config(app="main:app", reload_delay=0.02, **settings))  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(DEADLINE_S):
                await settle(changes)
                await story(changes)
        finally:
            changes.close()

    asyncio.run(run())


async def settle(changes: Changes) -> None:
    """Touch a file until that is noticed, and then until nothing is left to notice."""
    probe = Path("probe.py")
    task = asyncio.ensure_future(anext(changes))
    while not task.done():
        write(probe)
        await asyncio.wait((task,), timeout=0.1)
    assert await task == ["probe.py"]
    await drained(changes, "probe")


async def drained(changes: Changes, name: str) -> None:
    """Wait for a last change, for what comes after it to be new."""
    mark = Path(f"{name}_mark.py")
    write(mark)
    while str(mark) not in await anext(changes):
        pass
    assert changes._queue.empty()


def write(path: Path | str) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("#\n")


async def until(changes: Changes, *paths: str) -> None:
    """Wait until all these changes were reported."""
    missing = set(paths)
    while missing:
        missing -= set(await anext(changes))


def test_a_file_that_is_changed_added_moved_or_deleted_is_reported() -> None:
    async def story(changes: Changes) -> None:
        write("main.py")
        assert await anext(changes) == ["main.py"]
        write("new.py")
        assert await anext(changes) == ["new.py"]
        Path("new.py").rename("pkg/moved.py")
        await until(changes, "new.py", "pkg/moved.py")
        Path("pkg/moved.py").unlink()
        await until(changes, "pkg/moved.py")

    play(story)


def test_a_file_that_an_editor_replaces_is_reported() -> None:
    async def story(changes: Changes) -> None:
        for _ in range(2):
            write(".main.py.tmp")
            Path(".main.py.tmp").rename("main.py")
            await until(changes, "main.py")

    play(story)


def test_changes_soon_after_each_other_are_one_batch(project: Path) -> None:
    async def story(changes: Changes) -> None:
        write("main.py")
        write("pkg/part.py")
        assert await anext(changes) == ["main.py", "pkg/part.py"]

    play(story)


def test_what_is_no_source_is_not_reported() -> None:
    async def story(changes: Changes) -> None:
        for name in (
            "page.html",
            ".hidden.py",
            "pkg/part.pyc",
            "node_modules/x/y.py",
            "__pycache__/z.py",
            "pkg/tmp.py",
        ):
            write(name)
        await drained(changes, "last")
        write("page.html")
        write("main.py")
        assert await anext(changes) == ["main.py"]

    play(story, reload_excludes=["tmp.py"])


def test_includes_and_directories_of_the_settings_are_watched() -> None:
    async def story(changes: Changes) -> None:
        write("pkg/pages/one.html")
        await until(changes, "pkg/pages/one.html")
        write(".env")
        await until(changes, ".env")

    Path("pkg/pages").mkdir()
    Path(".env").touch()
    play(story, reload_dirs=[".", "pkg"], reload_includes=["*.html", ".env"])


def test_the_directory_of_the_application_is_the_one_watched_without_another() -> None:
    files = reload.SourceFiles.of(Config(app="main:app", app_dir="pkg"))
    assert files.inside(files.walk()) == {str(Path("pkg/part.py").absolute())}


def test_files_in_directories_that_appear_are_reported_at_once_and_later() -> None:
    async def story(changes: Changes) -> None:
        write("a/b/c/deep.py")
        await until(changes, "a/b/c/deep.py")
        write("a/b/c/deep.py")
        await until(changes, "a/b/c/deep.py")
        write("a/b/other.py")
        await until(changes, "a/b/other.py")

    play(story)


def test_a_directory_that_is_renamed_is_watched_under_its_new_name() -> None:
    async def story(changes: Changes) -> None:
        Path("pkg").rename("renamed")
        await until(changes, "renamed/part.py")
        write("renamed/part.py")
        await until(changes, "renamed/part.py")

    play(story)


def test_a_directory_that_is_removed_and_made_anew_is_watched_again() -> None:
    async def story(changes: Changes) -> None:
        shutil.rmtree("pkg")
        write("pkg/part.py")
        await until(changes, "pkg/part.py")
        await drained(changes, "between")
        write("pkg/part.py")
        await until(changes, "pkg/part.py")

    play(story)


def test_a_watched_directory_itself_may_go_and_come_back(project: Path) -> None:
    async def story(changes: Changes) -> None:
        Path("watched").rename("gone")
        shutil.rmtree("gone")
        write("watched/back.py")
        await until(changes, "watched/back.py")
        write("watched/more.py")
        await until(changes, "watched/more.py")

    write("watched/first.py")
    write("other/probe.py")
    play(story, reload_dirs=["watched", "pkg", "."], reload_excludes=["./watched"])


def test_whoever_is_cancelled_while_waiting_leaves_no_thread() -> None:
    async def run() -> None:
        changes = watch(Config(app="main:app"))
        waiting = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(StopAsyncIteration):
            await anext(changes)

    asyncio.run(run())
    assert not [thread for thread in threading.enumerate() if thread.name == "portico reload"]


def test_closing_ends_the_thread_and_may_be_done_twice() -> None:
    async def run() -> None:
        changes = watch(Config(app="main:app"))
        await changes.aclose()
        changes.close()

    asyncio.run(run())
    assert not [thread for thread in threading.enumerate() if thread.name == "portico reload"]


def test_what_goes_wrong_while_watching_reaches_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "no space left for watches")

    async def run() -> None:
        with pytest.raises(ReloadError, match="no space left for watches"):
            await anext(watch(Config(app="main:app")))

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", fail)
    asyncio.run(run())


def test_without_watchfiles_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ReloadError, match=r"pip install 'portico\[reload\]'"):
        watch(Config(app="main:app"))


@pytest.mark.process
@pytest.mark.parametrize(
    "ending", ["", "raise SystemExit(0)", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"]
)
def test_a_process_that_forgets_to_close_ends_all_the_same(ending: str) -> None:
    program = f"""
import asyncio
from portico.server.config import Config
from portico.server.reload import watch

async def main():
    watch(Config(app="main:app"))
    {ending}

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, timeout=DEADLINE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
