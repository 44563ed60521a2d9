from portico.codec.defaults cimport Defaults
from portico.codec.events cimport Request
from portico.codec.http2.bounds cimport Bounds
from portico.codec.limits cimport Limits
from portico.server.access cimport AccessLog
from portico.server.metrics.meter cimport Meter

cdef class Service:
    cdef public AccessLog access_log
    cdef public Meter meter
    cdef public frozenset probes, ws_origins
    cdef public object app, loop, deadlines, idle, timer, trust
    cdef public dict state
    cdef public list others
    cdef public set connections, tasks
    cdef public Py_ssize_t active, limit_concurrency, limit_connections, limit_pipeline, ws_max_queue
    cdef public long long ws_max_size
    cdef public bint stopping, fresh_context, gathers, late, send_date, log_flush_due, websockets, http2_cleartext, http2_upgrade, ws_per_message_deflate
    cdef public str root_path
    cdef public Bounds bounds
    cdef public Limits limits
    cdef public Defaults defaults, secure_defaults
    cdef public double now, tick, timeout_body, timeout_handshake, timeout_header, timeout_keep_alive, timeout_write, ws_ping_interval, ws_ping_timeout

    cpdef bint is_full(self, Request request) except -1
