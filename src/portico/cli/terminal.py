"""The whole terminal for a live view, with plain ANSI sequences: nothing is left behind where it was."""

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

try:
    import termios
except ImportError:  # Windows: there are no keys, Ctrl-C ends the view
    termios = None  # type: ignore[assignment]

ENTER = "\x1b[?1049h\x1b[?25l"  # the alternate screen, no cursor
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, REST = "\x1b[H", "\x1b[K", "\x1b[J"
STYLES = {"": "", "bold": "\x1b[1m", "faint": "\x1b[2m", "yellow": "\x1b[33m", "red": "\x1b[31m", "bar": "\x1b[7m"}
PLAIN = "\x1b[0m"

Line = tuple[str, str]
"""A style and the text."""


class Screen:
    """The screen until the block is left, be it by an exception or a signal; Ctrl-Z puts the view aside."""

    def __init__(self) -> None:
        self._keyboard = sys.stdin.fileno() if termios is not None and sys.stdin.isatty() else -1
        self._attributes: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._waking, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)

    def __enter__(self) -> "Screen":
        handlers = {
            "SIGTERM": self._terminate,
            "SIGHUP": self._terminate,
            "SIGWINCH": self._wake,
            "SIGTSTP": self._pause,
        }
        for name, handler in handlers.items():
            if hasattr(signal, name):
                number = getattr(signal, name)
                self._handlers[number] = signal.signal(number, handler)
        self._take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._waking)
        os.close(self._wakes)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        columns, lines = shutil.get_terminal_size()
        return columns, lines

    def draw(self, lines: Sequence[Line]) -> None:
        """Show the lines; what does not fit is cut off."""
        columns, height = self.size
        shown = [f"{STYLES[style]}{text[:columns]}{PLAIN}{END_OF_LINE}" for style, text in lines[:height]]
        sys.stdout.write(HOME + "\r\n".join(shown) + REST)
        sys.stdout.flush()

    def wait(self, seconds: float) -> str:
        """Return a key that was pressed, or nothing once the time has passed or the terminal has another size."""
        if sys.platform == "win32":
            time.sleep(seconds)
            return ""
        watched = [self._waking] if self._keyboard < 0 else [self._waking, self._keyboard]
        ready, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._waking in ready:
            os.read(self._waking, 64)
        if self._keyboard in ready:
            data = os.read(self._keyboard, 64)
            if not data:  # the terminal has gone
                return "q"
            return data.decode("ascii", "replace")
        return ""

    def _take(self) -> None:
        if self._keyboard >= 0:
            self._attributes = termios.tcgetattr(self._keyboard)
            changed = list(self._attributes)
            changed[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, changed)
        sys.stdout.write(ENTER)
        sys.stdout.flush()

    def _give_back(self) -> None:
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        if self._keyboard >= 0:
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._attributes)

    def _wake(self, number: int, frame: FrameType | None) -> None:
        try:
            os.write(self._wakes, b".")
        except BlockingIOError:
            pass

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _pause(self, number: int, frame: FrameType | None) -> None:
        self._give_back()
        os.kill(os.getpid(), signal.SIGSTOP)
        self._take()  # somebody has said `fg`
        self._wake(number, frame)
