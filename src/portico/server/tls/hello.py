"""The server name that a ClientHello asks for (RFC 8446 §4.1.2, RFC 6066 §3), read before the handshake begins.

OpenSSL would tell the name as well, but only after it has taken a session ticket: with the certificate chosen here a
ticket that was given under one certificate is of no use under another. OpenSSL reads the same bytes again, and judges
them; what is malformed has no name here.
"""

HANDSHAKE, CLIENT_HELLO = 22, 1
SERVER_NAME, HOST_NAME = 0, 0
MAX_HELLO = 16384  # bytes; with the keys of post-quantum cryptography it is about 2000
MAX_RECORDS = 16  # all are looked at whenever bytes have come
MAX_NAME = 253  # octets of a name of the DNS


def read_server_name(data: bytes | bytearray) -> str | None:
    """Return the name in lower case, empty where there is none; None until more bytes are there."""
    try:
        hello = _read_handshake(data)
        return None if hello is None else _read_name(hello)
    except (IndexError, ValueError):
        return ""


def _read_handshake(data: bytes | bytearray) -> bytes | None:
    """Return the body of the ClientHello, which may come in several records; None until it is complete."""
    message = b""
    at = 0
    for _ in range(MAX_RECORDS):
        if at + 5 > len(data):
            if at < len(data) and data[at] != HANDSHAKE:
                raise ValueError
            return None
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] != HANDSHAKE or data[at + 1] != 3 or not 0 < length <= 16384:
            raise ValueError
        message += data[at + 5 : at + 5 + length]
        if message and message[0] != CLIENT_HELLO:
            raise ValueError
        if len(message) >= 4:
            size = 4 + int.from_bytes(message[1:4], "big")
            if size > MAX_HELLO:
                raise ValueError
            if len(message) >= size:
                return message[4:size]
        at += 5 + length
        if at > len(data):
            return None
    raise ValueError


def _read_name(hello: bytes) -> str:
    at = 34  # the version and the random
    at += 1 + hello[at]  # the session
    at += 2 + _short(hello, at)  # the ciphers
    at += 1 + hello[at]  # the compressions
    if at == len(hello):
        return ""
    end = at + 2 + _short(hello, at)
    at += 2
    if end > len(hello):
        raise ValueError
    while at + 4 <= end:
        kind, length = _short(hello, at), _short(hello, at + 2)
        at += 4
        if kind == SERVER_NAME and at + length <= end:
            return _first_host(hello[at : at + length])
        at += length
    return ""


def _first_host(names: bytes) -> str:
    """Return the host of a ServerNameList, which has one name."""
    length = _short(names, 3)
    host = names[5 : 5 + length]
    if names[2] != HOST_NAME or len(host) != length or length > MAX_NAME:
        raise ValueError
    return host.decode("ascii").lower().removesuffix(".")


def _short(data: bytes, at: int) -> int:
    if at + 2 > len(data):
        raise IndexError
    return data[at] << 8 | data[at + 1]
