cimport cython

from portico.codec.events cimport Request
from portico.codec.http2.messages cimport read_request, read_target
from portico.codec.limits cimport Limits

cdef int OTHER, SAME
cdef bytes PATH

cdef class RequestReader:
    cdef public list fields
    cdef public Request request
    cdef public bint ended

    @cython.locals(place=Py_ssize_t, kept=Request)
    cpdef read(self, list fields, Py_ssize_t size, bint ended, Limits limits)
    @cython.locals(kept=list, place=Py_ssize_t, at=Py_ssize_t)
    cdef Py_ssize_t _compare(self, list fields) except? -3
