"""Clients that ask a server all the time and forgive nothing.

Every connection must be accepted, and every request get its whole answer with the body that is due. A server may close
a connection after an answer that announces it; an end that was not announced is a failure.
"""

import random
import threading
from types import TracebackType

from tests.live import Wire

ANSWER_S = 20.0
INSTANT_S = 0.01  # so that the clients leave the processors to those whom they ask
MAX_REQUESTS = 50  # on one connection, so that the accepting is under load too
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Load:
    """Threads that send one request after the other; leaving the block stops them.

    Args:
        port: Where to ask.
        busy: How many keep their connections and pause for an instant at most.
        pausing: How many keep their connections and pause for up to `pause_s` seconds before each request.
        closing: How many connect for each request.
        body: What every answer has to carry.
    """

    def __init__(
        self, port: int, *, busy: int = 2, pausing: int = 4, closing: int = 2, pause_s: float = 0.2, body: bytes = b"ok"
    ) -> None:
        self.port = port
        self.body = body
        self.failures: list[str] = []
        self.answered = 0
        self._changed = threading.Condition()
        self._ends = threading.Event()
        kinds = [(pause_s, MAX_REQUESTS)] * pausing + [(INSTANT_S, MAX_REQUESTS)] * busy + [(INSTANT_S, 1)] * closing
        self._threads = [threading.Thread(target=self._work, args=kind, daemon=True) for kind in kinds]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every thread end what it has begun."""
        self._ends.set()
        for thread in self._threads:
            thread.join(2 * ANSWER_S)

    def more(self, count: int) -> None:
        """Block until so many more answers have come, or something has failed."""
        with self._changed:
            goal = self.answered + count
            assert self._changed.wait_for(lambda: self.answered >= goal or self.failures, 60), "the load has stalled"

    def _work(self, pause_s: float, requests: int) -> None:
        while not self._ends.is_set():
            try:
                with Wire(self.port, timeout=ANSWER_S) as wire:
                    self._ask(wire, pause_s, requests)
            except (AssertionError, OSError) as error:  # also Malformed
                with self._changed:
                    self.failures.append(f"{type(error).__name__}: {error}")
                    self._changed.notify_all()
                return

    def _ask(self, wire: Wire, pause_s: float, requests: int) -> None:
        for number in range(1, requests + 1):
            if self._ends.wait(random.uniform(0, pause_s)):
                return
            wire.socket.sendall(LAST if number == requests else GET)
            answer = wire.answer()
            assert (answer.status, answer.body, answer.complete) == (200, self.body, True), (
                f"request {number}: {answer}"
            )
            with self._changed:
                self.answered += 1
                self._changed.notify_all()
            if answer.closes:
                assert wire.rest() == b"", "more than the last answer has come"
                return
            if self._ends.is_set():
                return
        raise AssertionError("the last answer of a connection announces no end")
