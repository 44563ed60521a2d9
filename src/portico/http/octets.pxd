cimport cython

cdef bint COMPILED

@cython.locals(octets=cython.p_uchar, flagged=cython.p_uchar, at=Py_ssize_t, end=Py_ssize_t)
cpdef bint has_any(bytes value, bytes flags) except -1

@cython.locals(octets=cython.p_uchar, octet=cython.uchar, found=cython.uchar, at=Py_ssize_t, end=Py_ssize_t)
cpdef bint has_control(bytes value) except -1
