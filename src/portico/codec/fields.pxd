cpdef long long check_length(bytes value, long long before) except -2
