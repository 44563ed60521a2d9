"""Files of certificates and keys that are read again when they change, as they do whenever a certificate is renewed."""

import asyncio
import os
from collections.abc import Callable

from portico.server.config import Config
from portico.server.logs import logger
from portico.server.settling import ConfigError
from portico.server.tls.files import Files, paths, read_files

LOOK_S = 0.5  # between two looks at the files
KEPT = "The certificates have changed and cannot be loaded: the old ones stay"


class WatchedFiles:
    """Looks at the files again and again, and reads them once they have changed and stay as they are.

    Args:
        config: The settings.
        files: What was in the files when they were read last.
        take: Called with what is in the files by then; raises ConfigError where that cannot be used.
    """

    def __init__(self, config: Config, files: Files, take: Callable[[Files], None]) -> None:
        self.config = config
        self.files = files
        self._take = take
        self._seen = _looks(config)
        self._changed = True  # perhaps, since they were read
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look, if the settings say so."""
        if self.config.ssl_watch:
            self._timer = loop.call_later(LOOK_S, self._look, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def reload(self) -> None:
        """Have what is in the files taken; where it is not right, say so in the log: then nothing has changed."""
        try:
            files = read_files(self.config)
            if files == self.files:
                return
            self._take(files)
        except ConfigError as error:
            for problem in error.problems:
                logger.error("%s", problem)
            logger.error(KEPT)
        else:
            self.files = files
            logger.info("The certificates have been loaded again")

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(LOOK_S, self._look, loop)
        seen = _looks(self.config)
        if seen != self._seen:
            self._seen, self._changed = seen, True  # a certificate and its key do not change at the same moment
        elif self._changed:
            self._changed = False
            self.reload()


def _looks(config: Config) -> list[tuple[int, int, int] | None]:
    """Return by what it is seen that a file has changed, or the link that leads to it."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths(config):
        try:
            status = os.stat(path)
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            found.append(None)
    return found
