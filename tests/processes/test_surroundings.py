"""What others see of the processes: the pid file, titles, the user, systemd, and log files that are rotated."""

import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from tests.children import PORTICO, environment
from tests.supervised import APP, started, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]


def test_the_pid_file_is_there_while_the_supervisor_is(tmp_path: Path) -> None:
    pid_file = tmp_path / "portico.pid"
    with supervised(tmp_path, "--pid", str(pid_file)) as server:
        assert pid_file.read_text() == f"{server.process.pid}\n"
        with started(tmp_path, "--pid", str(pid_file)) as other:
            assert other.exit_status() == 1
            assert str(server.process.pid) in other.read_all()
        assert pid_file.read_text() == f"{server.process.pid}\n"
    assert not pid_file.exists()


@pytest.mark.skipif(importlib.util.find_spec("setproctitle") is None, reason="setproctitle is not installed")
def test_every_process_has_a_title(tmp_path: Path) -> None:
    with supervised(tmp_path, "--name", "shop") as server:
        titles = [" ".join(psutil.Process(pid).cmdline()).strip() for pid in (server.process.pid, server.worker())]
    assert titles == ["portico: supervisor [shop]", "portico: worker 1 [shop]"]


def nobody_runs_python() -> bool:
    """Tell whether this is root, and the interpreter where everybody may use it."""
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run([sys.executable, "-c", ""], user="nobody", cwd="/", check=False).returncode == 0
    except PermissionError:
        return False


@pytest.mark.skipif(not nobody_runs_python(), reason="not root, or the interpreter is in a directory of root's")
def test_the_workers_run_as_the_user(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):  # pytest's own, closed to others
        folder.chmod(0o755)
    nobody = pwd.getpwnam("nobody")
    with supervised(tmp_path, "--user", "nobody") as server:
        worker = psutil.Process(server.worker())
        assert set(worker.uids()) == {nobody.pw_uid}
        assert set(worker.gids()) == {nobody.pw_gid}
        assert psutil.Process(server.process.pid).uids().real == 0


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)

        def told() -> str:
            """Return what matters of the next message that has something of it."""
            while True:
                text = systemd.recv(4096).decode()
                for line in text.splitlines():
                    if line in ("READY=1", "RELOADING=1", "STOPPING=1"):
                        return line

        with supervised(tmp_path, env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as server:
            assert told() == "READY=1"
            server.send(signal.SIGHUP)
            assert told() == "RELOADING=1"
            assert told() == "READY=1"
            server.wait_for("Reloaded")
        assert told() == "STOPPING=1"


def test_log_files_are_opened_anew(tmp_path: Path) -> None:
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    with supervised(tmp_path, "--access-log-file", str(log)) as server:
        server.client.get("/before")
        wait_until(lambda: "/before" in log.read_text(), "the line of the first request")
        log.rename(moved)
        server.send(signal.SIGUSR1)
        wait_until(log.exists, "the new file")
        server.client.get("/after")
        wait_until(lambda: "/after" in log.read_text(), "the line of the second request")
    assert "/after" not in moved.read_text()


def test_the_umask_holds_for_the_workers(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with supervised(tmp_path, "--umask", "077", "--access-log-file", str(log)) as server:
        server.client.get("/")
        wait_until(lambda: "/" in log.read_text(), "a line")
        assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("option", ["--supervise", "--no-supervise"])
def test_a_process_without_standard_streams_serves_and_ends(tmp_path: Path, option: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    closing = "import os, sys; os.closerange(0, 3); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    socket_file = tmp_path / "http"
    process = subprocess.Popen(
        [sys.executable, "-c", closing, *PORTICO[1:], "run", "app:app", option, "--uds", str(socket_file)],
        cwd=tmp_path,
        env=environment(),
    )
    try:
        wait_until(socket_file.exists, "the socket")
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_file), retries=5)) as client:
            assert client.get("http://there/", headers={"connection": "close"}).status_code == 200
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
