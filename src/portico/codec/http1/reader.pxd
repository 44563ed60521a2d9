from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.limits cimport Limits
from portico.http.urls cimport decode_path, is_authority, is_target

cdef int HEAD, LENGTH, CHUNKED, BROKEN
cdef int PLAIN, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT, TE, FORWARDED, UPGRADE
cdef dict KINDS, NAMES, METHODS

cdef class RequestReader:
    cdef public Limits limits
    cdef public bytes buffer
    cdef public Py_ssize_t position
    cdef public int state, hosts
    cdef public long long left, body_read
    cdef public object parser, chunked
    cdef public Request request
    cdef public list headers
    cdef public Fault fault
    cdef public bytes host, length, transfer_encoding, connection, expect, te, upgrade

    cdef _forget_head(self)
    cpdef feed(self, bytes data)
    cpdef Py_ssize_t buffered(self)
    cpdef bytes rest(self)
    cpdef close(self)
    cpdef next_event(self)
    cdef Fault _fail(self, int status, str reason)
    cdef _read_head(self)
    cdef Fault _check_partial_head(self)
    cdef Fault _read_request_line(self, Request request, bytes buffer, Py_ssize_t start, Py_ssize_t end)
    cpdef on_header(self, bytes name, bytes value)
    cdef _note(self, int kind, bytes value)
    cdef _complete_head(self, Request request)
    cdef Fault _read_target(self, Request request)
    cdef Fault _check_host(self, Request request)
    cdef _read_connection(self, Request request, bytes value)
    cdef Fault _read_framing(self, Request request)
    cdef _read_length(self)
    cdef _read_chunked(self)
