cimport cython

@cython.locals(name=bytes, value=bytes)
cpdef Py_ssize_t entry_size(tuple field) except -1

cdef class DynamicTable:
    cdef public list entries
    cdef public Py_ssize_t size, max_size

    @cython.locals(size=Py_ssize_t)
    cpdef add(self, tuple field)
    cpdef resize(self, Py_ssize_t max_size)
    @cython.locals(count=Py_ssize_t, entries=list)
    cdef _evict(self, Py_ssize_t room)
    cdef _forget(self, Py_ssize_t count)
