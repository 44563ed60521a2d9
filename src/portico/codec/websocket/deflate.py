"""permessage-deflate (RFC 7692): negotiation, and the two directions of compression.

Compressors are made when they are first needed: one takes tens of kilobytes, and most connections are idle.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"  # §7.2.1: the end of an empty block, which the sender leaves out
MAX_WINDOW_BITS = 15
# Windows of 4 KB rather than 32: nearly the same ratio on messages of the usual size, for 32 KB a connection rather
# than 256. zlib cannot compress with a window of 8 bits.
WINDOW_BITS, MEMORY_LEVEL, LEVEL = 12, 5, 1
SMALLEST_WINDOW_BITS = 9
# Shorter messages would hardly get smaller, and compressing costs more than their bytes.
SMALLEST_MESSAGE = 64

Parameters = Sequence[tuple[str, str | None]]


class TooBig(Exception):
    """A message would be larger than allowed."""


@dataclass(frozen=True)
class Agreement:
    """What the two sides have agreed on."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_window_bits: int = WINDOW_BITS
    client_window_bits: int = MAX_WINDOW_BITS
    response: str = NAME  # the value of Sec-WebSocket-Extensions in the answer

    def inflater(self) -> "Inflater":
        """Return what decompresses the client's messages."""
        return Inflater(self.client_window_bits, self.client_no_context_takeover)

    def deflater(self) -> "Deflater":
        """Return what compresses the server's messages."""
        return Deflater(self.server_window_bits, self.server_no_context_takeover)


def accept(parameters: Parameters) -> Agreement | None:
    """Return the agreement that answers an offer, or None to decline it (§7.1)."""
    given: dict[str, str | None] = {}
    for name, value in parameters:
        if name in given or not _is_parameter(name, value):
            return None
        given[name] = value
    answer = [NAME]
    for flag in ("server_no_context_takeover", "client_no_context_takeover"):
        if flag in given:
            answer.append(flag)
    server_bits = WINDOW_BITS
    asked = given.get("server_max_window_bits")
    if asked is not None:
        if int(asked) < SMALLEST_WINDOW_BITS:
            return None
        server_bits = min(server_bits, int(asked))
        answer.append(f"server_max_window_bits={server_bits}")
    client_bits = MAX_WINDOW_BITS
    if "client_max_window_bits" in given:  # §7.1.2.2: only then may the answer limit the client's window
        client_bits = min(WINDOW_BITS, int(given["client_max_window_bits"] or MAX_WINDOW_BITS))
        answer.append(f"client_max_window_bits={client_bits}")
    return Agreement(
        "server_no_context_takeover" in given,
        "client_no_context_takeover" in given,
        server_bits,
        client_bits,
        "; ".join(answer),
    )


def _is_parameter(name: str, value: str | None) -> bool:
    if name in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if name == "client_max_window_bits" and value is None:
        return True
    # §7.1.2: 8 to 15, without leading zeros
    return name in ("server_max_window_bits", "client_max_window_bits") and value in _WINDOW_BITS


_WINDOW_BITS = frozenset(map(str, range(8, 16)))


class Inflater:
    """Decompress the messages of one peer, piece by piece and never beyond a limit."""

    __slots__ = ("_ended", "_forgets", "_stream", "_touched", "_window_bits")

    def __init__(self, window_bits: int, forgets: bool) -> None:
        self._window_bits = window_bits
        self._forgets = forgets  # each message stands for itself
        self._touched = False  # the message has had a byte
        self._ended = False  # the message has had a final block
        self._stream: zlib._Decompress | None = None

    def inflate(self, data: bytes, last: bool, limit: int) -> bytes:
        """Return what a piece of a message decompresses to.

        Args:
            last: The message ends with this piece.
            limit: The bytes that may come out.

        Raises:
            TooBig: More would come out; nothing larger than the limit was allocated.
            zlib.error: The data is not DEFLATE.
        """
        if data:
            self._touched = True
        if last:
            if not self._touched:  # not even the three bits that an empty message has, but some peers send it
                return b""
            self._touched = False
            data += TAIL
        stream = self._stream
        if stream is None:
            stream = self._stream = self._new()
        output = stream.decompress(data, limit + 1)
        if stream.eof and len(output) <= limit:
            # §7.2.3.4: a block may say that it is the last one. Who sends it ends its stream and begins anew; once a
            # message is all that anybody needs, and each further one would cost us more than it costs the peer.
            if self._ended:
                raise zlib.error("several final blocks in a message")
            self._ended = True
            rest = stream.unused_data
            stream = self._stream = self._new()
            output += stream.decompress(rest, limit + 1 - len(output))
            if stream.eof:
                raise zlib.error("several final blocks in a message")
        if len(output) > limit:
            raise TooBig
        if last:
            self._ended = False
            if self._forgets:
                self._stream = None
        return output

    def _new(self) -> "zlib._Decompress":
        return zlib.decompressobj(-self._window_bits)


class Deflater:
    """Compress messages for one peer."""

    __slots__ = ("_forgets", "_stream", "_window_bits")

    def __init__(self, window_bits: int, forgets: bool) -> None:
        self._window_bits = window_bits
        self._forgets = forgets
        self._stream: zlib._Compress | None = None

    def deflate(self, data: bytes) -> bytes:
        """Return the payload of a compressed message (§7.2.1)."""
        stream = self._stream
        if stream is None:
            stream = zlib.compressobj(LEVEL, zlib.DEFLATED, -self._window_bits, MEMORY_LEVEL)
            self._stream = None if self._forgets else stream
        return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]
