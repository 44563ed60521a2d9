"""What the supervisor and its children say to each other: lines of JSON over a socket pair, whose end is news too."""

import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from portico.server.listeners import Role

try:
    import fcntl
except ImportError:  # Windows, where there is no supervisor
    fcntl = None  # type: ignore[assignment]

FAILED, STARTUP_FAILED = 1, 3  # exit statuses of a worker
LOADED = 0  # the number of the template's answer that nobody has asked for
MAX_TEXT = 1 << 14  # characters of the text of an error, each of which may take six bytes
MAX_LINE = 1 << 18  # bytes


@dataclass(frozen=True)
class Launch:
    """What a worker has to know beside its channel.

    Args:
        config: The settings, by name.
        sockets: Descriptors of the listening sockets, and what is served at each.
        board: Descriptor of the board, and `place` the worker's own on it.
        dump: Descriptor of the file for the stacks of a worker that hangs.
        number: The worker's number, from 1.
        certificates: Descriptor of what the certificates are made of; -1 where there are none.
    """

    config: dict[str, Any]
    sockets: dict[int, Role]
    board: int
    place: int
    dump: int
    number: int
    certificates: int = -1

    @property
    def inherited(self) -> tuple[int, ...]:
        """The descriptors that the process is started with."""
        return tuple(fd for fd in (*self.sockets, self.board, self.dump, self.certificates) if fd >= 0)


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
        """Send a message, of long texts the end."""
        short = {key: value[-MAX_TEXT:] if isinstance(value, str) else value for key, value in message.items()}
        line = json.dumps(short).encode() + b"\n"
        try:
            self.socket.sendall(line)
        except OSError:
            pass

    def take(self) -> list[dict[str, Any]]:
        """Return what has come; `ended` tells that nothing more will.

        Who speaks may be less trusted than who listens: what is no message is passed over, and a line that is too long
        is the end.
        """
        received = self._held
        try:
            while len(received) <= MAX_LINE:
                data = self.socket.recv(65536)
                if not data:
                    self.ended = True
                    break
                received += data
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        *lines, self._held = received.split(b"\n")
        if len(self._held) > MAX_LINE:
            self.ended = True
        return [message for message in map(_message, lines) if message]

    def end_together(self, together: bool) -> None:
        """Have this process end with the other one, for as long as it runs code that may never look at the channel."""
        fd = self.fileno()
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())  # whom the kernel sends SIGIO, which ends a process by default
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_ASYNC if together else flags & ~os.O_ASYNC)
        if together and self._is_alone():
            os._exit(FAILED)

    def _is_alone(self) -> bool:
        try:
            return not self.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Close this end."""
        self.ended = True
        self.socket.close()


def _message(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
