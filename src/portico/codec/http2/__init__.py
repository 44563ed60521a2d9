"""HTTP/2 (RFC 9113, RFC 7541), without sockets, loops or clocks."""
