"""Masking (RFC 6455 §5.3): each octet of a payload is XORed with an octet of the key, in turn."""

# The loop runs at the speed of memory where it is compiled, and would be hopeless where it is not; the XOR of two long
# integers is the fastest that Python itself has.
COMPILED = not __file__.endswith(".py")
# Where it is compiled, a payload is unmasked into bytes that nobody else has yet, so that they may still be written to.
Space = bytes | bytearray


def unmask(data: bytes, start: int, end: int, key: bytes, phase: int) -> bytes:
    """Return `data[start:end]` unmasked, or masked: it is the same.

    Args:
        key: The four octets of the masking key.
        phase: How many octets of the frame's payload came before these.
    """
    size = end - start
    if size < 2:  # such short ones are shared in CPython, and must not be written to
        return bytes((data[start] ^ key[phase & 3],)) if size > 0 else b""
    source = data
    space = source[start:end] if COMPILED else bytearray(size)
    unmask_into(space, 0, data, start, end, key, phase)
    return payload_of(space)


def new_space(size: int) -> Space:
    """Return what a payload of this size, two bytes at least, is unmasked into."""
    return bytes(size) if COMPILED else bytearray(size)


def payload_of(space: Space) -> bytes:
    """Return the payload that was unmasked into the space; nothing may be written to it any more."""
    return space if isinstance(space, bytes) else bytes(space)


def unmask_into(space: Space, at: int, data: bytes, start: int, end: int, key: bytes, phase: int) -> None:
    """Write `data[start:end]` unmasked into the space from `at` on."""
    size = end - start
    octet_0, octet_1 = key[phase & 3], key[(phase + 1) & 3]
    octet_2, octet_3 = key[(phase + 2) & 3], key[(phase + 3) & 3]
    if not COMPILED:
        mask = (bytes((octet_0, octet_1, octet_2, octet_3)) * (size // 4 + 1))[:size]
        number = int.from_bytes(data[start:end], "little") ^ int.from_bytes(mask, "little")
        space[at : at + size] = number.to_bytes(size, "little")  # type: ignore[index]
        return
    assert 0 <= start <= end <= len(data)
    assert 0 <= at <= len(space) - size
    source, target = data, space
    fours = size >> 2
    while fours > 0:  # in fours, which the compiler turns into vectors
        target[at] = source[start] ^ octet_0  # type: ignore[index]
        target[at + 1] = source[start + 1] ^ octet_1  # type: ignore[index]
        target[at + 2] = source[start + 2] ^ octet_2  # type: ignore[index]
        target[at + 3] = source[start + 3] ^ octet_3  # type: ignore[index]
        at += 4
        start += 4
        fours -= 1
    while start < end:
        target[at] = source[start] ^ key[phase & 3]  # type: ignore[index]
        at += 1
        start += 1
        phase += 1
