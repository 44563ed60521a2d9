"""An open file, read at offsets, so that a reader never blocks the loop.

Where the kernel can tell what its cache holds (Linux, RWF_NOWAIT), bytes that are there are copied on the loop, at most
a piece at a time; whatever would have to wait for a disk is read in a thread. A thread for each piece would cost more
than the reading.
"""

import errno
import os
from asyncio import wrap_future
from concurrent.futures import Future

from portico.files.threads import submit

# O_NONBLOCK is for a pipe that has taken the place of the file: to open it would wait for a writer.
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)
NOWAIT = getattr(os, "RWF_NOWAIT", 0) if hasattr(os, "preadv") else 0
PIECE = 64 * 1024


class FileReader:
    """Reads one file."""

    __slots__ = ("buffer", "file", "nowait", "pending")

    def __init__(self, file: int) -> None:
        self.file = file
        self.nowait = bool(NOWAIT)
        self.buffer = bytearray(0)
        self.pending: Future[bytes] | None = None

    def read_cached(self, offset: int, count: int) -> bytes:
        """Return what the kernel's cache has at the offset; no bytes where a thread has to look."""
        if not self.nowait:
            return b""
        count = min(count, PIECE)
        if len(self.buffer) != count:
            self.buffer = bytearray(count)
        try:
            length = os.preadv(self.file, (self.buffer,), offset, NOWAIT)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise
            self.nowait = False
            return b""
        return bytes(self.buffer) if length == count else bytes(self.buffer[:length])

    async def read(self, offset: int, count: int) -> bytes:
        """Return bytes from the offset on, as many as there are up to the count; none at the end of the file."""
        self.pending = submit(read_at, self.file, count, offset)
        data = await wrap_future(self.pending)
        self.pending = None
        return data

    def close(self) -> None:
        """Close the file, after the reading that may still be going on."""
        pending, self.pending = self.pending, None
        if pending is None or pending.done():
            os.close(self.file)
        else:
            pending.add_done_callback(lambda _: os.close(self.file))


if hasattr(os, "pread"):
    read_at = os.pread
else:  # Windows

    def read_at(file: int, count: int, offset: int) -> bytes:
        os.lseek(file, offset, os.SEEK_SET)
        return os.read(file, count)


def open_file(path: str) -> FileReader:
    """Open a file whose path has just been looked up: 3 us on the loop, since the kernel knows where it is."""
    return FileReader(os.open(path, FLAGS))
