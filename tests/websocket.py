"""A blunt WebSocket client and the applications that the suites share.

As in `tests.live`, what a test sends is written out in full, right or wrong; whatever the server sends must be
well-formed to the octet: an answer of 101, frames that are not masked and have the shortest length, an orderly end.
"""

import queue
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha1
from typing import NamedTuple

from tests.live import Live, Malformed, Notes, Pairs, Wire, parse, reply

from portico.asgi import ASGIApp, Message, Receive, Scope, Send

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NO_CODE = 1005
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\x37\xfa\x21\x3d"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# --- what a client sends ------------------------------------------------------------------------


def handshake(
    target: bytes = b"/",
    extra: bytes = b"",
    *,
    line: bytes = b"",
    host: bytes | None = b"a",
    upgrade: bytes | None = b"websocket",
    connection: bytes | None = b"Upgrade",
    key: bytes | None = KEY,
    version: bytes | None = b"13",
) -> bytes:
    """Return an opening handshake; a field of None is left out, `extra` is what follows the others."""
    fields = {
        b"Host": host,
        b"Upgrade": upgrade,
        b"Connection": connection,
        b"Sec-WebSocket-Key": key,
        b"Sec-WebSocket-Version": version,
    }
    lines = [b"%b: %b\r\n" % (name, value) for name, value in fields.items() if value is not None]
    return b"%b\r\n%b%b\r\n" % (line or b"GET %b HTTP/1.1" % target, b"".join(lines), extra)


def accept_of(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that answers the key."""
    return b64encode(sha1(key + GUID).digest())


def masked(payload: bytes, key: bytes) -> bytes:
    """Return the payload XORed with the key."""
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    form: int | None = None,
    length: int | None = None,
) -> bytes:
    """Return a frame.

    Args:
        mask: The masking key; None leaves the payload as it is.
        form: The bits that the length takes (7, 16 or 64); the fewest possible without it.
        length: What the head says, whatever the payload has.
    """
    if length is None:
        length = len(payload)
    if form is None:
        form = 7 if length < 126 else 16 if length < 65536 else 64
    head = bytes((fin << 7 | rsv << 4 | opcode,))
    bit = 0 if mask is None else 0x80
    if form == 7:
        head += bytes((bit | length,))
    else:
        head += bytes((bit | (126 if form == 16 else 127),)) + length.to_bytes(form // 8, "big")
    return head + payload if mask is None else head + mask + masked(payload, mask)


def text(message: str) -> bytes:
    """Return a text message of one frame."""
    return frame(message.encode())


def binary(message: bytes) -> bytes:
    """Return a binary message of one frame."""
    return frame(message, BINARY)


def ping(data: bytes = b"") -> bytes:
    """Return a ping."""
    return frame(data, PING)


def closing(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """Return a close frame; without a code it has no payload."""
    return frame(b"" if code is None else code.to_bytes(2, "big") + reason, CLOSE)


def fragments(opcode: int, *pieces: bytes, rsv: int = 0) -> list[bytes]:
    """Return the frames of a message that comes in these pieces."""
    last = len(pieces) - 1
    return [
        frame(piece, CONTINUATION if i else opcode, fin=i == last, rsv=0 if i else rsv)
        for i, piece in enumerate(pieces)
    ]


def cut(data: bytes, size: int) -> list[bytes]:
    """Return the data in pieces of this size."""
    return [data[i : i + size] for i in range(0, len(data), size)] or [b""]


# --- the client ---------------------------------------------------------------------------------


class Frame(NamedTuple):
    """A frame of the server's."""

    fin: bool
    rsv: int
    opcode: int
    payload: bytes


class Client(Wire):
    """An open WebSocket: bytes out, whole frames in."""

    path: str
    fields: Pairs  # of the 101

    def __enter__(self) -> "Client":
        return self

    def open(self, path: str, extra: bytes, key: bytes) -> None:
        """Send an opening handshake, and take nothing but the answer that RFC 6455 §4.2.2 describes."""
        self.path = path
        self.send(handshake(path.encode(), extra, key=key))
        self.switched(key)

    def switched(self, key: bytes = KEY) -> None:
        """Read the answer to an opening handshake with this key."""
        head = self.until(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"):
            raise Malformed(f"not a 101: {head + self.held!r}")
        parsed = parse(head, "GET", at_end=False)
        assert parsed is not None
        answer = parsed[0]
        self.fields = answer.headers
        assert answer.field(b"sec-websocket-accept") == accept_of(key)
        assert answer.field(b"upgrade") == b"websocket"
        assert (answer.field(b"connection") or b"").lower() == b"upgrade"

    def field(self, name: bytes) -> bytes | None:
        """Return the value of the one field of the 101 called `name`, or None."""
        values = [value for key, value in self.fields if key.lower() == name]
        assert len(values) < 2, values
        return values[0] if values else None

    def fill(self) -> bool:
        """Block for more bytes; False at the end of the stream, which must be in order: a reset is an error."""
        data = self.socket.recv(1 << 16)
        self.held += data
        self.at_end = not data
        return bool(data)

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        pieces = [self.held]
        left = size - len(self.held)
        while left > 0:
            piece = self.socket.recv(max(left, 1 << 16))
            if not piece:
                raise Malformed(f"closed {left} bytes early, after {b''.join(pieces)[:200]!r}")
            pieces.append(piece)
            left -= len(piece)
        data = b"".join(pieces)
        self.held = data[size:]
        return data[:size]

    def read_frame(self) -> Frame:
        """Return the next frame, of which everything but its meaning was checked."""
        first, second = self.take(2)
        length = second & 127
        if second & 128:
            raise Malformed("a server must not mask (§5.1)")
        if length == 126:
            length = int.from_bytes(self.take(2), "big")
            least = 126
        elif length == 127:
            length = int.from_bytes(self.take(8), "big")
            least = 65536
        else:
            least = 0
        if not least <= length < 1 << 63:
            raise Malformed(f"a length of {length} in the wrong form (§5.2)")
        opcode = first & 15
        if opcode >= CLOSE and (length > 125 or not first & 128):
            raise Malformed("a control frame that is long or fragmented (§5.5)")
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Malformed(f"opcode {opcode}")
        return Frame(bool(first & 128), first >> 4 & 7, opcode, self.take(length))

    def message(self) -> str | bytes:
        """Return the next frame's payload: a message of one frame, not compressed; nothing else may come before it."""
        fin, rsv, opcode, payload = self.read_frame()
        assert (fin, rsv) == (True, 0), (fin, rsv, opcode, payload)
        assert opcode in (TEXT, BINARY), (opcode, payload)
        return payload.decode() if opcode == TEXT else payload

    def pong(self) -> bytes:
        """Return the data of the pong that comes next."""
        fin, rsv, opcode, payload = self.read_frame()
        assert (fin, rsv, opcode) == (True, 0, PONG), (fin, rsv, opcode, payload)
        return payload

    def read_close(self) -> tuple[int, str]:
        """Return the code and the reason of the close frame that comes next; 1005 stands for no code."""
        fin, rsv, opcode, payload = self.read_frame()
        assert (fin, rsv, opcode) == (True, 0, CLOSE), (fin, rsv, opcode, payload)
        if not payload:
            return NO_CODE, ""
        assert len(payload) > 1, "a close frame of one byte (§5.5.1)"
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    def closed_with(self) -> tuple[int, str]:
        """As `read_close`; the server must then end the connection by itself: TimeoutError otherwise."""
        closed = self.read_close()
        assert self.rest() == b"", "bytes behind a close frame (§5.5.1)"
        return closed


def opened(
    port: int,
    path: str = "/",
    extra: bytes = b"",
    *,
    key: bytes = KEY,
    timeout: float = 5.0,
    receive_buffer: int | None = None,
) -> Client:
    """Return an open WebSocket; `extra` is more field lines for the handshake."""
    client = Client(port, timeout=timeout, receive_buffer=receive_buffer)
    try:
        client.open(path, extra, key)
    except BaseException:
        client.socket.close()
        raise
    return client


# --- applications the suites share --------------------------------------------------------------


@dataclass
class Visit:
    """What an application saw of one connection."""

    received: list[str | bytes] = field(default_factory=list)
    ends: Notes = field(default_factory=queue.Queue)

    def end(self) -> tuple[int, str]:
        """Block for the disconnect; return its code and reason."""
        end: tuple[int, str] = self.ends.get(timeout=5)
        return end


class Echo:
    """Sends every message back; `visits` has what it saw, by path. A plain request is answered with `http`."""

    def __init__(self) -> None:
        self.visits: dict[str, Visit] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] in ("http", "websocket"), "lifespan is not supported here"
        visit = self.visits[scope["path"]] = Visit()
        if scope["type"] == "http":
            await reply(send, b"http")
            return
        assert await receive() == {"type": "websocket.connect"}
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            data = message["text"] if message.get("text") is not None else message["bytes"]
            visit.received.append(data)
            await send({"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data})
        visit.ends.put((message["code"], message["reason"]))


def saying(*messages: Message) -> tuple[ASGIApp, Notes]:
    """Return an application that takes the connect, sends these messages and waits for the disconnect.

    The queue carries what it received and the exception that a message has raised.
    """
    notes: Notes = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "websocket", "lifespan is not supported here"
        assert await receive() == {"type": "websocket.connect"}
        try:
            for message in messages:
                await send(message)
        except Exception as failure:
            notes.put(failure)
            raise
        while True:
            event = await receive()
            notes.put(event)
            if event["type"] == "websocket.disconnect":
                return

    return app, notes


ACCEPT: Message = {"type": "websocket.accept"}


@dataclass
class Served:
    """The one server of a module and the app behind it."""

    server: Live
    app: Echo
    opened_so_far: int = 0

    @property
    def port(self) -> int:
        return self.server.port

    def opened(self, extra: bytes = b"", *, timeout: float = 5.0, receive_buffer: int | None = None) -> Client:
        """Return a WebSocket on a path of its own."""
        self.opened_so_far += 1
        return opened(self.port, f"/{self.opened_so_far}", extra, timeout=timeout, receive_buffer=receive_buffer)

    def visit(self, client: Client) -> Visit:
        """Return what the app saw of this connection."""
        return self.app.visits[client.path]
