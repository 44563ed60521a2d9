"""WSGI applications (PEP 3333) as ASGI ones: each request in a thread of a bounded pool, bodies streamed both ways."""

from portico.wsgi.gateway import Gateway
from portico.wsgi.head import WSGIProtocolError

__all__ = ["Gateway", "WSGIProtocolError"]
