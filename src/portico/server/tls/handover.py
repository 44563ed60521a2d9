"""Certificates of several processes: the supervisor reads the files, and hands what is in them to the workers.

The workers may not be able to read them: keys are root's, the workers are not. What was read lies in a file without a
name that they inherit: behind the first word each new state is appended whole, and then the first word is set to where
that begins. So whoever reads, whenever, finds one state and all of it.
"""

import asyncio
import os
import pickle
from collections.abc import Callable

from portico.server.config import Config
from portico.server.logs import logger
from portico.server.metrics.board import anonymous_file
from portico.server.settling import ConfigError
from portico.server.tls.certificates import Certificates
from portico.server.tls.contexts import make_contexts
from portico.server.tls.files import Files, read_files
from portico.server.tls.watching import KEPT, WatchedFiles

WORD = 8  # bytes


class SharedCertificates:
    """The supervisor's side: what the workers are to have; `fd` is what they have to inherit.

    Args:
        config: The settings.
        changed: Called when the workers have to take something new.

    Raises:
        ConfigError: with every problem that the files have.
    """

    def __init__(self, config: Config, changed: Callable[[], None]) -> None:
        self._tell = changed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watched = WatchedFiles(config, _checked(config, read_files(config)), self._take)
        self.fd = anonymous_file("portico-certificates")
        os.ftruncate(self.fd, WORD)
        write(self.fd, self._watched.files)

    @property
    def state(self) -> tuple[Config, Files]:
        """What the workers go by; `restore` takes it back."""
        return self._watched.config, self._watched.files

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look for changes, if the settings say so."""
        self._loop = loop
        self._watched.start(loop)

    def stop(self) -> None:
        """Look no more."""
        self._watched.stop()

    def follow(self, config: Config) -> None:
        """Go by new settings: workers that start from now on do; raises ConfigError, and then nothing has changed."""
        self._use(config, _checked(config, read_files(config)))

    def restore(self, state: tuple[Config, Files]) -> None:
        """Go by what was there before."""
        if state[0] is not self._watched.config:
            self._use(*state)

    def _use(self, config: Config, files: Files) -> None:
        write(self.fd, files)
        self._watched.stop()
        self._watched = WatchedFiles(config, files, self._take)
        if self._loop is not None:
            self._watched.start(self._loop)

    def _take(self, files: Files) -> None:
        write(self.fd, _checked(self._watched.config, files))
        self._tell()


class HandedCertificates(Certificates):
    """The certificates of a worker, made of what the supervisor has read."""

    def __init__(self, config: Config, fd: int) -> None:
        self._fd = fd
        super().__init__(config, read(fd), warns=False)  # the supervisor does

    def reload(self) -> None:
        """Take what the supervisor has by now."""
        try:
            self.load(read(self._fd))
        except ConfigError as error:  # of a factory: the supervisor has tried the files
            for problem in error.problems:
                logger.error("%s", problem)
            logger.error(KEPT)


def write(fd: int, files: Files) -> None:
    """Have these files found from now on."""
    content = pickle.dumps(dict(files))
    at = os.fstat(fd).st_size
    os.pwrite(fd, len(content).to_bytes(WORD, "big") + content, at)
    os.pwrite(fd, at.to_bytes(WORD, "big"), 0)


def read(fd: int) -> dict[str, bytes]:
    """Return what is in the files, by their names."""
    at = int.from_bytes(os.pread(fd, WORD, 0), "big")
    length = int.from_bytes(os.pread(fd, WORD, at), "big")
    files: dict[str, bytes] = pickle.loads(os.pread(fd, length, at + WORD))
    return files


def _checked(config: Config, files: Files) -> Files:
    """Return the files that workers can use; what a factory makes of them is theirs to see."""
    if config.ssl_certfile is not None:
        make_contexts(config, files).warn()
    return files
