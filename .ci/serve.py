"""Serve a bare and a typed application with an installed Portico: `serve.py PATH-TO-PORTICO compiled|pure`.

Run by the Python of the environment under test, outside the checkout.
"""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

TYPED = """
from portico import Portico

app = Portico()


@app.get("/double/{n}")
async def double(n: int) -> int:
    return 2 * n
"""

portico, build = sys.argv[1:]

files = metadata.files("portico") or []
extensions = {file.as_posix().partition(".")[0] for file in files if file.suffix in (".so", ".pyd")}
sources = {file.with_suffix("").as_posix() for file in files if file.suffix == ".pxd" and file.stem != "__init__"}
assert extensions == (sources if build == "compiled" else set()), f"{build}: built {extensions} of {sources}"


def get(url: str) -> bytes:
    with build_opener(ProxyHandler({})).open(url, timeout=10) as answer:
        assert answer.status == 200, f"{url}: {answer.status}"
        return bytes(answer.read())


def ask_bare(address: str) -> None:
    assert get(address) == b"Hello from Portico!\n"


def ask_typed(address: str) -> None:
    assert get(f"{address}/double/21") == b"42"
    assert b"/double/{n}" in get(f"{address}/openapi.json")
    for page in ("/docs", "/redoc"):
        loaded = re.findall(rb'(?:src|href)="(/[^"]+)"', get(address + page))
        assert loaded, f"{page} loads nothing"
        for path in loaded:
            assert get(address + path.decode()), f"{path} is empty"


def serve(app: str, ask: Callable[[str], None]) -> None:
    server = subprocess.Popen(
        [portico, "run", app, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    watchdog = threading.Timer(30, server.kill)
    watchdog.start()
    try:
        assert server.stdout is not None
        log = ""
        while not (running := re.search(r"running on (http://\S+)", log)):
            line = server.stdout.readline()
            assert line, f"the server ended early:\n{log}"
            log += line
        ask(running[1])
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=20)
        log += rest
        assert server.returncode == 0, f"exit status {server.returncode}:\n{log}"
        assert "Traceback" not in log, log
    finally:
        watchdog.cancel()
        server.kill()


Path("typed.py").write_text(TYPED)
serve("hello:app", ask_bare)
serve("typed:app", ask_typed)
print(f"{build}: {len(extensions)} extensions; a bare and a typed application answered and stopped cleanly")
