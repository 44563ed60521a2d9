cimport cython

from portico.codec.http2.allowance cimport Allowance
from portico.codec.http2.bounds cimport Bounds
from portico.codec.http2.reading cimport FrameReader
from portico.codec.http2.sending cimport Sender
from portico.codec.http2.streams cimport ClosedStreams, StreamState

cdef long long CONNECTION_WINDOW, DEFAULT_WINDOW, MAX_WINDOW, MAX_STREAM_ID
cdef int MAX_EARLY_PRIORITIES, MAX_SETTINGS
cdef int ACK, ENDED, RESET_BY_PEER, RESET_BY_US
cdef int ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM

cdef class Control(Sender):
    cdef public Bounds bounds
    cdef public double now
    cdef public Allowance resets
    cdef public FrameReader reader
    cdef public dict streams, early
    cdef public ClosedStreams closed
    cdef public StreamState stream
    cdef public object violation
    cdef public bint going, began, acknowledged
    cdef public long long receive_window, credit, promised

    cdef long long _id_at(self, Py_ssize_t at) except -1
    @cython.locals(owed=cython.longlong)
    cpdef use(self, StreamState stream, Py_ssize_t size)
    cpdef discard(self, StreamState stream, Py_ssize_t size)
    cdef _credit(self, Py_ssize_t size)
    cdef _read_settings(self, int flags, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(excess=cython.longlong, stream=StreamState)
    cdef _narrow_windows(self)
    cpdef apply_settings(self, bytes payload)
    cpdef upgrade(self, bytes settings)
    @cython.locals(stream=StreamState)
    cdef bint _resize_windows(self, long long difference) except -1
    @cython.locals(increment=cython.longlong, stream=StreamState)
    cdef _read_window_update(self, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(stream=StreamState)
    cdef _read_rst_stream(self, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    cdef _read_ping(self, int flags, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(code=cython.int, stream=StreamState)
    cdef _read_priority(self, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(prioritized=cython.longlong, stream=StreamState)
    cdef _read_priority_update(self, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    cdef _count_work(self)
    cdef _refuse(self, unsigned int stream_id, int code)
    cdef _reset_for_fault(self, StreamState stream, int code)
    cpdef turn_away(self, StreamState stream)
    cpdef reset(self, StreamState stream, int code)
    cdef _close(self, StreamState stream, int how)
    cpdef go_away(self, bint last)
    cpdef ping(self, bytes data)
    cdef _fail(self, int code, str reason)
