# `record()` takes 0.45 us compiled and 0.85 us interpreted, of about 10 us for a whole request (CPython 3.13).
cimport cython

cdef tuple _FRACTIONS, _NUMBERS

cdef str _clean(str text)
@cython.locals(values=list)
cdef str _field(fields, bytes name)


@cython.final
cdef class AccessLog:
    cdef bint _combined
    cdef str _json_time, _stamp
    cdef list _lines
    cdef dict _prefixes, _requests
    cdef object _render, _sink
    cdef readonly Py_ssize_t pending

    cpdef tick(self, double now)
    @cython.locals(
        ended=double,
        micros=cython.longlong,
        prefix=str,
        key=tuple,
        request=str,
        code=str,
        length=str,
        millis=str,
        fraction=str,
        line=str,
    )
    cpdef record(
        self,
        client,
        str method,
        bytes target,
        str version,
        int status,
        Py_ssize_t size,
        double started,
        request_headers,
        response_headers,
    )
    cpdef flush(self)
    @cython.locals(prefix=str)
    cdef str _prefix(self, client)
