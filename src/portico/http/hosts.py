"""The Host field (RFC 9110 §7.2): which value is one, and its parts."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from portico.http.urls import is_ipv6

# RFC 3986 §3.2.2 without userinfo. A name is not empty; a port, if there is a colon, neither.
HOST = re.compile(
    rb"(?P<host>[A-Za-z0-9\-._~%!$&'()*+,;=]+|\[(?:(?P<ipv6>[0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\])"
    rb"(?::(?P<port>[0-9]+))?"
)


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


def host_field(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the value of the Host field; None where there is none, or more than one."""
    found: bytes | None = None
    for name, value in headers:
        if name == b"host":
            if found is not None:
                return None
            found = value
    return found
