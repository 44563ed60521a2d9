"""Accepting connections on a socket that others may accept on too.

A listening socket can outlive the server: other workers have it, or the next server does. So nothing is taken from it
that is not served, and when the server stops, what is on its way is served too.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from portico.server.service import logger

AT_ONCE = 1  # connections taken before other workers, and those that are open already, have their turn
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
RECOVERY_S = 1.0  # without accepting, after the system has run out of something


class Acceptor:
    """Accepts on one socket, and gives each connection a protocol."""

    def __init__(self, sock: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._sock = sock
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[Any]] = set()
        self._resumption: asyncio.TimerHandle | None = None
        self._exhausted = False
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to accept."""
        self._sock.setblocking(False)
        try:
            self._resume()
        except NotImplementedError:  # Windows, where sockets are not shared
            self._server = await self._loop.create_server(self._protocol, sock=self._sock)

    def stop(self, limit: int) -> None:
        """Accept no more, after up to `limit` connections that the kernel holds."""
        if self._server is not None:
            self._server.close()
            return
        self._accept(limit)
        self._pause()

    async def opened(self) -> None:
        """Wait until each connection that was accepted has its protocol."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _pause(self, seconds: float = 0.0) -> None:
        self._loop.remove_reader(self._sock.fileno())
        if self._resumption is not None:
            self._resumption.cancel()
        self._resumption = self._loop.call_later(seconds, self._resume) if seconds else None

    def _resume(self) -> None:
        self._resumption = None
        self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self, limit: int = AT_ONCE) -> None:
        for _ in range(limit):
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):  # somebody else was quicker
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._recover(error)
                    return
                continue  # it was reset while it waited: accept(2)
            self._exhausted = False
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # it has gone already
            connection.close()

    def _recover(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            logger.error("Cannot accept connections, trying again every second: %s", error.strerror)
        self._pause(RECOVERY_S)
