"""Chromium without a window, driven over DevTools by a `websockets` client. Nothing sleeps or polls: pages promise."""

import itertools
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

OPTIONS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --disable-dev-shm-usage --no-proxy-server --remote-debugging-port=0"""
START_S, ANSWER_S = 60, 20
ENTER = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
SHOWN = """(selector, part) => new Promise(resolve => {
    const find = () => [...document.querySelectorAll(selector)].find(element => element.textContent.includes(part));
    const look = () => find() && resolve(find().textContent);
    new MutationObserver(look).observe(document, {subtree: true, childList: true, characterData: true});
    look();
})"""


class Page:
    """A tab; `problems` are the exceptions that nothing in it has caught."""

    def __init__(self, devtools: ClientConnection) -> None:
        self.problems: list[str] = []
        self._devtools, self._numbers, self._loaded = devtools, itertools.count(1), set[str]()
        self.ask("Runtime.enable")
        self.ask("Page.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)

    def ask(self, method: str, **params: Any) -> Any:
        """Send a DevTools command and return its result."""
        number = next(self._numbers)
        self._devtools.send(json.dumps({"id": number, "method": method, "params": params}))
        while (message := self._next()).get("id") != number:
            pass
        assert "error" not in message, f"{method}: {message['error']}"
        return message["result"]

    def open(self, url: str) -> None:
        """Navigate to `url` and wait until it is loaded."""
        answer = self.ask("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        while answer["loaderId"] not in self._loaded:
            self._next()

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def shown(self, selector: str, part: str) -> str:
        """Wait until an element's text has `part`, now or after a change of the page, and return that text."""
        return str(self.run(f"({SHOWN})({json.dumps(selector)}, {json.dumps(part)})"))

    def type(self, text: str, *, into: str) -> None:
        """Type into a field, in place of what it holds, and press Enter."""
        self.run(f"document.querySelector({json.dumps(into)}).select()")
        self.ask("Input.insertText", text=text)
        self.ask("Input.dispatchKeyEvent", type="keyDown", **ENTER)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **ENTER)

    def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._devtools.recv(ANSWER_S))
        if message.get("method") == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Page.lifecycleEvent" and message["params"]["name"] == "load":
            self._loaded.add(message["params"]["loaderId"])
        return message


@contextmanager
def page(browser: str) -> Iterator[Page]:
    """Open a tab for the block, in the browser at that address."""
    target = httpx.put(f"{browser}/json/new", trust_env=False, timeout=ANSWER_S).json()
    with connect(target["webSocketDebuggerUrl"], max_size=None, compression=None, proxy=None) as devtools:
        tab = Page(devtools)
        yield tab
        tab.ask("Page.close")
    assert tab.problems == []


@contextmanager
def chromium(profile: Path, *options: str) -> Iterator[str]:
    """Run a browser with a profile of its own for the block, and give the address of its DevTools."""
    command = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if command is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    address: Future[str] = Future()
    command_line = [command, *OPTIONS.split(), *options, f"--user-data-dir={profile}"]
    with subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        pump = threading.Thread(target=read, args=(process.stderr, address), daemon=True)
        pump.start()
        try:
            yield address.result(START_S)
        finally:
            process.kill()
            pump.join()


def read(lines: Iterable[str], address: "Future[str]") -> None:
    """Read all that the browser prints, so that it never waits, and pick its address out of that."""
    printed = ""
    for line in lines:
        printed += line
        if match := re.match(r"DevTools listening on ws://([^/\s]+)", line):
            address.set_result(f"http://{match[1]}")
    if not address.done():
        address.set_exception(AssertionError(f"the browser has ended:\n{printed}"))
