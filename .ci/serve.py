"""Serve `hello:app` with an installed Portico, ask it once and stop it: `serve.py PATH-TO-PORTICO compiled|pure`.

Run by the Python of the environment under test, outside the checkout.
"""

import re
import signal
import subprocess
import sys
import threading
from importlib import metadata
from urllib.request import ProxyHandler, build_opener

portico, build = sys.argv[1:]

files = metadata.files("portico") or []
extensions = {file.as_posix().partition(".")[0] for file in files if file.suffix in (".so", ".pyd")}
sources = {file.with_suffix("").as_posix() for file in files if file.suffix == ".pxd" and file.stem != "__init__"}
assert extensions == (sources if build == "compiled" else set()), f"{build}: built {extensions} of {sources}"

server = subprocess.Popen(
    [portico, "run", "hello:app", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
    with build_opener(ProxyHandler({})).open(running[1], timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"Hello from Portico!\n"), answer
    server.send_signal(signal.SIGINT)
    rest, _ = server.communicate(timeout=20)
    log += rest
    assert server.returncode == 0, f"exit status {server.returncode}:\n{log}"
    assert "Traceback" not in log, log
finally:
    watchdog.cancel()
    server.kill()
print(f"{build}: {len(extensions)} extensions; {running[1]} answered and stopped cleanly")
