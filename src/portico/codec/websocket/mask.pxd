cimport cython

cdef bint COMPILED

@cython.locals(
    size=Py_ssize_t, at=Py_ssize_t, whole=Py_ssize_t, output=bytes, source=cython.p_uchar, target=cython.p_uchar,
    octet_0=cython.uchar, octet_1=cython.uchar, octet_2=cython.uchar, octet_3=cython.uchar,
)
cpdef bytes unmask(bytes data, Py_ssize_t start, Py_ssize_t end, bytes key, Py_ssize_t phase)
