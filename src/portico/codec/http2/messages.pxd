cimport cython

from portico.codec.events cimport Fault, Request
from portico.codec.fields cimport check_length
from portico.codec.limits cimport Limits
from portico.http.octets cimport has_any, has_control
from portico.http.urls cimport decode_path, is_authority

cdef int METHOD, SCHEME, AUTHORITY, PATH, PROTOCOL
cdef int UNKNOWN, HOST, COOKIE, TE, EXPECT, FORWARDED, PRIORITY, MISPLACED, FORBIDDEN
cdef int PLAIN, CONTENT_LENGTH, HOP_BY_HOP, DATE, SERVER, HSTS
cdef int SPACE, TAB, SLASH, NUL, LF, CR
cdef dict PSEUDO, NAMES, METHODS, _names, _lengths
cdef bytes NOT_IN_LOWER_NAME, NOT_IN_TARGET

@cython.locals(
    method=bytes, scheme=bytes, authority=bytes, path=bytes, protocol=bytes, name=bytes, value=bytes, count=Py_ssize_t,
    kind=cython.int, request=Request,
)
cpdef read_request(list fields, bint ended, Limits limits)
cdef _worse(first, second)
cdef _read_method(Request request, bytes method, bytes scheme, bytes path)
cdef _read_protocol(Request request, bytes method, bytes protocol, bint ended)
@cython.locals(mark=Py_ssize_t)
cpdef read_target(Request request, bytes scheme, bytes path, Limits limits)
@cython.locals(name=bytes, value=bytes, length=bytes, host=bytes, kind=cython.int, cookies=list)
cdef _read_fields(Request request, list fields, bytes scheme, bytes authority, Limits limits)
cdef _read_length(Request request, long long length, Limits limits)
@cython.locals(octets=cython.p_uchar, first=cython.uchar, last=cython.uchar)
cdef bint _is_value(bytes value) except -1
cdef bytes _normal_host(bytes host, bytes scheme)
@cython.locals(name=bytes, value=bytes, kind=cython.int)
cpdef read_trailers(list fields)
cpdef tuple length_field(long long length)

cdef class ResponseFields:
    cdef public list fields
    cdef public long long content_length
    cdef public bint has_date, has_hsts, has_server

    @cython.locals(fields=list, value=bytes, lower=bytes, kind=cython.int, ready=bint)
    cpdef take(self, object headers)
    cdef bint _steer(self, int kind, bytes value) except -1
