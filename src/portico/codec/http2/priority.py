"""How urgent a response is, as a client says it (RFC 9218): a dictionary of structured fields (RFC 9651)."""

import re

Priority = tuple[int, bool]

DEFAULT: Priority = (3, False)  # RFC 9218 §4
MAX_SIZE = 1024  # bytes; a longer one is read as if it were malformed
MAX_KNOWN = 64
MAX_KNOWN_SIZE = 16  # bytes

_KEY = rb"[a-z*][a-z0-9_\-.*]*+"
_ITEM = (
    rb"(?:-?+[0-9]{1,15}+(?:\.[0-9]{1,3}+)?+"  # a number
    rb'|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+"'  # a string
    rb"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+"  # a token
    rb"|:[A-Za-z0-9+/=]*+:"  # bytes
    rb"|\?[01]"  # a boolean
    rb"|@-?+[0-9]{1,15}+"  # a date
    rb'|%"(?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*+")'  # text
)
_PARAMETERS = rb"(?:; *+" + _KEY + rb"(?:=" + _ITEM + rb")?+)*+"
_INNER_LIST = rb"\( *+(?:" + _ITEM + _PARAMETERS + rb"(?: ++|(?=\))))*+\)"
_MEMBER = re.compile(
    rb"(?P<key>" + _KEY + rb")(?:=(?P<value>" + _INNER_LIST + rb"|" + _ITEM + rb"))?+" + _PARAMETERS + rb"[ \t]*+"
)
_COMMA = re.compile(rb",[ \t]*+(?=.)", re.DOTALL)

_known: dict[bytes, Priority] = {}


def read_priority(value: bytes) -> Priority:
    """Return urgency, from 0 (most urgent) to 7, and whether the response is of use while it is incomplete.

    What is unknown, out of range or of the wrong type is passed over; so is all of a value that is malformed.
    """
    known = _known.get(value)
    if known is None:
        known = _parse(value) if len(value) <= MAX_SIZE else DEFAULT
        if len(_known) < MAX_KNOWN and len(value) <= MAX_KNOWN_SIZE:
            _known[value] = known
    return known


def _parse(value: bytes) -> Priority:
    urgency, incremental = DEFAULT
    value = value.strip(b" ")
    at = 0
    while at < len(value):
        member = _MEMBER.match(value, at)
        if member is None:
            return DEFAULT
        key, given = member["key"], member["value"]
        if key == b"u":
            urgency = int(given) if given is not None and re.fullmatch(rb"[0-7]", given) else DEFAULT[0]
        elif key == b"i":
            incremental = given is None or given == b"?1"
        at = member.end()
        if at < len(value):
            comma = _COMMA.match(value, at)
            if comma is None:
                return DEFAULT
            at = comma.end()
    return urgency, incremental
