"""Server-sent events as they go over the wire (HTML Living Standard §9.2)."""

KEEP_ALIVE = b": ping\n\n"
BREAKS = frozenset("\r\n\0")


def format_event(
    *,
    data: str | None = None,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """Return one event; each line of the data and of the comment becomes a field of its own.

    Args:
        data: What the event tells.
        event: Its type; `message` where there is none.
        id: What the client sends as Last-Event-ID when it comes back.
        retry: After how many milliseconds it comes back.
        comment: What clients pass over.

    Raises:
        ValueError: If type or id have line ends or NUL, which would begin another field, or if `retry` is negative.
    """
    lines: list[str] = []
    if comment is not None:
        lines += [f": {line}" for line in _lines(comment)]
    if event is not None:
        lines.append(f"event: {_single_line('event', event)}")
    if data is not None:
        lines += [f"data: {line}" for line in _lines(data)]
    if id is not None:
        lines.append(f"id: {_single_line('id', id)}")
    if retry is not None:
        if retry < 0:
            raise ValueError(f"retry is a number of milliseconds, not negative, got {retry!r}")
        lines.append(f"retry: {retry:d}")
    lines.append("\n")
    return "\n".join(lines).encode()


def _lines(text: str) -> list[str]:
    # Only these three end a line for a client; str.splitlines() knows more.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _single_line(name: str, text: str) -> str:
    if not BREAKS.isdisjoint(text):
        raise ValueError(f"the {name} of a server-sent event is a single line without NUL, got {text!r}")
    return text
