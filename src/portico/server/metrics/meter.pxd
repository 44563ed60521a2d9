# Counting a plaintext request takes 490 instructions of its 50,000 with the clock's two readings (docs/metrics.md).
cimport cython
from cpython cimport time

cdef int BUCKETS, CONNECTIONS, CONNECTIONS_TOTAL, CUT_BY_APPLICATION, CUT_BY_PEER, DURATION, HEARTBEAT, IN_FLIGHT, LAG
cdef int OTHER, RECEIVED, RSS, SENT, WEBSOCKETS, WEBSOCKETS_TOTAL
cdef tuple BOUNDS_NS
cdef dict ROWS

@cython.final
cdef class Meter:
    cdef long long[::1] cells
    cdef double lag, lag_before, lag_until, rss_at

    cpdef beat(self, double now, double late, Py_ssize_t in_flight, Py_ssize_t connections)
    @cython.locals(elapsed=cython.longlong, bound=cython.longlong, bucket=cython.int)
    cpdef count(self, str method, int status, long long started)
    @cython.locals(cell=cython.int)
    cpdef count_status(self, str method, int status)
    cpdef count_cut(self, bint by_application)
    cpdef receive(self, Py_ssize_t size)
    cpdef send(self, Py_ssize_t size)
    cpdef open_connection(self)
    cpdef open_websocket(self)
    cpdef close_websocket(self)
