from portico.codec.events cimport Request
from portico.codec.http2.decoder cimport HeaderDecoder
from portico.codec.http2.messages cimport read_request
from portico.codec.limits cimport Limits

cdef class RequestReader:
    cdef public HeaderDecoder decoder
    cdef public list fields
    cdef public Request request
    cdef public bint ended

    cpdef read(self, list fields, bint ended, Limits limits)
