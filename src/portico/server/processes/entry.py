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
    with channel.makefile("rb", buffering=0) as file:
        try:
            given: dict[str, Any] = pickle.load(file)
        except EOFError:
            os._exit(1)  # the parent has gone already
    sys.path[:] = given["path"]
    sys.argv[:] = given["argv"]
    if given["role"] == "template":
        from portico.server.processes.template import run as become_template

        become_template(channel, given["launch"])
    else:
        from portico.server.processes.worker import run as become_worker

        become_worker(channel, given["launch"])


if __name__ == "__main__":
    main()
