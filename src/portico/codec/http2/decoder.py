"""Header blocks of one peer, decoded (RFC 7541 §3, §6).

Fields that the peer only points at are the tuples of the tables: nothing is made or copied for them.
"""

from portico.codec.http2.huffman import decode as decode_huffman
from portico.codec.http2.tables import DEFAULT_SIZE, STATIC, STATIC_LAST, DynamicTable, Field, entry_size

# Integers are read up to four octets after the prefix, which is more than anything here can be (§5.1).
LAST_SHIFT = 21


class HeaderDecoder:
    """Decode the header blocks of one direction of a connection, each of which has to come here, in their order."""

    __slots__ = ("block", "end", "error", "max_table_size", "must_resize", "position", "size", "space", "table")

    def __init__(self, max_table_size: int = DEFAULT_SIZE) -> None:
        self.table = DynamicTable(min(max_table_size, DEFAULT_SIZE))
        self.max_table_size = max_table_size  # what we allow the peer
        self.must_resize = False
        self.error = ""  # why the last block could not be decoded
        self.size = 0  # of the list in the last block, as RFC 9113 §6.5.2 counts it
        self.space = bytearray()  # where Huffman's code is decoded
        self.block = b""
        self.position = 0
        self.end = 0

    def resize(self, max_table_size: int) -> None:
        """Allow the peer another size of its table, once it has acknowledged the setting."""
        self.max_table_size = max_table_size
        # RFC 9113 §4.3.1: a block that follows on a reduction has to begin with a size update.
        self.must_resize = max_table_size < self.table.max_size

    def decode(self, block: bytes, limit: int) -> list[Field] | None:
        """Return the fields of a whole block; None where it is malformed, and `error` says why.

        Args:
            limit: Octets, with 32 more for each field, above which further fields are dropped. They count in `size`.
        """
        octets = block
        end = len(block)
        position = 0
        total = 0
        fields: list[Field] = []
        table = self.table
        entries = table.entries
        self.block = block
        self.end = end
        if end and self.must_resize and octets[0] & 0xE0 != 0x20:
            return self._fail("no size update after the table was made smaller")
        while position < end:
            octet = octets[position]
            if octet > 0x80 and octet <= 0x80 + STATIC_LAST:  # §6.1, of the static table
                position += 1
                field = STATIC[octet & 0x7F]
            elif octet & 0x80:
                self.position = position
                index = self._read_integer(0x7F)
                position = self.position
                if index <= 0 or index - STATIC_LAST > len(entries):
                    return self._fail("malformed integer" if index < 0 else "index of no field")
                field = STATIC[index] if index <= STATIC_LAST else entries[len(entries) - index + STATIC_LAST]
            elif octet & 0xE0 == 0x20:  # §6.3
                self.position = position
                if fields or total:
                    return self._fail("size update amid the block")
                if not self._read_size_update():
                    return None
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
            total += entry_size(field)
            if total <= limit:
                fields.append(field)
        self.size = total
        return fields

    def _fail(self, reason: str) -> None:
        self.error = reason

    def _read_size_update(self) -> bool:
        size = self._read_integer(0x1F)
        if size < 0 or size > self.max_table_size:
            self._fail("malformed integer" if size < 0 else "table is made larger than allowed")
            return False
        self.table.resize(size)
        self.must_resize = False
        return True

    def _read_literal(self, mask: int) -> Field | None:
        """Read a field that is spelt out (§6.2), but for its name perhaps; None where it is malformed."""
        index = self._read_integer(mask)
        if index < 0:
            return self._fail("malformed integer")
        if index == 0:
            name = self._read_string()
            if name is None:
                return None
        elif index <= STATIC_LAST:
            name = STATIC[index][0]
        else:
            entries = self.table.entries
            if index - STATIC_LAST > len(entries):
                return self._fail("index of no field")
            name = entries[len(entries) - index + STATIC_LAST][0]
        value = self._read_string()
        return None if value is None else (name, value)

    def _read_string(self) -> bytes | None:
        """Read a string (§5.2); None where it is malformed."""
        at = self.position
        if at >= self.end:
            return self._fail("block ends within a field")
        octets = self.block
        coded = octets[at] & 0x80
        length = self._read_integer(0x7F)
        if length < 0:
            return self._fail("malformed integer")
        at = self.position
        if length > self.end - at:
            return self._fail("string is longer than its block")
        self.position = at + length
        if not coded:
            return self.block[at : at + length]
        string = decode_huffman(self.block, at, at + length, self.space)
        return self._fail("malformed Huffman code") if string is None else string

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
