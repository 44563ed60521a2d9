"""Serve from a program: `portico.run(app)` with a loop of its own, `await portico.serve(app)` in a running one."""

from typing import Any

from portico.asgi import ASGIApp
from portico.server.config import Config
from portico.server.logs import configure
from portico.server.worker import Server


def run(app: ASGIApp | str, **settings: Any) -> int:
    """Serve the application until SIGINT or SIGTERM; return the exit code.

    Args:
        app: The application, or where to import it from (`"module:attribute"`).
        settings: Any setting of the reference page, by its name (`port=8000`).

    Raises:
        ConfigError: With every problem that the settings have.
    """
    config = Config(app=app, **settings)
    configure(config)
    return Server(config).run()


async def serve(app: ASGIApp | str, **settings: Any) -> None:
    """Serve the application in the running loop until the task is cancelled; takes no signals and sets up no logging.

    Args and Raises: as for `run`; ListenError and LifespanError where the server cannot start.
    """
    await Server(Config(app=app, **settings)).serve()
