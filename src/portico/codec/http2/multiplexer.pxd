cimport cython

from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.http2.allowance cimport Allowance
from portico.codec.http2.bounds cimport Bounds
from portico.codec.http2.decoder cimport HeaderDecoder
from portico.codec.http2.reading cimport FrameReader
from portico.codec.http2.sending cimport Sender
from portico.codec.http2.streams cimport ClosedStreams, StreamState
from portico.codec.limits cimport Limits

cdef int ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HAS_PRIORITY, HEADERS, PADDED, PING, PRIORITY
cdef int PRIORITY_UPDATE, RST_STREAM, SETTINGS, WINDOW_UPDATE
cdef int BAD_PREFACE, FRAME, TOO_LARGE
cdef int ENDED, NEVER_OPENED, RESET_BY_PEER, RESET_BY_US
cdef int COMPRESSION_ERROR, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR
cdef int REFUSED_STREAM, STREAM_CLOSED
cdef long long CONNECTION_WINDOW, DEFAULT_WINDOW, MAX_WINDOW, MAX_STREAM_ID
cdef int MAX_BLOCK_FRAMES, BLOCK_EXCESS, MAX_SETTINGS, MAX_EARLY_PRIORITIES

cdef class Multiplexer(Sender):
    cdef public Bounds bounds
    cdef public double now
    cdef public Allowance resets
    cdef public FrameReader reader
    cdef public HeaderDecoder decoder
    cdef public dict streams, early
    cdef public ClosedStreams closed
    cdef public StreamState stream
    cdef public object pending, violation
    cdef public bint going, began, acknowledged, depends_on_itself
    cdef public long long receive_window, credit
    cdef public unsigned int block_stream
    cdef public list block
    cdef public Py_ssize_t block_size
    cdef public int block_frames, block_flags

    cpdef feed(self, bytes data, double now)
    @cython.locals(reader=FrameReader, found=cython.int)
    cpdef next_event(self)
    cpdef bint is_within_block(self)
    cdef _read_frame(self, int kind, int flags, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    cdef Py_ssize_t _unpad(self, int flags, Py_ssize_t start, Py_ssize_t end) except? -2
    cdef _read_headers(self, int flags, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    cdef long long _id_at(self, Py_ssize_t at) except -1
    cdef _read_continuation(self, int flags, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    cdef _check_block_size(self)
    @cython.locals(limits=Limits, fields=list, ended=bint, stream=StreamState, too_large=bint, window=cython.longlong)
    cdef _read_block(self, unsigned int stream_id, int flags, bytes block)
    cdef _set_priority(self, StreamState stream, Request request)
    cdef _read_trailers(self, StreamState stream, list fields, bint ended)
    @cython.locals(how=cython.int)
    cdef _judge_late_headers(self, unsigned int stream_id)
    @cython.locals(size=Py_ssize_t, length=Py_ssize_t, stream=StreamState, ended=bint, limit=cython.longlong)
    cdef _read_data(self, int flags, unsigned int stream_id, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(how=cython.int)
    cdef _judge_late_data(self, unsigned int stream_id, Py_ssize_t size)
    cdef _end_request(self, StreamState stream, list trailers)
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
