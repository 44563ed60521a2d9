"""The environment of a WSGI application (PEP 3333, RFC 3875), made from the scope of its request."""

import sys
from typing import Any

from portico.asgi import Scope

# As CGI variables these would be taken for others: `Proxy` for the process's own proxy settings (HTTP_PROXY), a name
# with `_` for the same one with `-`.
UNSAFE_NAME = b"proxy"
DROPPED = ""
MAX_KNOWN_NAMES = 1024
PORTS = {"http": "80", "https": "443"}

_keys: dict[bytes, str] = {}  # of names that have come


def make_environ(scope: Scope) -> dict[str, Any]:
    """Return the environment without `wsgi.input` and `wsgi.file_wrapper`, which are the call's own."""
    path = scope["path"]
    root = scope.get("root_path", "")
    if root:
        root = root.rstrip("/")
        if path.startswith(root) and path[len(root) :][:1] in ("", "/"):
            path = path[len(root) :]
        root = wsgi_text(root)
    query = scope["query_string"].decode("latin-1")
    scheme = scope.get("scheme", "http")
    client = scope.get("client")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root,
        "PATH_INFO": wsgi_text(path),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/" + scope["http_version"],
        "SERVER_SOFTWARE": "portico",
        "REMOTE_ADDR": client[0] if client else "",  # of a unix socket; RFC 3875 §4.1.8 has it always
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        # The input ends where the body does, whatever it is framed by.
        "wsgi.input_terminated": True,
    }
    if client:
        environ["REMOTE_PORT"] = str(client[1])
    raw_path = scope.get("raw_path")
    if raw_path is not None:
        # What other servers call the target as it was sent; two names of one thing.
        target = raw_path.decode("latin-1")
        environ["REQUEST_URI"] = environ["RAW_URI"] = f"{target}?{query}" if query else target
    for name, value in scope["headers"]:
        key = _keys.get(name)
        if key is None:
            key = _learn(name)
        if key is DROPPED:
            continue
        text = value.decode("latin-1")
        before = environ.get(key)
        if before is not None:
            # RFC 9110 §5.3; HTTP/2 may split cookies (RFC 9113 §8.2.3)
            text = f"{before}; {text}" if key == "HTTP_COOKIE" else f"{before},{text}"
        environ[key] = text
    server = scope.get("server")
    if server and server[1] is not None:
        environ["SERVER_NAME"] = server[0]
        environ["SERVER_PORT"] = str(server[1])
    else:
        environ["SERVER_NAME"], environ["SERVER_PORT"] = _named(environ.get("HTTP_HOST", ""), scheme)
    return environ


def wsgi_text(text: str) -> str:
    """Return text as WSGI has it: its UTF-8 bytes, looking like latin-1."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def _named(host: str, scheme: str) -> tuple[str, str]:
    """Return name and port as the client calls them; a unix socket has none of its own."""
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdigit():
        name, port = host, PORTS.get(scheme, "80")
    return name or "localhost", port


def _learn(name: bytes) -> str:
    """Return the variable of a header, DROPPED for one that could pose as another."""
    if b"_" in name or name == UNSAFE_NAME:
        key = DROPPED
    else:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = "HTTP_" + key
    if len(_keys) < MAX_KNOWN_NAMES:
        _keys[name] = key
    return key
