"""The file that says which process is the supervisor.

Its writer keeps a lock on the file for as long as it lives. A file without one is stale, whatever process its number
belongs to today; only what another program may have written, and still be using, is left alone.
"""

import contextlib
import errno
import os
import stat
import tempfile

from portico.asgi import PorticoError

try:
    import fcntl
except ImportError:  # Windows: there are no locks, and no supervisor
    fcntl = None  # type: ignore[assignment]

READING = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# Who reads it is slower than this many others who replace it.
ATTEMPTS = 100


class PidFileError(PorticoError):
    """The pid file cannot be written, or a living process has it; the text says which."""


class PidFile:
    """One pid file: `write()` it, and `remove()` it at the end."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._fd = -1  # of the file that we have written, and hold the lock of

    def write(self, replacing: int | None = None) -> None:
        """Write the number of this process, at once and whole.

        Args:
            replacing: The process that may have the file, for it hands over to this one.

        Raises:
            PidFileError: another living process has the file, it is no pid file, or it cannot be written.
        """
        if self._is_ours():
            return
        self._close()
        try:
            fd, temporary = tempfile.mkstemp(prefix=".portico-", dir=os.path.dirname(self.path))
        except OSError as error:
            raise self._failure(error) from None
        try:
            os.write(fd, b"%d\n" % os.getpid())
            os.chmod(fd if os.chmod in os.supports_fd else temporary, 0o644)
            _lock(fd)
            self._put(temporary, replacing)
        except BaseException as error:
            os.close(fd)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            if isinstance(error, OSError) and not isinstance(error, PorticoError):
                raise self._failure(error) from None
            raise
        self._fd = fd

    def remove(self) -> None:
        """Remove the file, if it is still the one that this process has written."""
        if self._is_ours():
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self._close()

    def _put(self, temporary: str, replacing: int | None) -> None:
        """Move the new file to its place; of several who find a stale one there, one does."""
        for _ in range(ATTEMPTS):
            try:
                found = os.open(self.path, READING)
            except FileNotFoundError:
                try:
                    os.link(temporary, self.path)
                except FileExistsError:
                    continue
                except OSError:  # a file system without links
                    os.rename(temporary, self.path)
                else:
                    os.unlink(temporary)
                return
            try:
                locked = _lock(found)
                self._check(found, locked, replacing)
                # Between opening and locking another one may have put its own there.
                if _same(found, self.path):
                    os.rename(temporary, self.path)
                    return
            finally:
                os.close(found)
        raise PidFileError(f"pid file {self.path}: other processes write it all the time")

    def _check(self, found: int, locked: bool, replacing: int | None) -> None:
        """Raise PidFileError unless the file may be replaced."""
        is_file = stat.S_ISREG(os.fstat(found).st_mode)
        content = os.read(found, 64).strip() if is_file else b""
        if not is_file or (content and not content.isdigit()):
            raise PidFileError(f"pid file {self.path}: what is there is no pid file; move it away")
        pid = int(content or 0)
        if replacing is not None and pid == replacing:
            return
        if not locked or (pid != os.getpid() and _may_have_written(pid, found)):
            who = f"process {pid}" if _is_alive(pid) else "another process"
            raise PidFileError(f"pid file {self.path}: {who} has it and is running: stop it, or choose another file")

    def _is_ours(self) -> bool:
        return self._fd >= 0 and _same(self._fd, self.path)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _failure(self, error: OSError) -> PidFileError:
        if error.errno == errno.ELOOP:
            return PidFileError(f"pid file {self.path}: what is there is a symbolic link; move it away")
        return PidFileError(f"pid file {self.path}: {error.strerror}")


def _lock(fd: int) -> bool:
    """Lock the file; return whether nobody else had it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # of a file system that has no locks
        return True
    return True


def _same(fd: int, path: str) -> bool:
    try:
        there = os.lstat(path)
    except OSError:
        return False
    return os.path.samestat(os.fstat(fd), there)


def _may_have_written(pid: int, fd: int) -> bool:
    """Tell whether the process is alive and older than the file."""
    if not _is_alive(pid):
        return False
    started = _started_at(pid)
    return started is None or started <= os.fstat(fd).st_mtime + 1


def _is_alive(pid: int) -> bool:
    if fcntl is None or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _started_at(pid: int) -> float | None:
    """Return when the process was started, in seconds of the wall clock; None where the system does not tell."""
    import time

    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])  # field 22 of proc_pid_stat(5)
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError, IndexError, ValueError):
        return None
    return time.time() - since_boot + ticks / os.sysconf("SC_CLK_TCK")
