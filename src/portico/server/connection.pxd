from portico.codec.defaults cimport Defaults
from portico.server.scopes cimport Scopes
from portico.server.service cimport Service
from portico.server.stream cimport Stream

cdef Py_ssize_t MAX_LINGER

cdef class Connection(Stream):
    cdef public object transport
    cdef public int phase
    cdef public Scopes scopes
    cdef public Defaults defaults
    cdef public bint reading_paused, eof
    cdef public Py_ssize_t drained, unsent

    cpdef begin(self)
    cpdef turn_away(self)
    cpdef lost(self)
    cpdef writable(self)
    cpdef overdue(self, double now)
    cpdef bint is_idle(self) except -1
    cpdef connection_made(self, transport)
    cpdef connection_lost(self, error)
    cpdef put(self, bytes data)
    cpdef put_all(self, list parts)
    cpdef drop(self, Py_ssize_t size)
    cpdef close(self)
    cpdef linger(self)
    cpdef watch_writing(self)
