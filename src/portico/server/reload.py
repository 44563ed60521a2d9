"""Watching the source files of an application: `watch` reports which of them changed.

The directories are walked here and handed to watchfiles one by one, so that what is excluded, such as node_modules, is
not even entered. Without watchfiles, or where the system does not tell of changes, files are polled. What counts as a
source file is decided in `portico.server.sourcefiles`.
"""

import asyncio
import atexit
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from portico.server.config import Config
from portico.server.logs import logger
from portico.server.polling import ADDED, DELETED, Poller
from portico.server.sourcefiles import SourceFiles

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

STEP_MS = 50
GROUP_MS = 200
LOOK_MS = 1000  # how often the watched directories themselves are looked after
# A file that never rests must not put off the reload for ever.
LONGEST_WAIT_S = 10.0
JOIN_S = 2.0
POLL_S = 0.3
MOST_WALKS = 10  # while directories come and go


def watch(config: Config) -> "Changes":
    """Watch from now on, and return the changes to come; to be called where a loop runs."""
    if not has_watchfiles():
        logger.info("Files are polled for changes: pip install 'portico[reload]' has the system tell of them instead")
    return Changes(SourceFiles.of(config), config.reload_delay)


def has_watchfiles() -> bool:
    """Tell whether watchfiles is installed."""
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        return False
    return True


class Changes:
    """Lists of the files that were added, changed or deleted, as seen from the current directory.

    A list is complete when nothing has changed for `delay_s` seconds. Cancelling whoever waits ends the watching.
    """

    def __init__(self, files: SourceFiles, delay_s: float) -> None:
        self._delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[set[str] | BaseException] = asyncio.Queue()
        self._stop = threading.Event()
        # A daemon, for a process that fails must not wait for it; but it must not meet the interpreter's end either.
        self._thread = threading.Thread(
            target=_follow, args=(files, self._stop, self._report), name="portico reload", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)

    def __aiter__(self) -> "Changes":
        return self

    async def __anext__(self) -> list[str]:
        """Wait for the next list."""
        if self._stop.is_set():
            raise StopAsyncIteration
        try:
            return await self._next()
        except BaseException:
            self.close()
            raise

    async def aclose(self) -> None:
        """End the watching."""
        self.close()

    def close(self) -> None:
        """End the watching and its thread, which takes some hundredths of a second."""
        self._stop.set()
        self._thread.join(JOIN_S)
        atexit.unregister(self.close)

    async def _next(self) -> list[str]:
        changed = _changes(await self._queue.get())
        latest = self._loop.time() + LONGEST_WAIT_S
        while self._loop.time() < latest:
            try:
                async with asyncio.timeout(self._delay_s):
                    changed |= _changes(await self._queue.get())
            except TimeoutError:
                break
        return [_short(path) for path in sorted(changed)]

    def _report(self, news: set[str] | BaseException) -> None:
        try:
            self._loop.call_soon_threadsafe(self._queue.put_nowait, news)
        except RuntimeError:  # the loop is closed
            self._stop.set()


def _changes(news: set[str] | BaseException) -> set[str]:
    if isinstance(news, BaseException):
        raise news
    return news


def _follow(files: SourceFiles, stop: threading.Event, report: Callable[[set[str] | BaseException], None]) -> None:
    """Report changed files until asked to stop; runs in the thread."""
    try:
        notifier = _notifier(files, polls=_polls())
        while not stop.is_set():
            changes = _news(notifier.watch(GROUP_MS, STEP_MS, LOOK_MS, stop))
            changed = _sources(files, changes)
            fresh = {path for change, path in changes if change == ADDED and files.enters(path)}
            fresh |= {path for change, path in changes if change == DELETED and path in files.directories}
            fresh |= files.moved()
            if fresh:
                known = {path for path in files.directories if not _is_below(path, fresh)}
                # The new one sees before the old one closes its eyes.
                following = _notifier(files, polls=isinstance(notifier, Poller))
                changed |= _sources(files, _news(notifier.watch(1, 1, 1, None)))
                notifier.close()
                notifier = following
                changed |= files.inside(files.directories.keys() - known)
            if changed:
                report(changed)
        notifier.close()
    except BaseException as error:
        report(error)


def _news(news: set[tuple[int, str]] | str) -> set[tuple[int, str]]:
    """Return the changes; watchfiles says in a word why there are none."""
    return set() if isinstance(news, str) else news


def _sources(files: SourceFiles, changes: Iterable[tuple[int, str]]) -> set[str]:
    return {seen for _, path in changes if (seen := files.source(path)) is not None}


def _is_below(path: str, directories: Iterable[str]) -> bool:
    return any((path + os.sep).startswith(directory + os.sep) for directory in directories)


def _notifier(files: SourceFiles, *, polls: bool) -> "RustNotify | Poller":
    """Walk the directories, and return what tells of their changes from then on."""
    directories = files.walk()
    for _ in range(MOST_WALKS):
        notifier = _watching(files, directories, polls=polls)
        walked, directories = directories, files.walk()
        if notifier is not None:
            if directories == walked:
                return notifier
            notifier.close()  # nobody would tell of what has come between the two
    return Poller(files, _poll_delay_s())


def _watching(files: SourceFiles, directories: list[str], *, polls: bool) -> "RustNotify | Poller | None":
    if polls:
        return Poller(files, _poll_delay_s())
    from watchfiles._rust_notify import RustNotify

    # FSEvents and Windows watch whole trees at no cost, and single directories dearly.
    recursive = sys.platform in ("darwin", "win32")
    if recursive:
        directories = [path for path in directories if os.path.dirname(path) not in files.directories]
    try:
        return RustNotify(directories, False, False, 0, recursive, True)
    except FileNotFoundError:  # it has gone since
        return None
    except OSError as error:
        logger.warning("Files are polled for changes, since the system does not watch so many: %s", error)
        return Poller(files, _poll_delay_s())


def _polls() -> bool:
    """Tell whether to poll: as watchfiles' own variable says, else where nobody would tell of changes."""
    wanted = os.environ.get("WATCHFILES_FORCE_POLLING")
    if wanted:
        return wanted.lower() not in ("false", "disable", "disabled")
    # The Linux of Windows does not tell of changes that are made on the other side.
    return not has_watchfiles() or (sys.platform == "linux" and "microsoft-standard" in platform.release().lower())


def _poll_delay_s() -> float:
    given = os.environ.get("WATCHFILES_POLL_DELAY_MS", "")
    return int(given) / 1000 if given.isdecimal() else POLL_S


def _short(path: str) -> str:
    return path.removeprefix(os.getcwd() + os.sep)
