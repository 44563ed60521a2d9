cdef class Allowance:
    cdef public double burst, rate, left, since

    cpdef bint spend(self, double now)
    cpdef earn(self, double tokens)
