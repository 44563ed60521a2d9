"""application/x-www-form-urlencoded (WHATWG URL §5): bytes in, fields out; every limit holds while parsing.

Only `&` separates fields, and the first `=` ends a name. What is kept between two feeds is the field that has begun.
"""

from urllib.parse import unquote_to_bytes

from portico.codec.events import Fault

PERCENT = ord("%")
PLUS = ord("+")

Field = tuple[str, str]


class Limits:
    """How much of a form is read before it is refused."""

    __slots__ = ("field", "fields", "form")

    def __init__(self, fields: float = 1000, field: int = 1024 * 1024, form: float = 16 * 1024 * 1024) -> None:
        self.fields = fields  # number of fields
        self.field = field  # bytes of a name and its value, as sent
        self.form = form  # bytes of the whole form


class UrlencodedReader:
    """Turn a body into fields. Where a `Fault` is among them it is the last, and every call after gives it again."""

    __slots__ = ("count", "fault", "left", "limits", "pending")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.count = 0
        self.left = limits.form  # bytes that may still come
        self.pending = bytearray()  # the field that has begun
        self.fault: Fault | None = None

    def feed(self, data: bytes) -> list[Field | Fault]:
        """Return the fields that end in the data."""
        if self.fault is not None:
            return [self.fault]
        events: list[Field | Fault] = []
        most = self.limits.field + 1  # the "=" does not count
        start = 0
        stop = int(min(len(data), self.left))
        self.left -= stop
        while (end := data.find(b"&", start, stop)) >= 0:
            if len(self.pending) + end - start > most:
                return self._refuse(events, self._too_large())
            raw: bytes | bytearray = data[start:end]
            start = end + 1
            if self.pending:
                self.pending += raw
                raw = self._take_pending()
            if raw and not self._add(events, raw):
                return events
        if len(self.pending) + stop - start > most:
            return self._refuse(events, self._too_large())
        if stop < len(data):
            return self._refuse(events, Fault(413, f"Form exceeded maximum size of {int(self.limits.form / 1024)}KB."))
        self.pending += data[start:]
        return events

    def finish(self) -> list[Field | Fault]:
        """Return the field that the end of the body ends, if there is one."""
        if self.fault is not None:
            return [self.fault]
        events: list[Field | Fault] = []
        if self.pending:
            self._add(events, self._take_pending())
        return events

    def _take_pending(self) -> bytearray:
        raw, self.pending = self.pending, bytearray()
        return raw

    def _add(self, events: list[Field | Fault], raw: bytes | bytearray) -> bool:
        name, _, value = raw.partition(b"=")
        if len(name) + len(value) > self.limits.field:
            self._refuse(events, self._too_large())
            return False
        self.count += 1
        if self.count > self.limits.fields:
            self._refuse(events, Fault(400, f"Too many fields. Maximum number of fields is {self.limits.fields}."))
            return False
        events.append((decode(name), decode(value)))
        return True

    def _too_large(self) -> Fault:
        return Fault(400, f"Field exceeded maximum size of {int(self.limits.field / 1024)}KB.")

    def _refuse(self, events: list[Field | Fault], fault: Fault) -> list[Field | Fault]:
        self.fault = fault
        self.pending.clear()
        events.append(fault)
        return events


def decode(raw: bytes | bytearray) -> str:
    """Return the text of a name or value; bytes that are not UTF-8 become U+FFFD."""
    if PLUS in raw:
        raw = raw.replace(b"+", b" ")
    if PERCENT in raw:
        raw = unquote_to_bytes(bytes(raw))
    return raw.decode("utf-8", "replace")
