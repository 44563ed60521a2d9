cimport cython

cdef bint COMPILED
cdef int LONGEST, SHORT
cdef unsigned long long WINDOW
cdef const unsigned int[::1] CODES, ENDS, OFFSETS
cdef bytes LENGTHS, SHORT_OCTETS, SHORT_LENGTHS, ORDER

@cython.locals(
    room=Py_ssize_t, written=Py_ssize_t, octets=cython.p_uchar, target=cython.p_uchar, short_octets=cython.p_uchar,
    short_lengths=cython.p_uchar, order=cython.p_uchar, window=cython.ulonglong, bits=cython.int, code=cython.uint, length=cython.int, padding=cython.ulonglong,
)
cpdef bytes decode(bytes data, Py_ssize_t start, Py_ssize_t end, bytearray space)
@cython.locals(octets=cython.p_uchar, lengths=cython.p_uchar, at=Py_ssize_t, bits=Py_ssize_t)
cpdef Py_ssize_t encoded_size(bytes data) except -1
@cython.locals(octets=cython.p_uchar, lengths=cython.p_uchar, target=cython.p_uchar, each=Py_ssize_t, octet=cython.uchar, window=cython.ulonglong, bits=cython.int)
cpdef Py_ssize_t encode_into(bytearray space, Py_ssize_t at, bytes data) except -1
