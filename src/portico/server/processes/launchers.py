"""How workers come to be: each a process of its own, or forked from a template that has imported the application."""

import asyncio
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

from portico.asgi import PorticoError
from portico.server.config import Config
from portico.server.processes.accounts import Identity
from portico.server.processes.channel import Channel, Launch
from portico.server.processes.children import Process

ENTRY = str(Path(__file__).with_name("entry.py"))


class LaunchError(PorticoError):
    """A worker cannot be started; the text says why."""


class Launcher(Protocol):
    """Starts workers."""

    @property
    def pid(self) -> int:
        """The number of its own process; 0 where it has none."""

    async def prepare(self) -> None:
        """Do what is to be done once before the first worker; raises LaunchError."""

    async def start(self, launch: Launch, ours: socket.socket, theirs: socket.socket) -> Process:
        """Start a worker with its end of the channel; raises LaunchError."""

    def poll(self) -> int | None:
        """Return the exit status of a process of its own that has ended; None while there is something to wait for."""

    def retire(self) -> None:
        """Start nothing more; workers that run are left alone."""


class Spawner:
    """Starts each worker as a new interpreter, which imports the application."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity

    @property
    def pid(self) -> int:
        """There is none."""
        return 0

    async def prepare(self) -> None:
        """There is nothing to prepare."""

    async def start(self, launch: Launch, ours: socket.socket, theirs: socket.socket) -> Process:
        """Start a worker."""
        inherited = (*launch.sockets, launch.board, launch.dump)
        return spawn("worker", launch, ours, theirs, inherited, self._identity)

    def poll(self) -> int | None:
        """There is none."""
        return None

    def retire(self) -> None:
        """There is nothing to retire."""


class Forked:
    """A worker that the template has forked, and whose end it reports.

    Where the template is lost, the end of the channel is the worker's: nobody else has the other side of it.
    """

    def __init__(self, pid: int, template: Channel, channel: socket.socket) -> None:
        self.pid = pid
        self.status: int | None = None
        self._template = template
        self._channel = channel

    def poll(self) -> int | None:
        """Return the exit status that was reported, or 0 where nobody knows it any more."""
        if self.status is None and self._template.ended and self._has_ended():
            self.status = 0
        return self.status

    def _has_ended(self) -> bool:
        try:
            return not self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True


class TemplateLauncher:
    """Has workers forked from a process that has imported the application: the template.

    Args:
        launch: What the template is told; the workers' own numbers, places and descriptors come with each fork.
        identity: What the template, and so its workers, run as.
        timeout_s: Seconds for the import.
        ended: Called when a worker has ended.
    """

    def __init__(self, launch: Launch, identity: Identity | None, timeout_s: float, ended: Callable[[], None]) -> None:
        self._launch = launch
        self._identity = identity
        self._timeout_s = timeout_s
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._workers: dict[int, Forked] = {}
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._asking = asyncio.Lock()

    @property
    def pid(self) -> int:
        """The number of the template's process; 0 before there is one."""
        return 0 if self._process is None else self._process.pid

    async def prepare(self) -> None:
        """Start the template and wait until it has imported the application."""
        async with self._asking:
            await self._begin()

    async def start(self, launch: Launch, ours: socket.socket, theirs: socket.socket) -> Process:
        """Have a worker forked."""
        async with self._asking:
            if self._channel is None or self._channel.ended:
                await self._begin()
            assert self._channel is not None
            order = pickle.dumps((launch.number, launch.place))
            socket.send_fds(self._channel.socket, [order], [theirs.fileno(), launch.dump])
            answer = await self._answer()
            worker = Forked(self._own(answer["forked"]), self._channel, ours)
            self._workers[worker.pid] = worker
            return worker

    def poll(self) -> int | None:
        """Return the template's exit status once it has ended."""
        return None if self._process is None else self._process.poll()

    def retire(self) -> None:
        """Let the template end once its workers have; one that is still importing has none."""
        if self._asking.locked() and not self._workers and self._process is not None:
            self._process.kill()
        elif self._channel is not None and not self._channel.ended:
            self._channel.socket.shutdown(socket.SHUT_WR)

    def _own(self, pid: int) -> int:
        """Return the number of a process that is the template's, which may be less trusted than this process."""
        assert self._process is not None
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it has ended already, or the system has no such files
            return pid
        if f"\nPPid:\t{self._process.pid}\n" not in status:
            raise LaunchError(f"the template claims a process that is not its own: {pid}")
        return pid

    async def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        launch = self._launch
        inherited = (*launch.sockets, launch.board)
        self._process = spawn("template", launch, ours, theirs, inherited, self._identity)
        channel = self._channel = Channel(ours)
        ours.setblocking(False)
        asyncio.get_running_loop().add_reader(ours, self._listen, channel)
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._answer()
        except TimeoutError:
            self._process.kill()
            raise LaunchError(f"the application was not imported within {self._timeout_s:g} s") from None

    async def _answer(self) -> dict[str, Any]:
        answer = await self._answers.get()
        if "failed" in answer:
            raise LaunchError(answer["failed"])
        return answer

    def _listen(self, channel: Channel) -> None:
        for message in channel.take():
            if "ended" in message:
                worker = self._workers.pop(message["ended"], None)
                if worker is not None:
                    worker.status = message["status"]
                    self._ended()
            else:
                self._answers.put_nowait(message)
        if channel.ended:
            asyncio.get_running_loop().remove_reader(channel)
            channel.close()
            if self._asking.locked():
                self._answers.put_nowait({"failed": "the template of the workers has ended"})
            self._ended()


def spawn(
    role: str,
    launch: Launch,
    ours: socket.socket,
    theirs: socket.socket,
    inherited: Sequence[int],
    identity: Identity | None,
) -> "subprocess.Popen[bytes]":
    """Start `entry` in a new interpreter, with the flags of this one, and tell it what it has to know."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # multiprocessing takes them too
    title = f"{role} {launch.number}" if launch.number else role
    command = [sys.executable, *flags, "-P", ENTRY, str(theirs.fileno()), title, str(launch.config["app"])]
    account: dict[str, Any] = identity.popen() if identity is not None else {}
    try:
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(), *inherited), **account)
    except OSError as error:
        raise LaunchError(f"no process can be started: {error}") from None
    told = {"role": role, "launch": launch, "path": sys.path, "argv": sys.argv}
    ours.sendall(pickle.dumps(told))
    return process


def settings_of(config: Config) -> dict[str, Any]:
    """Return the settings as a worker is told them."""
    return {each.name: getattr(config, each.name) for each in fields(config)}
