"""The fields that the server adds to every response, in every version of HTTP."""

HSTS = b"strict-transport-security"


class Defaults:
    """The fields that the server adds to every response, ready to be written."""

    __slots__ = ("date", "extra", "hsts", "lines", "pairs", "server")

    def __init__(self, server: bytes, extra: bytes, date: bytes = b"", hsts: bytes = b"") -> None:
        self.server = server  # `server: portico\r\n`, or empty
        self.extra = extra  # configured fields, as lines
        self.hsts = hsts  # `strict-transport-security: ...\r\n`, or empty
        self.date = date
        self.lines = b""  # all of them, for HTTP/1
        self.pairs: list[tuple[bytes, bytes]] = []  # all of them, for HTTP/2
        self.set_date(date)

    def set_date(self, date: bytes) -> None:
        """Take the `date: ...` line of this second, or nothing where no date is sent."""
        self.date = date
        self.lines = date + self.server + self.hsts + self.extra
        self.pairs = []
        for line in self.lines.split(b"\r\n"):
            name, separator, value = line.partition(b": ")
            if separator:
                self.pairs.append((name, value))

    def pairs_without(self, date: bool, server: bool, hsts: bool) -> list[tuple[bytes, bytes]]:
        """Return the fields, for HTTP/2, but for those that the application has sent itself."""
        own = [name for name, is_own in ((b"date", date), (b"server", server), (HSTS, hsts)) if is_own]
        return [pair for pair in self.pairs if pair[0] not in own]
