"""What systemd wants to hear: sd_notify(3) and the watchdog of sd_watchdog_enabled(3).

Each message is a datagram to the unix socket that $NOTIFY_SOCKET names. The variables are taken out of the
environment, so that only this process speaks for the service.
"""

import os
import socket
import time
from collections.abc import MutableMapping

from portico.server.logs import logger

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
# systemd empties its queue quickly; a message that it does not take is not worth waiting for.
TIMEOUT_S = 1.0


class Notifier:
    """Tell systemd how the service does; without $NOTIFY_SOCKET nothing is told to anybody.

    Attributes:
        watchdog_interval: Seconds between two calls of `watchdog()`, half of what systemd allows; None without one.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        """Take the variables out of the environment."""
        found = {name: environ.pop(name) for name in VARIABLES if name in environ}
        self.watchdog_interval = _interval(found)
        self._address = _address(found.get("NOTIFY_SOCKET", ""))
        self._environment = {"NOTIFY_SOCKET": found["NOTIFY_SOCKET"]} if self._address else {}
        if self._address and self.watchdog_interval is not None:
            self._environment["WATCHDOG_USEC"] = found["WATCHDOG_USEC"]

    def environment(self) -> dict[str, str]:
        """Return the variables for the process that takes over from this one."""
        return dict(self._environment)

    def ready(self) -> None:
        """Startup, or a reload, has come to its end."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A reload begins; `ready()` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service begins to stop."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """The process is alive; call it every `watchdog_interval` seconds."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Say in a line how things are; `systemctl status` shows it."""
        self._send("STATUS=" + " ".join(text.split()))

    def main_pid(self, pid: int) -> None:
        """Another process is the main one from now on."""
        self._send(f"MAINPID={pid}")

    def extend(self, seconds: float) -> None:
        """Ask for so much time from now, before systemd calls starting, reloading or stopping a failure."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(TIMEOUT_S)
                sock.sendto(message.encode("utf-8", "replace"), self._address)
        except OSError as error:
            logger.debug("systemd was not told %r: %s", message, error)


def _address(text: str) -> str:
    """Return the address that $NOTIFY_SOCKET means: a path, or after `@` a name of Linux without a file."""
    if not hasattr(socket, "AF_UNIX") or len(text) < 2 or text[0] not in "/@":
        return ""
    return "\0" + text[1:] if text[0] == "@" else text


def _interval(found: MutableMapping[str, str]) -> float | None:
    microseconds = found.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    if found.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None  # it is for another process
    return int(microseconds) / 2e6
