"""Requests of one connection: those that are like the one before, as most are, are checked once.

Fields that come out of a table are the same objects each time. Where a list has the objects of another one, but for its
`:path`, all that is left to be checked is the path.
"""

from portico.codec.events import Fault, Request
from portico.codec.http2.messages import read_request, read_target
from portico.codec.http2.tables import Field
from portico.codec.limits import Limits

MAX_KEPT = 8192  # size of a list, as RFC 9113 §6.5.2 counts it, that a connection keeps
OTHER, SAME = -2, -1
PATH = b":path"


class RequestReader:
    """Turn the lists of a HeaderDecoder into requests."""

    __slots__ = ("ended", "fields", "request")

    def __init__(self) -> None:
        # The last list, and once it was like the one before, its request: an object that nobody else has.
        self.fields: list[Field] = []
        self.ended = False
        self.request: Request | None = None

    def read(self, fields: list[Field], size: int, ended: bool, limits: Limits) -> Request | str | Fault:
        """Return the request that the list holds, as `read_request` does.

        Args:
            size: What the decoder says that the list has.
            limits: The same ones for each request.
        """
        place = self._compare(fields) if ended == self.ended else OTHER
        if place == OTHER:
            self.fields = fields if size <= MAX_KEPT else []
            self.ended = ended
            self.request = None
            return read_request(fields, ended, limits)
        kept = self.request
        if kept is None:
            request = read_request(fields, ended, limits)
            if type(request) is Request:
                self.fields = fields
                self.request = request.copy()
            return request
        if place >= 0:
            kept.query_string = b""
            refusal = read_target(kept, b"https", fields[place][1], limits)
            if refusal is not None:
                self.request = None
                return refusal
            self.fields = fields
        return kept.copy()

    def _compare(self, fields: list[Field]) -> int:
        """Return the place of the only field that is another object than in the list that is kept, and is a `:path`.

        SAME: there is none. OTHER: more is unlike.
        """
        kept = self.fields
        if fields is kept:
            return SAME
        if len(fields) != len(kept):
            return OTHER
        place = SAME
        for at in range(len(fields)):
            if fields[at] is not kept[at]:
                if place != SAME or fields[at][0] != PATH or kept[at][0] != PATH:
                    return OTHER
                place = at
        return place
