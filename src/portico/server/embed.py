"""Serve from a program: `portico.run(app)` with a loop of its own, `await portico.serve(app)` in a running one."""

import os
from typing import Any

from portico.asgi import ASGIApp, PorticoError
from portico.server import importer
from portico.server.config import DEFAULTS, Config
from portico.server.logs import configure
from portico.server.processes.alone import run as run_alone
from portico.server.server import Server
from portico.server.settling import ConfigError


def run(app: ASGIApp | str, **settings: Any) -> int:
    """Serve the application until SIGINT or SIGTERM; return the exit code.

    One that is named is served by supervised workers, as `portico run` does; one that is given by this process.

    Args:
        app: The application, or where to import it from (`"module:attribute"`).
        settings: Any setting of the reference page, by its name (`port=8000`).

    Raises:
        ConfigError: With every problem that the settings have.
        PorticoError: The application is being imported, which runs this call again.
    """
    if importer.importing:
        raise PorticoError(
            "portico.run is called while the application is imported: put it below `if __name__ == '__main__':`"
        )
    if not isinstance(app, str):
        for name in ("workers", "preload", "reload", "user", "group"):
            if settings.get(name, DEFAULTS[name]) != DEFAULTS[name]:
                raise ConfigError(
                    [f"{name}: other processes have to import the application: name it as module:attribute"]
                )
        settings = settings | {"supervise": False, "workers": 1}
    config = Config(app=app, **settings)
    configure(config)
    if config.supervise and os.name == "posix":
        from portico.server.processes.supervisor import run as run_supervised

        return run_supervised(config)
    return run_alone(config)


async def serve(app: ASGIApp | str, **settings: Any) -> None:
    """Serve the application in the running loop until the task is cancelled; takes no signals and sets up no logging.

    Settings that concern processes, reloading and metrics have no effect: the process is the program's.

    Args and Raises: as for `run`; ListenError and LifespanError where the server cannot start.
    """
    await Server(Config(app=app, **settings)).serve()
