"""Masking (RFC 6455 §5.3): each octet of a payload is XORed with an octet of the key, in turn."""

# The loop runs at the speed of memory where it is compiled, and would be hopeless where it is not; the XOR of two long
# integers is the fastest that Python itself has.
COMPILED = not __file__.endswith(".py")


def unmask(data: bytes, start: int, end: int, key: bytes, phase: int) -> bytes:
    """Return `data[start:end]` unmasked, or masked: it is the same.

    Args:
        key: The four octets of the masking key.
        phase: How many octets of the frame's payload came before these.
    """
    size = end - start
    if not COMPILED:
        turned = key[phase & 3 :] + key[: phase & 3]
        mask = (turned * (size // 4 + 1))[:size]
        return (int.from_bytes(data[start:end], "little") ^ int.from_bytes(mask, "little")).to_bytes(size, "little")
    if size <= 0:
        return b""
    output = bytes(size)  # nobody else has it yet, so it may still be written to
    source, target = data, output
    octet_0, octet_1 = key[phase & 3], key[(phase + 1) & 3]
    octet_2, octet_3 = key[(phase + 2) & 3], key[(phase + 3) & 3]
    at = 0
    whole = size & ~3
    while at < whole:  # in fours, which the compiler turns into vectors
        target[at] = source[start + at] ^ octet_0  # type: ignore[index]
        target[at + 1] = source[start + at + 1] ^ octet_1  # type: ignore[index]
        target[at + 2] = source[start + at + 2] ^ octet_2  # type: ignore[index]
        target[at + 3] = source[start + at + 3] ^ octet_3  # type: ignore[index]
        at += 4
    while at < size:
        target[at] = source[start + at] ^ key[(phase + at) & 3]  # type: ignore[index]
        at += 1
    return output
