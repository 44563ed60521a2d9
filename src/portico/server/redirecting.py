"""What is served at the sockets of `redirect_http`: a redirect to the same URL with https, and ACME's challenges.

A redirect goes to the host that the client itself has named, whatever that is, and to nothing else: no part of the
path or the query can become the host.
"""

import re
from collections.abc import Collection

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.files.directory import ALLOW, Directory
from portico.files.sending import send_text
from portico.http.hosts import host_field, parse_host
from portico.http.status import reason

HTTP_PORT, HTTPS_PORT = 80, 443
CHALLENGES = "/.well-known/acme-challenge/"
TOKEN = re.compile(r"[A-Za-z0-9_-]+")  # RFC 8555 §8.3: base64url


def redirecting(ports: Collection[int], secure_port: int, webroot: str | None = None) -> ASGIApp:
    """Return the application that redirects.

    A client that has come by the usual port though that is none of ours came through something that maps ports, such as
    a container's. It finds us at the usual port of https as well, whatever ours is.

    Args:
        ports: Those that clients are redirected from.
        secure_port: The one that they are redirected to.
        webroot: The directory whose `.well-known/acme-challenge` is served (RFC 8555 §8.3).
    """
    is_mapped = HTTP_PORT not in ports
    challenges = None if webroot is None else Directory([webroot + CHALLENGES])

    async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if challenges is not None and path.startswith(CHALLENGES):
            token = path.removeprefix(CHALLENGES)
            status = await challenges.answer(scope, receive, send, token) if TOKEN.fullmatch(token) else 404
            if status:
                await send_text(send, status, reason(status), [ALLOW] if status == 405 else [])
            return
        field = host_field(scope["headers"])
        host = None if field is None else parse_host(field)
        # A target may be `*`, or what is no path at all; without a host there is nowhere to go (HTTP/1.0).
        if host is None or not scope["raw_path"].startswith(b"/"):
            await send_text(send, 400, "This request cannot be redirected to https")
            return
        port = HTTPS_PORT if is_mapped and host.port_number in (None, HTTP_PORT) else secure_port
        location = b"https://" + host.name.encode()
        if port != HTTPS_PORT:
            location += b":%d" % port
        location += scope["raw_path"]
        if scope["query_string"]:
            location += b"?" + scope["query_string"]
        # Both may be kept by caches, but only 308 keeps the method of what is no GET (RFC 9110 §15.4).
        status = 301 if scope["method"] in ("GET", "HEAD") else 308
        await send_text(send, status, reason(status), [(b"location", location)])

    return redirect
