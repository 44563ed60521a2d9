cimport cython
from cpython cimport time

from portico.codec.events cimport Request
from portico.server.call cimport Call, message_type
from portico.server.service cimport Service
from portico.server.stream cimport Stream

cdef int WAITING, HELD, STREAMING, TRAILERS, COMPLETE
cdef Py_ssize_t MAX_QUEUED, SMALL_CHUNK
cdef object READY

cdef class Exchange(Call):
    cdef public Stream stream
    cdef public Request request
    cdef public int state, status
    cdef public object response_headers
    cdef public long long sent, expected
    cdef public bint no_body, trailers, body_done, delivered, gone, hung_up
    cdef public list chunks, request_trailers, trailer_fields
    cdef public Py_ssize_t queued
    cdef public long long started

    cpdef ended(self, error)
    cpdef abandon(self)
    cpdef count(self)
    cpdef log(self)
    cpdef take(self)
    cdef _last_event(self, bytes body)
    cpdef bint is_untouched(self)
    cpdef bint is_complete(self)
    @cython.locals(chunks=list)
    cpdef bint feed_body(self, bytes data)
    cpdef end_body(self, list trailers)
    cpdef hang_up(self)
    cpdef disconnect(self)
    cpdef send(self, message)
    cdef _start(self, message)
    cdef _send_body(self, message)
    cdef _count(self, long long length, bint more)
    cdef _complete(self)
    cdef _send_other(self, kind, message)
