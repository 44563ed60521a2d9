from portico.codec.events cimport Request
from portico.server.service cimport Service

cdef dict ASGI, HTTP_1_0, HTTP_1_1, WEBSOCKET

cdef class Scopes:
    cdef public Service service
    cdef public object client, server
    cdef public str scheme
    cdef public bint trusted
    cdef public dict template, tls

    cpdef dict http(self, Request request)
    cpdef dict websocket(self, Request request, list subprotocols)
    cdef _fill(self, dict scope, Request request)
