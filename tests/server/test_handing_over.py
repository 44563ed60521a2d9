"""Listening sockets that one process opens and another one takes over, and the files of unix sockets among them."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.children import environment

from portico.server.listeners import (
    Listener,
    ListenError,
    claim_files,
    close_listeners,
    close_unclaimed,
    descriptors,
    open_listeners,
)
from portico.server.processes.accounts import Identity

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="unix sockets and inherited descriptors")
by_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")


def settings(*bind: str, **changes: Any) -> Any:
    table = {"bind": bind, "host": "127.0.0.1", "port": 0, "uds": None, "uds_permissions": None, "fd": None}
    table |= {"insecure_bind": (), "redirect_http": None, "tls": False}
    return SimpleNamespace(**{**table, "reuse_port": False, "backlog": 16, **changes})


def handed_over(sockets: list[Listener]) -> dict[str, list[int]]:
    """Return the descriptors as another process has them: copies, by the same words."""
    return {origin: [os.dup(fd) for fd in fds] for origin, fds in descriptors(sockets).items()}


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        return True


@pytest.fixture
def old(tmp_path: Path) -> Iterator[list[Listener]]:
    """The sockets of a server that is to be replaced: one of TCP, one of unix."""
    sockets = open_listeners(settings("127.0.0.1:0", f"unix:{tmp_path}/s"))
    yield sockets
    close_listeners(sockets)


def test_each_socket_knows_the_bind_it_was_opened_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as parent:
        fd = parent.fileno()
        sockets = open_listeners(settings("127.0.0.1:0", "0", "localhost:0", "unix:s", f"fd://{fd}"))
    origins = [sock.origin for sock in sockets]
    assert origins[:2] == ["127.0.0.1:0", "127.0.0.1:0"]
    assert set(origins[2:-2]) == {"localhost:0"}
    assert origins[-2:] == [f"unix:{tmp_path}/s", f"fd://{fd}"]
    close_listeners(sockets)


def test_what_was_opened_for_a_bind_is_taken_over_by_it(old: list[Listener], tmp_path: Path) -> None:
    inherited = handed_over(old)
    new = open_listeners(settings("127.0.0.1:0", f"unix:{tmp_path}/s"), inherited=inherited)
    assert inherited == {}
    assert [sock.getsockname() for sock in new] == [sock.getsockname() for sock in old]
    assert [sock.origin for sock in new] == [sock.origin for sock in old]
    assert not any(sock.getblocking() or sock.get_inheritable() for sock in new)
    close_listeners(new)


def test_a_bind_that_is_new_is_opened_and_one_that_is_gone_is_left_to_be_closed(
    old: list[Listener], tmp_path: Path
) -> None:
    inherited = handed_over(old)
    [gone] = inherited["127.0.0.1:0"]
    new = open_listeners(settings(f"unix:{tmp_path}/s", f"unix:{tmp_path}/t"), inherited=inherited)
    assert inherited == {"127.0.0.1:0": [gone]}
    close_unclaimed(inherited)
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(gone)
    assert answers(tmp_path / "t")
    close_listeners(new)
    assert not (tmp_path / "t").exists()


def test_a_socket_file_stays_the_old_ones_until_it_is_claimed(old: list[Listener], tmp_path: Path) -> None:
    path = tmp_path / "s"
    fails = open_listeners(settings(f"unix:{path}"), inherited=handed_over(old))
    close_listeners(fails)
    assert answers(path)
    serves = open_listeners(settings(f"unix:{path}"), inherited=handed_over(old))
    claim_files(serves)
    close_listeners(old, keep_files=True)
    assert answers(path)
    close_listeners(serves)
    assert not path.exists()


def test_a_takeover_that_fails_leaves_the_old_server_as_it_was(old: list[Listener], tmp_path: Path) -> None:
    inherited = handed_over(old)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(ListenError, match="already in use"):
            open_listeners(settings(f"unix:{tmp_path}/s", f"127.0.0.1:{port}"), inherited=inherited)
    assert list(inherited) == ["127.0.0.1:0"]
    close_unclaimed(inherited)
    assert answers(tmp_path / "s")


def test_a_descriptor_that_is_no_socket_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as file, pytest.raises(ListenError, match="no socket"):
        open_listeners(settings("127.0.0.1:0"), inherited={"127.0.0.1:0": [os.dup(file.fileno())]})


def test_systemds_sockets_are_taken_over_and_have_no_file_to_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "systemd"
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(path))
        passed.listen()
        monkeypatch.setattr("portico.server.listeners.SYSTEMD_FIRST_FD", passed.fileno())
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        first = open_listeners(settings())
        assert [sock.origin for sock in first] == ["systemd"]
        second = open_listeners(settings(), inherited=handed_over(first))
        assert [sock.getsockname() for sock in second] == [str(path)]
        claim_files(second)
        close_listeners([*first, *second])
    assert path.exists()


def test_permissions_that_have_changed_are_those_of_the_new_settings(old: list[Listener], tmp_path: Path) -> None:
    new = open_listeners(settings(f"unix:{tmp_path}/s", uds_permissions=0o600), inherited=handed_over(old))
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
    close_listeners(new)


@by_root
def test_a_unix_socket_belongs_to_the_workers_user(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = open_listeners(settings(f"unix:{path}", uds_permissions=0o660), identity=Identity(65534, 65533, ()))
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, 0o660)
    second = open_listeners(settings(f"unix:{path}"), inherited=handed_over(first), identity=Identity(1, 1, ()))
    assert path.stat().st_uid == 1
    close_listeners([*second, *first])


SUCCESSOR = """
import json, sys
from types import SimpleNamespace
from portico.server.listeners import claim_files, close_listeners, open_listeners
config, inherited = json.loads(sys.argv[1])
sockets = open_listeners(SimpleNamespace(**config), inherited=inherited)
claim_files(sockets)
print("serving", flush=True)
sockets[0].setblocking(True)
client, _ = sockets[0].accept()
client.sendall(b"the new one")
client.close()
close_listeners(sockets)
"""


@pytest.mark.process
def test_a_client_that_came_before_the_change_is_served_after_it(tmp_path: Path) -> None:
    path = tmp_path / "s"
    config = settings(f"unix:{path}")
    sockets = open_listeners(config)
    fds = descriptors(sockets)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(path))
        with subprocess.Popen(
            [sys.executable, "-c", SUCCESSOR, json.dumps([vars(config), fds])],
            env=environment(),
            pass_fds=[fd for each in fds.values() for fd in each],
            stdout=subprocess.PIPE,
            text=True,
        ) as successor:
            assert successor.stdout is not None
            assert successor.stdout.readline() == "serving\n"
            close_listeners(sockets, keep_files=True)
            assert client.recv(100) == b"the new one"
            assert successor.wait(30) == 0
    assert not path.exists()
