"""Entity tags and conditional requests (RFC 9110 §8.8 and §13)."""

from collections.abc import Mapping

from portico.http.dates import parse_http_date

CONDITIONS = frozenset((b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"))


def evaluate(
    fields: Mapping[bytes, bytes], etag: bytes | None, modified: bytes | None, *, safe: bool = True
) -> int | None:
    """Return the status that the conditions of a request lead to, 304 or 412, or None to go on (RFC 9110 §13.2.2).

    Args:
        fields: The request's fields, of which those in CONDITIONS count; lines of one name joined by commas.
        etag: The entity tag of what would be sent.
        modified: Its Last-Modified field.
        safe: Whether the method is GET or HEAD; others get 412 where those get 304.
    """
    condition = fields.get(b"if-match")
    if condition is not None:
        if not matches(condition, etag, strong=True):
            return 412
    elif _is_later(modified, fields.get(b"if-unmodified-since")):
        return 412
    condition = fields.get(b"if-none-match")
    if condition is not None:
        if matches(condition, etag, strong=False):
            return 304 if safe else 412
    elif safe and _is_later(modified, fields.get(b"if-modified-since")) is False:
        return 304
    return None


def allows_range(condition: bytes, etag: bytes | None, modified: bytes | None) -> bool:
    """Tell whether an If-Range field lets the Range field count (RFC 9110 §13.1.5): by strong comparison only."""
    condition = condition.strip(b" \t")
    if condition[:1] == b'"':
        return condition == etag
    return not condition.startswith(b"W/") and condition == modified


def matches(condition: bytes, etag: bytes | None, *, strong: bool) -> bool:
    """Tell whether an If-Match (strong) or If-None-Match (weak) field names the entity tag (RFC 9110 §8.8.3.2).

    A tag may have commas. What is no tag is passed over.
    """
    if condition == etag and not (strong and condition.startswith(b"W/")):
        return True
    if condition.strip(b" \t") == b"*":
        return True
    if etag is None:
        return False
    weak = etag.startswith(b"W/")
    if strong and weak:
        return False
    opaque = etag[2:] if weak else etag
    return any(tag == opaque and not (strong and is_weak) for is_weak, tag in _tags(condition))


def _tags(condition: bytes) -> list[tuple[bool, bytes]]:
    tags: list[tuple[bool, bytes]] = []
    position, length = 0, len(condition)
    while position < length:
        char = condition[position : position + 1]
        if char in b" \t,":
            position += 1
            continue
        weak = condition.startswith(b"W/", position)
        start = position + 2 if weak else position
        end = condition.find(b'"', start + 1) if condition.startswith(b'"', start) else -1
        if end >= 0:
            tags.append((weak, condition[start : end + 1]))
            position = end + 1
            continue
        end = condition.find(b",", position)
        position = length if end < 0 else end + 1
    return tags


def _is_later(modified: bytes | None, condition: bytes | None) -> bool | None:
    """Tell whether the content changed after the condition's date; None where one of the two is no date."""
    if condition is None or modified is None:
        return None
    if condition == modified:  # what clients send who have it from us
        return False
    since = parse_http_date(condition.decode("latin-1"))
    changed = parse_http_date(modified.decode("latin-1"))
    return None if since is None or changed is None else changed > since
