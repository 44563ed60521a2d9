"""The template process: it has imported the application, and forks a worker whenever the supervisor asks for one.

It runs no event loop and starts no threads, so that a fork is a copy of nothing that is under way. What was imported is
kept from the garbage collector, whose marks would have every worker copy the pages.
"""

import gc
import os
import pickle
import signal
import socket
import traceback
from dataclasses import replace
from selectors import EVENT_READ, DefaultSelector
from typing import NoReturn

from portico.asgi import PorticoError
from portico.server.config import Config
from portico.server.failures import explain
from portico.server.logs import configure
from portico.server.processes.channel import FAILED, Channel, Launch
from portico.server.processes.titles import set_title
from portico.server.processes.worker import IGNORED
from portico.server.processes.worker import run as become_worker
from portico.server.server import load_app, loop_factory

MAX_ORDER = 4096  # bytes


def run(channel_socket: socket.socket, launch: Launch) -> NoReturn:
    """Import the application and fork workers until the supervisor wants no more; returns in none of the processes."""
    channel = Channel(channel_socket)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    config = Config(**launch.config)
    try:
        configure(config)
        set_title("template", config.name or str(config.app))
        app = load_app(config)
        loop_factory(config.loop)  # imports the loop
    except PorticoError as error:
        channel.say(failed=explain(error))
        raise SystemExit(FAILED) from None
    except BaseException:
        channel.say(failed=traceback.format_exc())
        raise SystemExit(FAILED) from None
    gc.collect()
    gc.freeze()
    channel.say(loaded=True)
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
            order, descriptors, _, _ = socket.recv_fds(channel.socket, MAX_ORDER, 2)
            if not order:
                selector.unregister(channel)
                wanted = False
                continue
            number, place = pickle.loads(order)
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (selector, woken, waker, channel):
                    each.close()
                return socket.socket(fileno=descriptors[0]), replace(
                    launch, number=number, place=place, dump=descriptors[1]
                )
            for descriptor in descriptors:
                os.close(descriptor)
            workers.add(pid)
            channel.say(forked=pid)
        for pid in tuple(workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                workers.discard(pid)
                channel.say(ended=pid, status=os.waitstatus_to_exitcode(status))
    return None
