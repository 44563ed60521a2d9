"""The Host field (RFC 9110 §7.2): what is one, and which of them are ours. Literal comparison, no patterns but `*.`."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from portico.asgi import Scope
from portico.http.urls import is_ipv6

# RFC 3986 §3.2.2 without userinfo. A name is not empty; a port, if there is a colon, neither.
HOST = re.compile(
    rb"(?P<host>[A-Za-z0-9\-._~%!$&'()*+,;=]+|\[(?:(?P<ipv6>[0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\])"
    rb"(?::(?P<port>[0-9]+))?"
)
WILDCARD_RULE = "a wildcard stands for whole labels in front, as in '*.example.com'; or alone, for any host"
MAX_KNOWN_HOSTS = 256


class Host(NamedTuple):
    """A host in lower case, with the brackets of an address, and the port if there is one."""

    name: str
    port: str | None

    @property
    def port_number(self) -> int | None:
        """The port as a number: -1 where it is above 65535, None where there is none."""
        if self.port is None:
            return None
        digits = self.port.lstrip("0") or "0"
        return int(digits) if len(digits) <= 5 and int(digits) <= 65535 else -1


def parse_host(value: bytes) -> Host | None:
    """Return the parts of a Host field's value, or None if it is malformed."""
    match = HOST.fullmatch(value)
    if match is None or (match["ipv6"] is not None and not is_ipv6(match["ipv6"])):
        return None
    port = match["port"]
    return Host(match["host"].lower().decode("ascii"), None if port is None else port.decode("ascii"))


def host_field(scope: Scope) -> bytes | None:
    """Return the value of the request's Host field; None where there is none, or more than one."""
    found: bytes | None = None
    for name, value in scope["headers"]:
        if name == b"host":
            if found is not None:
                return None
            found = value
    return found


class AllowedHosts:
    """A set of host names; one that begins with `*.` stands for every name below it.

    Raises:
        ValueError: If a name has a star elsewhere.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = [name.lower() for name in names]
        for name in self.names:
            if "*" in name and name != "*" and ("*" in name[1:] or not name.startswith("*.")):
                raise ValueError(f"{WILDCARD_RULE}; got {name!r}")
        self.exact = frozenset(self.names)
        self.suffixes = tuple(name[1:] for name in self.names if name.startswith("*."))
        self.any = "*" in self.exact
        self.known: set[bytes] = set()

    def has(self, name: str) -> bool:
        """Tell whether a host name, in lower case and without its port, is one of these."""
        # A name such as ".example.com" has nothing in front of the suffix.
        return self.any or name in self.exact or (name.endswith(self.suffixes) and name[0] != ".")

    def allows(self, value: bytes | None) -> bool:
        """Tell whether a Host field's value is well-formed and names one of these hosts, on any port."""
        if value is None:
            return False
        if value in self.known:
            return True
        host = parse_host(value)
        if host is None or not self.has(host.name):
            return False
        if len(self.known) < MAX_KNOWN_HOSTS:  # with a wildcard there is no end of good names
            self.known.add(value)
        return True


def names_of(hosts: Sequence[str]) -> Sequence[str]:
    """Return the names; a lone string is one name, not its letters."""
    return [hosts] if isinstance(hosts, str) else hosts


def location(scope: Scope, scheme: str, authority: str) -> str:
    """Return the request's URL with another scheme and authority, made from its parts."""
    from urllib.parse import quote

    query = quote(scope.get("query_string", b""), safe="/?:@!$&'()*+,;=~-._%[]")
    path = quote(scope["path"], safe="/:@!$&'()*+,;=~-._")
    if path[:1] != "/":  # of a target such as "*": it must not become part of the authority
        path = "/" + path
    return f"{scheme}://{authority}{path}{'?' + query if query else ''}"
