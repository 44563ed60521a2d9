"""The supervisor: it opens the sockets, keeps the workers, and answers the operator's signals.

It imports no application code, so that whatever that does, somebody sane is there to notice.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from portico.asgi import PorticoError
from portico.server.config import SETTINGS, TLS, Config
from portico.server.listeners import (
    Listener,
    announce,
    claim_files,
    close_listeners,
    close_unclaimed,
    describe,
    descriptors,
    open_listeners,
    role_of,
)
from portico.server.logs import configure, give_files, logger, reopen
from portico.server.metrics.board import Board, anonymous_file
from portico.server.metrics.census import Census
from portico.server.processes.accounts import identity
from portico.server.processes.channel import FAILED, Channel, Launch
from portico.server.processes.children import GONE, SERVING, STARTING, Child, reap_orphans
from portico.server.processes.inspection import Finding, inspect, kill
from portico.server.processes.launchers import Launcher, Spawner, TemplateLauncher, settings_of
from portico.server.processes.limits import Limits
from portico.server.processes.notify import Notifier
from portico.server.processes.pidfile import PidFile, PidFileError
from portico.server.processes.seats import Seat
from portico.server.processes.titles import set_title
from portico.server.processes.upgrade import Successor, predecessor
from portico.server.reload import watch
from portico.server.settling import ConfigError
from portico.server.signals import AT_ONCE, STOPPING, caught

if TYPE_CHECKING:
    from portico.server.tls.handover import SharedCertificates

TICK_S = 1.0
AT_ONCE_S = 3.0
BLOCKED_S = 2.5  # without a beat of its loop, which comes every second
SHOWN_FILES = 3
FAULT = "The supervisor has met a fault of its own, and goes on"
EXTRA_S = 5.0  # beyond what a worker allows itself, before it is killed
# What another supervisor would have to do: reading the settings again changes nothing of it.
FIXED = (
    "host", "port", "bind", "uds", "uds_permissions", "fd", "insecure_bind", "redirect_http", "reuse_port", "backlog",
    "user", "group", "umask", "pid", "name", "preload", "supervise", "metrics",
    "reload", "reload_dirs", "reload_includes", "reload_excludes", "reload_delay",
)  # fmt: skip
HANDLED = (*STOPPING, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1, signal.SIGUSR2)


def run(
    config: Config, reread: Callable[[], Config] | None = None, *, directory: str | None = None, exits: bool = False
) -> int:
    """Serve with supervised workers until a signal asks to stop; return the exit status of the process.

    Args:
        config: The settings.
        reread: Returns the settings as they are by now, or raises ConfigError: SIGHUP asks for them. It may change the
            current directory.
        directory: Where the process was started.
        exits: The process ends then: signals that come too late are ignored.

    Raises:
        ConfigError: the certificates cannot be used; nothing was opened.
    """
    try:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            return runner.run(Supervisor(config, reread, directory or os.getcwd()).serve(exits))
    except ConfigError:
        raise
    except PorticoError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


class Supervisor:
    """Keeps the workers of one set of settings."""

    def __init__(self, config: Config, reread: Callable[[], Config] | None, directory: str) -> None:
        self.config = config
        self._reread = reread
        self._directory = directory
        self._identity = identity(config)
        self._board = Board.create()
        self._census = Census(self._board)
        self._certificates = _certificates(config, self._on_certificates)
        self._notifier = Notifier()
        self._predecessor = predecessor()
        self._successor: Successor | None = None
        self._sockets: list[Listener] = []
        self._metrics_sockets: list[Listener] = []
        self._launcher: Launcher = Spawner(self._identity)
        self._launchers: list[Launcher] = []  # with those of before, some of whose workers may be left
        self._seats: dict[Seat, asyncio.Task[None]] = {}
        self._children: set[Child] = set()
        self._replacing = asyncio.Lock()
        self._reload_waits = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._pid_file = PidFile(config.pid) if config.pid is not None else None
        self._stop_asked = asyncio.Event()
        self._told_to_stop = False  # by a signal
        self._at_once = asyncio.Event()
        self._goes_on = asyncio.Event()  # the first workers have had their chance
        self._ticked_at = time.monotonic()
        self._status = 0  # the worst exit status of a worker that has ended for good
        self._ever_served = False
        self._handed_over = False

    async def serve(self, exits: bool) -> int:
        """Serve until a signal asks to stop; return the exit status."""
        config = self.config
        loop = asyncio.get_running_loop()
        set_title("supervisor", config.name or str(config.app))
        if config.umask is not None:
            os.umask(config.umask)
        self._give_files()
        pid_file = self._pid_file
        before = self._predecessor
        handled = caught(loop, lambda number: _surely(self._on_signal, number), HANDLED, restore=not exits)
        with handled, caught(loop, lambda number: self._reap(), (signal.SIGCHLD,)):
            try:
                inherited = None if before is None else before.sockets
                self._sockets = open_listeners(config, inherited=inherited, identity=self._identity)
                if config.metrics is not None:
                    from portico.server.metrics.endpoint import open_metrics

                    inherited = None if before is None else before.metrics
                    self._metrics_sockets = open_metrics(config.metrics, inherited)
                if pid_file is not None:
                    pid_file.write(replacing=None if before is None else before.pid)
                logger.info("Started supervisor [%d]", os.getpid())
                return await self._serve()
            finally:
                close_listeners([*self._sockets, *self._metrics_sockets], keep_files=self._handed_over)
                if pid_file is not None and not self._handed_over:
                    pid_file.remove()

    async def _serve(self) -> int:
        config = self.config
        self._notifier.extend(config.timeout_worker_startup)
        endpoint = None
        if config.metrics is not None:
            from portico.server.metrics.endpoint import MetricsEndpoint, where

            endpoint = MetricsEndpoint(config.metrics, self._census, self._metrics_sockets)
            for sock in self._metrics_sockets:
                logger.info("Metrics on %s", where(describe(sock)))
            if self._predecessor is None:
                await endpoint.start()
        changes = watch(config) if config.reload else None
        if self._certificates is not None:
            self._certificates.start(asyncio.get_running_loop())
        background = [asyncio.create_task(self._tick())]
        if changes is not None:
            background.append(asyncio.create_task(self._reload_on(changes)))
            background[-1].add_done_callback(_report)
        try:
            failed = await self._start_all()
            if failed is not None:
                return failed
            if endpoint is not None and self._predecessor is not None:
                await endpoint.start()  # of the two that have the socket, only one counts
            await self._stop_asked.wait()
            if endpoint is not None and self._handed_over:
                await endpoint.stop()
            await self._stop_all()
            logger.info("Finished supervisor [%d]", os.getpid())
            return self._status
        finally:
            for task in (*background, *self._tasks, *self._seats.values()):
                task.cancel()
            for child in self._children:
                child.kill("the supervisor ends")
            self._launcher.retire()
            if self._certificates is not None:
                self._certificates.stop()
            if endpoint is not None:
                await endpoint.stop()

    # Starting

    async def _start_all(self) -> int | None:
        """Start the workers and wait until each has had its chance; return the exit status where none serves."""
        config = self.config
        self._launcher = self._new_launcher(config)
        for _ in range(config.workers):
            self._add_seat()
        for seat in list(self._seats):
            await self._unless_stopped(seat.tried)
        if self._stop_asked.is_set():
            return None
        if not self._ever_served and not config.reload:
            logger.error("No worker has started. Exiting.")
            return self._status or FAILED
        self._goes_on.set()
        for sock in self._sockets:
            logger.info("%s", announce(sock, config))
        self._notifier.ready()
        if self._predecessor is not None:
            claim_files([*self._sockets, *self._metrics_sockets])
            close_unclaimed(self._predecessor.sockets)
            close_unclaimed(self._predecessor.metrics)
            self._predecessor.serving()
        return None

    async def _unless_stopped(self, event: asyncio.Event) -> None:
        """Wait for the event, or for the wish to stop."""
        waiting = [asyncio.create_task(each.wait()) for each in (event, self._stop_asked)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()

    def _new_launcher(self, config: Config) -> Launcher:
        if not config.preload:
            return Spawner(self._identity)
        launch = self._launch(config, number=0, place=0, dump=-1)
        launcher = TemplateLauncher(launch, self._identity, config.timeout_worker_startup, self._reap)
        self._launchers.append(launcher)
        return launcher

    def _launch(self, config: Config, *, number: int, place: int, dump: int) -> Launch:
        sockets = {sock.fileno(): role_of(sock, config) for sock in self._sockets}
        certificates = -1 if self._certificates is None else self._certificates.fd
        return Launch(settings_of(config), sockets, self._board.fd, place, dump, number, certificates)

    async def _start(self, number: int) -> Child:
        """Start a worker; raises PorticoError or OSError."""
        config = self.config
        place = self._census.enter(number)
        with ExitStack() as failed:
            failed.callback(self._census.leave, place)
            ours, theirs = socket.socketpair()
            failed.callback(ours.close)
            with theirs:
                dump = anonymous_file("portico-stacks")
                failed.callback(os.close, dump)
                child = Child(number, place, Channel(ours), dump, Limits.of(config), self._on_change)
                launch = self._launch(config, number=number, place=place, dump=dump)
                child.process = await self._launcher.start(launch, ours, theirs)
            failed.pop_all()
        ours.setblocking(False)
        asyncio.get_running_loop().add_reader(ours, _surely, self._listen, child)
        self._children.add(child)
        return child

    def _add_seat(self) -> None:
        seat = Seat(
            len(self._seats) + 1,
            self._start,
            waits_for_change=self.config.reload,
            goes_on=self._goes_on,
            died=self._on_death,
        )
        self._seats[seat] = asyncio.create_task(self._keep(seat))

    async def _keep(self, seat: Seat) -> None:
        while True:
            try:
                await seat.keep()
            except Exception:
                logger.exception(FAULT)
            await asyncio.sleep(TICK_S)

    def _remove_seat(self) -> None:
        seat, task = self._seats.popitem()
        task.cancel()
        for child in seat.children():
            child.stop("fewer workers are wanted", self._drain_s(), replaced=True)

    # What happens to workers

    def _listen(self, child: Child) -> None:
        child.listen()
        if child.channel.ended:
            asyncio.get_running_loop().remove_reader(child.channel)
            child.reap()
            if child.state != GONE:  # it is about to end; if not, something has closed what it had open
                child.kill_at = child.kill_at or time.monotonic() + EXTRA_S

    def _on_change(self, child: Child) -> None:
        if child.state == GONE:
            asyncio.get_running_loop().remove_reader(child.channel)  # while it is open: its number will be used again
            self._children.discard(child)
            self._census.leave(child.place)
            # With reload, code that fails is waited for.
            if self._stop_asked.is_set() or not (self._ever_served or self.config.reload):
                self._status = max(self._status, child.status or 0)
            return
        self._ever_served = self._ever_served or child.state == SERVING
        self._census.set_state(child.place, child.state)

    def _on_death(self, child: Child) -> None:
        if child.status == 0:
            logger.warning("Worker %d [%d] has ended by itself", child.number, child.pid)
        else:
            logger.error("Worker %d [%d] has died: it %s", child.number, child.pid, child.describe_end())
        self._census.count_restart(child.reason or "death")

    def _on_certificates(self) -> None:
        for child in self._children:
            child.channel.say(certificates=True)

    def _reap(self) -> None:
        self._launchers = [each for each in self._launchers if each.poll() is None or each is self._launcher]
        if self._successor is not None:
            self._successor.process.poll()
        for child in tuple(self._children):
            _surely(child.reap)
        if os.getpid() == 1 and hasattr(os, "waitid"):
            own = {child.pid for child in self._children} | {launcher.pid for launcher in self._launchers}
            if self._successor is not None:
                own.add(self._successor.process.pid)
            with suppress(ChildProcessError):
                reap_orphans(own)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(min(TICK_S, self._notifier.watchdog_interval or TICK_S))
            now = time.monotonic()
            if self._notifier.watchdog_interval is not None and self._serves():
                self._notifier.watchdog()
            # Where this process was held up itself, its workers were too.
            if now - self._ticked_at < 3 * TICK_S:
                for child in tuple(self._children):
                    _surely(self._look_at, child, now)
            self._ticked_at = now

    def _serves(self) -> bool:
        return any(child.state == SERVING for child in self._children)

    def _look_at(self, child: Child, now: float) -> None:
        """Act on a worker that hangs, or has to be replaced."""
        child.reap()
        finding = inspect(child, self._census, self.config, now)
        if finding is not None:
            self._run(kill(child, finding) if finding.hangs else self._recycle(child, finding))

    async def _recycle(self, child: Child, finding: Finding) -> None:
        async with self._replacing:
            seat = next((seat for seat in self._seats if seat.child is child), None)
            if seat is None or child.state != SERVING:
                return
            logger.info("Worker %d [%d] %s and is replaced", child.number, child.pid, finding.words)
            if await seat.replace(finding.reason, self._drain_s()):
                self._census.count_restart(finding.reason)

    # What the operator asks for

    def _on_signal(self, number: int) -> None:
        if number in STOPPING:
            if self._told_to_stop or number == AT_ONCE:
                self._at_once.set()
            self._told_to_stop = True
            self._stop_asked.set()
        elif self._stop_asked.is_set():
            return
        elif number == signal.SIGHUP:
            self._run(self._reload("SIGHUP", reread=True))
        elif number in (signal.SIGTTIN, signal.SIGTTOU):
            self._run(self._add(1 if number == signal.SIGTTIN else -1))
        elif number == signal.SIGUSR1:
            reopen()
            self._give_files()
            for child in self._children:
                child.signal(signal.SIGUSR1)
        elif number == signal.SIGUSR2:
            self._upgrade()

    async def _reload(self, why: str, *, reread: bool) -> None:
        """Replace every worker, one after the other; the first that does not come up ends it, and nothing was lost."""
        if self._reload_waits:
            return  # until its turn comes: it will bring this change too
        self._reload_waits = True
        await self._goes_on.wait()
        async with self._replacing:
            self._reload_waits = False
            self._notifier.reloading()
            logger.info("Reloading: %s", why)
            before = self.config, self._launcher
            certificates = None if self._certificates is None else self._certificates.state
            replaced = 0
            with _directory_kept() as back:
                try:
                    if reread:
                        self._read_again()
                    self._launcher = self._new_launcher(self.config)
                    await self._launcher.prepare()
                    for seat in list(self._seats):
                        if not await seat.replace("reload", self._drain_s()):
                            break
                        replaced += 1
                        self._census.count_restart("reload")
                    else:
                        before[1].retire()
                        self._seat(
                            self.config.workers if self.config.workers != before[0].workers else len(self._seats)
                        )
                        logger.info("Reloaded")
                        return
                except ConfigError as error:
                    for problem in error.problems:
                        logger.error("%s", problem)
                except (PorticoError, OSError) as error:
                    logger.error("%s", error)
                except Exception:
                    logger.exception(FAULT)
                finally:
                    if not self._stop_asked.is_set():
                        self._notifier.ready()
                if replaced:
                    before[1].retire()
                    logger.error("The reload has failed: some workers still run the old code")
                    return
                if self._launcher is not before[1]:
                    self._launcher.retire()
                self.config, self._launcher = before
                if self._certificates is not None and certificates is not None:
                    self._certificates.restore(certificates)
                if reread:
                    configure(self.config)
                back()
            logger.error("The reload has failed: the old workers keep serving")

    def _read_again(self) -> None:
        """Take the settings as they are by now, but for those that only another start can change."""
        if self._reread is None:
            return
        now = self._reread()
        fixed: tuple[str, ...] = FIXED
        if now.tls != self.config.tls:
            fixed += tuple(name for name, entry in SETTINGS.items() if entry.group == TLS and name not in FIXED)
        kept = {name: getattr(self.config, name) for name in fixed}
        changed = [name for name in fixed if getattr(now, name) != kept[name]]
        if changed:
            logger.warning("Changed, but not before the next start: %s", ", ".join(changed))
        now = replace(now, app=now.app, **kept)
        if self._certificates is not None:
            self._certificates.follow(now)
        self.config = now
        configure(self.config)
        self._give_files()

    async def _add(self, count: int) -> None:
        await self._goes_on.wait()
        async with self._replacing:
            self._seat(max(1, len(self._seats) + count))
            wanted = len(self._seats)
            logger.info("%d %s wanted", wanted, "worker is" if wanted == 1 else "workers are")

    def _seat(self, count: int) -> None:
        while len(self._seats) < count:
            self._add_seat()
        while len(self._seats) > count:
            self._remove_seat()

    async def _reload_on(self, changes: AsyncIterator[list[str]]) -> None:
        async for files in changes:
            shown = ", ".join(files[:SHOWN_FILES]) + (" ..." if len(files) > SHOWN_FILES else "")
            for child in tuple(self._children):
                if child.state == STARTING:
                    child.failure = "overtaken by a change"
                    child.stop("change", 0.0, replaced=True)
            self._run(self._reload(f"{shown} changed", reread=False))

    def _upgrade(self) -> None:
        if os.getpid() == 1:
            logger.warning("The first process of a container cannot hand over: the container would end. Send SIGHUP")
            return
        if self._successor is not None:
            logger.warning("The new supervisor [%d] is starting already", self._successor.process.pid)
            return
        sockets, metrics = descriptors(self._sockets), descriptors(self._metrics_sockets)
        try:
            self._successor = Successor(
                sockets, metrics, self._notifier.environment(), self._directory, self._on_successor
            )
        except OSError as error:
            logger.error("The new supervisor cannot be started: %s", error)

    def _on_successor(self, successor: Successor, serves: bool) -> None:
        if not serves:
            self._successor = None
            try:
                if self._pid_file is not None:
                    self._pid_file.write()
            except PidFileError as error:
                logger.error("%s", error)
            logger.error("The new supervisor [%d] has ended: this one serves on", successor.process.pid)
            return
        logger.info("The new supervisor [%d] serves: this one ends", successor.process.pid)
        self._handed_over = True
        self._notifier.main_pid(successor.process.pid)
        self._stop_asked.set()

    # Stopping

    def _drain_s(self) -> float:
        return self.config.shutdown_delay + 2 * self.config.timeout_graceful_shutdown + EXTRA_S

    async def _stop_all(self) -> None:
        """Have every worker end: gracefully, or at once when asked to."""
        if not self._handed_over:
            self._notifier.stopping()
            self._notifier.extend(self._drain_s())
            if self._successor is not None:  # it is starting still, and was meant by whoever stops the service
                self._successor.process.terminate()
        for task in (*self._seats.values(), *self._tasks):
            task.cancel()
        # The kernel resets what waits on a socket when the last copy is closed: that must be a worker's, which has
        # taken all of it by then.
        close_listeners(self._sockets, keep_files=self._handed_over)
        self._sockets.clear()
        for child in tuple(self._children):
            child.stop("stop", self._drain_s(), replaced=self._handed_over)
            # In a debugger, or in the endless loop for which the developer stops it.
            if self.config.debug and time.monotonic() - self._census.heartbeat(child.place) > BLOCKED_S:
                child.kill("stop")
        gone = asyncio.gather(*(child.gone.wait() for child in self._children))
        at_once = asyncio.ensure_future(self._at_once.wait())
        await asyncio.wait((gone, at_once), return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            for child in tuple(self._children):
                child.signal(signal.SIGKILL if self.config.debug else signal.SIGQUIT)
                child.kill_at = time.monotonic() + AT_ONCE_S
        await gone
        at_once.cancel()

    def _give_files(self) -> None:
        if self._identity is not None:
            give_files(self.config, self._identity)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_report)


def _certificates(config: Config, changed: Callable[[], None]) -> "SharedCertificates | None":
    if not config.tls:
        return None
    from portico.server.tls.handover import SharedCertificates

    return SharedCertificates(config, changed)


def _surely(call: Callable[..., None], *arguments: Any) -> None:
    """Call it; a fault must not keep the supervisor from looking after the other workers, or be noticed by nobody."""
    try:
        call(*arguments)
    except Exception:
        logger.exception(FAULT)


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error(FAULT, exc_info=error)


@contextmanager
def _directory_kept() -> Iterator[Callable[[], None]]:
    """Yield what changes back to the current directory, even if that has no name any more."""
    try:
        directory = os.open(os.curdir, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
    except OSError:
        yield lambda: None
        return
    try:
        yield lambda: os.fchdir(directory)
    finally:
        os.close(directory)
