from portico.codec.limits cimport Limits

cdef class Bounds:
    cdef public Limits limits
    cdef public Py_ssize_t streams, window, frame_size
