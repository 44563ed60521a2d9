"""One request to an application and its response, in the running event loop, without a socket.

`run()` takes the whole response. `start()` and `next_chunk()` take it piece by piece: the application's `send` then
waits until the test has taken the chunk, and `close()` leaves, which the application sees as a client that has gone.
"""

import asyncio
from typing import Any

from portico.asgi import ASGIApp, ClientDisconnected, Message, MessageError
from portico.testing.bodies import RequestBody
from portico.testing.leaving import Bell, ended, is_from_leaving

FILE_CHUNK_BYTES = 65536


class ProtocolViolation(MessageError, AssertionError):
    """The application sent what ASGI does not allow there. An AssertionError, because it is a test that has failed."""


class Exchange:
    """Drive one application through one HTTP request.

    Args:
        app: The application.
        scope: The request's scope.
        body: The request's body.
    """

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: RequestBody) -> None:
        self.app = app
        self.scope = scope
        self.status = 0  # until the response has started
        self.headers: list[tuple[bytes, bytes]] = []
        self.extensions: dict[str, Any] = {}  # what the application sent besides head and body
        self.chunks: list[bytes] = []
        self.error: BaseException | None = None
        self._body = body
        self._bell = Bell()
        self._task: asyncio.Task[None] | None = None
        self._chunk: bytes | None = None  # offered to the test, not taken yet
        self._trailers = False  # announced
        self._body_ended = False
        self._over = False  # the response is complete, or the test has left
        self._left = False
        self._told = False
        self._no_body = scope["method"] == "HEAD"

    # What the test does

    async def run(self) -> None:
        """Let the application answer the request and end; its whole response is in `status`, `headers`, `chunks`."""
        try:
            await self.app(self.scope, self._receive, self._send)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.error = error
        except BaseException as error:
            self.error = error
        finally:
            self._over = True
            await self._body.abandon()
            self._bell.ring()

    async def run_apart(self) -> None:
        """Run in a task of its own, so that the application's context variables and cancel scopes stay its own."""
        await asyncio.create_task(self.run(), name="portico-exchange")

    async def start(self) -> None:
        """Run the application until its response starts, or until it has ended without one."""
        task = self._task = asyncio.create_task(self.run(), name="portico-exchange")
        task.add_done_callback(lambda _: self._bell.ring())
        try:
            while not self.status and not task.done():
                await self._ring()
        except asyncio.CancelledError:
            await self.abort()
            raise

    async def next_chunk(self) -> bytes | None:
        """Return the next piece of the response's body that is not empty, or None after the last."""
        task = self._task
        assert task is not None
        while True:
            while (chunk := self._chunk) is None:
                if task.done() or self._over:
                    return None
                await self._ring()
            self._chunk = None
            if self._body_ended and not self._trailers:
                self._over = True
            self._bell.ring()
            if chunk and not self._no_body:
                return chunk

    async def close(self) -> None:
        """Leave a response that is not complete; wait for an application that is only busy after it."""
        task = self._task
        assert task is not None
        if self._over:
            await asyncio.wait((task,))
        else:
            await self.abort()

    async def abort(self) -> None:
        """Leave, whatever the application is doing; it has a moment to end, and is cancelled then."""
        assert self._task is not None
        self._over = self._left = True
        self._bell.ring()
        await ended(self._task, lambda: self._told)

    def take_error(self) -> BaseException | None:
        """Return what the application raised, once, unless it was the test's leaving that made it fail."""
        error, self.error = self.error, None
        if error is None or (self._left and (isinstance(error, asyncio.CancelledError) or is_from_leaving(error))):
            return None
        return error

    # What the application does

    async def _receive(self) -> Message:
        body = self._body
        while not body.complete and not self._over:
            if body.whole is not None:
                return body.take()
            step = body.read()
            await asyncio.wait((step, self._bell.next_ring()), return_when=asyncio.FIRST_COMPLETED)
            if step.done() and step is body.read():
                return body.take()
        while not self._over:
            await self._bell.next_ring()
        self._told = True
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if self._left:
            self._told = True
            raise ClientDisconnected("the test has left the response")
        kind = message["type"]
        if kind == "http.response.body":
            if self._body_ended or not self.status:
                when = "after body completed" if self._body_ended else "before 'http.response.start'"
                raise ProtocolViolation(f"{kind!r} was sent {when}")
            body = message.get("body", b"")
            if not isinstance(body, (bytes, bytearray, memoryview)):
                raise ProtocolViolation(f"{kind!r}: 'body' must be bytes, not {type(body).__name__}")
            await self._put(bytes(body), not message.get("more_body", False))
        elif kind == "http.response.start":
            self._start(message)
        elif kind == "http.response.trailers":
            self._add_trailers(message)
        elif kind == "http.response.pathsend" and kind in self.scope["extensions"]:
            await self._send_file(message)
        elif kind == "http.response.debug":
            self.extensions[kind] = message["info"]
        elif kind == "http.response.early_hint":
            self.extensions.setdefault(kind, []).extend(message["links"])
        elif kind in self.scope["extensions"]:  # such as 'http.response.push', where a test has put it there
            self.extensions.setdefault(kind, []).append(message)
        else:
            raise ProtocolViolation(f"{kind!r} is no message that an application may send here")

    def _start(self, message: Message) -> None:
        if self.status:
            raise ProtocolViolation("'http.response.start' was sent twice")
        status = message["status"]
        if not isinstance(status, int) or not 100 <= status <= 999:
            raise ProtocolViolation(f"'http.response.start': 'status' must be an int from 100 to 999, not {status!r}")
        for name, value in message.get("headers", ()):
            if not isinstance(name, bytes) or not isinstance(value, bytes):
                raise ProtocolViolation(f"'http.response.start': headers must be bytes, not {name!r}: {value!r}")
            self.headers.append((name, value))
        self._trailers = message.get("trailers", False)
        if self._trailers:
            self.extensions["http.response.trailers"] = []
        self.status = status
        self._bell.ring()

    async def _put(self, chunk: bytes, last: bool) -> None:
        if self._task is None:
            if not self._no_body:
                self.chunks.append(chunk)
            self._body_ended = last
            if not last:
                await asyncio.sleep(0)  # whoever only sends has to let timeouts and other tasks have their turn
            elif not self._trailers:
                self._over = True
                self._bell.ring()
            return
        while self._chunk is not None and not self._left:  # another task's
            await self._ring()
        self._chunk = chunk
        self._body_ended = last
        self._bell.ring()
        while self._chunk is chunk and not self._left:
            await self._ring()
        if self._left:
            self._told = True
            raise ClientDisconnected("the test has left the response")

    def _add_trailers(self, message: Message) -> None:
        kind = "http.response.trailers"
        if not self._trailers:
            raise ProtocolViolation(f"{kind!r} was sent without declaring trailers in 'http.response.start'")
        if not self._body_ended:
            raise ProtocolViolation(f"{kind!r} was sent before body completed")
        if self._over:
            raise ProtocolViolation(f"{kind!r} was sent after response completed")
        self.extensions[kind].extend(message.get("headers", ()))
        if not message.get("more_trailers", False):
            self._over = True
            self._bell.ring()

    async def _send_file(self, message: Message) -> None:
        if self._body_ended or not self.status:
            raise ProtocolViolation("'http.response.pathsend' was sent where 'http.response.body' is not allowed")
        path = message["path"]
        self.extensions["http.response.pathsend"] = path
        in_thread = asyncio.get_running_loop().run_in_executor
        file = await in_thread(None, open, path, "rb")
        try:
            while chunk := await in_thread(None, file.read, FILE_CHUNK_BYTES):
                await self._put(chunk, False)
        finally:
            await in_thread(None, file.close)
        await self._put(b"", True)

    async def _ring(self) -> None:
        await self._bell.next_ring()
