"""The tables of header compression (RFC 7541 §2.3): one that everybody has, and one that a connection fills."""

Field = tuple[bytes, bytes]

DEFAULT_SIZE = 4096  # before anything is agreed on (RFC 9113 §6.5.2)

# Appendix A; indices begin with 1.
STATIC: tuple[Field, ...] = (
    (b"", b""),
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)
STATIC_LAST = len(STATIC) - 1


def entry_size(field: Field) -> int:
    """Return what a field counts in a table or a list (§4.1)."""
    name, value = field
    return len(name) + len(value) + 32


class DynamicTable:
    """Fields of earlier blocks, the newest last; the oldest leave where room is needed (§2.3.2, §4)."""

    __slots__ = ("entries", "max_size", "size")

    def __init__(self, max_size: int) -> None:
        self.entries: list[Field] = []
        self.size = 0
        self.max_size = max_size

    def add(self, field: Field) -> None:
        """Take a field; one that is larger than the table empties it (§4.4)."""
        size = entry_size(field)
        if self.size + size > self.max_size:
            self._evict(size)
        if size <= self.max_size:
            self.entries.append(field)
            self.size += size

    def resize(self, max_size: int) -> None:
        """Change how large the table may be (§4.3)."""
        self.max_size = max_size
        self._evict(0)

    def _evict(self, room: int) -> None:
        """Drop the oldest fields until there is room for so much, or nothing is left."""
        count = 0
        entries = self.entries
        while count < len(entries) and self.size + room > self.max_size:
            self.size -= entry_size(entries[count])
            count += 1
        if count:
            self._forget(count)
            del entries[:count]

    def _forget(self, count: int) -> None:
        """Take note that so many of the oldest fields leave."""
