"""The methods of requests that are served; others are answered with 501 (RFC 9110 §9.1)."""

# As received -> as text. CONNECT is not among them: its target is another's, and it makes a tunnel.
METHODS = {
    name: name.decode()
    for name in (
        b"GET HEAD POST PUT DELETE OPTIONS TRACE PATCH COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND "
        b"REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR "
        b"LINK UNLINK SOURCE QUERY"
    ).split()
}
