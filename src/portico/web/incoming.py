"""What a request's body has given so far, kept in its scope so that everybody who handles the request can have it.

`receive()` gives each message once. A middleware that reads the body, or that looks whether the client is still there,
takes messages away from the endpoint behind it; so what was taken is noted, with the `receive` that it came from.

Whoever has that `receive`, or an object around it that passes the body on as it is, is served from the note first. Such
an object has the `receive` as its attribute `__wrapped__`; a method `replayed(size_bytes)` of it, if there is one, is
told how much of the body was read before it came.
"""

import types
import weakref
from asyncio import CancelledError, Event
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from portico.asgi import Message, Receive, Scope

if TYPE_CHECKING:
    from portico.web.datastructures import FormData

SCOPE_KEY = "portico.incoming"
# How many times a `receive()` that only lets others run, as `sleep(0)` does, is gone on with.
MOST_ROUNDS = 4
MESSAGE_BYTES = 256  # what a message takes besides its body
FUNCTIONS = frozenset((types.FunctionType, types.MethodType, types.BuiltinMethodType))


class Incoming:
    """What was read of one body: through its source, a `receive`, or through what passes that on."""

    # Made for each body that is read: what most of them do not change is set here.
    pending: "deque[Message] | tuple[()]" = ()  # taken, but not read yet
    held_bytes = 0  # in `pending`, about
    size_bytes = 0  # that were taken
    complete = False  # the last message has been taken
    reading = False  # somebody waits for the next message
    ended = False  # all of it has been read
    disconnected = False
    body: bytes | None = None  # where it was read as a whole
    completed: Event | None = None  # set when the last message has been taken, if somebody waits for that
    form: "FormData | None" = None

    def __init__(self, source: Receive) -> None:
        # The server's `receive` knows the scope, which has this: a strong reference would keep every body until the
        # garbage collector runs. Whoever asks has the source, so it is alive.
        self.function: Callable[..., Any] | None = None
        self.owner: Callable[[], object]
        if type(source) is types.MethodType:  # made anew each time that it is looked up
            try:
                self.owner = weakref.ref(source.__self__)
                self.function = source.__func__
                return
            except TypeError:
                pass
        try:
            self.owner = weakref.ref(source)
        except TypeError:
            self.owner = lambda: source

    def came_from(self, source: Receive) -> bool:
        """Tell whether it was read from this source."""
        if self.function is not None:
            return (
                type(source) is types.MethodType
                and source.__func__ is self.function
                and source.__self__ is self.owner()
            )
        return self.owner() is source

    def take(self, message: Message) -> bytes:
        """Note a message of the body that was just received; return what it has of it."""
        body: bytes = message.get("body", b"")
        self.size_bytes += len(body)
        if not message.get("more_body", False):
            self.complete = True
            if self.completed is not None:
                self.completed.set()
        return body

    def hold(self, message: Message) -> None:
        """Keep a message of the body that was just received for the next reader."""
        self.held_bytes += MESSAGE_BYTES + len(self.take(message))
        if not isinstance(self.pending, deque):
            self.pending = deque()
        self.pending.append(message)

    def release(self) -> Message:
        """Return the oldest message that was kept."""
        assert isinstance(self.pending, deque), "nothing was held"
        message = self.pending.popleft()
        self.held_bytes -= MESSAGE_BYTES + len(message.get("body", b""))
        return message


def find(scope: Scope, receive: Receive) -> Incoming | None:
    """Return what was noted in the scope, if it came from the source that `receive` is or passes on."""
    noted: Incoming | None = scope.get(SCOPE_KEY)
    if noted is None or noted.came_from(receive):
        return noted
    if not noted.came_from(source_of(receive)):
        return None
    link: Any = receive
    while link is not None:
        replayed = getattr(link, "replayed", None)
        if replayed is not None:
            replayed(noted.size_bytes)
        link = wrapped_by(link)
    return noted


def find_or_note(scope: Scope, receive: Receive) -> Incoming:
    """Return what was noted in the scope for `receive`; note that reading begins, if there is nothing."""
    noted = find(scope, receive)
    if noted is None:
        noted = scope[SCOPE_KEY] = Incoming(source_of(receive))
    return noted


def source_of(receive: Receive) -> Receive:
    """Return what `receive` passes on in the end, which may be itself."""
    while (inner := wrapped_by(receive)) is not None:
        receive = inner
    return receive


def wrapped_by(receive: Receive) -> Receive | None:
    """Return what `receive` says that it passes on.

    A function passes nothing on: one made with `functools.wraps` does not say what it does to the body.
    """
    return None if type(receive) in FUNCTIONS else getattr(receive, "__wrapped__", None)


class Replay:
    """A `receive` that gives what was kept before it goes on with the one that it wraps."""

    __slots__ = ("__wrapped__", "noted")

    def __init__(self, receive: Receive, noted: Incoming) -> None:
        self.__wrapped__ = receive
        self.noted = noted

    async def __call__(self) -> Message:
        return self.noted.release() if self.noted.pending else await self.__wrapped__()


class Disconnect:
    """A `receive` for who waits for the end of the connection: the messages of the body are left to its reader.

    It begins to receive when the body is complete, or at once where the request has none. So who never reads the body
    that comes is not told.
    """

    __slots__ = ("bodiless", "noted", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.noted = find_or_note(scope, receive)
        self.receive = receive
        self.bodiless = not _may_have_body(scope)

    async def __call__(self) -> Message:
        noted = self.noted
        if not noted.complete and not self.bodiless:
            if noted.completed is None:
                noted.completed = Event()
            await noted.completed.wait()
        message = await self.receive()
        if message["type"] == "http.request" and not noted.complete:
            noted.hold(message)
        return message


def _may_have_body(scope: Scope) -> bool:
    """Tell whether the request may have a body (RFC 9112 section 6.3); from HTTP/2 on it need not say so."""
    for name, value in scope.get("headers", ()):
        if name == b"content-length":
            return bool(value.strip(b"0 "))
        if name == b"transfer-encoding":
            return True
    return scope.get("http_version", "1.1") >= "2" and scope.get("method") not in ("GET", "HEAD")


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
