cimport cython

from portico.codec.http2.huffman cimport decode as decode_huffman
from portico.codec.http2.tables cimport DynamicTable

cdef int LAST_SHIFT, MAX_KEPT, STATIC_LAST
cdef tuple STATIC

cdef class HeaderDecoder:
    cdef public DynamicTable table
    cdef public Py_ssize_t max_table_size, position, end, size, limit
    cdef public bint must_resize
    cdef public str error
    cdef public bytearray space
    cdef public bytes block
    cdef public list fields

    cpdef resize(self, Py_ssize_t max_table_size)
    @cython.locals(
        octets=cython.p_uchar, octet=cython.uchar, position=Py_ssize_t, end=Py_ssize_t, total=Py_ssize_t, index=Py_ssize_t,
        fields=list, entries=list, table=DynamicTable, field=tuple, literal=tuple, place=Py_ssize_t, name=bytes, value=bytes, repeatable=bint,
    )
    cpdef list decode(self, bytes block, Py_ssize_t limit)
    @cython.locals(size=Py_ssize_t)
    cdef bint _read_size_update(self) except -1
    @cython.locals(index=Py_ssize_t, entries=list, field=tuple, name=bytes, value=bytes)
    cdef tuple _read_literal(self, int mask)
    @cython.locals(octets=cython.p_uchar, at=Py_ssize_t, length=Py_ssize_t, coded=cython.uchar, string=bytes)
    cdef bytes _read_string(self)
    @cython.locals(octets=cython.p_uchar, at=Py_ssize_t, value=Py_ssize_t, shift=cython.int, octet=cython.uchar)
    cdef Py_ssize_t _read_integer(self, int mask) except -2
