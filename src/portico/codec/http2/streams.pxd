cimport cython

cdef int REMEMBERED

@cython.freelist(64)
cdef class StreamState:
    cdef public unsigned int id
    cdef public object owner
    cdef public bint closed, remote_ended, local_ended, tunnel, incremental, final, ready
    cdef public long long receive_window, send_window, expected, received
    cdef public Py_ssize_t unused, queued
    cdef public int urgency
    cdef public list chunks, trailers
    
cdef class ClosedStreams:
    cdef public long long last_id
    cdef bytearray ring

    @cython.locals(at=cython.longlong)
    cpdef open(self, long long stream_id)
    cpdef close(self, long long stream_id, int how)
    cpdef int how(self, long long stream_id) except -1
