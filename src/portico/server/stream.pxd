from portico.server.service cimport Service

cdef double NEVER

cdef class Stream:
    cdef public Service service
    cdef public bint paused
    cdef public list waiters
    cdef public long long slot
    cdef public double deadline, scheduled

    cpdef long long start_response(self, int status, object headers) except? -2
    cpdef write_body(self, bytes data, bint more, bint first, bint trailers)
    cpdef write_trailers(self, list fields)
    cpdef write_early_hints(self, list fields)
    cpdef want_body(self)
    cpdef body_taken(self, Py_ssize_t size)
    cpdef end_response(self)
    cpdef cut(self)
    cpdef answer_error(self, int status, str text)
    cpdef bytes upgrade(self, session, bytes key, headers)
    cpdef write(self, bytes head, bytes payload)
    cpdef pause_reading(self)
    cpdef resume_reading(self)
    cpdef finish(self)
    cpdef abort(self)
    cpdef bint is_lost(self)
    cpdef wait_writable(self)
    cpdef wake_writers(self)
    cpdef set_deadline(self, double deadline)
    cpdef expire(self, double now)
