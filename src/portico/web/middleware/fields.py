"""Reading and changing the raw fields of scopes and messages, for layers that every request passes.

A change is a new list in a new message: an application may send the same constant message every time.
"""

from collections.abc import Iterable

from portico.asgi import Message, Scope

Field = tuple[bytes, bytes]


def field_value(fields: Iterable[Field], name: bytes) -> bytes | None:
    """Return the value of the first field of that (lower-case) name."""
    for key, value in fields:
        if key == name:
            return value
    return None


def joined_value(fields: Iterable[Field], name: bytes) -> bytes | None:
    """Return the value of a field that is a list, its lines joined by commas (RFC 9110 §5.3)."""
    found: bytes | None = None
    for key, value in fields:
        if key == name:
            found = value if found is None else found + b", " + value
    return found


def cookie_value(scope: Scope, start: bytes) -> bytes | None:
    """Return the value of the last cookie that begins with `name=`, without a look at the others."""
    found = None
    for name, value in scope["headers"]:
        if name == b"cookie" and start in value:
            for part in value.split(b";"):
                cookie = part.strip(b" \t")
                if cookie.startswith(start):
                    found = cookie[len(start) :]
    return found


def with_fields(message: Message, fields: Iterable[Field]) -> Message:
    """Return the message with other fields."""
    return {**message, "headers": fields}


def vary_on(fields: list[Field], member: bytes) -> None:
    """Let the response vary on one more request field: `Vary` stays one line (RFC 9110 §12.5.5)."""
    old = joined_value(fields, b"vary")
    if old is None:
        fields.append((b"vary", member))
        return
    members = [part.strip() for part in old.lower().split(b",")]
    if member.lower() in members or b"*" in members:
        return
    fields[:] = [field for field in fields if field[0] != b"vary"]
    fields.append((b"vary", old + b", " + member if old.strip() else member))
