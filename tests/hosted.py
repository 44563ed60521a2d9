"""The same application on either server: ours, or uvicorn in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.children import ROOT, environment
from tests.served import Served, served

SERVERS = ("portico", "uvicorn")
RUNNING = r"Uvicorn running on (http://\S+) \(Press"


def hosted(app: str, server: str) -> AbstractContextManager[Served]:
    """Serve `app` on the server of that name until the block is left."""
    return served(app, supervised=True) if server == "portico" else on_uvicorn(app)


@contextmanager
def on_uvicorn(app: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", app, "--port", "0"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    server = Served(process)
    try:
        server.client.base_url = server.wait_for(RUNNING)[1]
        yield server
        server.stop()  # it ends by the signal that it was sent
    finally:
        server.close()
