"""Requests of one connection: one that is repeated, as most are, is checked once."""

from portico.codec.events import Fault, Request
from portico.codec.http2.decoder import HeaderDecoder
from portico.codec.http2.messages import read_request
from portico.codec.http2.tables import Field
from portico.codec.limits import Limits


class RequestReader:
    """Turn the lists of a HeaderDecoder into requests."""

    __slots__ = ("decoder", "ended", "fields", "request")

    def __init__(self, decoder: HeaderDecoder) -> None:
        self.decoder = decoder
        # The last list that came twice, which is the same object then, and its request, which nobody else has.
        self.fields: list[Field] | None = None
        self.request = Request()
        self.ended = False

    def read(self, fields: list[Field], ended: bool, limits: Limits) -> Request | str | Fault:
        """Return the request that the list holds, as `read_request` does; the limits are those of the connection."""
        if fields is self.fields and ended == self.ended:
            return self.request.copy()
        request = read_request(fields, ended, limits)
        if self.decoder.repeated and type(request) is Request:
            self.fields = fields
            self.ended = ended
            self.request = request.copy()
        return request
