cimport cython

cdef Py_ssize_t HEAD_SIZE

cdef class FrameReader:
    cdef public bytes buffer
    cdef public list pieces
    cdef public Py_ssize_t position, missing, preface, start, end, max_size
    cdef public int kind, flags
    cdef public unsigned int stream_id

    cpdef feed(self, bytes data)
    @cython.locals(octets=cython.p_uchar, at=Py_ssize_t, available=Py_ssize_t, length=Py_ssize_t)
    cpdef int next(self) except -1
    cpdef bint is_within(self)
    cpdef close(self)
    cdef bint _read_preface(self) except -1
