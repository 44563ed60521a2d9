"""Looking again and again whether files have changed, where the system does not tell: it is called as watchfiles is."""

import os
import threading
import time

from portico.server.sourcefiles import SourceFiles

ADDED, MODIFIED, DELETED = 1, 2, 3  # watchfiles' Change
# Modification in nanoseconds, size and number of the file; nothing but that it is there for a directory.
State = tuple[int, int, int] | None


class Poller:
    """Compares the directories that were walked with what they were the last time."""

    def __init__(self, files: SourceFiles, delay_s: float) -> None:
        self._files = files
        self._directories = list(files.directories)
        self._delay_s = delay_s
        self._before = self._look()

    def watch(
        self, _group_ms: int, _step_ms: int, timeout_ms: int, stop: threading.Event | None
    ) -> set[tuple[int, str]] | str:
        """Wait for changes and return them, or `stop` or `timeout`."""
        until = time.monotonic() + timeout_ms / 1000
        while True:
            before, now = self._before, self._look()
            # Where entries come and go meanwhile, a listing may leave one out that stays.
            now |= {path: before[path] for path in before.keys() - now.keys() if os.path.lexists(path)}
            self._before = now
            changes = {(ADDED, path) for path in now.keys() - before.keys()}
            changes |= {(DELETED, path) for path in before.keys() - now.keys()}
            changes |= {(MODIFIED, path) for path in now.keys() & before.keys() if now[path] != before[path]}
            if changes:
                return changes
            if stop is None or time.monotonic() > until:
                return "timeout"
            if stop.wait(self._delay_s):
                return "stop"

    def close(self) -> None:
        """There is nothing to close."""

    def _look(self) -> dict[str, State]:
        found: dict[str, State] = {}
        for directory in self._directories:
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        if entry.is_dir():
                            found[entry.path] = None
                        elif self._files.source_file(entry.path) is not None:
                            status = entry.stat()
                            found[entry.path] = status.st_mtime_ns, status.st_size, status.st_ino
            except OSError:
                continue  # it has gone, now or just now
        return found
