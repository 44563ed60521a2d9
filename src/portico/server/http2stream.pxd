from portico.codec.events cimport Fault, Request
from portico.codec.http2.messages cimport ResponseFields, length_field
from portico.codec.http2.multiplexer cimport Multiplexer
from portico.codec.http2.streams cimport StreamState
from portico.server.exchange cimport Exchange
from portico.server.scopes cimport Scopes
from portico.server.session cimport Session
from portico.server.stream cimport Stream

cdef int CANCEL, INTERNAL_ERROR, NO_ERROR
cdef Py_ssize_t HIGH_WATER, PIECE
cdef double LINGER_S, NEVER
cdef Request NO_REQUEST
cdef ResponseFields TAKEN

cdef class Http2Stream(Stream):
    cdef public object connection
    cdef public Multiplexer multiplexer
    cdef public StreamState state
    cdef public Request request
    cdef public Exchange exchange
    cdef public Session session
    cdef public int status
    cdef public list fields, early
    cdef public long long content_length
    cdef public bint head_request, continue_due, reading_paused
    cdef public Py_ssize_t held, unsent

    cpdef begin(self, Request request)
    cdef _begin_session(self, Request request, Scopes scopes)
    cpdef take_data(self, bytes data)
    cdef _drop(self, Py_ssize_t size)
    cpdef take_end(self, list trailers)
    cpdef hang_up(self)
    cpdef disconnect(self)
    cpdef shutdown(self)
    cpdef refuse(self, Fault fault)
    cdef _answer(self, int status, str text, list fields)
    cdef _send_head(self, long long length, bint end)
    cdef _release_held(self)
    cdef _used(self, Py_ssize_t size)
    cdef _watch_writing(self)
    cpdef relieve(self)
    cdef _await_nothing(self)
    cdef _rest(self)
    cdef _ended(self)
