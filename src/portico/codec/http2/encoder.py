"""Header blocks of responses, encoded (RFC 7541 §6).

A field that was sent before is one look-up and one octet. One that is new is written out, and kept for the next time
unless its name says that it will hardly come again, or that it is nobody else's business.
"""

from portico.codec.http2.huffman import encode_into, encoded_size
from portico.codec.http2.tables import DEFAULT_SIZE, STATIC, STATIC_LAST, DynamicTable, Field, entry_size

# First octets of a literal field: kept for later (§6.2.1), not kept (§6.2.2), never to be kept by anybody (§6.2.3).
KEPT, PASSING, NEVER = 0x40, 0x00, 0x10
# What is another one nearly each time would only push out what is not.
CHANGING = (
    b"age content-length content-range etag if-modified-since if-none-match last-modified location :path x-request-id "
    b"traceparent"
).split()
# Credentials: never kept, so that nobody can find them out by how well a guess compresses (§7.1.3).
SECRET = b"authentication-info authorization cookie proxy-authorization set-cookie x-csrf-token".split()

SPACE = 512  # octets that a connection has at first to write blocks in
MAX_KEPT = 2048  # octets of room, and of the last block, that it keeps
MARGIN = 16  # what any two integers need

COMPILED = not __file__.endswith(".py")
STATUSES = {int(STATIC[index][1]): 0x80 | index for index in range(8, 15)}


def _learn_names() -> dict[bytes, tuple[int, int]]:
    """Return what is known of names: their index in the static table, or 0, and how their fields are written."""
    kinds = dict.fromkeys(CHANGING, PASSING) | dict.fromkeys(SECRET, NEVER)
    names = {name: (0, kind) for name, kind in kinds.items()}
    for index in range(STATIC_LAST, 0, -1):
        name = STATIC[index][0]
        names[name] = (index, kinds.get(name, KEPT))
    return names


NAMES = _learn_names()
UNKNOWN = (0, KEPT)


class SentTable(DynamicTable):
    """The table of what the peer was sent, which finds an entry by its field or its name.

    Entries are numbered as they come, from 0: their index changes with each one that follows.
    """

    __slots__ = ("count", "names", "numbers")

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.count = 0  # of all that were ever added
        self.numbers: dict[Field, int] = {}
        self.names: dict[bytes, int] = {}

    def keep(self, field: Field) -> None:
        """Add a field that is not there and has room in the table."""
        self.add(field)
        self.numbers[field] = self.count
        self.names[field[0]] = self.count
        self.count += 1

    def _forget(self, count: int) -> None:
        names = self.names
        number = self.count - len(self.entries)
        for field in self.entries[:count]:
            del self.numbers[field]
            if names[field[0]] == number:
                del names[field[0]]
            number += 1


class HeaderEncoder:
    """Encode the header blocks of one direction of a connection, which have to be sent in the order they were made."""

    __slots__ = ("block", "fields", "max_table_size", "position", "smallest", "space", "status", "table")

    def __init__(self, max_table_size: int = DEFAULT_SIZE) -> None:
        self.max_table_size = max_table_size  # ours; the peer may want less
        self.table = SentTable(min(max_table_size, DEFAULT_SIZE))
        # The least size since the last block, of which the next one has to tell; -1: it has not changed.
        self.smallest = -1
        self.space = bytearray(SPACE)
        self.position = 0
        # The last block, where it would be the same again; status and fields that it was made of.
        self.block = b""
        self.status = 0
        self.fields: list[Field] | None = None

    def resize(self, size: int) -> None:
        """Take the peer's SETTINGS_HEADER_TABLE_SIZE: what it holds for us at most."""
        size = min(size, self.max_table_size)
        if size == self.table.max_size:
            return
        self.table.resize(size)
        self.fields = None
        self.smallest = size if self.smallest < 0 else min(size, self.smallest)

    def encode(self, status: int, fields: list[Field]) -> bytes:
        """Return the block of a response: its status and its fields, whose names are lower-case."""
        if status == self.status and self.fields is not None and fields == self.fields:
            return self.block
        count = self.table.count if self.smallest < 0 else -1
        self.position = 0
        if self.smallest >= 0:
            self._write_size_updates()
        octet = 0x88 if status == 200 else STATUSES.get(status, 0)
        if octet:
            target = self.space
            target[self.position] = octet
            self.position += 1
        else:
            self._write_fields([(b":status", b"%d" % status)])
        block = self._write_fields(fields)
        if self.table.count == count and len(block) <= MAX_KEPT:
            self.fields = fields[:]
            self.status = status
            self.block = block
        return block

    def encode_fields(self, fields: list[Field]) -> bytes:
        """Return the block of fields without a status, as trailers are."""
        self.position = 0
        if self.smallest >= 0:
            self._write_size_updates()
        return self._write_fields(fields)

    def _write_size_updates(self) -> None:
        """Tell of a change of the table's size (§4.2), and where it was smaller in between, of that first."""
        if self.smallest < self.table.max_size:
            self._write_integer(0x20, 0x1F, self.smallest)
        self._write_integer(0x20, 0x1F, self.table.max_size)
        self.smallest = -1

    def _write_fields(self, fields: list[Field]) -> bytes:
        """Write the fields and return the block so far."""
        table = self.table
        entries = table.entries
        numbers = table.numbers
        names = table.names
        count = table.count
        target = self.space
        room = len(self.space) - MARGIN
        position = self.position
        for field in fields:
            name, value = field
            number = names.get(name)
            if number is not None:
                index = count - number
                sent = entries[len(entries) - index][1]
                if sent != value:
                    number = numbers.get(field)
                    if number is not None:
                        index = count - number
            if number is None:
                self.position = position
                self._write_literal(field)
                count = table.count
            elif index + STATIC_LAST < 0x7F and position < room:
                target[position] = 0x80 | (index + STATIC_LAST)
                position += 1
                continue
            else:
                self.position = position
                self._reserve(0)
                self._write_integer(0x80, 0x7F, index + STATIC_LAST)
            position = self.position
            target = self.space
            room = len(self.space) - MARGIN
        self.position = position
        block: bytes = target[:position] if COMPILED else bytes(target[:position])  # type: ignore[assignment]
        if room > MAX_KEPT:
            self.space = bytearray(SPACE)
        return block

    def _reserve(self, size: int) -> None:
        """Make room for so many octets and the integers that come with them."""
        missing = self.position + size + 2 * MARGIN - len(self.space)
        if missing > 0:
            self.space.extend(bytes(missing + len(self.space)))

    def _write_literal(self, field: Field) -> None:
        name, value = field
        table = self.table
        size = entry_size(field)
        self._reserve(size)
        index, kind = NAMES.get(name, UNKNOWN)
        if index == 0:
            number = table.names.get(name)
            if number is not None:
                index = STATIC_LAST + table.count - number
        if kind == KEPT and size * 4 > table.max_size * 3:
            kind = PASSING  # it would push out nearly everything
        self._write_integer(kind, 0x3F if kind == KEPT else 0x0F, index)
        if index == 0:
            self._write_string(name)
        self._write_string(value)
        if kind == KEPT:
            table.keep(field)
            self.fields = None

    def _write_string(self, string: bytes) -> None:
        """Write a string, in Huffman's code where that is shorter (§5.2)."""
        size = encoded_size(string)
        if size < len(string):
            self._write_integer(0x80, 0x7F, size)
            self.position = encode_into(self.space, self.position, string)
            return
        size = len(string)
        self._write_integer(0, 0x7F, size)
        if size < 64:
            target = self.space
            at = self.position
            octets = string
            for each in range(size):
                target[at + each] = octets[each]
        else:
            self.space[self.position : self.position + size] = string
        self.position += size

    def _write_integer(self, kind: int, mask: int, value: int) -> None:
        """Write an integer into the prefix that the mask leaves it, and as many octets as it needs (§5.1)."""
        target = self.space
        at = self.position
        if value < mask:
            target[at] = kind | value
        else:
            target[at] = kind | mask
            at += 1
            value -= mask
            while value >= 0x80:
                target[at] = (value & 0x7F) | 0x80
                at += 1
                value >>= 7
            target[at] = value
        self.position = at + 1
