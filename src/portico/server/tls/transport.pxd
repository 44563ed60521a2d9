cimport cython

from portico.server.service cimport Service
from portico.server.tls.batch cimport Batch

cdef int HANDSHAKE, OPEN, FINISHING, ENDED, CLOSING, CLOSED
cdef Py_ssize_t HEAD, MAX_RECORD, MAX_PLAINTEXT, SLICE, SMALL, MAX_LINGER
cdef int MAX_SILENT
cdef double LINGER_S

@cython.final
cdef class SecureTransport:
    cdef public Service service
    cdef public Batch batch
    cdef public bytes received
    cdef public object certificates, connect, transport, protocol, tls
    cdef public bytearray partial
    cdef public list queue
    cdef public Py_ssize_t missing, records, silent, queued, dropped
    cdef public int phase
    cdef public bint batched, ending, paused, told, eof, half
    cdef public long long slot
    cdef public double deadline

    cpdef connection_made(self, transport)
    cpdef connection_lost(self, error)
    @cython.locals(phase=cython.int, size=Py_ssize_t)
    cpdef data_received(self, bytes data)
    cpdef eof_received(self)
    cpdef pause_writing(self)
    cpdef resume_writing(self)
    cdef _greet(self, bytes data)
    cdef _open(self, tls)
    cdef _refuse_plain(self)
    cdef _fail(self, str what, error)
    @cython.locals(
        size=Py_ssize_t, given=Py_ssize_t, position=Py_ssize_t, start=Py_ssize_t, length=Py_ssize_t, records=Py_ssize_t,
        octets=cython.p_uchar, partial=bytearray,
    )
    cdef Py_ssize_t _feed(self, bytes data) except -1
    @cython.locals(data=bytes, piece=bytes, more=list, records=Py_ssize_t, silent=Py_ssize_t)
    cdef bytes _decrypt(self, Py_ssize_t size)
    cdef _receive(self, bytes data)
    cdef _join(self)
    cpdef deliver(self)
    cpdef lose(self, error)
    cpdef flush(self)
    @cython.locals(size=Py_ssize_t)
    cpdef write(self, data)
    cpdef writelines(self, parts)
    cdef _send(self)
    @cython.locals(queue=list, small=list, left=Py_ssize_t, size=Py_ssize_t, count=Py_ssize_t)
    cdef _encrypt(self)
    cdef _pass_on(self)
    cpdef can_write_eof(self)
    cpdef write_eof(self)
    cpdef close(self)
    cpdef abort(self)
    cdef _finish(self)
    cpdef is_closing(self)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef get_write_buffer_size(self)
    cpdef bint is_idle(self)
    cdef _set_deadline(self, double deadline)
    cpdef check_deadline(self, double now)
