"""A worker process: one `Server` on the supervisor's sockets, until the supervisor or a signal says to stop."""

import asyncio
import faulthandler
import gc
import os
import signal
import socket
import traceback

from portico.asgi import ASGIApp, PorticoError
from portico.lifespan import LifespanError
from portico.server.config import Config
from portico.server.failures import explain, summarize
from portico.server.listeners import listener_of
from portico.server.logs import configure, logger, reopen
from portico.server.metrics.board import Board
from portico.server.processes.channel import FAILED, STARTUP_FAILED, Channel, Launch
from portico.server.processes.titles import set_title
from portico.server.server import Server, load_app, loop_factory
from portico.server.signals import AT_ONCE, caught, pass_over


def run(channel_socket: socket.socket, launch: Launch, app: ASGIApp | None = None) -> None:
    """Serve, and exit the process; `app` is there already in a fork of the template."""
    channel = Channel(channel_socket)
    try:
        status = _run(channel, launch, app)
    except BaseException:
        channel.say(failed=traceback.format_exc())
        raise SystemExit(FAILED) from None
    finally:
        channel.socket.detach()  # it ends with the process, and not before
    raise SystemExit(status)


def _run(channel: Channel, launch: Launch, app: ASGIApp | None) -> int:
    came = pass_over()
    # With the interpreter blocked in whatever it does, this still writes where every thread is.
    faulthandler.register(signal.SIGUSR2, file=launch.dump, all_threads=True)
    config = Config.settled(launch.config)
    configure(config)
    if app is not None:
        reopen()  # what the template has opened, perhaps long ago
    set_title(f"worker {launch.number}", config.name or str(config.app))
    try:
        if app is None:
            channel.end_together(True)
            app = load_app(config)
            channel.end_together(False)
        with asyncio.Runner(loop_factory=loop_factory(config.loop)) as runner:
            return runner.run(_serve(channel, launch, config, app, came))
    except PorticoError as error:
        channel.say(failed=explain(error))
        return FAILED


async def _serve(channel: Channel, launch: Launch, config: Config, app: ASGIApp, came: set[int]) -> int:
    loop = asyncio.get_running_loop()
    sockets = [listener_of(fd, role) for fd, role in launch.sockets.items()]
    board = Board(launch.board)
    handed = None
    if config.tls:
        from portico.server.tls.handover import HandedCertificates

        handed = HandedCertificates(config, launch.certificates)
    server = Server(config, sockets=sockets, cells=board.place(launch.place), board=board, certificates=handed)
    logger.info("Started worker %d [%d]", launch.number, os.getpid())
    starting = asyncio.ensure_future(server.start(app))

    def stop(number: int) -> None:
        if number == signal.SIGUSR1:
            server.reopen_logs()
        elif not starting.done():
            starting.cancel()
        elif number == AT_ONCE:
            server.stop(force=True)
        elif server.is_ready():  # no more than once: some send it to all processes of the service
            server.stop()

    def listen() -> None:
        for message in channel.take():
            if message.get("stop") and server.is_ready():
                server.stop(delay=message["delay"])
            elif message.get("certificates") and handed is not None:
                handed.reload()
        if channel.ended:
            loop.remove_reader(channel)
            logger.warning("The supervisor has gone: worker %d [%d] stops", launch.number, os.getpid())
            stop(signal.SIGTERM)

    channel.socket.setblocking(False)
    loop.add_reader(channel, listen)
    handled = (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1)
    with caught(loop, stop, handled, restore=False):
        try:
            await starting
        except asyncio.CancelledError:
            return 0
        except LifespanError as error:
            channel.say(failed=summarize(error))
            return STARTUP_FAILED
        if signal.SIGUSR1 in came:  # before anybody listened
            server.reopen_logs()
        gc.freeze()
        channel.say(ready=True)
        try:
            await server.until_stopped()
        except LifespanError as error:
            logger.error("%s", error)
            return STARTUP_FAILED
        finally:
            loop.remove_reader(channel)
        logger.info("Finished worker %d [%d]", launch.number, os.getpid())
    return 0
