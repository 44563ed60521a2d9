"""One process that serves by itself, without a supervisor: `--no-supervise`, and applications that have no name."""

import asyncio
import gc
import os
import signal
import sys

from portico.asgi import PorticoError
from portico.lifespan import LifespanError
from portico.server.config import Config
from portico.server.processes.channel import FAILED, STARTUP_FAILED
from portico.server.processes.notify import Notifier
from portico.server.processes.pidfile import PidFile
from portico.server.processes.titles import set_title
from portico.server.server import Server, load_app, loop_factory
from portico.server.service import logger
from portico.server.signals import AT_ONCE, STOPPING, caught

REOPEN = getattr(signal, "SIGUSR1", None)
HANDLED = (*STOPPING, REOPEN) if REOPEN is not None else STOPPING


def run(config: Config, *, exits: bool = False) -> int:
    """Serve in a loop of its own until a signal asks to stop; return the exit status of the process.

    Where the process `exits` then, signals that come too late are ignored.
    """
    pid_file = PidFile(config.pid) if config.pid is not None else None
    try:
        if config.umask is not None:
            os.umask(config.umask)
        if exits or config.name is not None:
            set_title("server", config.name or str(config.app))
        if pid_file is not None:
            pid_file.write()
        with asyncio.Runner(loop_factory=loop_factory(config.loop)) as runner:
            return runner.run(_main(config, exits))
    except PorticoError as error:
        print(f"Error: {error}", file=sys.stderr)
        return FAILED
    finally:
        if pid_file is not None:
            pid_file.remove()


async def _main(config: Config, exits: bool) -> int:
    notifier = Notifier()
    notifier.extend(config.timeout_worker_startup)
    app = load_app(config)
    server = Server(config)
    logger.info("Started server process [%d]", os.getpid())
    starting = asyncio.ensure_future(server.start(app))

    def interrupt(number: int) -> None:
        if number == REOPEN:
            server.reopen_logs()
        elif starting.done():
            notifier.stopping()
            server.stop(force=number == AT_ONCE)
        else:
            starting.cancel()

    with caught(asyncio.get_running_loop(), interrupt, HANDLED, restore=not exits):
        try:
            await starting
        except asyncio.CancelledError:
            return 0
        except LifespanError as error:
            logger.error("%s", error)
            logger.error("Application startup failed. Exiting.")
            return STARTUP_FAILED
        gc.freeze()
        notifier.ready()
        alive = asyncio.create_task(_tell_alive(notifier))
        try:
            await server.until_stopped()
        except LifespanError as error:
            logger.error("%s", error)
            logger.error("Application shutdown failed. Exiting.")
            return STARTUP_FAILED
        finally:
            alive.cancel()
        logger.info("Finished server process [%d]", os.getpid())
    return 0


async def _tell_alive(notifier: Notifier) -> None:
    """Tell systemd again and again that the loop runs, where it wants to hear it."""
    while notifier.watchdog_interval is not None:
        notifier.watchdog()
        await asyncio.sleep(notifier.watchdog_interval)
