"""The Huffman code of strings (RFC 7541 §5.2, Appendix B).

The code is canonical: the symbols in order of length, then of value, have codes that count upwards. So the lengths are
all that is written down here.
"""

from array import array

# Length of a code in bits -> the octets that have such a one. EOS is the last of 30 bits: all ones.
OCTETS = {
    5: b"012aceiost",
    6: b" %-./3456789=A_bdfghlmnpru",
    7: b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    8: b"&*,;XZ",
    10: b'!"()?',
    11: b"'+|",
    12: b"#>",
    13: b"\x00$@[]~",
    14: b"^}",
    15: b"<`{",
    19: b"\\\xc3\xd0",
    20: b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    21: b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    22: b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    23: b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5"
    b"\xe7\xef",
    24: b"\t\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    25: b"\xc7\xcf\xea\xeb",
    26: b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    27: b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    28: b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f"
    b"\xdc\xf9",
    30: b"\n\r\x16",
}
LONGEST = 30
# Codes of up to so many bits, which are those of nearly everything that is sent, are found in one step.
SHORT = 10
WINDOW = (1 << 56) - 1  # as many bits are looked at at a time
COMPILED = not __file__.endswith(".py")


def _lay_out() -> tuple[list[int], bytes, bytes, bytes, list[int], list[int]]:
    """Return code and length by octet; octet and length by the next SHORT bits; and what finds the longer codes.

    That is, by length: where the codes that are longer begin, in LONGEST bits, and what is taken from a code of that
    length to have the place of its octet among all.
    """
    codes, lengths = [0] * 256, bytearray(256)
    short_octets, short_lengths = bytearray(1 << SHORT), bytearray(1 << SHORT)
    ends, offsets = [0] * (LONGEST + 1), [0] * (LONGEST + 1)
    code = place = before = 0
    for length in range(LONGEST + 1):
        code <<= length - before
        before = length
        offsets[length] = code - place
        for octet in OCTETS.get(length, b""):
            codes[octet], lengths[octet] = code, length
            if length <= SHORT:
                first = code << (SHORT - length)
                for each in range(first, first + (1 << (SHORT - length))):
                    short_octets[each], short_lengths[each] = octet, length
            code += 1
            place += 1
        ends[length] = code << (LONGEST - length)
    return codes, bytes(lengths), bytes(short_octets), bytes(short_lengths), ends, offsets


_codes, LENGTHS, SHORT_OCTETS, SHORT_LENGTHS, _ends, _offsets = _lay_out()
CODES, ENDS, OFFSETS = array("I", _codes), array("I", _ends), array("I", _offsets)
ORDER = b"".join(OCTETS.values())


def decode(data: bytes, start: int, end: int, space: bytearray) -> bytes | None:
    """Return the string whose code is `data[start:end]`; None where that is no code, or is not padded as it must be.

    Args:
        space: Room to write in; it grows as needed.
    """
    room = (end - start) * 8 // 5
    if len(space) < room:
        space.extend(bytes(room - len(space)))
    octets = data
    target = space
    short_octets = SHORT_OCTETS
    short_lengths = SHORT_LENGTHS
    order = ORDER
    written = 0
    window = 0  # whose last `bits` bits are still to be decoded
    bits = 0
    while True:
        while bits <= 48 and start < end:
            window = (window << 8 | octets[start]) & WINDOW
            start += 1
            bits += 8
        while bits >= SHORT:
            code = (window >> (bits - SHORT)) & 1023
            length = short_lengths[code]
            if length == 0:
                break
            target[written] = short_octets[code]
            written += 1
            bits -= length
        if bits < LONGEST and start < end:
            continue
        if bits >= LONGEST:
            code = (window >> (bits - LONGEST)) & 0x3FFFFFFF
        else:  # the last ones, with as much more padding as makes them a whole code
            code = ((window << (LONGEST - bits)) | (0x3FFFFFFF >> bits)) & 0x3FFFFFFF
        length = short_lengths[code >> (LONGEST - SHORT)]
        if length == 0:
            length = SHORT + 1
            while length < LONGEST and code >= ENDS[length]:
                length += 1
        if length > bits or code >= ENDS[length]:  # nothing but padding; or EOS, which MUST NOT be there (§5.2)
            break
        target[written] = order[(code >> (LONGEST - length)) - OFFSETS[length]]
        written += 1
        bits -= length
    # §5.2: padding is the beginning of EOS, and shorter than an octet.
    if bits > 7:
        return None
    padding = (1 << bits) - 1
    if window & padding != padding:
        return None
    return target[:written] if COMPILED else bytes(target[:written])  # type: ignore[return-value]


def encoded_size(data: bytes) -> int:
    """Return how many octets the code of a string has."""
    octets = data
    lengths = LENGTHS
    bits = 7
    for at in range(len(data)):
        bits += lengths[octets[at]]
    return bits >> 3


def encode_into(space: bytearray, at: int, data: bytes) -> int:
    """Write the code of a string into the space, which has room for it, from `at` on; return where it ends."""
    octets = data
    lengths = LENGTHS
    target = space
    assert 0 <= at <= len(space) - encoded_size(data)
    window = 0
    bits = 0
    for each in range(len(data)):
        octet = octets[each]
        window = (window << lengths[octet] | CODES[octet]) & WINDOW
        bits += lengths[octet]
        while bits >= 8:
            bits -= 8
            target[at] = (window >> bits) & 255
            at += 1
    if bits:
        target[at] = ((window << (8 - bits)) | (255 >> bits)) & 255
        at += 1
    return at
