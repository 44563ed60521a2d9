"""Handing over to another supervisor (SIGUSR2): the new program gets the sockets, and the old one ends once it serves.

The new one is started with the command line of the old one. Where it does not come up, the old one serves on.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import chain

from portico.server.logs import logger
from portico.server.processes.channel import Channel

VARIABLE = "PORTICO_UPGRADE"
Descriptors = dict[str, list[int]]


@dataclass(frozen=True)
class Predecessor:
    """The supervisor that this process replaces: its process, and its sockets by the bind they were opened for."""

    pid: int
    sockets: Descriptors
    metrics: Descriptors
    channel: Channel

    def serving(self) -> None:
        """Tell it that it can go."""
        self.channel.say(serving=True)
        self.channel.close()


def predecessor(environ: MutableMapping[str, str] = os.environ) -> Predecessor | None:
    """Return the supervisor that has started this process to be replaced by it."""
    text = environ.pop(VARIABLE, "")
    if not text:
        return None
    given = json.loads(text)
    return Predecessor(
        given["pid"], given["sockets"], given["metrics"], Channel(socket.socket(fileno=given["channel"]))
    )


class Successor:
    """The supervisor that is to replace this one.

    Args:
        sockets: The listening sockets' descriptors, by the bind they were opened for.
        metrics: Likewise those of the metrics' address.
        environment: Variables that it needs beside ours.
        directory: Where this one was started.
        decided: Called when it serves, with True, or when it has ended before that.
    """

    def __init__(
        self,
        sockets: Descriptors,
        metrics: Descriptors,
        environment: Mapping[str, str],
        directory: str,
        decided: Callable[["Successor", bool], None],
    ) -> None:
        ours, theirs = socket.socketpair()
        told = {"pid": os.getpid(), "sockets": sockets, "metrics": metrics, "channel": theirs.fileno()}
        self._decided = decided
        self._channel = Channel(ours)
        try:
            self.process = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]],
                env={**os.environ, **environment, VARIABLE: json.dumps(told)},
                cwd=directory,
                pass_fds=(theirs.fileno(), *chain(*sockets.values(), *metrics.values())),
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        asyncio.get_running_loop().add_reader(ours, self._listen)
        logger.info("Started the new supervisor [%d]", self.process.pid)

    def _listen(self) -> None:
        serves = any(message.get("serving") for message in self._channel.take())
        if serves or self._channel.ended:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
            self._decided(self, serves)
