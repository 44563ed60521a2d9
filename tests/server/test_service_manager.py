"""`portico run` as systemd runs it: what it is told and when, the watchdog, and sockets that were opened for it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.children import PORTICO, environment
from tests.served import served

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform == "win32", reason="systemd's datagrams"),
]
DEADLINE_S = 20
APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    import os
    body = os.environ.get("NOTIFY_SOCKET", "nothing to notify").encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""
MODES = pytest.mark.parametrize("supervised", [False, True], ids=["alone", "supervised"])
# Becomes the server with a socket at descriptor 3, as sd_listen_fds(3) says.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="web")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Systemd:
    """What systemd listens on, and what it has heard."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.heard: list[str] = []
        self.variables = {"NOTIFY_SOCKET": str(sock.getsockname())}

    def wait_for(self, start: str) -> str:
        """Return the next message that begins so; fail if none comes."""
        while True:
            message = self.socket.recv(4096).decode()
            self.heard.append(message)
            if message.startswith(start):
                return message


def mode(supervised: bool) -> list[str]:
    return ["--supervise" if supervised else "--no-supervise"]


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    (tmp_path / "main.py").write_text(APP)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        yield Systemd(sock)


@MODES
def test_it_is_told_of_the_start_and_of_the_stop(systemd: Systemd, tmp_path: Path, supervised: bool) -> None:
    with served("main:app", supervised=supervised, cwd=tmp_path, env=systemd.variables) as server:
        systemd.wait_for("READY=1")
        assert server.client.get("/").text == "nothing to notify"  # the application cannot speak for the service
        assert not any(message.startswith("STOPPING") for message in systemd.heard)
    systemd.wait_for("STOPPING=1")


@MODES
def test_the_watchdog_hears_that_it_lives(systemd: Systemd, tmp_path: Path, supervised: bool) -> None:
    variables = systemd.variables | {"WATCHDOG_USEC": "200000"}
    with served("main:app", supervised=supervised, cwd=tmp_path, env=variables):
        systemd.wait_for("READY=1")
        for _ in range(3):
            systemd.wait_for("WATCHDOG=1")


def test_a_reload_is_told_from_its_beginning_to_its_end(systemd: Systemd, tmp_path: Path) -> None:
    with served("main:app", supervised=True, cwd=tmp_path, env=systemd.variables) as server:
        systemd.wait_for("READY=1")
        server.process.send_signal(signal.SIGHUP)
        assert "\nMONOTONIC_USEC=" in systemd.wait_for("RELOADING=1")
        systemd.wait_for("READY=1")
        # One that fails has an end too: the old workers serve on.
        (tmp_path / "main.py").write_text("nonsense")
        server.process.send_signal(signal.SIGHUP)
        systemd.wait_for("RELOADING=1")
        systemd.wait_for("READY=1")
        assert server.client.get("/").status_code == 200


def test_a_new_supervisor_gets_the_socket_the_pid_file_and_systemds_ear(systemd: Systemd, tmp_path: Path) -> None:
    pid_file, path = tmp_path / "portico.pid", tmp_path / "web"
    options = ("--pid", str(pid_file), "--bind", f"unix:{path}", "--bind", "127.0.0.1:0")
    with served("main:app", *options, supervised=True, cwd=tmp_path, env=systemd.variables) as server:
        systemd.wait_for("READY=1")
        before, file = server.process.pid, path.stat()
        server.process.send_signal(signal.SIGUSR2)
        after = int(systemd.wait_for("MAINPID=").removeprefix("MAINPID="))
        assert server.process.wait(30) == 0
        try:
            assert pid_file.read_text() == f"{after}\n" != f"{before}\n"
            assert os.path.samestat(file, path.stat())
            assert server.client.get("/").status_code == 200
            assert not any(message.startswith("STOPPING") for message in systemd.heard)
        finally:
            os.kill(after, signal.SIGTERM)
        systemd.wait_for("STOPPING=1")
        server.wait_for(rf"Finished supervisor \[{after}\]")
    assert not path.exists()
    assert not pid_file.exists()


def test_a_new_supervisor_that_cannot_start_leaves_all_as_it_was(systemd: Systemd, tmp_path: Path) -> None:
    pid_file, path = tmp_path / "portico.pid", tmp_path / "web"
    options = ("--pid", str(pid_file), "--bind", f"unix:{path}", "--bind", "127.0.0.1:0")
    with served("main:app", *options, supervised=True, cwd=tmp_path, env=systemd.variables) as server:
        systemd.wait_for("READY=1")
        (tmp_path / "main.py").write_text("nonsense")
        server.process.send_signal(signal.SIGUSR2)
        server.wait_for("this one serves on")
        deadline = time.monotonic() + DEADLINE_S
        while not pid_file.exists():  # it is written again after the log line
            assert time.monotonic() < deadline, server.log
        assert pid_file.read_text() == f"{server.process.pid}\n"
        assert path.is_socket()
        assert server.client.get("/").status_code == 200
    assert not any(message.startswith("MAINPID") for message in systemd.heard)
    assert not path.exists()
    assert not pid_file.exists()


@MODES
def test_a_start_that_fails_is_not_called_ready(systemd: Systemd, tmp_path: Path, supervised: bool) -> None:
    (tmp_path / "main.py").write_text("nonsense")
    command = [*PORTICO, "run", "main:app", "--port", "0", *mode(supervised)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(systemd.variables), capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 0
    systemd.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.wait_for("READY")


@MODES
def test_a_client_that_came_before_the_start_is_served_on_systemds_socket(
    systemd: Systemd, tmp_path: Path, supervised: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as early:
        early.settimeout(30)
        early.connect(listening.getsockname())
        early.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        with subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(listening.fileno()), *PORTICO, "run", "main:app", *mode(supervised)],
            cwd=tmp_path,
            env=environment(systemd.variables),
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                assert early.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
                process.terminate()
                assert process.wait(30) == 0
            finally:
                process.kill()
        # It was systemd's: whoever comes now waits for the next start.
        with socket.create_connection(listening.getsockname(), timeout=30):
            pass


@MODES
def test_the_pid_file_names_the_process_that_systemd_signals(tmp_path: Path, supervised: bool) -> None:
    (tmp_path / "main.py").write_text(APP)
    path = tmp_path / "portico.pid"
    with served("main:app", "--pid", str(path), supervised=supervised, cwd=tmp_path) as server:
        assert path.read_text() == f"{server.process.pid}\n"
        second = subprocess.run(
            [*PORTICO, "run", "main:app", "--port", "0", *mode(supervised), "--pid", str(path)],
            cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert f"Error: pid file {path}: process {server.process.pid} has it and is running" in second.stderr
    assert not path.exists()


@MODES
def test_new_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path, supervised: bool) -> None:
    (tmp_path / "main.py").write_text(APP + "\nopen('made', 'w').close()\n")
    with served("main:app", "--umask", "027", supervised=supervised, cwd=tmp_path):
        pass
    assert os.stat(tmp_path / "made").st_mode & 0o777 == 0o640
