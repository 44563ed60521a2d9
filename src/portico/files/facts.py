"""What is known of a file: its validators, its length, and its content if it is small.

What was found out is kept as long as a `stat` shows the same file, so that a file costs one `stat` a request. The
`stat` of a file that is known runs on the loop: its directory entries are in the kernel's cache (1.5 us measured);
that of an unknown one runs in a thread.
"""

import os
import time
from collections.abc import Callable
from os import stat as stat_path
from stat import S_ISREG
from threading import Lock

from portico.files.threads import in_thread
from portico.http.dates import imf_fixdate

Pair = tuple[bytes, bytes]

MAX_CONTENT = 64 * 1024
MAX_CONTENTS = 32 * 1024 * 1024
MAX_FILES = 4096
# A file that changes twice within a tick of the file system's clock looks unchanged: its content is not kept so early.
SETTLED_NS = 2_000_000_000


class Facts:
    """One state of one file."""

    __slots__ = ("content", "etag", "identity", "length", "modified", "path", "size", "used", "validators")

    def __init__(self, path: str, result: os.stat_result, content: bytes | None = None) -> None:
        self.path = path
        self.identity = identity_of(result)
        self.size = result.st_size
        self.length: Pair = (b"content-length", b"%d" % result.st_size)
        self.etag = b'"%x-%x"' % (result.st_mtime_ns, result.st_size)
        self.modified = imf_fixdate(int(result.st_mtime)).encode()
        self.validators: tuple[Pair, Pair] = ((b"last-modified", self.modified), (b"etag", self.etag))
        self.content = content
        self.used = False


def identity_of(result: os.stat_result) -> tuple[int, int, int, int, int]:
    """Return what makes two looks at a path looks at the same content."""
    return result.st_mtime_ns, result.st_size, result.st_ino, result.st_ctime_ns, result.st_dev


class FactsCache:
    """The facts of the files that were asked for lately, bounded by count and by the bytes of their contents."""

    def __init__(self, max_files: int = MAX_FILES, max_contents: int = MAX_CONTENTS) -> None:
        self.max_files = max_files
        self.max_contents = max_contents
        self.contents = 0
        self.files: dict[str, Facts] = {}
        self.changing = Lock()  # a process may have loops in several threads

    def fresh(self, path: str) -> Facts | None:
        """Return the facts of a known file if they still hold: one `stat`, on the loop."""
        facts = self.files.get(path)
        if facts is None:
            return None
        try:
            result = stat_path(path)
        except (OSError, ValueError):
            return None
        if identity_of(result) != facts.identity:
            return None
        facts.used = True
        return facts

    async def find(self, path: str) -> Facts:
        """Return the facts of the file as it is now.

        Raises:
            OSError: As `os.stat` does.
            NotRegularError: If it is a directory, a device, a pipe or a socket.
        """
        facts = self.fresh(path)
        if facts is None:
            facts = await in_thread(look_at, path)
            self.keep(facts)
        return facts

    def known(self, path: str, result: os.stat_result) -> Facts:
        """Return the facts of a file that has been looked at already."""
        facts = self.files.get(path)
        if facts is not None and facts.identity == identity_of(result):
            facts.used = True
            return facts
        return Facts(path, result)

    def keep(self, facts: Facts) -> None:
        """Take the facts in; those that nobody has used for longest go."""
        with self.changing:
            old = self.files.pop(facts.path, None)
            if old is not None and old.content is not None:
                self.contents -= len(old.content)
            self.files[facts.path] = facts
            if facts.content is not None:
                self.contents += len(facts.content)
            while len(self.files) > self.max_files or self.contents > self.max_contents:
                self._drop_one()

    def _drop_one(self) -> None:
        # The second chance algorithm: what was used since it last came up goes to the end instead.
        path = next(iter(self.files))
        facts = self.files.pop(path)
        if facts.used and len(self.files) > 0:
            facts.used = False
            self.files[path] = facts
        elif facts.content is not None:
            self.contents -= len(facts.content)


class NotRegularError(Exception):
    """What the path leads to is no regular file."""


def look_at(path: str, result: os.stat_result | None = None) -> Facts:
    """Return a file's facts, with its content if it is small. It may block."""
    if result is None:
        result = stat_path(path)
    if not S_ISREG(result.st_mode):
        raise NotRegularError(path)
    return Facts(path, result, read_small(path, result))


def read_small(path: str, result: os.stat_result, clock: Callable[[], int] = time.time_ns) -> bytes | None:
    """Return the content of a file that is small and has not just been written."""
    if result.st_size > MAX_CONTENT or clock() - max(result.st_mtime_ns, result.st_ctime_ns) < SETTLED_NS:
        return None
    try:
        with open(path, "rb", buffering=0) as file:
            content = file.read(result.st_size + 1)
            if len(content) == result.st_size and identity_of(os.fstat(file.fileno())) == identity_of(result):
                return content
    except OSError:
        pass  # it says so when the file is sent
    return None


cache = FactsCache()
