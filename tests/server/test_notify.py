import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.children import environment

from portico.server.processes.notify import Notifier

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd's datagrams")
linux = pytest.mark.skipif(sys.platform != "linux", reason="names without a file")


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.settimeout(5)
        yield sock


def notifier(sock: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": str(sock.getsockname()), **more})


def heard(sock: socket.socket) -> str:
    return sock.recv(4096).decode()


def test_each_step_is_told_in_systemds_words(systemd: socket.socket) -> None:
    tell = notifier(systemd)
    tell.ready()
    tell.stopping()
    tell.watchdog()
    tell.main_pid(4711)
    tell.extend(2.5)
    assert [heard(systemd) for _ in range(5)] == [
        "READY=1", "STOPPING=1", "WATCHDOG=1", "MAINPID=4711", "EXTEND_TIMEOUT_USEC=2500000",
    ]  # fmt: skip


def test_a_reload_tells_when_it_began(systemd: socket.socket) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier(systemd).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    match = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", heard(systemd))
    assert match is not None
    assert before <= int(match[1]) <= after


def test_a_status_is_one_line_and_sets_nothing_else(systemd: socket.socket) -> None:
    notifier(systemd).status("2 workers\nMAINPID=1\r\n serve - all well ")
    assert heard(systemd) == "STATUS=2 workers MAINPID=1 serve - all well"


@linux
def test_a_name_without_a_file_is_found() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"portico-test-{os.getpid()}"
        sock.bind("\0" + name)
        sock.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@" + name}).ready()
        assert heard(sock) == "READY=1"


def test_the_variables_are_gone_from_the_environment_but_known_for_a_successor(systemd: socket.socket) -> None:
    path = str(systemd.getsockname())
    environ = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
    tell = Notifier(environ)
    assert environ == {"PATH": "/bin"}
    assert tell.watchdog_interval == 15.0
    handed_over = tell.environment()
    assert handed_over == {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"}
    assert Notifier(handed_over).watchdog_interval == 15.0  # the number of the process is another one


@pytest.mark.parametrize(
    "variables",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "-5"}, {"WATCHDOG_USEC": ""},
     {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}],
)  # fmt: skip
def test_there_is_no_watchdog_unless_it_is_for_this_process(systemd: socket.socket, variables: dict[str, str]) -> None:
    tell = notifier(systemd, **variables)
    assert tell.watchdog_interval is None
    assert list(tell.environment()) == ["NOTIFY_SOCKET"]


@pytest.mark.parametrize("address", [None, "", "@", "relative", "vsock:2:1234", "/nowhere/at/all", "/" + "a" * 200])
def test_without_somebody_who_listens_nothing_happens(address: str | None) -> None:
    tell = Notifier({} if address is None else {"NOTIFY_SOCKET": address})
    tell.ready()
    tell.status("on my own")


@pytest.mark.process
def test_children_do_not_speak_for_the_service(systemd: socket.socket) -> None:
    program = (
        "import os, subprocess, sys\n"
        "from portico.server.processes.notify import Notifier\n"
        "tell = Notifier()\n"
        "child = 'import os; print(os.environ.get(\"NOTIFY_SOCKET\"))'\n"
        "tell.status(subprocess.check_output([sys.executable, '-c', child], text=True))\n"
    )
    env = environment({"NOTIFY_SOCKET": str(systemd.getsockname())})
    subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=60)
    assert heard(systemd) == "STATUS=None"


def test_a_queue_that_nobody_empties_is_not_waited_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portico.server.processes.notify.TIMEOUT_S", 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "n"))
        sock.setblocking(False)
        tell = notifier(sock)
        while not _is_full(sock):
            tell.watchdog()
        tell.ready()


def _is_full(sock: socket.socket) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.setblocking(False)
        try:
            probe.sendto(b"", sock.getsockname())
        except BlockingIOError:
            return True
    return False
