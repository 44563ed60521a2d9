"""One process that serves by itself, without a supervisor: `--no-supervise`, and applications that have no name."""

import asyncio
import gc
import os
import signal
import sys
import time

from portico.asgi import PorticoError
from portico.lifespan import LifespanError
from portico.server.config import Config
from portico.server.logs import logger
from portico.server.metrics.endpoint import OwnMetrics, where
from portico.server.processes.channel import FAILED, STARTUP_FAILED
from portico.server.processes.limits import Limits
from portico.server.processes.notify import Notifier
from portico.server.processes.pidfile import PidFile
from portico.server.processes.titles import set_title
from portico.server.server import Server, load_app, loop_factory
from portico.server.settling import ConfigError
from portico.server.signals import AT_ONCE, STOPPING, caught

REOPEN, RELOAD = getattr(signal, "SIGUSR1", None), getattr(signal, "SIGHUP", None)
LOOK_S = 1.0


def run(config: Config, *, exits: bool = False) -> int:
    """Serve in a loop of its own until a signal asks to stop; return the exit status of the process.

    Where the process `exits` then, signals that come too late are ignored.

    Raises:
        ConfigError: the certificates cannot be used; nothing was opened.
    """
    if config.tls:
        from portico.server.tls.contexts import check_files

        check_files(config)
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
    except ConfigError:
        raise
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
    metrics = OwnMetrics(config.metrics)
    await metrics.start()
    for address in metrics.addresses:
        logger.info("Metrics on %s", where(address))
    server = Server(config, cells=metrics.cells)
    logger.info("Started server process [%d]", os.getpid())
    starting = asyncio.ensure_future(server.start(app))

    def interrupt(number: int) -> None:
        if number == REOPEN:
            server.reopen_logs()
        elif number == RELOAD:
            server.reload_certificates()
        elif starting.done():
            metrics.set_state("draining")
            notifier.stopping()
            notifier.extend(config.shutdown_delay + 2 * config.timeout_graceful_shutdown)
            server.stop(force=number == AT_ONCE)
        else:
            starting.cancel()

    # A program that serves for a while may have a use of its own for SIGUSR1.
    handled = (*STOPPING, *_for_operators(config)) if exits else STOPPING
    with caught(asyncio.get_running_loop(), interrupt, handled, restore=not exits):
        try:
            await starting
        except asyncio.CancelledError:
            return 0
        except LifespanError as error:
            logger.error("%s", error)
            logger.error("Application startup failed. Exiting.")
            return STARTUP_FAILED
        gc.freeze()
        metrics.set_state("serving")
        notifier.ready()
        background = [asyncio.create_task(_tell_alive(notifier)), asyncio.create_task(_watch(config, metrics, server))]
        try:
            await server.until_stopped()
        except LifespanError as error:
            logger.error("%s", error)
            logger.error("Application shutdown failed. Exiting.")
            return STARTUP_FAILED
        finally:
            for task in background:
                task.cancel()
            await metrics.stop()
        logger.info("Finished server process [%d]", os.getpid())
    return 0


def _for_operators(config: Config) -> list[signal.Signals]:
    """Return the signals that do not stop; without certificates SIGHUP does, as a terminal means it that is closed."""
    return [number for number in (REOPEN, RELOAD if config.tls else None) if number is not None]


async def _tell_alive(notifier: Notifier) -> None:
    """Tell systemd again and again that the loop runs, where it wants to hear it."""
    while notifier.watchdog_interval is not None:
        notifier.watchdog()
        await asyncio.sleep(notifier.watchdog_interval)


async def _watch(config: Config, metrics: OwnMetrics, server: Server) -> None:
    """Stop once the limits of a worker are reached: whoever has started the process starts it again."""
    started = time.monotonic()
    limits = Limits.of(config)
    while (found := limits.reached(metrics.census, metrics.place, time.monotonic() - started)) is None:
        await asyncio.sleep(LOOK_S)
    logger.info("This process %s and stops", found[1])
    metrics.set_state("draining")
    server.stop()
