"""Field names and values (RFC 9110 §5): what is legal, and which names steer a message."""

import re

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110 §5.5: visible characters and obs-text, with SP and HTAB only between them.
FIELD_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff]+(?:[ \t]+[\x21-\x7e\x80-\xff]+)*)?)[ \t]*"
)

# The fields that a message's framing, routing or authentication rests on never come as trailers (RFC 9110 §6.5.1).
FORBIDDEN_TRAILERS = frozenset(
    (
        b"authorization", b"cache-control", b"connection", b"content-encoding", b"content-length", b"content-range",
        b"content-type", b"cookie", b"expect", b"host", b"if-match", b"if-modified-since", b"if-none-match",
        b"if-range", b"if-unmodified-since", b"keep-alive", b"max-forwards", b"pragma", b"proxy-authorization",
        b"range", b"set-cookie", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    )
)  # fmt: skip


def is_token(name: bytes) -> bool:
    """Tell whether the bytes are a token (RFC 9110 §5.6.2)."""
    return TOKEN.fullmatch(name) is not None


def list_members(value: bytes) -> list[bytes]:
    """Return the members of a comma-separated list of tokens, lower-case, without the empty ones (RFC 9110 §5.6.1)."""
    return [member for part in value.split(b",") if (member := part.strip(b" \t").lower())]


def parse_field_line(line: bytes) -> tuple[bytes, bytes] | None:
    """Return a field line as lower-case name and value, or None where it is not one."""
    match = FIELD_LINE.fullmatch(line)
    return None if match is None else (match[1].lower(), match[2])
