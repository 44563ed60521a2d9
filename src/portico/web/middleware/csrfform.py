"""One field of a form, read ahead of the endpoint, which still gets the whole body."""

from collections import deque
from collections.abc import Awaitable, Callable

from portico.asgi import Message, Receive, Scope
from portico.codec.events import Fault
from portico.codec.urlencoded import Limits, UrlencodedReader
from portico.http.media_types import parse_media_type
from portico.web.middleware.taken import taken_before

Feed = Callable[[bytes, bool], str | None]


class ReadAhead:
    """A `receive` that gives first the messages that were read ahead, then those that come."""

    __slots__ = ("__wrapped__", "messages")

    def __init__(self, receive: Receive) -> None:
        self.__wrapped__ = receive  # the body is passed on as it is
        self.messages: deque[Message] = deque()

    def __call__(self) -> Awaitable[Message]:
        return self._again() if self.messages else self.__wrapped__()

    async def _again(self) -> Message:
        return self.messages.popleft()

    async def find_field(self, scope: Scope, content_type: str, name: str, max_size: int) -> str | None:
        """Return the field of the form, or None if the first `max_size` bytes have none or the body is no form."""
        feed = _reader(content_type, name, max_size)
        if feed is None:
            return None
        known = taken_before(scope, self.__wrapped__)
        size = 0
        while size < max_size:
            if known:
                message = known.pop(0)
            else:
                message = await self.__wrapped__()
                self.messages.append(message)
                if message["type"] != "http.request":
                    return None
            body = message.get("body", b"")
            size += len(body)
            last = not message.get("more_body", False)
            value = feed(body, last)
            if value is not None or last:
                return value
        return None


def _reader(content_type: str, name: str, max_size: int) -> Feed | None:
    kind, parameters = parse_media_type(content_type)
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(name, max_size)
    if kind == "multipart/form-data" and parameters.get("boundary"):
        return _multipart(parameters["boundary"], name)
    return None


def _urlencoded(name: str, max_size: int) -> Feed:
    reader = UrlencodedReader(Limits(field=max_size))

    def feed(data: bytes, last: bool) -> str | None:
        events = reader.feed(data)
        if last:
            events = [*events, *reader.finish()]
        for event in events:
            if not isinstance(event, Fault) and event[0] == name:
                return event[1]
        return None

    return feed


def _multipart(boundary: str, name: str) -> Feed:
    from portico.codec.multipart import PART_END, Limits, MultipartReader, Part  # imports what few programs need

    reader = MultipartReader(boundary, Limits())
    value: bytearray | None = None

    def feed(data: bytes, last: bool) -> str | None:
        nonlocal value
        for event in reader.feed(data):
            if isinstance(event, Part):
                value = bytearray() if event.name == name and event.filename is None else None
            elif event is PART_END:
                if value is not None:
                    return value.decode("latin-1")
            elif isinstance(event, bytes | bytearray) and value is not None:
                value += event
        return None

    return feed
