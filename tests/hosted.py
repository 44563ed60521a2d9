"""The same application on either server: ours, or uvicorn in a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.served import Served, launched, served

SERVERS = ("portico", "uvicorn")
RUNNING = r"Uvicorn running on (http://\S+) \(Press"


def hosted(app: str, server: str) -> AbstractContextManager[Served]:
    """Serve `app` on the server of that name until the block is left."""
    return served(app, supervised=True) if server == "portico" else on_uvicorn(app)


@contextmanager
def on_uvicorn(app: str) -> Iterator[Served]:
    with launched([sys.executable, "-m", "uvicorn", app, "--port", "0"], RUNNING) as server:
        yield server
        server.stop()  # it ends by the signal that it was sent
