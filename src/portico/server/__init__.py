"""Sockets, processes and time: everything that serves an ASGI application."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico.server.config import Config
    from portico.server.embed import run, serve
    from portico.server.server import Server

__all__ = ["Config", "Server", "run", "serve"]

_HOMES = {"Config": "config", "Server": "server", "run": "embed", "serve": "embed"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'portico.server' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"portico.server.{_HOMES[name]}"), name)
