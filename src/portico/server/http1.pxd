from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.http1.reader cimport RequestReader
from portico.codec.http1.writer cimport ResponseWriter
from portico.server.connection cimport Connection
from portico.server.exchange cimport Exchange
from portico.server.scopes cimport Scopes
from portico.server.service cimport Service
from portico.server.session cimport Session

cdef int IDLE, BUSY, DRAINING, UPGRADED, LINGERING, CLOSING, CLOSED
cdef Py_ssize_t JOIN_LIMIT, MAX_DRAIN
cdef double LINGER_S, NEVER

cdef class Http1Connection(Connection):
    cdef public RequestReader reader
    cdef public ResponseWriter writer
    cdef public Exchange exchange
    cdef public Session session
    cdef public bint advancing, continue_due, fresh

    cpdef data_received(self, bytes data)
    cpdef eof_received(self)
    cdef bint _begins_http2(self) except -1
    cdef bint _is_foreign(self) except -1
    cpdef advance(self)
    cdef bint _step(self) except -1
    cdef bint _body_done(self)
    cdef _begin(self, Request request)
    cdef bint _upgrade_to_http2(self, Request request) except -1
    cdef _begin_session(self, Request request)
    cdef _take_data(self, bytes data)
    cdef _take_end(self, list trailers)
    cdef _next_request(self)
    cdef _refuse(self, Fault fault)
    cdef list _head(self, long long length, bint trailers)
    cdef bint _sends_trailers(self)
    cdef _set_phase_deadline(self)
