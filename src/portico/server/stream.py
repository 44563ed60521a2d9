"""What an exchange or a session writes to: one subclass for each HTTP version.

A stream carries one response at a time, or, once it was upgraded, the bytes of a WebSocket in both directions.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from portico.asgi import ClientDisconnected
from portico.server.deadlines import NEVER
from portico.server.service import Service

if TYPE_CHECKING:
    from portico.server.session import Session


class Stream:
    """The peer's end of a response, with backpressure and a deadline."""

    __slots__ = ("deadline", "paused", "scheduled", "service", "slot", "waiters")

    def __init__(self, service: Service) -> None:
        self.service = service
        self.paused = False  # more than enough is waiting to be written
        self.waiters: list[asyncio.Future[None]] | None = None
        self.deadline = NEVER
        self.scheduled = NEVER  # when the wheel looks next
        self.slot = -1

    # A response

    def start_response(self, status: int, headers: Any) -> int:
        """Check and keep the head; return the declared length of the body, -1 where there is none."""
        raise AssertionError

    def write_body(self, data: bytes, more: bool, first: bool, trailers: bool) -> None:
        """Write a piece of the body, the first one together with the head."""
        raise AssertionError

    def write_trailers(self, fields: list[tuple[bytes, bytes]]) -> None:
        """End the body with trailers."""
        raise AssertionError

    def write_early_hints(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Write a 103 response."""
        raise AssertionError

    def write_file(self, file: int, offset: int, count: int, more: bool, first: bool) -> Any:
        """Write a piece of the body out of a file, and return a coroutine that waits until it has gone."""
        raise AssertionError

    def want_body(self) -> None:
        """The application waits for the body."""
        raise AssertionError

    def body_taken(self, size: int) -> None:
        """The application has taken so many bytes of the body."""

    def end_response(self) -> None:
        """The response is complete."""
        raise AssertionError

    def cut(self) -> None:
        """Break off, so that the client sees that the response is not whole."""
        raise AssertionError

    def answer_error(self, status: int, text: str) -> None:
        """Answer in the application's place and close."""
        raise AssertionError

    # A tunnel

    def upgrade(self, session: "Session", key: bytes, headers: Any) -> bytes:
        """Answer that the protocol is switched, with these fields; the session gets whatever comes from now on.

        Returns the bytes that have come already. Raises FieldError where a field cannot be sent.
        """
        raise AssertionError

    def write(self, head: bytes, payload: bytes) -> None:
        """Write a frame; a large payload is not copied."""
        raise AssertionError

    def pause_reading(self) -> None:
        """Have the peer stop sending, after what is on its way."""
        raise AssertionError

    def resume_reading(self) -> None:
        """Read again."""
        raise AssertionError

    def finish(self) -> None:
        """Close in order: nothing more is written, what still comes is dropped."""
        raise AssertionError

    def abort(self) -> None:
        """Close at once."""
        raise AssertionError

    # Backpressure

    def is_lost(self) -> bool:
        """Tell whether nothing can be written any more."""
        raise AssertionError

    async def drain(self) -> None:
        """Wait until more may be written; raises ClientDisconnected when the peer goes."""
        while self.paused and not self.is_lost():
            await self.wait_writable()
        if self.is_lost():
            raise ClientDisconnected("the client has disconnected")

    def wait_writable(self) -> "asyncio.Future[None]":
        """Return a future that is done when writing may go on or the peer has gone."""
        future: asyncio.Future[None] = self.service.loop.create_future()
        if self.waiters is None:
            self.waiters = [future]
        else:
            self.waiters.append(future)
        return future

    def wake_writers(self) -> None:
        """Let everybody who waits to write look again."""
        waiters = self.waiters
        if waiters is not None:
            self.waiters = None
            for future in waiters:
                if not future.done():
                    future.set_result(None)

    # Deadlines

    def set_deadline(self, deadline: float) -> None:
        """Have `expire` called at the deadline, unless a later one is set before; NEVER has it called no more."""
        self.deadline = deadline
        if deadline < self.scheduled:
            self.scheduled = deadline
            self.service.deadlines.schedule(self, deadline)

    def check_deadline(self, now: float) -> float:
        """Act on a deadline that has passed; return the next one."""
        self.scheduled = NEVER
        if self.deadline <= now:
            self.deadline = NEVER
            self.expire(now)
        if self.is_lost():
            return NEVER
        self.scheduled = min(self.scheduled, self.deadline)
        return self.deadline

    def expire(self, now: float) -> None:
        """The peer has not done in time what it had to."""
        raise AssertionError
