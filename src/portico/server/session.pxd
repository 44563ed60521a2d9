cimport cython

from portico.codec.events cimport Request
from portico.codec.websocket.frames cimport frame_head, message_head
from portico.codec.websocket.reader cimport MessageReader
from portico.server.call cimport Call, message_type
from portico.server.exchange cimport Exchange
from portico.server.service cimport Service
from portico.server.stream cimport Stream

cdef int CONNECTING, DENYING, OPEN, CLOSING, CLOSED
cdef int ABNORMAL, BINARY, FIN, INTERNAL_ERROR, NORMAL, PONG, RSV1, SERVICE_RESTART, TEXT
cdef Py_ssize_t MAX_QUEUED, SMALLEST_MESSAGE
cdef double CLOSE_S, NEVER
cdef object READY

cdef class Handshake(Exchange):
    cdef public Session session

cdef class Session(Call):
    cdef public Stream stream
    cdef public Handshake handshake
    cdef public MessageReader reader
    cdef public object offer, deflater, ending
    cdef public int state, close_code
    cdef public str close_reason
    cdef public bint connected, stalled, reading_paused, by_application, awaits_pong
    cdef public list queue, pongs
    cdef public Py_ssize_t queued
    cdef public double close_by, ping_at, pong_by
    cdef public long long slot

    @cython.locals(state=cython.int)
    cpdef take(self)
    cdef bint _is_refused(self) except -1
    @cython.locals(reader=MessageReader)
    cpdef feed(self, bytes data)
    @cython.locals(reader=MessageReader)
    cdef _read(self, bint behind)
    cdef _read_on(self, bint behind)
    cdef _pause_reading(self)
    cdef _answer_pings(self)
    cdef _act_on(self, event)
    cdef _finish(self)
    cdef _end(self)
    cpdef hang_up(self)
    @cython.locals(state=cython.int)
    cpdef send(self, message)
    @cython.locals(given=dict, payload=bytes, stream=Stream)
    cdef _send_message(self, message)
    cdef _close(self, message)
    cdef _start_closing(self, int code, str reason)
    cdef _answer(self, kind, message)
    cdef _accept(self, Handshake handshake, message)
    cpdef ended(self, error)
    cpdef abandon(self)
    cpdef shutdown(self)
    cpdef resume_writing(self)
    cdef _close_within(self, double seconds)
    cpdef check_deadline(self, double now)
    cdef _keep_alive(self, double now)
