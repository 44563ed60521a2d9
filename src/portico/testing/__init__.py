"""Drive any ASGI application without a socket, in a test or in a program."""
