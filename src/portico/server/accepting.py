"""Accepting connections on a socket that others may accept on too.

A listening socket can outlive the server: other workers have it, or the next server does. So nothing is taken from it
that is not served, and when the server stops, what is on its way is served too.

The kernel wakes every worker for each connection, and the quickest gets it, however many it has. So a worker that has
more connections than another one gives that one a head start; the figures are in docs/benchmarks.md.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from portico.server.metrics.board import ACCEPTING, HEARTBEAT, PID, PLACES, Board
from portico.server.service import Service, logger

AT_ONCE = 16  # connections taken before those that are open already have their turn
HEAD_START_S = 0.002
SHARE = 8  # a worker may have an eighth more connections than another one before it gives way
ALIVE_S = 3.0  # a worker without a heartbeat for so long is not waited for
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
RECOVERY_S = 1.0  # without accepting, after the system has run out of something


class Neighbours:
    """The workers that accept on the same sockets; each shows on the board how many connections it has."""

    def __init__(self, board: Board, cells: memoryview, service: Service) -> None:
        self._places = [board.place(number) for number in range(PLACES)]
        self._others: list[memoryview] = []
        self._looked_at = -1.0
        self._cells = cells
        self._service = service

    def show(self, opening: int) -> int:
        """Show and return how many connections this worker has, with those that are being opened."""
        count = len(self._service.connections) + opening
        self._cells[ACCEPTING] = count + 1
        return count

    def leave(self) -> None:
        """Say that this worker accepts nothing."""
        self._cells[ACCEPTING] = 0

    def have_room(self, opening: int) -> bool:
        """Tell whether another worker has so many connections fewer than this one that it should take the next."""
        count = self.show(opening)
        now = self._service.now
        if now != self._looked_at:
            self._looked_at = now
            self._look(now)
        least = min((cells[ACCEPTING] or count + 1 for cells in self._others), default=count + 1) - 1
        return count > least + max(1, least // SHARE)

    def _look(self, now: float) -> None:
        """Find the other workers that are alive; to wait for one that hangs would only cost time."""
        ours = os.getpid()
        since = (now - ALIVE_S) * 1e9
        self._others = [
            cells for cells in self._places if cells[PID] and cells[PID] != ours and cells[HEARTBEAT] > since
        ]


class Acceptor:
    """Accepts on one listening socket, and gives each connection a protocol.

    Args:
        sock: The socket; it is left open at the end.
        protocol: Makes the protocol of a connection.
        neighbours: The other workers that accept on it, where the connections are to be shared with them.
    """

    def __init__(
        self, sock: socket.socket, protocol: Callable[[], asyncio.Protocol], neighbours: Neighbours | None = None
    ) -> None:
        self._sock = sock
        self._protocol = protocol
        self._neighbours = neighbours
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[Any]] = set()
        self._resumption: asyncio.TimerHandle | None = None
        self._exhausted = False
        self._has_waited = False
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to accept."""
        self._sock.setblocking(False)
        try:
            self._loop.add_reader(self._sock.fileno(), self._accept)
        except NotImplementedError:  # Windows, where sockets are not shared
            self._server = await self._loop.create_server(self._protocol, sock=self._sock)
        if self._neighbours is not None:
            self._neighbours.show(0)

    def stop(self, limit: int) -> None:
        """Accept up to `limit` connections that wait in the kernel's queue, and then no more."""
        if self._neighbours is not None:
            self._neighbours.leave()
            self._neighbours = None
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
        self._accept()

    def _accept(self, limit: int = AT_ONCE) -> None:
        for _ in range(limit):
            if self._neighbours is not None and self._gives_way(self._neighbours):
                return
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):  # all of them have been taken, by us or by somebody else
                self._has_waited = self._exhausted = False
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._recover(error)
                    return
                continue  # it was reset while it waited: accept(2)
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _gives_way(self, neighbours: Neighbours) -> bool:
        """Leave a connection to the others for a moment, once; they may be too busy to take it."""
        if not neighbours.have_room(len(self._opening)) or self._has_waited:
            self._has_waited = False
            return False
        self._has_waited = True
        self._pause(HEAD_START_S)
        return True

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
