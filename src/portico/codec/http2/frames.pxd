cimport cython

cdef bint COMPILED

@cython.locals(head=bytes, octets=cython.p_uchar)
cpdef bytes frame_head(Py_ssize_t length, int kind, int flags, unsigned int stream_id)
