"""One file as the answer to one request: conditions, ranges, and the cheapest way that the server offers to send it."""

import asyncio
import os
from collections.abc import Iterable

from portico.asgi import Receive, Scope, Send
from portico.files.connected import send_fails, while_connected
from portico.files.facts import Facts, identity_of
from portico.files.reading import FileReader, open_file
from portico.http.ranges import (
    MAX_RANGES,
    Range,
    RangeError,
    closing_line,
    content_range,
    parse_range,
    part_head,
    unsatisfied_range,
)
from portico.http.status import reason
from portico.http.validators import CONDITIONS, allows_range, evaluate

Pair = tuple[bytes, bytes]
Fields = list[Pair]

CHUNK = 64 * 1024
ASKED = CONDITIONS | {b"range", b"if-range"}
OWN = frozenset((b"content-length", b"last-modified", b"etag"))
# What a 304 leaves out (RFC 9110 §15.4.5): it would describe content that is not there.
CONTENT_FIELDS = frozenset(
    b"accept-ranges content-disposition content-encoding content-language content-length content-range content-type"
    b" last-modified".split()
)
# So many pieces are sent before other tasks have their turn.
BURST = 4


async def send_file(
    scope: Scope,
    receive: Receive,
    send: Send,
    facts: Facts,
    fields: Fields,
    *,
    status: int = 200,
    chunk_size: int = CHUNK,
    max_ranges: int = MAX_RANGES,
    pinned: bool = False,
) -> None:
    """Answer with a file.

    Args:
        scope: The request's, or a WebSocket's that is refused; then `send` has been made to know that.
        receive: Tells of a client that goes away, where `send` does not.
        send: Takes the response.
        facts: The file, as a `stat` has just shown it.
        fields: The response's fields; length and validators are added where they are missing.
        status: The status; conditions and ranges count for 200 only.
        chunk_size: The bytes of the file that are read and sent at a time.
        max_ranges: A Range field that asks for more is passed over.
        pinned: Whether the facts are those that the caller wants, even where the file has changed since.

    Raises:
        RuntimeError: If the file is shorter than it was when the response started: the connection has to be cut, since
            the client could not see the truncation otherwise.
        OSError: If the file cannot be opened or read, or, from `send`, if the client has gone.
    """
    http = scope["type"] == "http"
    method = scope["method"] if http else ""
    head = method != "GET" and method.upper() == "HEAD"
    conditional = status == 200 and (head or method == "GET" or method.upper() == "GET")
    asked = _asked(scope["headers"]) if conditional else None
    if asked:
        etag, modified = _validators(fields, facts)
        refusal = evaluate(asked, etag, modified)
        if refusal is not None:
            await _send_unmet(send, refusal, with_facts(fields, facts))
            return
        if b"range" not in asked or (b"if-range" in asked and not allows_range(asked[b"if-range"], etag, modified)):
            asked = None

    extensions = (scope.get("extensions") or {}) if http else {}
    if not asked and (head or facts.content is not None or facts.size == 0):
        await send({"type": "http.response.start", "status": status, "headers": with_facts(fields, facts)})
        await send({"type": "http.response.body", "body": b"" if head else facts.content or b"", "more_body": False})
        return
    if not asked and "http.response.pathsend" in extensions:
        await send({"type": "http.response.start", "status": status, "headers": with_facts(fields, facts)})
        path = facts.path
        await send({"type": "http.response.pathsend", "path": path if path[:1] == "/" else os.path.abspath(path)})
        return

    reader = None if head or facts.content is not None else open_file(facts.path)
    try:
        if reader is not None and not pinned:
            result = os.fstat(reader.file)
            if identity_of(result) != facts.identity:
                facts = Facts(facts.path, result)
        try:
            ranges = parse_range(asked[b"range"].decode("latin-1"), facts.size, max_ranges) if asked else []
        except RangeError as error:
            await _send_range_error(send, error, facts.size)
            return
        sending = Sending(send, facts, with_facts(fields, facts), reader, chunk_size)
        if not ranges:
            work = sending.whole(status, head)
        elif len(ranges) == 1:
            work = sending.part(ranges[0], head)
        else:
            work = sending.parts(ranges, head)
        if not http or head or reader is None or send_fails(scope):
            await work
        else:
            await while_connected(work, receive)
    finally:
        if reader is not None:
            reader.close()


class Sending:
    """One response with bytes of a file: how it is sent is decided, its fields are complete."""

    __slots__ = ("chunk_size", "facts", "fields", "reader", "send")

    def __init__(self, send: Send, facts: Facts, fields: Fields, reader: FileReader | None, chunk_size: int) -> None:
        self.send = send
        self.facts = facts
        self.fields = fields
        self.reader = reader
        self.chunk_size = chunk_size

    async def whole(self, status: int, head: bool) -> None:
        """Send all of it."""
        await self.send({"type": "http.response.start", "status": status, "headers": self.fields})
        if head or self.facts.size == 0:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._copy(0, self.facts.size, False)

    async def part(self, span: Range, head: bool) -> None:
        """Send one range."""
        start, end = span
        fields = _replaced(
            self.fields,
            (b"content-range", content_range(start, end, self.facts.size)),
            (b"content-length", b"%d" % (end - start)),
        )
        await self.send({"type": "http.response.start", "status": 206, "headers": fields})
        if head:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._copy(start, end, False)

    async def parts(self, ranges: list[Range], head: bool) -> None:
        """Send several ranges as `multipart/byteranges` (RFC 9110 §14.6)."""
        send = self.send
        size = self.facts.size
        content_type = next(
            (value for name, value in self.fields if name == b"content-type"), b"application/octet-stream"
        )
        boundary = os.urandom(13).hex().encode()
        heads = [part_head(start, end, size, boundary, content_type) for start, end in ranges]
        tail = closing_line(boundary)
        length = len(tail) + sum(len(head) + end - start + 2 for head, (start, end) in zip(heads, ranges, strict=True))
        fields = _replaced(
            self.fields,
            (b"content-type", b"multipart/byteranges; boundary=" + boundary),
            (b"content-length", b"%d" % length),
        )
        await send({"type": "http.response.start", "status": 206, "headers": fields})
        if head:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        for part, (start, end) in zip(heads, ranges, strict=True):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await self._copy(start, end, True)
            await send({"type": "http.response.body", "body": b"\r\n", "more_body": True})
        await send({"type": "http.response.body", "body": tail, "more_body": False})

    async def _copy(self, offset: int, end: int, more: bool) -> None:
        """Send the bytes between two offsets, never more; raises if the file ends before."""
        send = self.send
        reader = self.reader
        if reader is None:
            assert self.facts.content is not None
            await send({"type": "http.response.body", "body": self.facts.content[offset:end], "more_body": more})
            return
        pieces = 0
        while offset < end:
            count = min(self.chunk_size, end - offset)
            data = reader.read_cached(offset, count)
            if data:
                pieces += 1
                if pieces % BURST == 0:
                    await asyncio.sleep(0)
            else:
                data = await reader.read(offset, count)
                if not data:
                    raise RuntimeError(f"File at path {self.facts.path} is shorter than expected.")
            offset += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": more or offset < end})


def _asked(headers: Iterable[Pair]) -> dict[bytes, bytes]:
    """Return the fields of the request that conditions and ranges are made of; those that are lists are joined."""
    asked: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in ASKED:
            if name not in asked:
                asked[name] = value
            elif name == b"if-match" or name == b"if-none-match":
                asked[name] += b", " + value
    return asked


def with_facts(fields: Fields, facts: Facts) -> Fields:
    """Return the fields with the file's length and validators, where the fields do not have them."""
    given = [name for name, _ in fields if name in OWN]
    if not given:
        return [*fields, facts.length, *facts.validators]
    return fields + [pair for pair in (facts.length, *facts.validators) if pair[0] not in given]


def _validators(fields: Fields, facts: Facts) -> Pair:
    etag, modified = facts.etag, facts.modified
    for name, value in fields:
        if name == b"etag":
            etag = value
        elif name == b"last-modified":
            modified = value
    return etag, modified


def _replaced(fields: Fields, *pairs: Pair) -> Fields:
    names = [name for name, _ in pairs]
    return [pair for pair in fields if pair[0] not in names] + list(pairs)


async def _send_unmet(send: Send, status: int, fields: Fields) -> None:
    """Send a 304 or a 412."""
    if status == 304:
        fields = [pair for pair in fields if pair[0] not in CONTENT_FIELDS]
        await send({"type": "http.response.start", "status": 304, "headers": fields})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await send_text(send, status, reason(status))


async def _send_range_error(send: Send, error: RangeError, size: int) -> None:
    fields = [(b"content-range", unsatisfied_range(size))] if error.status == 416 else []
    await send_text(send, error.status, str(error), fields)


async def send_text(send: Send, status: int, text: str, fields: Iterable[Pair] = ()) -> None:
    """Send a short text as the whole response."""
    body = text.encode()
    length = (b"content-length", b"%d" % len(body))
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [*fields, length, kind]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
