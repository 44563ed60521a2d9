"""Trusted proxies: who the client is, and what it asked for, when the peer is a proxy that says so.

Each proxy appends what it saw, so the lists are read from the right and as far as trusted peers vouch for them: the
first hop that is not trusted is the client, and whatever stands left of it is the client's own claim.
A hop that cannot be read (`unknown`, `_hidden`, garbage) ends the walk at the hop before it.

When `X-Forwarded-*` and `Forwarded` both come, `X-Forwarded-*` win: the common proxies write those, and pass on
untouched a `Forwarded` that the client made up. The proxy must write or remove each of the fields it forwards.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Client = tuple[str, int] | None
Server = tuple[str, int | None] | None
Headers = list[tuple[bytes, bytes]]

# A cache of verdicts is emptied when full; longer names are no addresses (an IPv6 address with a zone is shorter).
CACHE_LIMIT = 1024
HOST_LIMIT = 64
# More hops than this are no chain of proxies; the rest of the list is not read.
HOP_LIMIT = 64

_X_FIELDS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"})
_FIELDS = _X_FIELDS | {b"forwarded"}
_SECURE = {"http": False, "ws": False, "https": True, "wss": True}
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{0,5}))?")
# RFC 7239 §4: forwarded-pair = token "=" ( token / quoted-string ); blanks around pairs are tolerated.
_PAIR = re.compile(
    r"[ \t]*+(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)="
    r"(?:(?P<token>[!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]++)"  # senders forget the quotes around IPv6 and ports
    r'|"(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)")[ \t]*+',
    re.DOTALL,
)
_BLANKS = re.compile(r"[ \t]++")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class ProxyTrust:
    """Which peers may speak for others: addresses, networks, `unix` (peers of unix sockets) or `*` (everybody)."""

    __slots__ = ("_everybody", "_networks", "_unix", "_verdicts")

    def __init__(self, allow: str) -> None:
        from ipaddress import ip_network

        self._everybody = False
        self._unix = False
        self._networks: list[IPv4Network | IPv6Network] = []
        self._verdicts: dict[str, bool] = {}
        wrong = []
        for entry in filter(None, map(str.strip, allow.split(","))):
            if entry == "*":
                self._everybody = True
            elif entry == "unix":
                self._unix = True
            else:
                try:
                    self._networks.append(ip_network(entry, strict=False))
                except ValueError:
                    wrong.append(repr(entry))
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: use addresses, networks such as 10.0.0.0/8, 'unix' or '*'")

    def trusts(self, client: Client) -> bool:
        """Tell whether the peer may speak for others; None is the peer of a unix socket."""
        if self._everybody:
            return True
        if client is None:
            return self._unix
        host = client[0]
        verdict = self._verdicts.get(host)
        return self._judge(host) if verdict is None else verdict

    def _judge(self, host: str) -> bool:
        address = _parse_address(host.partition("%")[0])
        verdict = address is not None and any(address in network for network in self._networks)
        if len(host) <= HOST_LIMIT:
            if len(self._verdicts) >= CACHE_LIMIT:
                self._verdicts.clear()
            self._verdicts[host] = verdict
        return verdict


def forwarded(
    trust: ProxyTrust, client: Client, scheme: str, server: Server, headers: Headers
) -> tuple[Client, str, Server, Headers]:
    """Return client, scheme, server and headers as the trusted peer forwards them; the given list is not changed.

    A `ws` or `wss` scheme stays in its family. A forwarded host or port replaces the `host` header and the server.
    """
    for name, _ in headers:
        if name in _FIELDS:
            break
    else:
        return client, scheme, server, headers
    if any(name in _X_FIELDS for name, _ in headers):
        client, proto, host, port = _read_x_forwarded(trust, client, headers)
    else:
        client, proto, host = _read_forwarded(trust, client, headers)
        port = 0
    secure = _SECURE.get(proto.lower())
    if secure is not None:
        scheme = ("ws" if scheme in ("ws", "wss") else "http") + ("s" if secure else "")
    if host or port:
        server, headers = _relocate(scheme, server, headers, host, port)
    return client, scheme, server, headers


def _read_x_forwarded(trust: ProxyTrust, client: Client, headers: Headers) -> tuple[Client, str, str, int]:
    hops = _members(headers, b"x-forwarded-for")
    chosen = len(hops)
    for index in range(len(hops) - 1, -1, -1):
        hop = _parse_node(hops[index])
        if hop is None:
            break
        client, chosen = hop, index
        if not trust.trusts(hop):
            break
    # Lists as long as that of the hops were written by the same proxies; otherwise only the nearest one is known.
    at = chosen - len(hops)
    values = []
    for name in (b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"):
        members = _members(headers, name)
        aligned = at if len(members) == len(hops) and at else -1
        values.append(members[aligned] if members else "")
    proto, host, port = values
    return client, proto, host, _parse_port(port)


def _read_forwarded(trust: ProxyTrust, client: Client, headers: Headers) -> tuple[Client, str, str]:
    proto = host = ""
    for element in _elements(headers):
        # The peer that wrote this element is trusted, so all of it counts; the outermost word is the last read.
        proto = element.get("proto", proto)
        host = element.get("host", host)
        hop = _parse_node(element.get("for", ""))
        if hop is None:
            break
        client = hop
        if not trust.trusts(hop):
            break
    return client, proto, host


def _members(headers: Headers, name: bytes) -> list[str]:
    """Return the members of a comma-separated list, the fields of that name joined in order, empty ones left out."""
    joined = b",".join([value for field, value in headers if field == name]).decode("latin-1")
    members = (member.strip(" \t") for member in joined.rsplit(",", HOP_LIMIT))
    return [member for member in members if member]


def _elements(headers: Headers) -> Iterator[dict[str, str]]:
    """Yield the elements of the `Forwarded` fields from the right, up to the first that breaks the grammar."""
    for name, value in reversed(headers):
        if name != b"forwarded":
            continue
        text = value.decode("latin-1")
        elements = _parse_elements(text)
        if elements is not None:
            yield from reversed(elements[-HOP_LIMIT:])
            continue
        # A client may leave a quote open to swallow what the proxy appends: what stands right of the damage holds.
        for part in reversed(text.rsplit(",", HOP_LIMIT)):
            elements = _parse_elements(part)
            if elements is None:
                return
            yield from reversed(elements)


def _parse_elements(text: str) -> list[dict[str, str]] | None:
    """Return the elements of one `Forwarded` field with lower-case names, or None if it breaks the grammar."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        if match := _PAIR.match(text, at):
            name = match["name"].lower()
            if name in elements[-1]:  # RFC 7239 §4: each parameter at most once
                return None
            quoted = match["quoted"]
            elements[-1][name] = match["token"] if quoted is None else _ESCAPED.sub(r"\1", quoted)
            at = match.end()
        elif match := _BLANKS.match(text, at):
            at = match.end()
        if at < len(text):
            if text[at] == ",":
                elements.append({})
            elif text[at] != ";":
                return None
            at += 1
    return [element for element in elements if element]


def _parse_node(text: str) -> Client:
    """Return address and port (0 if none is told) of `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`, or None."""
    bracketed = text.startswith("[")
    if bracketed:
        host, closing, rest = text[1:].partition("]")
        if not closing or ":" not in host or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    address = _parse_address(host)
    return None if address is None else (str(address), _parse_port(port))


def _parse_address(host: str) -> "IPv4Address | IPv6Address | None":
    """Return the address, an IPv4 one in IPv6 clothes (`::ffff:192.0.2.1`) undressed, or None if it is none."""
    from ipaddress import ip_address

    if len(host) > HOST_LIMIT or "%" in host:
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if address.version == 6 else address


def _parse_port(text: str) -> int:
    """Return the port, or 0 if the text is none (RFC 7239 allows `_hidden` ones)."""
    if 0 < len(text) <= 5 and text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    return 0


def _relocate(scheme: str, server: Server, headers: Headers, authority: str, port: int) -> tuple[Server, Headers]:
    """Return server and headers for the forwarded authority, or for the `host` header's own with another port."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        if not port:
            return server, headers
        authority = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
        match = _AUTHORITY.fullmatch(authority)
        if match is None:
            return server, headers
    host = match["host"]
    default = 443 if scheme in ("https", "wss") else 80
    if port:
        authority = host if port == default else f"{host}:{port}"
    server = (host.strip("[]"), port or _parse_port(match["port"] or "") or default)
    value = authority.encode("latin-1")
    at = next((index for index, (name, _) in enumerate(headers) if name == b"host"), 0)
    others = [field for field in headers[at:] if field[0] != b"host"]
    return server, [*headers[:at], (b"host", value), *others]
