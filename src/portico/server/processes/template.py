"""The template process: it has imported the application, and forks a worker whenever the supervisor asks for one.

It runs no event loop and starts no threads, so that a fork is a copy of nothing that is under way. What was imported is
kept from the garbage collector, whose marks would have every worker copy the pages.
"""

import errno
import gc
import os
import pickle
import signal
import socket
import threading
import traceback
from dataclasses import replace
from selectors import EVENT_READ, DefaultSelector
from typing import NoReturn

from portico.asgi import PorticoError
from portico.server.config import Config
from portico.server.failures import explain
from portico.server.logs import configure, logger
from portico.server.processes.channel import FAILED, LOADED, Channel, Launch
from portico.server.processes.titles import set_title
from portico.server.processes.worker import run as become_worker
from portico.server.server import load_app, loop_factory
from portico.server.signals import pass_over

MAX_ORDER = 4096  # bytes
DESCRIPTORS = 2  # with each: the worker's end of its channel, and its file for stacks


def run(channel_socket: socket.socket, launch: Launch) -> NoReturn:
    """Import the application and fork workers until the supervisor wants no more; returns in none of the processes."""
    channel = Channel(channel_socket)
    pass_over()
    config = Config.settled(launch.config)
    try:
        configure(config)
        set_title("template", config.name or str(config.app))
        channel.end_together(True)
        app = load_app(config)
        loop_factory(config.loop)  # imports the loop
    except PorticoError as error:
        channel.say(order=LOADED, failed=explain(error))
        raise SystemExit(FAILED) from None
    except BaseException:
        channel.say(order=LOADED, failed=traceback.format_exc())
        raise SystemExit(FAILED) from None
    gc.collect()
    gc.freeze()
    channel.end_together(False)
    _warn_of_threads()
    channel.say(order=LOADED)
    part = _fork_workers(channel, launch)
    if part is None:
        raise SystemExit(0)
    become_worker(*part, app)
    raise AssertionError


def _fork_workers(channel: Channel, launch: Launch) -> tuple[socket.socket, Launch] | None:
    """Return in each worker with its part; in the template None, once no more are wanted and all have ended."""
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waker.fileno())
    selector = DefaultSelector()
    selector.register(channel, EVENT_READ)
    selector.register(woken, EVENT_READ)
    workers: set[int] = set()
    wanted = True
    while wanted or workers:
        for key, _ in selector.select():
            if key.fileobj is woken:
                woken.recv(4096)
                continue
            order, descriptors, _, _ = socket.recv_fds(channel.socket, MAX_ORDER, DESCRIPTORS)
            if not order:
                selector.unregister(channel)
                wanted = False
                continue
            asked, number, place = pickle.loads(order)
            try:
                if len(descriptors) < DESCRIPTORS:
                    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                pid = os.fork()
            except OSError as error:
                _close(descriptors)
                channel.say(order=asked, failed=f"no process can be forked: {error}")
                continue
            if pid == 0:
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (selector, woken, waker, channel):
                    each.close()
                return socket.socket(fileno=descriptors[0]), replace(
                    launch, number=number, place=place, dump=descriptors[1]
                )
            _close(descriptors)
            workers.add(pid)
            channel.say(order=asked, forked=pid)
        for pid in tuple(workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                workers.discard(pid)
                channel.say(ended=pid, status=os.waitstatus_to_exitcode(status))
    return None


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _warn_of_threads() -> None:
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if names:
        logger.warning(
            "--preload: importing the application has started threads, which its workers do not have: %s",
            ", ".join(names),
        )
