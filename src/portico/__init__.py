"""Portico: the whole ASGI stack as one package. The names that most programs need, loaded when they are first used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portico.server import Config, Server, run, serve

__version__ = "0.1.0"
__all__ = ["Config", "Server", "__version__", "run", "serve"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'portico' has no attribute {name!r}")
    from portico import server

    return getattr(server, name)
