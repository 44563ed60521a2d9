"""What a request's body has given so far, kept in its scope so that everybody who handles the request can have it.

`receive()` gives each message once. A middleware that reads the body, or that looks whether the client is still there,
takes messages away from the endpoint behind it; so what was taken is noted, with the `receive` that it was taken from.
Whoever has that `receive`, or one that wraps it and passes the body on as it is, is served from the note first.
A wrapper says so by an attribute `__wrapped__`; if it has a method `replayed`, it is shown the messages that it missed.
"""

import types
from asyncio import CancelledError
from collections.abc import Awaitable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from portico.asgi import Message, Receive, Scope

if TYPE_CHECKING:
    from portico.web.datastructures import FormData

SCOPE_KEY = "portico.incoming"
# How many times a `receive()` that only lets others run, as `sleep(0)` does, is gone on with.
MOST_ROUNDS = 4


class Incoming:
    """What was read of one body: by `receive` or by what that wraps."""

    __slots__ = ("body", "complete", "disconnected", "ended", "form", "held_bytes", "pending", "receive", "started")

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        self.pending: list[Message] = []  # taken, but not read yet
        self.held_bytes = 0  # in `pending`
        self.complete = False  # the last message has been taken
        self.started = False  # a part of the body has been read
        self.ended = False  # all of it has been read
        self.disconnected = False
        self.body: bytes | None = None  # where it was read as a whole
        self.form: FormData | None = None

    def hold(self, message: Message) -> None:
        """Keep a message of the body for the next reader."""
        self.pending.append(message)
        self.held_bytes += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)

    def release(self) -> Message:
        """Return the oldest message that was kept."""
        message = self.pending.pop(0)
        self.held_bytes -= len(message.get("body", b""))
        return message

    def missed(self) -> list[Message]:
        """Return what a reader would be given, as messages."""
        if self.body is not None:
            return [{"type": "http.request", "body": self.body, "more_body": False}]
        return self.pending


def find(scope: Scope, receive: Receive) -> Incoming | None:
    """Return what was noted in the scope, if it was read from the same source as `receive` reads from."""
    noted: Incoming | None = scope.get(SCOPE_KEY)
    if noted is None or noted.receive is receive:
        return noted
    passed: list[Any] = []
    for link in chain(receive):
        if link is noted.receive:
            for wrapper in passed:
                replayed = getattr(wrapper, "replayed", None)
                if replayed is not None:
                    for message in noted.missed():
                        replayed(message)
            noted.receive = receive  # so that they are not shown it again
            return noted
        passed.append(link)
    return noted if any(link is receive for link in chain(noted.receive)) else None


def find_or_note(scope: Scope, receive: Receive) -> Incoming:
    """Return what was noted in the scope for `receive`; note that reading begins, if there is nothing."""
    noted = find(scope, receive)
    if noted is None:
        noted = scope[SCOPE_KEY] = Incoming(receive)
    return noted


def chain(receive: Receive) -> Iterator[Any]:
    """Give `receive`, what it wraps, what that wraps and so on."""
    link: Any = receive
    while link is not None:
        yield link
        link = getattr(link, "__wrapped__", None)


class Replay:
    """A `receive` that gives what was kept before it goes on with the one that it wraps."""

    __slots__ = ("__wrapped__", "noted")

    def __init__(self, receive: Receive, noted: Incoming) -> None:
        self.__wrapped__ = receive
        self.noted = noted

    async def __call__(self) -> Message:
        return self.noted.release() if self.noted.pending else await self.__wrapped__()


@types.coroutine
def look(awaitable: Awaitable[Message]) -> Generator[Any, None, Message | None]:
    """Return what the awaitable gives if it gives it without waiting, else cancel it and return None.

    It is driven by hand, a step at a time, inside the running task: what it has to give is not lost, as it could be
    where a task is made for it and cancelled.
    """
    steps: Any = awaitable.__await__()
    waited_for = None
    for _ in range(MOST_ROUNDS):
        try:
            waited_for = next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        if waited_for is not None:
            break
        yield  # it lets others run, and goes on in the loop's next round
    return (yield from cancelled(steps, waited_for))


def cancelled(steps: Any, waited_for: Any) -> Generator[Any, None, Message | None]:
    """Cancel what waits, as `Task.cancel` does; return the message that it may give nevertheless."""
    if waited_for is not None and hasattr(waited_for, "cancel"):
        waited_for.cancel()
    if not hasattr(steps, "throw"):
        return None
    ours = CancelledError()
    error: BaseException | None = ours
    while True:
        try:
            waited_for = next(steps) if error is None else steps.throw(error)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        except CancelledError as stopped:
            if stopped is ours or error is None or error is ours:
                return None
            raise
        # It has something to wait for before it can end. What befalls this task meanwhile befalls it.
        error = None
        try:
            yield waited_for
        except GeneratorExit:
            steps.close()
            raise
        except BaseException as befallen:
            error = befallen
