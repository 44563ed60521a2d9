"""How workers come to be: each a process of its own, or forked from a template that has imported the application."""

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

from portico.server.config import Config
from portico.server.processes.accounts import Identity
from portico.server.processes.channel import Launch
from portico.server.processes.children import Process
from portico.server.processes.forking import LaunchError, Template
from portico.server.signals import PASSED_OVER

ENTRY = str(Path(__file__).with_name("entry.py"))
TELL_S = 10.0  # for a new process to take what it is told, if that is more than the kernel holds


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
        return spawn("worker", launch, ours, theirs, self._identity)

    def poll(self) -> int | None:
        """There is none."""
        return None

    def retire(self) -> None:
        """There is nothing to retire."""


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
        self._template: Template | None = None
        self._asking = asyncio.Lock()

    @property
    def pid(self) -> int:
        """The number of the template's process; 0 before there is one."""
        return 0 if self._template is None else self._template.process.pid

    async def prepare(self) -> None:
        """Start the template and wait until it has imported the application."""
        async with self._asking:
            await self._begin()

    async def start(self, launch: Launch, ours: socket.socket, theirs: socket.socket) -> Process:
        """Have a worker forked."""
        async with self._asking:
            template = self._template
            if template is None or template.channel.ended:
                template = await self._begin()
            return await template.fork(launch, ours, theirs)

    def poll(self) -> int | None:
        """Return the template's exit status once it has ended."""
        return None if self._template is None else self._template.process.poll()

    def retire(self) -> None:
        """Let the template end once its workers have."""
        if self._template is not None:
            self._template.dismiss()

    async def _begin(self) -> Template:
        ours, theirs = socket.socketpair()
        launch = self._launch
        with theirs:
            try:
                process = spawn("template", launch, ours, theirs, self._identity)
            except BaseException:
                ours.close()
                raise
        template = self._template = Template(process, ours, self._ended)
        await template.loaded(self._timeout_s)
        return template


def spawn(
    role: str,
    launch: Launch,
    ours: socket.socket,
    theirs: socket.socket,
    identity: Identity | None,
) -> "subprocess.Popen[bytes]":
    """Start `entry` in a new interpreter, with the flags of this one, and tell it what it has to know."""
    told = pickle.dumps({"role": role, "launch": _pickled(launch), "path": sys.path, "argv": sys.argv})
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # multiprocessing takes them too
    title = f"{role} {launch.number}" if launch.number else role
    command = [sys.executable, *flags, "-P", *_entry(), str(theirs.fileno()), title, str(launch.config["app"])]
    account: dict[str, Any] = identity.popen() if identity is not None else {}
    # A new process does not know yet what these mean to it, and would end.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_OVER)
    try:
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(), *launch.inherited), **account)
    except OSError as error:
        raise LaunchError(f"no process can be started: {error}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    ours.settimeout(TELL_S)
    try:
        ours.sendall(len(told).to_bytes(8, "big") + told)
    except OSError as error:
        process.kill()
        process.wait()
        raise LaunchError(f"the new process does not listen: {error}") from None
    return process


def _entry() -> list[str]:
    if os.path.isfile(ENTRY):
        return [ENTRY]
    # It is part of an archive.
    return ["-c", f"import sys; sys.path[:] = {sys.path!r}; from portico.server.processes.entry import main; main()"]


def _pickled(launch: Launch) -> bytes:
    for name, value in launch.config.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            raise LaunchError(f"{name}: other processes cannot be given this: {error}") from None
    return pickle.dumps(launch)


def settings_of(config: Config) -> dict[str, Any]:
    """Return the settings as a worker is told them."""
    return {each.name: getattr(config, each.name) for each in fields(config)}
