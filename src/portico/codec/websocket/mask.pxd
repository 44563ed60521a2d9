cimport cython

cdef bint COMPILED

@cython.locals(size=Py_ssize_t, space=bytes, source=cython.p_uchar)
cpdef bytes unmask(bytes data, Py_ssize_t start, Py_ssize_t end, bytes key, Py_ssize_t phase)
cpdef new_space(Py_ssize_t size)
cpdef inline bytes payload_of(space)
@cython.locals(
    size=Py_ssize_t, fours=Py_ssize_t, source=cython.p_uchar, target=cython.p_uchar,
    octet_0=cython.uchar, octet_1=cython.uchar, octet_2=cython.uchar, octet_3=cython.uchar,
)
cpdef unmask_into(
    bytes space, Py_ssize_t at, bytes data, Py_ssize_t start, Py_ssize_t end, bytes key, Py_ssize_t phase
)
