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

from portico.server.config import Config
from portico.server.reload import Changes, watch
from portico.server.sourcefiles import SourceFiles

DEADLINE_S = 20.0


class Observer:
    """Waits for changes, and fails at those that nobody has expected."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.expected = {"probe.py"}

    async def settle(self, pause_s: float) -> None:
        """Touch a file, with pauses that end a batch, until that is noticed: from then on everything is."""
        task = asyncio.ensure_future(anext(self.changes))
        while not task.done():
            write("probe.py")
            await asyncio.wait((task,), timeout=pause_s)
        assert await task == ["probe.py"]

    async def reports(self, *paths: str, perhaps: tuple[str, ...] = ()) -> None:
        """Wait until all these were reported, in however many lists; a change may be told of twice."""
        self.expected |= {*paths, *perhaps}
        missing = set(paths)
        while missing:
            news = set(await anext(self.changes))
            assert news <= self.expected
            missing -= news


Story = Callable[[Observer], Awaitable[None]]


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
    """Run the story once changes are being watched for."""

    async def run() -> None:
        config = Config(**({"app": "main:app", "reload_delay": 0.02} | settings))  # type: ignore[arg-type]
        changes = watch(config)
        try:
            async with asyncio.timeout(DEADLINE_S):
                observer = Observer(changes)
                await observer.settle(config.reload_delay + 0.3)
                await story(observer)
        finally:
            changes.close()

    asyncio.run(run())


def write(path: Path | str) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("#\n")


def test_a_file_that_is_changed_added_moved_or_deleted_is_reported() -> None:
    async def story(watched: Observer) -> None:
        write("main.py")
        await watched.reports("main.py")
        write("new.py")
        await watched.reports("new.py")
        Path("new.py").rename("pkg/moved.py")
        await watched.reports("new.py", "pkg/moved.py")
        Path("pkg/moved.py").unlink()
        await watched.reports("pkg/moved.py")

    play(story)


def test_a_file_that_an_editor_replaces_is_reported() -> None:
    async def story(watched: Observer) -> None:
        for _ in range(2):
            write(".main.py.tmp")
            Path(".main.py.tmp").rename("main.py")
            await watched.reports("main.py")

    play(story)


def test_changes_soon_after_each_other_are_one_batch(project: Path) -> None:
    async def story(watched: Observer) -> None:
        write("main.py")
        write("pkg/part.py")
        while "main.py" not in (news := await anext(watched.changes)):
            assert news == ["probe.py"]
        assert "pkg/part.py" in news

    play(story, reload_delay=0.3)


def test_what_is_no_source_is_not_reported() -> None:
    async def story(watched: Observer) -> None:
        for name in (
            "page.html",
            ".hidden.py",
            "pkg/part.pyc",
            "node_modules/x/y.py",
            "__pycache__/z.py",
            "pkg/tmp.py",
        ):
            write(name)
        write("main.py")
        await watched.reports("main.py")

    play(story, reload_excludes=["tmp.py"])


def test_includes_and_directories_of_the_settings_are_watched() -> None:
    async def story(watched: Observer) -> None:
        write("pkg/pages/one.html")
        await watched.reports("pkg/pages/one.html")
        write(".env")
        await watched.reports(".env")

    Path("pkg/pages").mkdir()
    Path(".env").touch()
    play(story, reload_dirs=[".", "pkg"], reload_includes=["*.html", ".env"])


def test_the_directory_of_the_application_is_the_one_watched_without_another() -> None:
    files = SourceFiles.of(Config(app="main:app", app_dir="pkg"))
    assert files.inside(files.walk()) == {str(Path("pkg/part.py").absolute())}


def test_the_file_of_environment_variables_is_watched() -> None:
    Path("local.env").touch()
    files = SourceFiles.of(Config(app="main:app", app_dir="pkg", env_file="local.env"))
    assert files.inside(files.walk()) == {str(Path("pkg/part.py").absolute()), str(Path("local.env").absolute())}


def test_files_in_directories_that_appear_are_reported_at_once_and_later() -> None:
    async def story(watched: Observer) -> None:
        write("a/b/c/deep.py")
        await watched.reports("a/b/c/deep.py")
        write("a/b/c/deep.py")
        await watched.reports("a/b/c/deep.py")
        write("a/b/other.py")
        await watched.reports("a/b/other.py")

    play(story)


def test_a_directory_that_is_renamed_is_watched_under_its_new_name() -> None:
    async def story(watched: Observer) -> None:
        Path("pkg").rename("renamed")
        await watched.reports("renamed/part.py", perhaps=("pkg/part.py",))
        write("renamed/part.py")
        await watched.reports("renamed/part.py")

    play(story)


def test_a_directory_that_is_removed_and_made_anew_is_watched_again() -> None:
    async def story(watched: Observer) -> None:
        shutil.rmtree("pkg")
        write("pkg/part.py")
        await watched.reports("pkg/part.py")
        write("pkg/part.py")
        await watched.reports("pkg/part.py")

    play(story)


def test_a_watched_directory_itself_may_go_and_come_back(project: Path) -> None:
    async def story(watched: Observer) -> None:
        Path("watched").rename("gone")
        shutil.rmtree("gone")
        write("watched/back.py")
        await watched.reports("watched/back.py", perhaps=("watched/first.py", "gone/first.py"))
        write("watched/more.py")
        await watched.reports("watched/more.py")

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


def test_where_the_system_cannot_watch_so_many_files_they_are_polled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "no space left for watches")

    async def story(watched: Observer) -> None:
        write("main.py")
        await watched.reports("main.py")

    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "false")
    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", fail)
    play(story)
    assert "no space left for watches" in caplog.text


def test_without_watchfiles_files_are_polled_and_the_line_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(watched: Observer) -> None:
        write("main.py")
        await watched.reports("main.py")

    monkeypatch.delenv("WATCHFILES_FORCE_POLLING")
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    caplog.set_level("INFO", "portico")
    play(story)
    assert "pip install 'portico[reload]'" in caplog.text


def test_a_fault_of_ours_reaches_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: object) -> list[str]:
        raise AssertionError("a fault")

    async def run() -> None:
        with pytest.raises(AssertionError, match="a fault"):
            await anext(watch(Config(app="main:app")))

    monkeypatch.setattr("portico.server.sourcefiles.SourceFiles.walk", fail)
    asyncio.run(run())


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
