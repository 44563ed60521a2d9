"""From the path of a request to a file below a directory, and never to any other.

First the path itself is judged, before any look at the file system: what could leave the directory, or mean something
else on another platform, is refused. Then symbolic links are followed and it is seen where they lead.
"""

import errno
import os
from collections.abc import Iterable
from stat import S_ISDIR, S_ISREG

MAX_PATH = 4096
MAX_SEGMENT = 255
WINDOWS = os.name == "nt"
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{name}{number}" for name in ("com", "lpt") for number in "0123456789¹²³"]
)
# What these say is that there cannot be such a file: the name is too long, or goes in circles.
UNFIT = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
# RFC 8615 has this one for files that are meant to be found.
WELL_KNOWN = ".well-known"


def safe_path(path: str, *, dotfiles: bool = False, windows: bool = WINDOWS) -> str | None:
    """Return the decoded path of a URL as a relative path of the platform, or None where it is refused.

    Refused are `..`, backslashes, NUL, drives, names that begin with a dot (unless `dotfiles`), and what is too long;
    on Windows device names, streams and names that end in a dot or a space as well.
    """
    if len(path) > MAX_PATH or "\0" in path or "\\" in path:
        return None
    segments = [segment for segment in path.split("/") if segment and segment != "."]
    for index, segment in enumerate(segments):
        if segment == ".." or len(segment) > MAX_SEGMENT or _has_drive(segment):
            return None
        if segment[0] == "." and not dotfiles and not (index == 0 and segment == WELL_KNOWN):
            return None
        if windows and (":" in segment or segment[-1] in ". " or _is_device(segment)):
            return None
    return os.sep.join(segments)


def _has_drive(segment: str) -> bool:
    return len(segment) >= 2 and segment[1] == ":" and segment[0].isalpha() and segment.isascii()


def _is_device(segment: str) -> bool:
    return segment.partition(".")[0].rstrip(" ").lower() in DEVICES


def find_below(roots: Iterable[str], relative: str, *, follow_symlinks: bool) -> tuple[str, os.stat_result] | None:
    """Return the path and the `stat` of the first file or directory of that name below the roots. It may block.

    Where symbolic links may not be followed they still may lead to what is below the same root.

    Raises:
        OSError: If the file system fails; that something is not there, or may not be seen, is no failure.
    """
    for root in roots:
        path = os.path.join(root, relative) if relative else root
        try:
            if not follow_symlinks and not is_below(os.path.realpath(path), os.path.realpath(root)):
                continue
            result = os.stat(path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        except ValueError:  # characters that the file system has no bytes for
            continue
        except OSError as error:
            if error.errno in UNFIT:
                continue
            raise
        if S_ISDIR(result.st_mode) or (S_ISREG(result.st_mode) and os.access(path, os.R_OK)):
            return path, result
    return None


def is_below(path: str, root: str) -> bool:
    """Tell whether an absolute path is the root or something in it; a sibling that begins like it is not."""
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)
