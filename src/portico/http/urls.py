"""Request targets, authorities and paths (RFC 9112 §3.2, RFC 3986)."""

import re

from portico.http.octets import NOT_IN_TARGET, has_any

# RFC 3986 §3.2.2: a registered name or IPv4 address, or an IP literal; then a port. No userinfo (RFC 9110 §4.2.4), and
# no comma, though a name may have one: it is what an intermediary leaves of two Host fields.
AUTHORITY = re.compile(
    rb"(?:(?P<name>(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+)|\[(?P<literal>[0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+,;=:]+)\])"
    rb"(?P<port>:[0-9]{0,5})?"
)
HEX_BYTES = {b"%02x" % n: bytes((n,)) for n in range(256)}
MAX_KNOWN_AUTHORITIES = 256
PERCENT = 0x25

_known_authorities: set[bytes] = set()


def is_authority(value: bytes) -> bool:
    """Tell whether the bytes are `host [":" port]` with a host that is not empty."""
    if value in _known_authorities:
        return True
    match = AUTHORITY.fullmatch(value)
    if match is None:
        return False
    port = match["port"]
    if port is not None and len(port) > 1 and int(port[1:]) > 65535:
        return False
    literal = match["literal"]
    if literal is not None and literal[:1] not in (b"v", b"V") and not is_ipv6(literal):
        return False
    if len(_known_authorities) < MAX_KNOWN_AUTHORITIES:
        _known_authorities.add(value)
    return True


def is_ipv6(text: bytes) -> bool:
    """Tell whether the bytes are an IPv6 address (RFC 3986 §3.2.2)."""
    head, gap, tail = text.partition(b"::")
    if b"::" in tail:
        return False
    groups = [group for part in (head, tail) if part for group in part.split(b":")]
    count = len(groups)
    if groups and b"." in groups[-1]:
        if not _is_ipv4(groups.pop()):
            return False
        count += 1
    if not all(re.fullmatch(rb"[0-9A-Fa-f]{1,4}", group) for group in groups):
        return False
    return count <= 7 if gap else count == 8


def _is_ipv4(text: bytes) -> bool:
    parts = text.split(b".")
    return len(parts) == 4 and all(re.fullmatch(rb"0|[1-9][0-9]{0,2}", part) and int(part) < 256 for part in parts)


def is_target(target: bytes) -> bool:
    """Tell whether every byte may stand in a request target."""
    return not has_any(target, NOT_IN_TARGET)


def split_absolute(target: bytes) -> tuple[bytes, bytes] | None:
    """Return authority and path with query of an absolute-form target with an http scheme, or None."""
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return None
    match = re.match(rb"[^/?]*", rest)
    authority = match[0] if match else b""
    path = rest[len(authority) :]
    if not is_authority(authority):
        return None
    return authority, path if path.startswith(b"/") else b"/" + path


def decode_path(raw_path: bytes) -> str:
    """Return the path percent-decoded and read as UTF-8; bytes that are not UTF-8 become U+FFFD."""
    if PERCENT not in raw_path:
        return raw_path.decode("ascii")
    first, *rest = raw_path.split(b"%")
    parts = [first]
    for part in rest:
        byte = HEX_BYTES.get(part[:2].lower())
        parts += (b"%", part) if byte is None else (byte, part[2:])
    return b"".join(parts).decode("utf-8", "replace")
