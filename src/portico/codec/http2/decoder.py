"""Header blocks of one peer, decoded (RFC 7541 §3, §6).

Fields that the peer only points at are the tuples of the tables: nothing is made or copied for them.
"""

from portico.codec.http2.huffman import decode as decode_huffman
from portico.codec.http2.tables import DEFAULT_SIZE, STATIC, STATIC_LAST, DynamicTable, Field

# Integers are read up to four octets after the prefix, which is more than anything here can be (§5.1).
LAST_SHIFT = 21
MAX_KEPT = 2048  # octets of the last block, and of room for strings, that a connection keeps


class HeaderDecoder:
    """Decode the header blocks of one direction of a connection, each of which has to come here, in their order."""

    __slots__ = (
        "block",
        "end",
        "error",
        "fields",
        "limit",
        "max_table_size",
        "must_resize",
        "position",
        "size",
        "space",
        "table",
    )

    def __init__(self, max_table_size: int = DEFAULT_SIZE) -> None:
        self.table = DynamicTable(min(max_table_size, DEFAULT_SIZE))
        self.max_table_size = max_table_size  # what we allow the peer
        self.must_resize = False
        self.error = ""  # why the last block could not be decoded
        self.size = 0  # of the list in the last block, as RFC 9113 §6.5.2 counts it
        self.space = bytearray()  # where Huffman's code is decoded
        self.block = b""  # the last one
        self.limit = 0  # that it was decoded with
        self.fields: list[Field] | None = None  # of a block that would be decoded to the same again
        self.position = 0
        self.end = 0

    def resize(self, max_table_size: int) -> None:
        """Allow the peer another size of its table, once it has acknowledged the setting."""
        self.max_table_size = max_table_size
        self.fields = None
        # RFC 9113 §4.3.1: a block that follows on a reduction has to begin with a size update.
        self.must_resize = max_table_size < self.table.max_size

    def decode(self, block: bytes, limit: int) -> list[Field] | None:
        """Return the fields of a whole block; None where it is malformed, and `error` says why.

        Nobody may change the list: a block that repeats the one before, and leaves the table alone, gets the same.

        Args:
            limit: Octets, with 32 more for each field, above which further fields are dropped. They count in `size`.
        """
        if self.fields is not None and block == self.block and limit == self.limit:
            return self.fields
        octets = block
        end = len(block)
        position = 0
        total = 0
        repeatable = end <= MAX_KEPT
        fields: list[Field] = []
        table = self.table
        entries = table.entries
        self.block = block
        self.limit = limit
        self.end = end
        self.fields = None
        if end and self.must_resize and octets[0] & 0xE0 != 0x20:
            self.error = "no size update after the table was made smaller"
            return None
        while position < end:
            octet = octets[position]
            if octet & 0x80:  # §6.1
                index = octet & 0x7F
                position += 1
                if index == 0x7F:
                    self.position = position - 1
                    index = self._read_integer(0x7F)
                    position = self.position
                if index > STATIC_LAST:
                    place = len(entries) + STATIC_LAST - index
                    if place < 0:
                        self.error = "index of no field"
                        return None
                    field = entries[place]
                elif index > 0:
                    field = STATIC[index]
                else:
                    self.error = "index of no field" if index == 0 else "malformed integer"
                    return None
            elif octet & 0xE0 == 0x20:  # §6.3
                self.position = position
                if total:
                    self.error = "size update amid the block"
                    return None
                if not self._read_size_update():
                    return None
                repeatable = False
                position = self.position
                continue
            else:
                self.position = position
                literal = self._read_literal(0x3F if octet & 0x40 else 0x0F)
                if literal is None:
                    return None
                field = literal
                position = self.position
                if octet & 0x40:
                    table.add(field)
                    repeatable = False
            name, value = field
            total += len(name) + len(value) + 32
            if total <= limit:
                fields.append(field)
        self.size = total
        if repeatable:
            self.fields = fields
        else:
            self.block = b""
        return fields

    def _read_size_update(self) -> bool:
        size = self._read_integer(0x1F)
        if size < 0 or size > self.max_table_size:
            self.error = "malformed integer" if size < 0 else "table is made larger than allowed"
            return False
        self.table.resize(size)
        self.must_resize = False
        return True

    def _read_literal(self, mask: int) -> Field | None:
        """Read a field that is spelt out (§6.2), but for its name perhaps; None where it is malformed."""
        index = self._read_integer(mask)
        if index < 0:
            self.error = "malformed integer"
            return None
        if index == 0:
            name = self._read_string()
            if name is None:
                return None
        elif index <= STATIC_LAST:
            name = STATIC[index][0]
        else:
            entries = self.table.entries
            if index - STATIC_LAST > len(entries):
                self.error = "index of no field"
                return None
            name = entries[len(entries) - index + STATIC_LAST][0]
        value = self._read_string()
        return None if value is None else (name, value)

    def _read_string(self) -> bytes | None:
        """Read a string (§5.2); None where it is malformed."""
        at = self.position
        if at >= self.end:
            self.error = "block ends within a field"
            return None
        octets = self.block
        coded = octets[at] & 0x80
        length = self._read_integer(0x7F)
        if length < 0:
            self.error = "malformed integer"
            return None
        at = self.position
        if length > self.end - at:
            self.error = "string is longer than its block"
            return None
        self.position = at + length
        if not coded:
            return self.block[at : at + length]
        string = decode_huffman(self.block, at, at + length, self.space)
        if string is None:
            self.error = "malformed Huffman code"
        if len(self.space) > MAX_KEPT:
            self.space = bytearray()
        return string

    def _read_integer(self, mask: int) -> int:
        """Read an integer whose prefix has the bits of the mask (§5.1); -1 where it is cut short or too large."""
        octets = self.block
        at = self.position
        value = octets[at] & mask
        at += 1
        if value == mask:
            shift = 0
            while True:
                if at >= self.end or shift > LAST_SHIFT:
                    return -1
                octet = octets[at]
                at += 1
                value += (octet & 0x7F) << shift
                shift += 7
                if octet < 0x80:
                    break
        self.position = at
        return value
