cimport cython

from portico.codec.http2.allowance cimport Allowance
from portico.codec.http2.encoder cimport HeaderEncoder
from portico.codec.http2.frames cimport frame_head
from portico.codec.http2.streams cimport StreamState

cdef Py_ssize_t LOW_WATER, LEAST_USEFUL, HEAD_SIZE
cdef int CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS

cdef class Sender:
    cdef public HeaderEncoder encoder
    cdef public Allowance work
    cdef public list out, lanes, relieved
    cdef public Py_ssize_t size, ready, frame_size
    cdef public bint full
    cdef public long long window, initial_window

    cpdef list take(self)
    cpdef put(self, bytes frame)
    cpdef send_headers(self, StreamState stream, int status, list fields, bint end)
    cpdef send_trailers(self, StreamState stream, list fields)
    @cython.locals(size=Py_ssize_t)
    cpdef send_data(self, StreamState stream, bytes data, bint end)
    @cython.locals(lane=list)
    cpdef pump(self)
    @cython.locals(
        allowed=Py_ssize_t, chunks=list, pieces=list, size=Py_ssize_t, room=Py_ssize_t, before=Py_ssize_t, end=bint,
    )
    cdef _advance(self, list lane, StreamState stream)
    cdef _put_data(self, StreamState stream, list pieces, Py_ssize_t size, bint end)
    @cython.locals(flags=cython.int, size=Py_ssize_t, most=Py_ssize_t, out=list, kind=cython.int)
    cdef _put_block(self, StreamState stream, bytes block, bint end)
    cpdef end_sending(self, StreamState stream)
    cpdef make_ready(self, StreamState stream)
    cpdef make_unready(self, StreamState stream)
    cpdef prioritize(self, StreamState stream, int urgency, bint incremental)
