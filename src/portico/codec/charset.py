"""The charset that a client names: a decoder that may be run on what it sends, or Latin-1."""

import codecs
from encodings.aliases import aliases

FALLBACK = "latin-1"

# Decoders that take quadratic time, run escapes, or read another text than a filter before us did.
REFUSED = frozenset(("idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"))

# Python remembers every name that it has looked up in vain, for ever.
MAX_UNKNOWN_LOOKUPS = 100
MAX_LABEL = 40
_KNOWN = frozenset((*aliases, *aliases.values()))

_unknown_lookups = 0


def find_charset(label: str) -> str:
    """Return the name of the codec for a charset's label; Latin-1, which decodes everything, where there is none."""
    global _unknown_lookups
    if label == "utf-8":
        return label
    if len(label) > MAX_LABEL or not label.isascii():
        return FALLBACK
    known = label.lower().replace("-", "_") in _KNOWN
    if not known and _unknown_lookups >= MAX_UNKNOWN_LOOKUPS:
        return FALLBACK
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        _unknown_lookups += not known
        return FALLBACK
    return FALLBACK if name in REFUSED else name
