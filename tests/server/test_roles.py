"""What is served at which socket: with TLS, without it, or a redirect; also after a change of processes."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from portico.server.listeners import (
    Listener,
    Role,
    announce,
    close_listeners,
    descriptors,
    listener_of,
    open_listeners,
    ports_of,
    role_of,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="unix sockets and inherited descriptors")


def settings(*bind: str, tls: bool = True, **changes: Any) -> Any:
    table = {"bind": bind, "host": "127.0.0.1", "port": 0, "uds": None, "uds_permissions": None, "fd": None}
    table |= {"insecure_bind": (), "redirect_http": None, "tls": tls, "reuse_port": False, "backlog": 16}
    return SimpleNamespace(**{**table, **changes})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def copies(sockets: list[Listener]) -> dict[str, list[int]]:
    """Return the descriptors as another process has them."""
    return {origin: [os.dup(fd) for fd in fds] for origin, fds in descriptors(sockets).items()}


@pytest.fixture
def opened() -> Iterator[Any]:
    opened: list[Listener] = []

    def start(config: Any, inherited: dict[str, list[int]] | None = None) -> list[Listener]:
        found = open_listeners(config, inherited=inherited)
        opened.extend(found)
        return found

    yield start
    close_listeners(opened)


def roles(sockets: list[Listener], config: Any) -> list[str]:
    return [role_of(sock, config).value for sock in sockets]


def test_those_of_bind_come_first_and_are_secure_with_a_certificate(opened: Any) -> None:
    config = settings("127.0.0.1:0", insecure_bind=("127.0.0.1:0",), redirect_http="127.0.0.1:0")
    assert roles(opened(config), config) == ["secure", "insecure", "redirect"]


def test_nothing_is_secure_without_a_certificate(opened: Any) -> None:
    config = settings("127.0.0.1:0", tls=False)
    assert roles(opened(config), config) == ["insecure"]


def test_unix_sockets_are_served_without_tls(opened: Any, tmp_path: Path) -> None:
    config = settings("127.0.0.1:0", f"unix:{tmp_path}/s")
    assert roles(opened(config), config) == ["secure", "insecure"]


def test_an_inherited_descriptor_is_served_with_tls_unless_it_is_a_unix_socket(opened: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "s"))
        config = settings(f"fd://{tcp.fileno()}", f"fd://{unix.fileno()}")
        assert roles(opened(config), config) == ["secure", "insecure"]


def test_a_socket_that_a_program_has_opened_is_like_one_of_bind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        assert role_of(sock, settings()) == Role.SECURE
        assert role_of(sock, settings(tls=False)) == Role.INSECURE


def test_a_process_that_gets_a_descriptor_gets_its_role(opened: Any) -> None:
    config = settings("127.0.0.1:0", redirect_http="127.0.0.1:0")
    for sock in opened(config):
        with listener_of(os.dup(sock.fileno()), role_of(sock, config)) as copy:
            assert role_of(copy, config) == sock.role
            assert copy.getsockname() == sock.getsockname()


def test_a_port_alone_redirects_from_every_host_that_it_redirects_to(opened: Any) -> None:
    port, secure = free_port(), free_port()
    config = settings(f"127.0.0.1:{secure}", f"127.0.0.2:{secure}", "127.0.0.1:0", redirect_http=str(port))
    found = [sock.getsockname() for sock in opened(config) if sock.role == Role.REDIRECT]
    assert found == [("127.0.0.1", port), ("127.0.0.2", port)]


def test_a_port_alone_redirects_from_the_host_where_that_is_no_bind(opened: Any) -> None:
    port = free_port()
    config = settings(host="127.0.0.3", redirect_http=str(port))
    assert [sock.getsockname()[0] for sock in opened(config)] == ["127.0.0.3", "127.0.0.3"]


def test_a_port_alone_redirects_everywhere_where_the_sockets_were_handed_over(opened: Any) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        config = settings(f"fd://{sock.fileno()}", redirect_http=str(port))
        found = [each.getsockname()[0] for each in opened(config) if each.role == Role.REDIRECT]
    assert "0.0.0.0" in found


def test_an_address_to_redirect_from_is_that_and_no_other(opened: Any) -> None:
    port = free_port()
    config = settings("127.0.0.1:0", "127.0.0.2:0", redirect_http=f"127.0.0.2:{port}")
    assert [sock.getsockname() for sock in opened(config)][2:] == [("127.0.0.2", port)]


def test_ports_are_told_by_what_is_served_there(opened: Any, tmp_path: Path) -> None:
    config = settings("127.0.0.1:0", f"unix:{tmp_path}/s", "127.0.0.1:0", redirect_http="127.0.0.1:0")
    first, _, second, redirect = opened(config)
    assert ports_of([first, second, redirect], config) == {
        Role.SECURE: [first.getsockname()[1], second.getsockname()[1]],
        Role.INSECURE: [],
        Role.REDIRECT: [redirect.getsockname()[1]],
    }


def test_the_log_says_what_is_served_where(opened: Any, tmp_path: Path) -> None:
    config = settings("127.0.0.1:0", insecure_bind=(f"unix:{tmp_path}/s",), redirect_http="127.0.0.1:0")
    sockets = opened(config)
    ports = [sock.getsockname()[1] for sock in (sockets[0], sockets[2])]
    assert [announce(sock, config) for sock in sockets] == [
        f"Portico running on https://127.0.0.1:{ports[0]} (Press CTRL+C to quit)",
        f"Portico running on unix:{tmp_path}/s (Press CTRL+C to quit)",
        f"Redirecting to HTTPS from http://127.0.0.1:{ports[1]}",
    ]


# --- another supervisor --------------------------------------------------------------------------


def test_free_ports_are_taken_over_by_who_had_them(opened: Any) -> None:
    config = settings("127.0.0.1:0", insecure_bind=("127.0.0.1:0",), redirect_http="127.0.0.1:0")
    old = opened(config)
    inherited = copies(old)
    new = opened(config, inherited)
    assert inherited == {}
    assert roles(new, config) == ["secure", "insecure", "redirect"]
    assert [sock.getsockname() for sock in new] == [sock.getsockname() for sock in old]


def test_an_address_keeps_its_socket_where_its_role_changes(opened: Any) -> None:
    address = f"127.0.0.1:{free_port()}"
    old = opened(settings("127.0.0.1:0", insecure_bind=(address,)))
    inherited = copies(old)
    config = settings("127.0.0.1:0", redirect_http=address)
    new = opened(config, inherited)
    assert inherited == {}
    assert roles(new, config) == ["secure", "redirect"]
    assert [sock.getsockname() for sock in new] == [sock.getsockname() for sock in old]


def test_a_certificate_that_is_new_makes_the_same_socket_secure(opened: Any) -> None:
    [old] = opened(settings("127.0.0.1:0", tls=False))
    config = settings("127.0.0.1:0")
    [new] = opened(config, copies([old]))
    assert role_of(new, config) == Role.SECURE
    assert new.getsockname() == old.getsockname()
