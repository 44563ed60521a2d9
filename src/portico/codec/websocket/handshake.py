"""The opening handshake (RFC 6455 §4.2): what a client asks for, checked, and what answers it."""

import re
from collections.abc import Set

from portico.codec.events import Fault, Request
from portico.codec.websocket import deflate
from portico.http.headers import is_token

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")  # 16 bytes in base64
VERSION = b"13"
MALFORMED_EXTENSIONS = "malformed Sec-WebSocket-Extensions"  # RFC 6455 §9.1
# RFC 6455 §4.4 and RFC 9110 §15.5.22: what an answer of 426 says.
UPGRADE_REQUIRED = b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_EXTENSION = re.compile(rb"[ \t]*+(?P<name>" + _TOKEN + rb")[ \t]*+")
_EMPTY = re.compile(rb"[ \t,]*+")  # RFC 9110 §5.6.1: elements of a list that are empty are ignored
_PARAMETER = re.compile(
    rb";[ \t]*+(?P<name>" + _TOKEN + rb")[ \t]*+"
    rb"(?:=[ \t]*+(?:(?P<value>" + _TOKEN + rb')|"(?P<quoted>(?:[^"\\]|\\.)*+)")[ \t]*+)?',
    re.DOTALL,
)

Extensions = list[tuple[str, list[tuple[str, str | None]]]]


class Offer:
    """What a client offers: subprotocols, and the compression that was agreed on, if any."""

    __slots__ = ("agreement", "key", "subprotocols")

    def __init__(self, key: bytes, subprotocols: list[str], agreement: deflate.Agreement | None) -> None:
        self.key = key  # empty where the handshake has none (RFC 8441)
        self.subprotocols = subprotocols
        self.agreement = agreement


def is_handshake(request: Request) -> bool:
    """Tell whether a request wants to open a WebSocket, rightly or not."""
    if request.upgrades is None or b"websocket" not in request.upgrades:
        return False
    # RFC 9110 §7.8: another request that may be upgraded, such as a POST, is answered as if it said nothing of it.
    return request.method == "GET" or any(name == b"sec-websocket-key" for name, _ in request.headers)


def read_handshake(request: Request, compress: bool, origins: Set[bytes] = frozenset()) -> Offer | Fault:
    """Return what a request for an upgrade to `websocket` offers, or the fault in it (RFC 6455 §4.2.1).

    Args:
        compress: Agree to permessage-deflate where it is offered.
        origins: Those whose pages are welcome, in lower case; all are where there are none.
    """
    if request.method != "GET":
        return Fault(400, "a WebSocket is opened with GET")
    if request.has_body:
        return Fault(400, "a request that opens a WebSocket has no body")
    if not request.connection_upgrade:
        return Fault(400, "Upgrade without 'Connection: Upgrade'; a proxy must pass on both")
    keys = [value for name, value in request.headers if name == b"sec-websocket-key"]
    fault = _check_version(request.headers)
    if fault is not None:
        return fault
    if len(keys) != 1 or KEY.fullmatch(keys[0]) is None:
        return Fault(400, "a request that opens a WebSocket has one Sec-WebSocket-Key, 16 bytes in base64")
    return read_offer(request.headers, keys[0], compress, origins)


def read_extended_connect(request: Request, compress: bool, origins: Set[bytes] = frozenset()) -> Offer | Fault:
    """Return what an extended CONNECT for `websocket` offers, or the fault in it (RFC 8441 §5)."""
    return _check_version(request.headers) or read_offer(request.headers, b"", compress, origins)


def read_offer(
    headers: list[tuple[bytes, bytes]], key: bytes, compress: bool, origins: Set[bytes] = frozenset()
) -> Offer | Fault:
    """Return what the fields that every version of HTTP has in common offer."""
    if origins and any(name == b"origin" and value.lower() not in origins for name, value in headers):
        return Fault(403, "Origin is not allowed")  # RFC 6455 §10.2
    subprotocols: dict[str, None] = {}  # a set that keeps the order
    extensions: Extensions = []
    extended = False
    for name, value in headers:
        if name == b"sec-websocket-protocol":
            for member in filter(None, (part.strip(b" \t") for part in value.split(b","))):
                if not is_token(member):
                    return Fault(400, "malformed Sec-WebSocket-Protocol")
                subprotocols[member.decode()] = None
        elif name == b"sec-websocket-extensions":
            parsed = parse_extensions(value)
            if parsed is None:
                return Fault(400, MALFORMED_EXTENSIONS)
            extensions += parsed
            extended = True
    if extended and not extensions:
        return Fault(400, MALFORMED_EXTENSIONS)
    agreement = None
    if compress:
        for extension, parameters in extensions:
            if extension == deflate.NAME:
                agreement = deflate.accept(parameters)
                if agreement is not None:
                    break
    return Offer(key, list(subprotocols), agreement)


def _check_version(headers: list[tuple[bytes, bytes]]) -> Fault | None:
    versions = [value for name, value in headers if name == b"sec-websocket-version"]
    if versions == [VERSION]:
        return None
    if len(versions) == 1 and versions[0]:
        return Fault(426, "the WebSocket version is 13", UPGRADE_REQUIRED)
    return Fault(400, "a request that opens a WebSocket has one Sec-WebSocket-Version")


def parse_extensions(value: bytes) -> Extensions | None:
    """Return the extensions that a field lists with their parameters, or None where it breaks the grammar (§9.1)."""
    extensions: Extensions = []
    at = 0
    while True:
        at = _EMPTY.match(value, at).end()  # type: ignore[union-attr]
        if at == len(value):
            return extensions
        match = _EXTENSION.match(value, at)
        if match is None:
            return None
        parameters: list[tuple[str, str | None]] = []
        extensions.append((match["name"].decode(), parameters))
        at = match.end()
        while match := _PARAMETER.match(value, at):
            at = match.end()
            given: bytes | None = match["value"]
            if match["quoted"] is not None:
                given = re.sub(rb"\\(.)", rb"\1", match["quoted"], flags=re.DOTALL)
                if not is_token(given):
                    return None
            parameters.append((match["name"].decode(), None if given is None else given.decode()))
        if at < len(value) and value[at] != ord(","):
            return None


def accept_value(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that answers a key (RFC 6455 §4.2.2)."""
    from binascii import b2a_base64
    from hashlib import sha1

    return b2a_base64(sha1(key + GUID, usedforsecurity=False).digest(), newline=False)
