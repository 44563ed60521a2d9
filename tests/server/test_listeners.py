import errno
import os
import socket
import stat
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portico.server.listeners import (
    Bind,
    ListenError,
    Role,
    close_listeners,
    describe,
    open_listeners,
    parse_bind,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="unix sockets and inherited descriptors")


def settings(**changes: Any) -> Any:
    table = {"bind": (), "host": "127.0.0.1", "port": 0, "uds": None, "uds_permissions": None, "fd": None}
    table |= {"insecure_bind": (), "redirect_http": None, "tls": False}
    return SimpleNamespace(**{**table, "reuse_port": False, "backlog": 16, **changes})


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LISTEN_PID", raising=False)
    sockets: list[socket.socket] = []

    def start(**changes: Any) -> list[socket.socket]:
        found = open_listeners(settings(**changes))
        sockets.extend(found)
        return found

    yield start
    close_listeners(sockets)


@pytest.mark.parametrize(
    ("text", "bind"),
    [
        ("example.org:80", Bind("example.org", 80)),
        ("example.org", Bind("example.org", 8000)),
        ("[::1]:81", Bind("::1", 81)),
        ("[fe80::1%eth0]:81", Bind("fe80::1%eth0", 81)),
        (":82", Bind(None, 82)),
        ("83", Bind("127.0.0.1", 83)),
        ("unix:/run/a b.sock", Bind(path="/run/a b.sock")),
        ("unix:///run/a.sock", Bind(path="/run/a.sock")),
        ("fd://3", Bind(fd=3)),
    ],
)
def test_each_form_of_bind_is_read(text: str, bind: Bind) -> None:
    assert parse_bind(text) == bind


@pytest.mark.parametrize(
    "text",
    ["", "::1", "::1:80", "a:b", "a:99999", "99999", "[::1", "unix:", "fd://", "fd://x", "http://a:80", "a b:1", "a:-1",
     "9" * 5000, "fd://" + "9" * 5000],
)  # fmt: skip
def test_other_texts_are_refused_and_the_forms_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"use HOST:PORT"):
        parse_bind(text)


def test_host_and_port_are_used_when_no_bind_is_given(opened: Any) -> None:
    [sock] = opened()
    port = sock.getsockname()[1]
    assert describe(sock) == f"http://127.0.0.1:{port}"
    assert not sock.getblocking()
    socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_an_address_without_host_serves_both_families_on_one_port(opened: Any) -> None:
    sockets = opened(bind=(":0",))
    assert {sock.family for sock in sockets} == {socket.AF_INET, socket.AF_INET6}
    [port] = {sock.getsockname()[1] for sock in sockets}
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port)).close()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_an_ipv6_address_is_described_in_brackets(opened: Any) -> None:
    [sock] = opened(bind=("[::1]:0",))
    assert describe(sock, Role.SECURE) == f"https://[::1]:{sock.getsockname()[1]}"


def test_several_binds_are_opened_in_order(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    first, second = opened(bind=("127.0.0.1:0", f"unix:{path}"))
    assert first.family == socket.AF_INET
    assert describe(second) == f"unix:{path}"


def test_a_port_in_use_is_named_and_the_others_are_closed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        path = tmp_path / "s"
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{port}.*already in use.*port 0"):
            open_listeners(settings(bind=(f"unix:{path}", f"127.0.0.1:{port}")))
    assert not path.exists()


def test_a_bad_bind_and_an_unknown_host_are_listen_errors() -> None:
    with pytest.raises(ListenError, match="use HOST:PORT"):
        open_listeners(settings(bind=("a:b",)))
    with pytest.raises(ListenError, match="does not resolve"):
        open_listeners(settings(bind=(f"{'a' * 70}.invalid:80",)))


def test_reuse_port_lets_two_listen_on_one_port(opened: Any) -> None:
    [first] = opened(reuse_port=True)
    [second] = opened(reuse_port=True, port=first.getsockname()[1])
    assert first.getsockname() == second.getsockname()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_unix_socket_has_the_permissions_asked_for(opened: Any, tmp_path: Path, mode: int) -> None:
    path = tmp_path / "s"
    opened(uds=str(path), uds_permissions=mode)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_closing_removes_the_file_of_a_unix_socket(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    sockets = opened(uds=str(path))
    close_listeners(sockets)
    assert not path.exists()


def test_closing_after_the_loop_closed_the_socket_still_removes_the_file(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    [sock] = opened(uds=str(path))
    sock.close()
    close_listeners([sock])
    assert not path.exists()


def test_closing_leaves_the_file_of_a_successor(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    sockets = opened(uds=str(path))
    path.rename(tmp_path / "old")
    path.write_text("another")
    close_listeners(sockets)
    assert path.read_text() == "another"


def test_a_stale_unix_socket_is_replaced(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    opened(uds=str(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_unix_socket_that_answers_is_left_alone(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "s"
    opened(uds=str(path))
    with pytest.raises(ListenError, match="another server is listening"):
        open_listeners(settings(uds=str(path)))
    assert path.exists()


def test_a_file_or_symlink_in_the_way_is_never_removed(opened: Any, tmp_path: Path) -> None:
    path, link = tmp_path / "f", tmp_path / "link"
    path.write_text("precious")
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(ListenError, match="is no socket"):
            open_listeners(settings(uds=str(name)))
    assert link.read_text() == "precious"


def test_a_missing_directory_and_a_long_path_are_listen_errors(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="does not exist"):
        open_listeners(settings(uds=str(tmp_path / "no" / "s")))
    with pytest.raises(ListenError, match="too long"):
        open_listeners(settings(uds=str(tmp_path / ("s" * 200))))


def test_an_inherited_descriptor_keeps_its_family_and_stays_open(opened: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as parent:
        [sock] = opened(fd=parent.fileno())
        assert sock.family == socket.AF_INET
        close_listeners([sock])
        socket.create_connection(parent.getsockname()).close()


def test_a_bound_descriptor_is_made_to_listen(opened: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as parent:
        parent.bind(str(tmp_path / "s"))
        [sock] = opened(bind=(f"fd://{parent.fileno()}",))
        assert sock.family == socket.AF_UNIX
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))


def test_a_descriptor_that_is_no_stream_socket_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w") as file, pytest.raises(ListenError, match="no socket"):
        open_listeners(settings(fd=file.fileno()))
    with socket.socket(type=socket.SOCK_DGRAM) as datagram, pytest.raises(ListenError, match="stream socket"):
        open_listeners(settings(fd=datagram.fileno()))
    with pytest.raises(ListenError, match=os.strerror(errno.EBADF)):
        open_listeners(settings(fd=999_999))


def test_systemd_sockets_are_taken_when_nothing_else_is_named(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as passed:
        monkeypatch.setattr("portico.server.listeners.SYSTEMD_FIRST_FD", passed.fileno())
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        [sock] = opened()
        assert sock.getsockname() == passed.getsockname()
        assert "LISTEN_FDS" not in os.environ


def test_systemd_sockets_of_another_process_are_ignored(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", "1")
    [sock] = opened()
    assert sock.getsockname()[0] == "127.0.0.1"
