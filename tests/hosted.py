"""The same application on either server: ours, or uvicorn in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.served import ROOT, Served, served

SERVERS = ("portico", "uvicorn")
HOOKED = ("-c", "import runpy, tests.conftest; runpy.run_module('uvicorn', run_name='__main__', alter_sys=True)")
UVICORN = (sys.executable, *(HOOKED if os.environ.get("PORTICO_PURE") == "1" else ("-m", "uvicorn")))
RUNNING = r"Uvicorn running on (http://\S+) \(Press"


def hosted(app: str, server: str) -> AbstractContextManager[Served]:
    """Serve `app` on the server of that name until the block is left."""
    return served(app) if server == "portico" else on_uvicorn(app)


@contextmanager
def on_uvicorn(app: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [*UVICORN, app, "--port", "0"],
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "src")))},
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
