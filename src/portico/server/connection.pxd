from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.http1.reader cimport RequestReader
from portico.codec.http1.writer cimport ResponseWriter
from portico.server.exchange cimport Exchange
from portico.server.scopes cimport Scopes
from portico.server.service cimport Service
from portico.server.session cimport Session
from portico.server.stream cimport Stream

cdef int IDLE, BUSY, DRAINING, UPGRADED, LINGERING, CLOSING, CLOSED
cdef Py_ssize_t JOIN_LIMIT, MAX_DRAIN, MAX_LINGER
cdef double LINGER_S

cdef class Connection(Stream):
    cdef public RequestReader reader
    cdef public ResponseWriter writer
    cdef public object transport
    cdef public Exchange exchange
    cdef public int phase
    cdef public Session session
    cdef public Scopes scopes
    cdef public bint reading_paused, eof, advancing, continue_due
    cdef public Py_ssize_t drained, unsent
    cdef public long long slot
    cdef public double deadline, scheduled

    cpdef connection_made(self, transport)
    cpdef connection_lost(self, error)
    cpdef data_received(self, bytes data)
    cpdef eof_received(self)
    cpdef advance(self)
    cdef bint _step(self) except -1
    cdef bint _body_done(self)
    cdef _begin(self, Request request)
    cdef _begin_session(self, Request request)
    cdef _take_data(self, bytes data)
    cdef _take_end(self, list trailers)
    cdef _next_request(self)
    cdef _refuse(self, Fault fault)
    cdef list _head(self, long long length, bint trailers)
    cdef _write(self, bytes data)
    cdef _write_all(self, list parts)
    cdef bint _sends_trailers(self)
    cpdef bint is_idle(self)
    cdef _set_deadline(self, double deadline)
    cdef _set_phase_deadline(self)
    cdef _watch_writing(self)
    cdef _linger(self)
    cdef _expire(self, double now)
