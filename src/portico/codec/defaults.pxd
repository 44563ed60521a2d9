cdef class Defaults:
    cdef public bytes date, server, extra, hsts, lines
    cdef public list pairs
