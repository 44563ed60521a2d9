"""How much of a request is read before it is refused, in every version of HTTP."""


class Limits:
    """How much of a request is read before it is refused."""

    __slots__ = ("body", "fields", "head", "line")

    def __init__(self, line: int = 8190, fields: int = 100, head: int = 32768, body: int = -1) -> None:
        self.line = line  # bytes of the request line: 414
        self.fields = fields  # number of header fields: 431
        self.head = head  # bytes of the header section: 431
        self.body = body  # bytes of the body: 413; -1: no limit
