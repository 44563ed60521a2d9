from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.http1.reader cimport RequestReader
from portico.codec.http1.writer cimport ResponseWriter
from portico.server.exchange cimport Exchange, Stream
from portico.server.service cimport Service

cdef int IDLE, BUSY, DRAINING, LINGERING, CLOSING, CLOSED
cdef Py_ssize_t JOIN_LIMIT, MAX_DRAIN, MAX_LINGER
cdef double LINGER_S
cdef dict EXTENSIONS, EXTENSIONS_1_0

cdef class Connection(Stream):
    cdef public Service service
    cdef public RequestReader reader
    cdef public ResponseWriter writer
    cdef public object transport, client, server
    cdef public Exchange exchange
    cdef public int phase
    cdef public dict template
    cdef public str scheme
    cdef public bint trusted, reading_paused, eof, advancing, continue_due
    cdef public Py_ssize_t drained, unsent
    cdef public long long slot
    cdef public double deadline, scheduled
    cdef public list waiters

    cpdef connection_made(self, transport)
    cpdef connection_lost(self, error)
    cpdef data_received(self, bytes data)
    cpdef eof_received(self)
    cpdef advance(self)
    cdef bint _step(self) except -1
    cdef bint _body_done(self)
    cdef _begin(self, Request request)
    cdef dict _scope(self, Request request)
    cdef dict _make_template(self)
    cdef _take_data(self, bytes data)
    cdef _take_end(self, list trailers)
    cdef _next_request(self)
    cdef _refuse(self, Fault fault)
    cdef list _head(self, long long length, bint trailers)
    cdef bint _sends_trailers(self)
    cdef _wake(self)
    cpdef bint is_idle(self)
    cdef _pause_reading(self)
    cdef _resume_reading(self)
    cdef _set_deadline(self, double deadline)
    cdef _set_phase_deadline(self)
    cdef _watch_writing(self)
    cdef _linger(self)
    cdef _expire(self, double now)
