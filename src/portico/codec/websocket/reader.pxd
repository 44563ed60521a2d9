cimport cython

from portico.codec.websocket.mask cimport new_space, payload_of, unmask, unmask_into

cdef int BINARY, CLOSE, CONTINUATION, MAX_CONTROL, PING, PROTOCOL_ERROR, TEXT, TOO_BIG, SPACIOUS

cdef class MessageReader:
    cdef public bytes buffer, split, key
    cdef public Py_ssize_t position, phase
    cdef public long long max_size, max_compressed, size, expected, left
    cdef public int opcode
    cdef public bint compressed, ended, final
    cdef public object inflater, text, binary, space, violation

    cpdef feed(self, bytes data)
    cpdef close(self)
    @cython.locals(before=Py_ssize_t)
    cpdef next_event(self)
    cdef _end(self)
    cdef _fail(self, int code, str reason)
    @cython.locals(
        buffer=bytes, octets=cython.p_uchar, key=bytes, payload=bytes, at=Py_ssize_t, available=Py_ssize_t, first=cython.int, second=cython.int, opcode=cython.int,
        length=cython.longlong, expected=cython.longlong, compressed=bint,
    )
    cdef _read_head(self)
    cdef _check_head(self, int first, int second, int opcode, long long length)
    @cython.locals(buffer=bytes, payload=bytes)
    cdef _read_control(self, int opcode, Py_ssize_t at, Py_ssize_t length)
    cdef _begin_message(self, int opcode, bint compressed)
    @cython.locals(start=Py_ssize_t, end=Py_ssize_t, size=Py_ssize_t, last=bint, piece=bytes)
    cdef _read_payload(self)
    cdef _fill_space(self, space, Py_ssize_t start, Py_ssize_t end, Py_ssize_t size)
    @cython.locals(used=Py_ssize_t)
    cdef _take_text(self, bytes piece, bint last)
