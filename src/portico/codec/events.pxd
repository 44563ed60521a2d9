cimport cython

cdef class Request:
    cdef public str method, path, http_version
    cdef public bytes target, raw_path, query_string, protocol, priority
    cdef public list headers, upgrades
    cdef public bint keep_alive, has_body, expects_continue, wants_trailers, forwarded, connection_upgrade
    cdef public object content_length

    @cython.locals(copy=Request)
    cpdef Request copy(self)

cdef class Data:
    cdef public bytes data

cdef class End:
    cdef public list trailers

cdef class Fault:
    cdef public int status
    cdef public str reason
    cdef public bytes fields
