"""What we have to know of a certificate (RFC 5280): the names that it is for, whose it is, and for how long.

Only reading, and only of certificates that OpenSSL has taken or is about to judge: nothing here decides on trust.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

SEQUENCE, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER, UTC_TIME = 0x30, 0x03, 0x04, 0x06, 0x17
EXTENSIONS, DNS_NAME = 0xA3, 0x82  # context-specific: of the certificate, of a GeneralName
SUBJECT_ALT_NAME, COMMON_NAME = "2.5.29.17", "2.5.4.3"
# RFC 4514 §3: the types that have a short name; of all others the number is written.
SHORT = {
    "2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C",
    "2.5.4.9": "STREET", "0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}  # fmt: skip
ENCODINGS = {
    12: "utf-8",
    18: "ascii",
    19: "ascii",
    20: "latin-1",
    22: "ascii",
    26: "ascii",
    28: "utf-32-be",
    30: "utf-16-be",
}

_ESCAPED = re.compile(r'[\x00-\x1f\x7f"+,;<>\\]')


@dataclass(frozen=True, slots=True)
class Certificate:
    """The parts of a certificate that we use."""

    names: tuple[str, ...]  # of the DNS, in lower case; a leading `*.` stands for any one label
    subject: str  # as RFC 4514 writes it
    begins: datetime
    ends: datetime


def read_certificate(der: bytes) -> Certificate:
    """Return what the certificate says; raises ValueError where it is none."""
    (_, certificate), *_ = _elements(der)
    (_, fields), *_ = _elements(certificate)
    found = list(_elements(fields))
    if found and found[0][0] == 0xA0:  # the version; it is left out where it is 1
        del found[0]
    if len(found) < 6:
        raise ValueError("it has too few fields")
    (_, begins), (_, ends) = ((tag, _time(tag, value)) for tag, value in _elements(found[3][1]))
    subject = found[4][1]
    names = tuple(name for tag, value in found[6:] if tag == EXTENSIONS for name in _alternatives(value))
    return Certificate(names or tuple(_common_names(subject)), distinguished_name(subject), begins, ends)


def distinguished_name(name: bytes) -> str:
    """Return the content of a Name as RFC 4514 writes it: the last part first."""
    parts = ["+".join(_attribute(*pair) for pair in _attributes(part)) for _, part in _elements(name)]
    return ",".join(reversed(parts))


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element (DER, X.690 §8.1)."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise ValueError("it ends too early")
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or at + count > len(data):
                raise ValueError("a length is wrong")
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise ValueError("it ends too early")
        yield tag, data[at : at + length]
        at += length


def _alternatives(extensions: bytes) -> Iterator[str]:
    """Yield the names of the DNS that the extension subjectAltName has (RFC 5280 §4.2.1.6)."""
    for _, sequence in _elements(extensions):
        for _, extension in _elements(sequence):
            identifier, *_, (_, value) = _elements(extension)  # between them it may say that it is critical
            if _dotted(identifier[1]) == SUBJECT_ALT_NAME:
                for _, names in _elements(value):
                    yield from (name.decode("ascii").lower() for tag, name in _elements(names) if tag == DNS_NAME)


def _common_names(subject: bytes) -> Iterator[str]:
    """Yield the names by which certificates were found before they had alternatives."""
    for _, part in _elements(subject):
        for kind, tag, value in _attributes(part):
            if kind == COMMON_NAME and tag in ENCODINGS:
                yield value.decode(ENCODINGS[tag]).lower()


def _attributes(part: bytes) -> Iterator[tuple[str, int, bytes]]:
    for _, attribute in _elements(part):
        (_, kind), (tag, value) = _elements(attribute)
        yield _dotted(kind), tag, value


def _attribute(kind: str, tag: int, value: bytes) -> str:
    try:
        if kind in SHORT:
            return f"{SHORT[kind]}={_escape(value.decode(ENCODINGS[tag]))}"
    except (KeyError, UnicodeDecodeError):
        pass
    return f"{kind}=#{_encode(tag, value).hex()}"  # RFC 4514 §2.4


def _escape(text: str) -> str:
    """Return the value of an attribute with what could be taken for something else escaped (RFC 4514 §2.4)."""
    written = _ESCAPED.sub(_escaped, text)
    if text[:1] in ("#", " "):
        written = "\\" + written
    if len(text) > 1 and text.endswith(" "):
        written = written[:-1] + "\\ "
    return written


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return f"\\{ord(character):02x}" if character < " " or character == "\x7f" else "\\" + character


def _encode(tag: int, value: bytes) -> bytes:
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + value


def _dotted(identifier: bytes) -> str:
    """Return an object identifier in numbers (X.690 §8.19)."""
    numbers: list[int] = []
    number = 0
    for octet in identifier:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    if not numbers:
        raise ValueError("an identifier is empty")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == UTC_TIME:  # RFC 5280 §4.1.2.5.1: two digits of the year
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
