cdef class Limits:
    cdef public Py_ssize_t line, fields, head
    cdef public long long body
