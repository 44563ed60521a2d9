"""Where a process that the supervisor starts begins: `python -P entry.py DESCRIPTOR ROLE ...`.

It is run as a file, and takes the import path from its parent before it imports anything of ours: whatever the parent
found, the child finds, and a file called like a module of ours in the current directory does no harm.
"""

import os
import pickle
import socket
import sys
from typing import Any


def main() -> None:
    """Read what the parent says over the socket that was inherited, and become what it names."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    given: dict[str, Any] = pickle.loads(_read(channel, int.from_bytes(_read(channel, 8), "big")))
    sys.path[:] = given["path"]
    sys.argv[:] = given["argv"]
    launch = pickle.loads(given["launch"])  # for which modules of ours are imported
    # Programs that the application starts must not keep the port, or have the supervisor wait for their end.
    for descriptor in (channel.fileno(), *launch.inherited):
        os.set_inheritable(descriptor, False)
    if given["role"] == "template":
        from portico.server.processes.template import run as become_template

        become_template(channel, launch)
    else:
        from portico.server.processes.worker import run as become_worker

        become_worker(channel, launch)


def _read(channel: socket.socket, count: int) -> bytes:
    """Return so many bytes; where the parent has gone already, there is nothing to become."""
    received = b""
    while len(received) < count:
        part = channel.recv(count - len(received))
        if not part:
            os._exit(1)
        received += part
    return received


if __name__ == "__main__":
    main()
