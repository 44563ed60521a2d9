"""`wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling"): files that the system sends."""

import io
import os
import stat
from collections.abc import Iterator
from typing import Any

BLOCK = 1 << 18  # bytes; the application's own suggestion would be as many turns through the event loop
REAL = (io.BufferedReader, io.BufferedRandom, io.FileIO)


class FileWrapper:
    """A file-like object as a response: sent out of the file itself where it is a real one, else in blocks."""

    def __init__(self, filelike: Any, block_size: int = BLOCK) -> None:
        self.filelike = filelike
        self.block_size = max(block_size, BLOCK)

    def __iter__(self) -> Iterator[bytes]:
        read = self.filelike.read
        while data := read(self.block_size):
            yield data

    def close(self) -> None:
        """Close the file, if it can be closed."""
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()


class FilePart:
    """A part of a regular file, to be sent without reading it."""

    __slots__ = ("count", "file", "offset")

    def __init__(self, file: Any, offset: int, count: int) -> None:
        self.file = file
        self.offset = offset
        self.count = count


def find_part(wrapper: FileWrapper, length: int) -> FilePart | None:
    """Return what is to be sent of the wrapped file: from its position, `length` bytes unless -1, never past its end.

    None where it is no regular file that is read as it stands.
    """
    file = _real(wrapper.filelike)
    if file is None:
        return None
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        offset = file.tell()
    except (OSError, ValueError):
        return None
    left = status.st_size - offset
    if left <= 0:  # so say the files of /proc, which have something to read
        return None
    return FilePart(file, offset, left if length < 0 else min(left, length))


def _real(filelike: Any) -> Any:
    """Return the file whose `read` it is that would be called.

    `fileno` does not tell: a `GzipFile` has that of what is compressed. Wrappers as those of tempfile and of Django
    hand out the `read` of what they wrap.
    """
    read = getattr(filelike, "read", None)
    file = getattr(getattr(read, "__wrapped__", read), "__self__", None)
    if type(file) not in REAL:
        return None
    return file if isinstance(getattr(file, "raw", file), io.FileIO) else None
