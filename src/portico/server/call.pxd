cimport cython

from portico.server.service cimport Service

cdef bint EAGER
cdef object DONE, Task, current_task, next_event

cdef class Ready:
    pass

@cython.freelist(16)
cdef class Waiter:
    cdef public object loop, callback, context, reason
    cdef public bint _asyncio_future_blocking, done, cancelled
    cdef public Waiter next

    cpdef finish(self)
    cpdef resume(self)

cdef class Call:
    cdef public Service service
    cdef public dict scope
    cdef public bint counted, finished
    cdef public Waiter waiter

    cdef begin(self, Service service, dict scope)
    cpdef take(self)
    cpdef send(self, message)
    cpdef ended(self, error)
    cpdef abandon(self)
    cpdef run(self)
    cdef _start_task(self, coroutine)
    cpdef on_done(self, task)
    cpdef on_waited(self, task)
    cpdef release(self)
    cpdef receive(self)
    @cython.locals(waiter=Waiter, last=Waiter)
    cpdef wait(self)
    @cython.locals(waiter=Waiter)
    cpdef wake(self)
    @cython.locals(waiter=Waiter)
    cpdef resume(self)

cpdef message_type(message)
