"""The template as the supervisor sees it: what is asked of it, and the workers that it has forked.

It runs application code, perhaps as another user. So nothing that it says may harm the supervisor: above all not the
number of a process, which will be sent signals.
"""

import asyncio
import os
import pickle
import signal
import socket
import subprocess
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from portico.asgi import PorticoError
from portico.server.processes.channel import LOADED, Channel, Launch


class LaunchError(PorticoError):
    """A worker cannot be started; the text says why."""


class Forked:
    """A worker that the template has forked, and whose end it reports.

    Where the template is lost, the end of the channel is the worker's: nobody else has the other side of it.
    """

    def __init__(self, template: Channel, channel: socket.socket) -> None:
        self.pid = 0
        self.status: int | None = None
        self._template = template
        self._channel = channel
        self._handle: int | None = None  # Linux: of this process, and of no later one with its number; -1: it has gone

    def identify(self, pid: int, parent: int) -> None:
        """Take the number of the process; raises LaunchError if it is no child of that parent."""
        self.pid = pid
        if pid > 1 and hasattr(os, "pidfd_open"):
            try:
                self._handle = os.pidfd_open(pid)
            except (ProcessLookupError, OverflowError):
                self._handle = -1
            except OSError:  # an old kernel, or a container that forbids it
                pass
        try:
            is_own = pid > 1 and f"\nPPid:\t{parent}\n" in Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it has ended already, or the system has no such files
            is_own = True
        if not is_own:
            self._close()
            raise LaunchError(f"the template claims a process that is not its own: {pid}")

    def poll(self) -> int | None:
        """Return the exit status that was reported, or 0 where nobody knows it any more."""
        if self.status is None and (self._template.ended or self._handle == -1) and self._has_ended():
            self.status = 0
        if self.status is not None:
            self._close()
        return self.status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is not None or self._handle == -1:
            return
        if self._handle is None:
            os.kill(self.pid, number)
        else:
            signal.pidfd_send_signal(self._handle, number)

    def _has_ended(self) -> bool:
        try:
            return not self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _close(self) -> None:
        if self._handle is not None and self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Template:
    """A template process that runs.

    Args:
        process: The process.
        ours: The supervisor's end of its channel.
        ended: Called when a worker, or the template itself, has ended.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", ours: socket.socket, ended: Callable[[], None]) -> None:
        self.process = process
        self.channel = Channel(ours)
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._orders = count(LOADED + 1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {LOADED: self._loop.create_future()}
        self._asked: dict[int, Forked] = {}  # by the number of the order
        self._workers: dict[int, Forked] = {}
        ours.setblocking(False)
        self._loop.add_reader(ours, self._listen)

    async def loaded(self, within_s: float) -> None:
        """Wait until it has imported the application; else it is killed, and LaunchError raised."""
        try:
            async with asyncio.timeout(within_s):
                await self._answer(LOADED)
        except TimeoutError:
            raise LaunchError(f"the application was not imported within {within_s:g} s") from None
        finally:
            if LOADED in self._answers:
                self.process.kill()

    async def fork(self, launch: Launch, ours: socket.socket, theirs: socket.socket) -> Forked:
        """Have a worker forked; raises LaunchError."""
        order = next(self._orders)
        worker = self._asked[order] = Forked(self.channel, ours)
        self._answers[order] = self._loop.create_future()
        try:
            said = pickle.dumps((order, launch.number, launch.place))
            socket.send_fds(self.channel.socket, [said], [theirs.fileno(), launch.dump])
            answer = await self._answer(order)
        except OSError as error:
            raise LaunchError(f"the template of the workers does not answer: {error}") from None
        finally:
            # Where nobody waits for the answer any more, the worker finds that nobody is at the other end.
            self._answers.pop(order, None)
            self._asked.pop(order, None)
        worker.identify(answer["forked"], self.process.pid)
        return worker

    def dismiss(self) -> None:
        """Let it end once its workers have; one that still imports has none."""
        if LOADED in self._answers:
            self.process.kill()
        elif not self.channel.ended:
            self.channel.socket.shutdown(socket.SHUT_WR)

    async def _answer(self, order: int) -> dict[str, Any]:
        answer = await self._answers[order]
        if "failed" in answer:
            raise LaunchError(str(answer["failed"]))
        return answer

    def _listen(self) -> None:
        for message in self.channel.take():
            order, pid, status = message.get("order"), message.get("ended"), message.get("status")
            if isinstance(pid, int) and isinstance(status, int):
                worker = self._workers.pop(pid, None)
                if worker is not None:
                    worker.status = status
                    self._ended()
            elif isinstance(order, int):
                self._take_answer(order, message)
        if self.channel.ended:
            self._loop.remove_reader(self.channel)
            self.channel.close()
            for order in tuple(self._answers):
                self._take_answer(order, {"failed": "the template of the workers has ended"})
            self._ended()

    def _take_answer(self, order: int, message: dict[str, Any]) -> None:
        answer = self._answers.get(order)
        if answer is None or answer.done():
            return
        if order == LOADED:
            del self._answers[order]
        elif "failed" not in message:
            pid = message.get("forked")
            if not isinstance(pid, int):
                message = {"failed": "the template of the workers has given no answer"}
            else:
                self._workers[pid] = self._asked[order]  # now, for the next message may be of its end
        answer.set_result(message)
