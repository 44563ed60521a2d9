cimport cython

from portico.codec.defaults cimport Defaults
from portico.codec.fields cimport check_length

cdef int EMPTY, LENGTH, CHUNKED, CLOSE
cdef int PLAIN, CONTENT_LENGTH, HOP_BY_HOP, CONNECTION, DATE, SERVER, HSTS
cdef int NUL, LF, CR
cdef dict _names
cdef dict _status_lines, _lengths

cpdef bytes status_line(int status)
cpdef bytes content_length(long long length)

cdef class ResponseWriter:
    cdef public Defaults defaults
    cdef public list fields
    cdef public int status, framing
    cdef public long long content_length
    cdef public bint keep_alive, head_request, version_1_0, has_date, has_server, has_hsts

    cpdef bint is_chunked(self)
    cpdef bint ends_with_connection(self)
    cpdef expect(self, bint head_request, bint version_1_0, bint keep_alive)
    @cython.locals(fields=list, prefix=bytes, kind=cython.int, value=bytes)
    cpdef start(self, int status, object headers)
    cdef bint _steer(self, int kind, bytes value) except -1
    cdef list _first_pieces(self)
    cpdef bytes switch(self, bytes protocol)
    cpdef list head(self, long long length, bint trailers)
    cpdef body(self, list parts, bytes data, bint more, bint trailers)
