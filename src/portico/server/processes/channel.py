"""What the supervisor and its children say to each other: lines of JSON over a socket pair, whose end is news too."""

import json
import socket
from dataclasses import dataclass
from typing import Any

FAILED, STARTUP_FAILED = 1, 3  # exit statuses of a worker
MAX_LINE = 1 << 20  # bytes; a message is as long as the text of an error


@dataclass(frozen=True)
class Launch:
    """What a worker has to know beside its channel.

    Args:
        config: The settings, by name.
        sockets: Descriptors of the listening sockets.
        board: Descriptor of the board, and `place` the worker's own on it.
        dump: Descriptor of the file for the stacks of a worker that hangs.
        number: The worker's number, from 1.
    """

    config: dict[str, Any]
    sockets: tuple[int, ...]
    board: int
    place: int
    dump: int
    number: int


class Channel:
    """One end of a socket pair; what cannot be said any more is not an error, for the reader will see the end."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._held = b""
        self.ended = False

    def fileno(self) -> int:
        """Return the descriptor, for event loops."""
        return self.socket.fileno()

    def say(self, **message: Any) -> None:
        """Send a message."""
        line = json.dumps(message).encode() + b"\n"
        try:
            self.socket.sendall(line)
        except OSError:
            pass

    def take(self) -> list[dict[str, Any]]:
        """Return what has come, waiting for it where the socket does; `ended` tells that nothing more will."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data or len(self._held) > MAX_LINE:
            self.ended = True
            return []
        *lines, self._held = (self._held + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end."""
        self.ended = True
        self.socket.close()
