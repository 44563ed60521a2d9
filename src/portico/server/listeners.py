"""Listening sockets: from the settings of addresses, or from systemd, to bound sockets.

All or nothing: when one address fails, the sockets opened before it are closed and a `ListenError` says what to do.
Each socket knows the bind that it was opened for, by which a supervisor that takes over from another one adopts it, and
its role: what is served there.
"""

import errno
import os
import re
import socket
import stat
import sys
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from portico.asgi import PorticoError

if TYPE_CHECKING:
    from portico.server.config import Config
    from portico.server.processes.accounts import Identity

SYSTEMD = "systemd"
SYSTEMD_FIRST_FD = 3
# A port of 0 is chosen once and must be free in every address family; another process may be quicker.
PORT_ATTEMPTS = 10
PROBE_TIMEOUT_S = 1.0
HTTP_PORT = 80

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]/\s]*))(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_HINTS = {
    errno.EADDRINUSE: "already in use: stop the other server or choose another port (port 0 takes a free one)",
    errno.EACCES: "not permitted: a port below 1024 needs privileges, a unix socket a writable directory",
    errno.EADDRNOTAVAIL: "no address of this machine: use 127.0.0.1, 0.0.0.0 or an interface's own address",
    errno.EAFNOSUPPORT: "of a family that this machine does not support",
    errno.ENOENT: "in a directory that does not exist: create it first",
    errno.ENOTDIR: "below something that is not a directory",
}


class ListenError(PorticoError):
    """An address cannot be listened on; the text says which, why, and what to do."""


class Role(StrEnum):
    """What is served at a socket."""

    SECURE = "secure"  # the application, with TLS where there is a certificate and the socket is no unix socket
    INSECURE = "insecure"  # the application, without TLS in any case
    REDIRECT = "redirect"  # a redirect to where it is served with TLS


@dataclass(frozen=True)
class Bind:
    """What to listen on: one of `port`, `path`, `fd` and `from_systemd` is set; `host` None means every interface."""

    host: str | None = None
    port: int | None = None
    path: str | None = None
    fd: int | None = None
    from_systemd: int = 0  # sockets that it has passed
    role: Role = Role.SECURE

    @property
    def origin(self) -> str:
        """What distinguishes the bind from the others. One address may change its role; free ports have only that."""
        return f"{self.role} {self}" if self.port == 0 and self.role != Role.SECURE else str(self)

    def __str__(self) -> str:
        if self.from_systemd:
            return SYSTEMD
        if self.path is not None:
            return f"unix:{os.path.abspath(self.path)}"
        return _where(self.host, self.port or 0) if self.fd is None else f"fd://{self.fd}"


class Listener(socket.socket):
    """A listening socket; `origin` is the bind that it was opened for, such as `127.0.0.1:8000`, or `systemd`."""

    __slots__ = ("origin", "role")

    origin: str
    role: Role


class UnixListener(Listener):
    """A unix socket that remembers its file, so that closing removes this file and no other."""

    __slots__ = ("file", "identity", "owner")

    file: str
    identity: tuple[int, int]
    owner: int  # the process that removes the file; 0: not one that knows of this socket


def parse_bind(text: str, host: str = "127.0.0.1", port: int = 8000) -> Bind:
    """Return the address that a `bind` value means; `host` and `port` fill in what it leaves out.

    Raises:
        ValueError: the text has none of the accepted forms.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if path and "\0" not in path:
            return Bind(path=path)
    elif text.startswith("fd://"):
        number = text.removeprefix("fd://")
        if number.isascii() and number.isdigit() and len(number) <= 9:
            return Bind(fd=int(number))
    elif text.isascii() and text.isdigit():
        if len(text) <= 5 and int(text) <= 65535:
            return Bind(host or None, int(text))
    elif text and (match := _HOST_PORT.fullmatch(text)):
        chosen = int(match["port"] or port)
        if chosen <= 65535:
            return Bind(match["v6"] or match["host"] or None, chosen)
    raise ValueError(f"{text!r} is no address: use HOST:PORT, [IPV6]:PORT, :PORT, PORT, unix:/PATH or fd://N")


def open_listeners(
    config: "Config", *, inherited: MutableMapping[str, list[int]] | None = None, identity: "Identity | None" = None
) -> list[Listener]:
    """Return the non-blocking, bound and listening sockets that the settings ask for.

    Without `bind`, `uds` or `fd`, the sockets that systemd passed are taken, and without those `host` and `port`. Those
    of `insecure_bind` and `redirect_http` come last.

    Args:
        config: The settings.
        inherited: Descriptors by what they were opened for, as `descriptors` gave them to the process that hands over.
            Where a bind has the same words they are adopted, and taken out of this table. Files of unix sockets stay
            with the other process until `claim_files`.
        identity: Whom the files of unix sockets are given to.

    Raises:
        ListenError: an address cannot be had; no socket is left open.
    """
    inherited = {} if inherited is None else inherited
    sockets: list[Listener] = []
    try:
        for bind in _binds(config, inherited):
            fds = inherited.pop(bind.origin, None)
            opened = _open(bind, config, identity) if fds is None else _take_over(bind, fds, config, identity)
            for sock in opened:
                sock.origin = bind.origin
                sock.role = bind.role
            sockets += opened
    except BaseException:
        close_listeners(sockets)
        raise
    return sockets


def descriptors(sockets: Iterable[Listener]) -> dict[str, list[int]]:
    """Return the descriptors by what they were opened for, for the process that takes over from this one."""
    found: dict[str, list[int]] = {}
    for sock in sockets:
        found.setdefault(sock.origin, []).append(sock.fileno())
    return found


def close_unclaimed(inherited: MutableMapping[str, list[int]]) -> None:
    """Close what no bind has asked for: nobody would answer there once the other process has gone."""
    while inherited:
        _close_all(inherited.popitem()[1])


def claim_files(sockets: Iterable[socket.socket]) -> None:
    """Have the files of unix sockets that were taken over removed by this process, now that it serves."""
    for sock in sockets:
        if isinstance(sock, UnixListener):
            sock.owner = os.getpid()


def close_listeners(sockets: Iterable[socket.socket], *, keep_files: bool = False) -> None:
    """Close the sockets and remove the files of the unix ones that are this process's to remove and still theirs.

    `keep_files` where another process has taken over.
    """
    for sock in sockets:
        if isinstance(sock, UnixListener) and not keep_files and _may_remove(sock):
            os.unlink(sock.file)
        sock.close()


def role_of(sock: socket.socket, config: "Config") -> Role:
    """Return what is served at the socket; one that a program has opened is a `bind`."""
    role = getattr(sock, "role", Role.SECURE)
    if role == Role.SECURE and (not config.tls or sock.family == getattr(socket, "AF_UNIX", None)):
        return Role.INSECURE
    return Role(role)


def ports_of(sockets: Iterable[socket.socket], config: "Config") -> dict[Role, list[int]]:
    """Return the TCP ports by what is served there."""
    ports: dict[Role, list[int]] = {role: [] for role in Role}
    for sock in sockets:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            ports[role_of(sock, config)].append(sock.getsockname()[1])
    return ports


def announce(sock: socket.socket, config: "Config") -> str:
    """Return the line of the log that tells what is served where."""
    role = role_of(sock, config)
    if role == Role.REDIRECT:
        return f"Redirecting to HTTPS from {describe(sock)}"
    return f"Portico running on {describe(sock, role)} (Press CTRL+C to quit)"


def listener_of(fd: int, role: Role) -> Listener:
    """Return the socket that another process has opened for that role."""
    sock = Listener(fileno=fd)
    sock.origin = f"fd://{fd}"
    sock.role = role
    return sock


def describe(sock: socket.socket, role: Role = Role.INSECURE) -> str:
    """Return where a client finds the socket: `http://127.0.0.1:8000`, `https://[::1]:8443` or `unix:/path`."""
    scheme = "https" if role == Role.SECURE else "http"
    name = sock.getsockname()
    if sock.family == socket.AF_INET6:
        return f"{scheme}://[{name[0]}]:{name[1]}"
    if sock.family == socket.AF_INET:
        return f"{scheme}://{name[0]}:{name[1]}"
    if isinstance(name, bytes):  # Linux: a name without a file starts with NUL
        return f"unix:@{os.fsdecode(name[1:])}"
    return f"unix:{name}"


def _binds(config: "Config", inherited: Mapping[str, Sequence[int]]) -> list[Bind]:
    try:
        binds = [parse_bind(text, config.host, config.port) for text in config.bind]
    except ValueError as error:
        raise ListenError(str(error)) from None
    if config.uds is not None:
        binds.append(Bind(path=config.uds))
    if config.fd is not None:
        binds.append(Bind(fd=config.fd))
    count = 0 if binds else len(inherited.get(SYSTEMD, ())) or _from_systemd()
    if count:
        binds = [Bind(from_systemd=count)]
    elif not binds:
        binds = [Bind(config.host or None, config.port)]
    beside = [replace(parse_bind(text, config.host, config.port), role=Role.INSECURE) for text in config.insecure_bind]
    if config.redirect_http is not None:
        beside += _redirecting(config.redirect_http, binds)
    return binds + beside


def _redirecting(text: str, binds: Sequence[Bind]) -> list[Bind]:
    """Return where to redirect: a port by itself is that of the hosts that clients are redirected to."""
    bind = replace(parse_bind(text, "", HTTP_PORT), role=Role.REDIRECT)
    if not text.isdigit():
        return [bind]
    ports = [each for each in binds if each.port is not None]
    return [replace(bind, host=each.host) for each in ports if each.port == ports[0].port] or [bind]


def _from_systemd() -> int:
    """Return how many sockets systemd's socket activation passed (sd_listen_fds(3)), and forget it for our children."""
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not (count.isascii() and count.isdigit()):
        return 0
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return int(count)


def _open(bind: Bind, config: "Config", identity: "Identity | None") -> list[Listener]:
    if bind.fd is not None:
        return [_adopt(bind.fd, config.backlog)]
    if bind.path is not None:
        return [_open_unix(bind.path, config, identity)]
    if bind.from_systemd:
        return _adopt_all(range(SYSTEMD_FIRST_FD, SYSTEMD_FIRST_FD + bind.from_systemd), config.backlog)
    assert bind.port is not None
    return _open_tcp(bind.host, bind.port, config)


def _take_over(bind: Bind, fds: Sequence[int], config: "Config", identity: "Identity | None") -> list[Listener]:
    """Return what another process has opened for the bind; the descriptors themselves are closed."""
    try:
        sockets = _adopt_all(fds, config.backlog, UnixListener if bind.path is not None else Listener)
    finally:
        _close_all(fds)
    for sock in sockets:
        if isinstance(sock, UnixListener) and bind.path is not None:
            _set_file(sock, bind.path, owner=0)
            try:
                _set_access(sock.file, config, identity)
            except OSError as error:
                close_listeners(sockets)
                raise _failure(str(bind), error) from None
    return sockets


def _open_tcp(host: str | None, port: int, config: "Config") -> list[Listener]:
    """Listen on every address of the host; those that this machine lacks are skipped while another one works."""
    if config.reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ListenError("reuse_port is not supported on this platform: leave it out")
    where = _where(host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ListenError(f"cannot listen on {where}: the host name does not resolve ({error})") from None
    addresses = list(dict.fromkeys((family, sockaddr) for family, _, _, _, sockaddr in found))
    attempts = PORT_ATTEMPTS if port == 0 and len(addresses) > 1 else 1
    while True:
        attempts -= 1
        try:
            return _bind_all(addresses, port, config)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not attempts:
                raise _failure(where, error) from None


def _bind_all(addresses: Sequence[tuple[int, tuple[object, ...]]], port: int, config: "Config") -> list[Listener]:
    sockets: list[Listener] = []
    skipped: OSError | None = None
    for family, address in addresses:
        try:
            sock = _bind_tcp(family, (address[0], port, *address[2:]), config)
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                skipped = error
                continue
            close_listeners(sockets)
            raise
        sockets.append(sock)
        port = sock.getsockname()[1]
    if not sockets and skipped is not None:
        raise skipped
    return sockets


def _bind_tcp(family: int, address: tuple[object, ...], config: "Config") -> Listener:
    sock = Listener(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let another process take the port over.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # Dual stack is two sockets, so that IPv4 clients keep their plain address (not ::ffff:192.0.2.1).
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind(address)
        sock.listen(config.backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_unix(path: str, config: "Config", identity: "Identity | None") -> Listener:
    if not hasattr(socket, "AF_UNIX"):
        raise ListenError(f"cannot listen on unix:{path}: unix sockets are not supported on this platform")
    _remove_stale(path)
    sock = UnixListener(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(path)
    except OSError as error:
        sock.close()
        raise _failure(f"unix:{path}", error) from None
    _set_file(sock, path, owner=os.getpid())
    try:
        # Before listen() every connect is refused, so that nobody enters under the wider mode of the umask.
        _set_access(sock.file, config, identity)
        sock.listen(config.backlog)
    except OSError as error:
        close_listeners([sock])
        raise _failure(f"unix:{path}", error) from None
    return sock


def _set_file(sock: UnixListener, path: str, owner: int) -> None:
    sock.file = os.path.abspath(path)
    sock.owner = owner
    sock.identity = _identity(sock.file) or (0, 0)


def _set_access(file: str, config: "Config", identity: "Identity | None") -> None:
    if identity is not None:
        identity.own(file)
    if config.uds_permissions is not None:
        os.chmod(file, config.uds_permissions)


def _remove_stale(path: str) -> None:
    """Remove the socket file of a server that is gone; anything else in the way is an error."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # free, or bind() will say what is wrong
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"cannot listen on unix:{path}: the file exists and is no socket; move it away")
    identity = _identity(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT_S)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass
        except PermissionError:
            raise ListenError(f"cannot listen on unix:{path}: the socket belongs to another user; remove it") from None
        except OSError:
            raise ListenError(f"cannot listen on unix:{path}: a busy server is listening there; stop it") from None
        else:
            raise ListenError(f"cannot listen on unix:{path}: another server is listening there; stop it")
    if _identity(path) == identity:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _failure(f"unix:{path}", error) from None


def _adopt_all(fds: Iterable[int], backlog: int, kind: type[Listener] = Listener) -> list[Listener]:
    sockets: list[Listener] = []
    try:
        for fd in fds:
            sockets.append(_adopt(fd, backlog, kind))
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _adopt(fd: int, backlog: int, kind: type[Listener] = Listener) -> Listener:
    """Return a socket on a copy of an inherited descriptor, whose family and type the kernel tells."""
    where = f"fd://{fd}"
    try:
        copy = os.dup(fd)
    except OSError as error:
        raise _failure(where, error) from None
    try:
        sock = kind(fileno=copy)
    except OSError:
        os.close(copy)
        raise ListenError(f"cannot listen on {where}: the descriptor is no socket") from None
    try:
        if sock.type != socket.SOCK_STREAM:
            raise ListenError(f"cannot listen on {where}: a stream socket is needed, not {sock.type!r}")
        sock.setblocking(False)
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.listen(backlog)
    except ListenError:
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise _failure(where, error) from None
    return sock


def _close_all(fds: Iterable[int]) -> None:
    for fd in fds:
        try:
            os.close(fd)
        except OSError:
            pass


def _may_remove(sock: UnixListener) -> bool:
    # Forked workers hold copies; the file belongs to the process that made it.
    return sock.owner == os.getpid() and _identity(sock.file) == sock.identity


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _where(host: str | None, port: int) -> str:
    return f"[{host}]:{port}" if host and ":" in host else f"{host or ''}:{port}"


def _failure(where: str, error: OSError) -> ListenError:
    hint = _HINTS.get(error.errno or 0)
    if hint is not None:
        return ListenError(f"cannot listen on {where}: the address is {hint}")
    return ListenError(f"cannot listen on {where}: {error.strerror or error}")
