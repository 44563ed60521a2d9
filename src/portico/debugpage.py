"""The page about an unhandled exception: its chain, its groups, and the source around each frame.

One self-contained document without scripts, bounded in size, everything in it escaped. Newest first: the exception that
arrived, with the frame that raised it on top, and then what caused it.
"""

import linecache
import os
import reprlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from html import escape
from types import CodeType, FrameType, TracebackType
from typing import Any

from portico.asgi import Scope

MAX_PAGE = 400_000  # characters; what comes later is left out
MAX_TEXT = 100_000
MAX_MESSAGE = 4_000
MAX_LINE = 300
MAX_CHAIN = 12
MAX_GROUP = 12
MAX_DEPTH = 6
MAX_NOTES = 20
MAX_LOCALS = 40
FIRST_FRAMES = 12  # of a traceback that is too long, those at either end are shown
LAST_FRAMES = 28

# The page shows source code, so nothing may keep it, and nothing that slipped through the escaping may run in it.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}

SECRET_WORDS = ("password", "passwd", "secret", "token", "api_key", "apikey", "credential", "authorization", "cookie")

STYLES = """
:root { color-scheme: light dark; --back: #fbfbfa; --card: #fff; --ink: #1d2125; --soft: #687078; --edge: #dfe2e5;
  --bad: #b3261e; --glow: #fdeceb; --mark: #f6c7c3; --own: #1d2125; }
@media (prefers-color-scheme: dark) { :root { --back: #16181b; --card: #1e2124; --ink: #e4e6e8; --soft: #939ba3;
  --edge: #33383d; --bad: #ff8a80; --glow: #3a2322; --mark: #6e302c; --own: #fff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.25rem 4rem; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
code, pre, summary { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .84rem; }
header { margin-bottom: 1.2rem; }
header p { margin: 0; color: var(--soft); }
h1, h2, h3 { margin: .2rem 0 .6rem; color: var(--bad); font-size: 1.5rem; line-height: 1.25; }
h2, h3 { font-size: 1.1rem; }
.message, .note { margin: 0 0 1rem; white-space: pre-wrap; }
.note { padding-left: .8rem; border-left: 3px solid var(--edge); color: var(--soft); }
.link { margin: 2rem 0 .6rem; color: var(--soft); }
.group { margin: 1rem 0 1rem .4rem; padding-left: 1rem; border-left: 3px solid var(--edge); }
details { margin: .4rem 0; background: var(--card); border: 1px solid var(--edge); border-radius: 6px; }
summary { padding: .45rem .8rem; cursor: pointer; color: var(--soft); }
summary b { color: var(--soft); font-weight: 600; }
.own summary b { color: var(--own); }
pre { margin: 0; padding: .5rem 0; overflow-x: auto; border-top: 1px solid var(--edge); }
pre span { display: block; padding: 0 .8rem; white-space: pre; }
pre i { display: inline-block; width: 3.2rem; color: var(--soft); font-style: normal; user-select: none; }
pre .here { background: var(--glow); }
mark { background: var(--mark); color: inherit; border-radius: 2px; }
table { border-top: 1px solid var(--edge); padding: .4rem .8rem; width: 100%; }
td { vertical-align: top; padding: .1rem .8rem .1rem 0; }
td:first-child { white-space: nowrap; color: var(--soft); }
td:last-child { width: 100%; }
.more { color: var(--soft); font-size: .9rem; }
"""

PORTICO = os.path.dirname(__file__)
LIBRARY = tuple(
    os.path.join(path, "") for path in (PORTICO, *map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))) if path
)


def page(error: BaseException, *, scope: Scope | None = None, context_lines: int = 9, show_locals: bool = False) -> str:
    """Return the HTML document about an exception.

    Args:
        error: The exception.
        scope: The request's scope, for its first line.
        context_lines: How many lines of source each frame shows.
        show_locals: Show the local variables of each frame, those named like secrets without their value.
    """
    return _Page(context_lines, show_locals).render(error, scope)


def plain_text(error: BaseException) -> str:
    """Return the exception as Python prints it, cut where it gets too long."""
    text = "".join(traceback.format_exception(error))
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}\n\n... {len(text) - 2 * half:,} characters left out ...\n\n{text[-half:]}"


class _Page:
    """The parts of one document, and how much room is left."""

    def __init__(self, context_lines: int, show_locals: bool) -> None:
        self.parts: list[str] = []
        self.room = MAX_PAGE
        self.full = False
        self.context_lines = max(context_lines, 1)
        self.show_locals = show_locals
        self.seen: set[int] = set()
        self.repr = _bounded_repr()

    def add(self, html: str) -> None:
        """Append the part, unless the page is full: a part is never cut, so that the document stays well-formed."""
        if len(html) > self.room:
            self.full = True
        if not self.full:
            self.room -= len(html)
            self.parts.append(html)

    def render(self, error: BaseException, scope: Scope | None) -> str:
        kind, message = _kind(error), _message(error)
        self.chain(error, depth=0)
        rest = '<p class="more">The page is full; the rest is in the log.</p>' if self.full else ""
        request = f"<p><code>{escape(_request_line(scope))}</code></p>" if scope is not None else ""
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(kind)}: {escape(message[:80])}</title><style>{STYLES}</style></head>\n"
            f"<body><header><p>500 Internal Server Error</p>{request}</header>\n<main>"
            f"{''.join(self.parts)}{rest}</main></body></html>"
        )

    def chain(self, error: BaseException, depth: int) -> None:
        """Add the exception and then those that led to it."""
        current: BaseException | None = error
        for position in range(MAX_CHAIN):
            if current is None or id(current) in self.seen:
                return
            self.seen.add(id(current))
            self.exception(current, depth, heading="h3" if depth else "h2" if position else "h1")
            if current.__cause__ is not None:
                current, link = current.__cause__, "This was caused by"
            elif current.__context__ is not None and not current.__suppress_context__:
                current, link = current.__context__, "This happened while the following was handled"
            else:
                return
            if id(current) not in self.seen:
                self.add(f'<p class="link">{link}:</p>')
        self.add('<p class="more">More exceptions led to this one.</p>')

    def exception(self, error: BaseException, depth: int, heading: str) -> None:
        self.add(f'<{heading}>{escape(_kind(error))}</{heading}><p class="message">{escape(_message(error))}</p>')
        notes = getattr(error, "__notes__", ())
        if isinstance(notes, list | tuple):
            for note in notes[:MAX_NOTES]:
                self.add(f'<p class="note">{escape(_cut(note if isinstance(note, str) else self.shown(note)))}</p>')
        if isinstance(error, SyntaxError) and error.text:
            where = f"{error.filename}, line {error.lineno}"
            self.add(f'<p class="note">{escape(_cut(where))}</p><pre><span>{escape(_cut(error.text))}</span></pre>')
        self.frames(error.__traceback__)
        if isinstance(error, BaseExceptionGroup):
            self.group(error, depth)

    def group(self, group: "BaseExceptionGroup[BaseException]", depth: int) -> None:
        if depth >= MAX_DEPTH:
            self.add('<p class="more">Groups deeper than this are left out.</p>')
            return
        total = len(group.exceptions)
        for position, inner in enumerate(group.exceptions[:MAX_GROUP], 1):
            # Each part is whole in itself; an open tag would dangle if the page got full inside it.
            outer, self.parts = self.parts, []
            self.chain(inner, depth + 1)
            parts, self.parts = self.parts, outer
            self.parts.append(f'<div class="group"><p class="more">{position} of {total}</p>{"".join(parts)}</div>')
        if total > MAX_GROUP:
            self.add(f'<p class="more">{total - MAX_GROUP} more exceptions in this group.</p>')

    def frames(self, tb: TracebackType | None) -> None:
        """Add the frames, the one that raised first; it and the nearest of the application's own are open."""
        steps = list(_walk(tb))
        total = len(steps)
        own_is_open = False
        for number, (frame, lineno, lasti) in enumerate(reversed(steps)):
            if total > FIRST_FRAMES + LAST_FRAMES and LAST_FRAMES <= number < total - FIRST_FRAMES:
                if number == LAST_FRAMES:
                    left_out = total - FIRST_FRAMES - LAST_FRAMES
                    self.add(f'<p class="more">{left_out:,} frames left out.</p>')
                continue
            own = _is_own(frame.f_code.co_filename)
            is_open = number == 0 or (own and not own_is_open)
            own_is_open = own_is_open or own
            self.add(self.frame(frame, lineno, lasti, own=own, is_open=is_open))

    def frame(self, frame: FrameType, lineno: int, lasti: int, *, own: bool, is_open: bool) -> str:
        code = frame.f_code
        return (
            f"<details{' class=own' if own else ''}{' open' if is_open else ''}><summary>"
            f"<b>{escape(_cut(code.co_qualname, MAX_LINE))}</b> in {escape(_cut(code.co_filename, MAX_LINE))}"
            f", line {lineno}</summary>{self.source(frame, lineno, lasti)}{self.locals(frame)}</details>\n"
        )

    def source(self, frame: FrameType, lineno: int, lasti: int) -> str:
        filename = frame.f_code.co_filename
        linecache.checkcache(filename)
        lines = linecache.getlines(filename, frame.f_globals)
        if not 0 < lineno <= len(lines):
            return ""
        first = max(lineno - 1 - self.context_lines // 2, 0)
        shown = []
        for number, line in enumerate(lines[first : first + self.context_lines], first + 1):
            text = line.rstrip("\n")
            if number == lineno:
                html = _marked(text, *_columns(frame.f_code, lasti, lineno))
            else:
                html = escape(_cut(text, MAX_LINE))
            shown.append(f"<span{' class=here' if number == lineno else ''}><i>{number}</i>{html}</span>")
        return f"<pre>{''.join(shown)}</pre>"

    def locals(self, frame: FrameType) -> str:
        if not self.show_locals:
            return ""
        rows = []
        for name, value in list(frame.f_locals.items())[:MAX_LOCALS]:
            shown = "(hidden)" if _is_secret(name) else self.shown(value)
            left, right = escape(_cut(str(name), MAX_LINE)), escape(shown)
            rows.append(f"<tr><td><code>{left}</code></td><td><code>{right}</code></td></tr>")
        return f"<table>{''.join(rows)}</table>" if rows else ""

    def shown(self, value: object) -> str:
        """Return the value's repr, cut where it gets long; that may run code of the application, which may fail."""
        try:
            return _cut(self.repr.repr(value), 2 * MAX_LINE)
        except Exception:
            return f"({type(value).__qualname__}: its repr() fails)"


def _walk(tb: TracebackType | None) -> Iterator[tuple[FrameType, int, int]]:
    while tb is not None:
        yield tb.tb_frame, tb.tb_lineno or 0, tb.tb_lasti
        tb = tb.tb_next


def _columns(code: CodeType, lasti: int, lineno: int) -> tuple[int, int]:
    """Return the bytes of the line that were being executed, (0, 0) if nobody knows."""
    if lasti < 0:
        return 0, 0
    for number, (line, end_line, column, end_column) in enumerate(code.co_positions()):
        if number == lasti // 2:
            if line != lineno or column is None or end_column is None:
                return 0, 0
            return column, end_column if end_line == line else sys.maxsize
    return 0, 0


def _marked(text: str, start: int, stop: int) -> str:
    data = text.encode("utf-8", "replace")
    before, inside, after = (part.decode("utf-8", "replace") for part in (data[:start], data[start:stop], data[stop:]))
    if len(text) > MAX_LINE or not inside or not (before.strip() or after.strip()):
        return escape(_cut(text, MAX_LINE))
    return f"{escape(before)}<mark>{escape(inside)}</mark>{escape(after)}"


def _request_line(scope: Scope) -> str:
    query = scope.get("query_string", b"").decode("latin-1")
    target = scope.get("root_path", "") if not scope.get("path") else scope["path"]
    line = f"{scope.get('method', '')} {target}{'?' if query else ''}{query} HTTP/{scope.get('http_version', '1.1')}"
    return _cut(line, 2 * MAX_LINE)


def _kind(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return _cut(str(error))
    except Exception:
        return "(its text cannot be shown: str() of it fails)"


def _cut(text: str, limit: int = MAX_MESSAGE) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def _is_own(filename: str) -> bool:
    return not filename.startswith(("<", *LIBRARY)) and "site-packages" not in filename


def _is_secret(name: Any) -> bool:
    name = str(name).lower()
    return any(word in name for word in SECRET_WORDS)


def _bounded_repr() -> reprlib.Repr:
    bounded = reprlib.Repr()
    bounded.maxstring = bounded.maxother = MAX_LINE
    bounded.maxlong = 60
    bounded.maxlevel = 3
    return bounded
