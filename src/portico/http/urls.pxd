from portico.http.octets cimport has_any

cdef int PERCENT
cdef set _known_authorities

cpdef bint is_authority(bytes value) except -1
cpdef bint is_target(bytes target) except -1
cpdef str decode_path(bytes raw_path)
