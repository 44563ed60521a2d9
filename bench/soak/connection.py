"""A client's connection. A request on one of which the client cannot know that it is closed has to be answered."""

import asyncio
import re
import socket
from dataclasses import dataclass


class Wrong(Exception):
    """An answer came that should not have."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    closes: bool


class Connection:
    """One request after another; opened when it is needed, and again after the server has closed it."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.port = port
        self._receive_buffer = receive_buffer
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, *pieces: bytes, pause_s: float = 0) -> Answer:
        """Send the pieces of a request and return the whole answer; after each read of its body, wait.

        Raises:
            OSError, EOFError: where there was none.
        """
        before = self._writer
        await self.send(*pieces)
        assert self._reader is not None
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            which = "kept" if self._writer is before else "new"
            raise EOFError(f"a {which} connection was closed after {len(error.partial)} bytes of an answer") from None
        return await self._answer(head, pause_s)

    async def send(self, *pieces: bytes) -> None:
        """Send the pieces, over a new connection where there is none, or where its end has come already."""
        if self._reader is not None and self._reader.at_eof():
            self.abort()
        writer = self._writer or await self._open()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    async def read_some(self) -> None:
        """Wait until something has come of an answer."""
        assert self._reader is not None
        if not await self._reader.read(1):
            raise EOFError("closed before the answer")

    def abort(self) -> None:
        """Close, with a reset where something is on its way."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _open(self) -> asyncio.StreamWriter:
        sock = socket.socket()
        sock.setblocking(False)
        try:
            if self._receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_buffer)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
            self._reader, self._writer = await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
        return self._writer

    async def _answer(self, head: bytes, pause_s: float) -> Answer:
        lower = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            body = await self._chunks()
        else:
            length = re.search(rb"\r\ncontent-length: (\d+)\r\n", lower)
            body = await self._exactly(int(length[1]) if length else 0, pause_s)
        closes = b"\r\nconnection: close\r\n" in lower
        if closes:
            self.abort()
        return Answer(int(head[9:12]), body, closes)

    async def _chunks(self) -> bytes:
        assert self._reader is not None
        body = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            body += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return body

    async def _exactly(self, size: int, pause_s: float) -> bytes:
        assert self._reader is not None
        body = bytearray()
        while len(body) < size:
            piece = await self._reader.read(min(size - len(body), 1 << 16))
            if not piece:
                raise EOFError(f"{len(body)} bytes of {size} came")
            body += piece
            if pause_s:
                await asyncio.sleep(pause_s)
        return bytes(body)
