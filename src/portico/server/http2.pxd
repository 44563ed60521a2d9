from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.http2.multiplexer cimport Multiplexer
from portico.codec.http2.streams cimport StreamState
from portico.server.connection cimport Connection
from portico.server.exchange cimport Exchange
from portico.server.http2stream cimport Http2Stream
from portico.server.service cimport Service

cdef int BUSY, IDLE, LINGERING
cdef Py_ssize_t BURST, MAX_UNREAD
cdef double BARRIER_S, NEVER

cdef class Http2Connection(Connection):
    cdef public Multiplexer multiplexer
    cdef public bint acting, flush_due, leaving, within_block
    cdef public list left

    cpdef data_received(self, bytes data)
    cpdef feed(self, bytes data)
    cpdef eof_received(self)
    cdef _act(self, event)
    cdef _begin(self, StreamState state, Request request)
    cpdef serve_upgraded(self, Request request, bytes settings)
    cdef _refuse(self, StreamState state, Fault fault)
    cdef _take_reset(self, StreamState state)
    cpdef schedule_flush(self)
    cpdef flush(self)
    cdef _look_on(self)
    cdef _time_block(self)
    cpdef close_in_order(self)
    cpdef leave(self)
