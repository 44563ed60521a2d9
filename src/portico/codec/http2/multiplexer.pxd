cimport cython

from portico.codec.events cimport Data, End, Fault, Request
from portico.codec.http2.control cimport Control
from portico.codec.http2.decoder cimport HeaderDecoder
from portico.codec.http2.reading cimport FrameReader
from portico.codec.http2.requests cimport RequestReader
from portico.codec.http2.streams cimport StreamState
from portico.codec.limits cimport Limits

cdef int CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HAS_PRIORITY, HEADERS, PADDED, PING, PRIORITY
cdef int PRIORITY_UPDATE, RST_STREAM, SETTINGS, WINDOW_UPDATE
cdef int BAD_PREFACE, FRAME, TOO_LARGE, NEVER_OPENED, RESET_BY_US
cdef int COMPRESSION_ERROR, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR
cdef int REFUSED_STREAM, STREAM_CLOSED, ENDED
cdef long long DEFAULT_WINDOW
cdef int MAX_BLOCK_FRAMES, BLOCK_EXCESS

cdef class Multiplexer(Control):
    cdef public HeaderDecoder decoder
    cdef public RequestReader requests
    cdef public object pending
    cdef public bint depends_on_itself
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
