"""The Host field (RFC 9110 §7.2): what is one, and which of them are ours. Literal comparison, no patterns but `*.`."""

from collections.abc import Iterable, Sequence

from portico.asgi import Scope
from portico.http.hosts import parse_host

WILDCARD_RULE = "a wildcard stands for whole labels in front, as in '*.example.com'; or alone, for any host"
MAX_KNOWN_HOSTS = 256


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
