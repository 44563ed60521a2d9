"""Which octets may stand where (RFC 9110 §5, RFC 3986): a string is held against a table of 256 flags."""

COMPILED = not __file__.endswith(".py")

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_VISIBLE = range(0x21, 0x7F)

# One octet for each that there is: 1 where it does not belong there.
NOT_IN_LOWER_NAME = bytes(octet not in _TOKEN for octet in range(256))
CONTROL = bytes(octet not in _VISIBLE and octet < 0x80 and octet not in b" \t" for octet in range(256))
# Browsers send some of what RFC 3986 excludes ("|", "^", "{"): nothing is gained by refusing it.
NOT_IN_TARGET = bytes(octet not in _VISIBLE or octet == ord("#") for octet in range(256))


def has_any(value: bytes, flags: bytes) -> bool:
    """Tell whether the flags, 256 of them, are set for any octet of the value."""
    if not COMPILED:
        return 1 in value.translate(flags)
    assert len(flags) == 256
    octets, flagged = value, flags
    at = 0
    end = len(value)
    while at < end:
        if flagged[octets[at]]:
            return True
        at += 1
    return False


def has_control(value: bytes) -> bool:
    """Tell whether the value has a control character other than HTAB."""
    if not COMPILED:
        return 1 in value.translate(CONTROL)
    octets = value
    end = len(value)
    found = 0
    for at in range(end):  # to the end, which the compiler turns into vectors
        octet = octets[at]
        found |= ((octet < 0x20) & (octet != 0x09)) | (octet == 0x7F)
    return found != 0
