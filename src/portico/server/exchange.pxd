from portico.codec.events cimport Request
from portico.server.service cimport Service

cdef class Ready:
    pass

cdef Ready READY
cdef int WAITING, HELD, STREAMING, TRAILERS, COMPLETE
cdef Py_ssize_t MAX_QUEUED
cdef bint EAGER
cdef object Task

cdef class Receiving:
    cdef Exchange exchange

cdef class Stream:
    cdef public bint paused

    cpdef long long start_response(self, int status, object headers) except? -2
    cpdef write_body(self, bytes data, bint more, bint first, bint trailers)
    cpdef write_trailers(self, list lines)
    cpdef write_early_hints(self, list lines)
    cpdef want_body(self)
    cpdef end_response(self)
    cpdef cut(self)
    cpdef answer_error(self, int status, str text)

cdef class Exchange:
    cdef public Stream stream
    cdef public Service service
    cdef public Request request
    cdef public dict scope
    cdef public int state, status
    cdef public object response_headers
    cdef public long long sent, expected
    cdef public bint counted, no_body, trailers, body_done, delivered, gone, hung_up
    cdef public list chunks, request_trailers, trailer_lines, waiters
    cdef public Py_ssize_t queued
    cdef public double started

    cpdef run(self)
    cdef _start_task(self, coroutine)
    cpdef on_done(self, task)
    cpdef on_waited(self, task)
    cdef _release(self)
    cpdef fail(self, error)
    cpdef abandon(self)
    cdef _log(self)
    cpdef receive(self)
    cpdef take(self)
    cdef _last_event(self, bytes body)
    cpdef bint is_untouched(self)
    cpdef bint is_complete(self)
    cpdef wait(self)
    cpdef wake(self)
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
