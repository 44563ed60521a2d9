cdef list SHORT_TEXT, SHORT_BINARY

cpdef bytes frame_head(int first, Py_ssize_t length)
cpdef bytes message_head(bint text, Py_ssize_t length)
