from portico.codec.websocket.mask cimport unmask

cdef int BINARY, CLOSE, CONTINUATION, MAX_CONTROL, PING, PROTOCOL_ERROR, TEXT, TOO_BIG

cdef class MessageReader:
    cdef public bytes buffer, split, key
    cdef public Py_ssize_t position, phase
    cdef public long long max_size, max_compressed, size, expected, left
    cdef public int opcode
    cdef public bint compressed, ended, final
    cdef public object inflater, text, binary, violation

    cpdef feed(self, bytes data)
    cpdef close(self)
    cpdef next_event(self)
    cdef _end(self)
    cdef _fail(self, int code, str reason)
    cdef _read_head(self)
    cdef _check_head(self, int first, int second, int opcode, long long length)
    cdef _read_control(self, int opcode, Py_ssize_t at, Py_ssize_t length)
    cdef _begin_message(self, int opcode, bint compressed)
    cdef _read_payload(self)
    cdef _take_text(self, bytes piece, bint last)
