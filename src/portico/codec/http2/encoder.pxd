cimport cython

from portico.codec.http2.huffman cimport encode_into, encoded_size
from portico.codec.http2.tables cimport DynamicTable, entry_size

cdef int KEPT, PASSING, NEVER, SPACE, MARGIN, MAX_KEPT, STATIC_LAST
cdef bint COMPILED
cdef dict STATUSES, NAMES
cdef tuple UNKNOWN

cdef class SentTable(DynamicTable):
    cdef public Py_ssize_t count
    cdef public dict numbers, names

    cpdef keep(self, tuple field)
    @cython.locals(number=Py_ssize_t, field=tuple)
    cdef _forget(self, Py_ssize_t count)

cdef class HeaderEncoder:
    cdef public Py_ssize_t max_table_size, smallest, position
    cdef public int status
    cdef public bytes block
    cdef public list fields
    cdef public SentTable table
    cdef public bytearray space

    cpdef resize(self, Py_ssize_t size)
    @cython.locals(octet=cython.int, target=cython.p_uchar, count=Py_ssize_t, block=bytes)
    cpdef bytes encode(self, int status, list fields)
    cpdef bytes encode_fields(self, list fields)
    cdef _write_size_updates(self)
    @cython.locals(
        table=SentTable, entries=list, numbers=dict, names=dict, count=Py_ssize_t, target=cython.p_uchar, room=Py_ssize_t,
        position=Py_ssize_t, field=tuple, name=bytes, value=bytes, sent=bytes, index=Py_ssize_t, block=bytes,
    )
    cdef bytes _write_fields(self, list fields)
    @cython.locals(missing=Py_ssize_t)
    cdef _reserve(self, Py_ssize_t size)
    @cython.locals(name=bytes, value=bytes, table=SentTable, size=Py_ssize_t, index=Py_ssize_t, kind=cython.int)
    cdef _write_literal(self, tuple field)
    @cython.locals(size=Py_ssize_t, target=cython.p_uchar, octets=cython.p_uchar, at=Py_ssize_t, each=Py_ssize_t)
    cdef _write_string(self, bytes string)
    @cython.locals(target=cython.p_uchar, at=Py_ssize_t)
    cdef _write_integer(self, int kind, int mask, Py_ssize_t value)
