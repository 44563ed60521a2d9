"""Which files are an application's sources: the directories to watch, and the globs that include and exclude.

A pattern may begin at any directory: `*.html` is every such file, `pages/*.html` those in every directory `pages`. One
that begins with `/`, `./` or `../` begins at the root, or at the current directory. `*`, `?` and `[...]` stay within
a name, `**` is any number of directories, and a directory stands for all that is in it. Excludes beat includes. What is
excluded by default (`DEFAULT_EXCLUDES`, virtual environments) is watched only where an include begins a name with it,
as `.env` and `.config/*.toml` do: a wildcard does not match it.
"""

import os
from collections import deque
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from portico.server.config import Config
from portico.server.logs import logger

DEFAULT_INCLUDES = ("*.py",)
DEFAULT_EXCLUDES = (
    ".*", "__pycache__", "*.py[cod]", "venv", "site-packages", "node_modules",
    "*~", "*.sw?", "#*#", "flycheck_*", "*_flymake.*",
)  # fmt: skip
WILDCARDS = "*?["
# Breadth-first, so that what is left out lies deepest.
MOST_DIRECTORIES = 20_000

Parts = tuple[str, ...]


class Pattern(NamedTuple):
    """A glob, name by name; `anchored` ones begin at the root of the file system."""

    names: Parts
    anchored: bool


class Root(NamedTuple):
    """A directory to watch, and what is a source file in it; `base` is where its paths begin to be matched."""

    path: str
    base: str
    includes: tuple[Pattern, ...]


def parse(text: str) -> Pattern:
    """Return the pattern that the text is."""
    anchored = os.path.isabs(text) or text.split("/")[0] in (".", "..")
    names = os.path.abspath(text) if anchored else os.path.normpath(text)
    return Pattern(_parts(names), anchored)


class SourceFiles:
    """The source files in some directories; `walk` finds the directories, then `source` knows the files."""

    def __init__(self, directories: Iterable[str], includes: Iterable[str] = (), excludes: Iterable[str] = ()) -> None:
        here = os.getcwd()
        watched = [os.path.abspath(path) for path in directories]
        includes = list(includes)
        patterns = tuple(map(parse, (*DEFAULT_INCLUDES, *includes)))
        self.excludes = tuple(map(parse, excludes))
        self.roots = [Root(path, here if _is_in(path, here) else path, patterns) for path in watched]
        apart: dict[str, tuple[Pattern, ...]] = {}
        for text in includes:
            path = os.path.abspath(text)
            if os.path.exists(path) and not any(_is_in(path, root) for root in watched):
                parent = os.path.dirname(path)
                apart[parent] = (*apart.get(parent, ()), Pattern(_parts(path), anchored=True))
        self.roots += [Root(parent, parent, those) for parent, those in apart.items()]
        self.directories: dict[str, tuple[str, Root]] = {}
        self._judged: dict[str, bool] = {}  # polling asks again and again
        self._identities: list[tuple[int, int] | None] = []

    @classmethod
    def of(cls, config: Config) -> "SourceFiles":
        """Return the source files that the settings speak of."""
        includes = list(config.reload_includes)
        if config.env_file is not None:  # every new worker reads it
            includes.append(os.path.abspath(config.env_file))
        return cls(config.reload_dirs or (config.app_dir or os.curdir,), includes, config.reload_excludes)

    def walk(self) -> list[str]:
        """Find the directories that may hold source files, and return their real paths."""
        self._identities = [_identity(root.path) for root in self.roots]
        found: dict[str, tuple[str, Root]] = {}
        waiting = deque((root.path, root) for root in self.roots)
        while waiting:
            seen, root = waiting.popleft()
            real = os.path.realpath(seen)
            if real in found or not os.path.isdir(real):  # a link may lead up again
                continue
            if len(found) == MOST_DIRECTORIES:
                logger.warning("Only the first %d directories are watched: choose with --reload-dir", len(found))
                break
            found[real] = (seen, root)
            waiting += [(path, root) for path in _directories(seen) if self._enters(path, root)]
        self.directories = found
        self._judged.clear()
        return list(found)

    def moved(self) -> set[str]:
        """Return the real paths of the directories named that are no longer those that were walked."""
        now = [_identity(root.path) for root in self.roots]
        roots = zip(self.roots, now, self._identities, strict=True)
        return {os.path.realpath(root.path) for root, identity, before in roots if identity != before}

    def source(self, path: str) -> str | None:
        """Return the path of a source file as it is seen from its root, None for all that is none."""
        return None if path in self.directories or os.path.isdir(path) else self.source_file(path)

    def source_file(self, path: str) -> str | None:
        """Return the same of what is known to be no directory."""
        directory, name = os.path.split(path)
        if directory not in self.directories:
            return None
        parent, root = self.directories[directory]
        seen = os.path.join(parent, name)
        is_source = self._judged.get(seen)
        if is_source is None:
            is_source = self._judged[seen] = self._is_source(seen, root)
        return seen if is_source else None

    def inside(self, directories: Iterable[str]) -> set[str]:
        """Return the source files that are in the directories now."""
        found = set()
        for directory in directories:
            try:
                names = os.listdir(directory)
            except OSError:
                continue
            found |= {seen for name in names if (seen := self.source(os.path.join(directory, name)))}
        return found

    def enters(self, path: str) -> bool:
        """Tell whether the path is a directory that may hold source files."""
        directory, name = os.path.split(path)
        if directory not in self.directories or not os.path.isdir(path):
            return False
        parent, root = self.directories[directory]
        return self._enters(os.path.join(parent, name), root)

    def _is_source(self, path: str, root: Root) -> bool:
        if any(_matches(pattern, path, root, shy=False) for pattern in self.excludes):
            return False
        return any(_matches(pattern, path, root, shy=True) for pattern in root.includes)

    def _enters(self, path: str, root: Root) -> bool:
        if any(_matches(pattern, path, root, shy=False) for pattern in self.excludes):
            return False
        if not any(_matches(pattern, path, root, shy=True, partly=True) for pattern in root.includes):
            return False
        return not os.path.exists(os.path.join(path, "pyvenv.cfg"))


def _matches(pattern: Pattern, path: str, root: Root, *, shy: bool, partly: bool = False) -> bool:
    """Tell whether the pattern matches the path, or a directory in which it is, below the root.

    Shy wildcards do not match what is excluded by default. A path matches partly if something in it could match.
    """
    start = "" if pattern.anchored else root.base
    names = ("**", *pattern.names) if not pattern.anchored else pattern.names
    parts = _parts(path)[len(_parts(start)) :]
    depth = len(_parts(root.path)) - len(_parts(start))
    # The ends of the pattern's beginnings that match the parts so far: a set, so that ** costs no recursion.
    states = _closure({0}, names)
    for at, part in enumerate(parts):
        hidden = shy and at >= depth and _is_excluded(part)
        following = set()
        for state in states:
            if state == len(names) or names[state] == "**":  # a directory matched: all in it does
                if not hidden:
                    following.add(state)
            elif fnmatchcase(part, names[state]) and not (hidden and names[state][0] in WILDCARDS):
                following.add(state + 1)
        states = _closure(following, names)
        if at < depth and not shy:  # the directories to watch are not for excludes to take away
            states.discard(len(names))
        if not states:
            return False
    return True if partly else len(names) in states


def _closure(states: set[int], names: Parts) -> set[int]:
    """Add where one gets without a name: beyond every `**`."""
    for state in sorted(states):
        after = state
        while after < len(names) and names[after] == "**":
            after += 1
            states.add(after)
    return states


def _is_excluded(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in DEFAULT_EXCLUDES)


def _parts(path: str) -> Parts:
    return tuple(part for part in path.replace(os.sep, "/").split("/") if part)


def _is_in(path: str, directory: str) -> bool:
    return (path + os.sep).startswith(directory.rstrip(os.sep) + os.sep)


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir())
    except OSError:
        return []


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
