"""Responses whose content is a value: JSON."""

import json
from collections.abc import Callable, Mapping
from gc import get_referents
from math import isfinite
from typing import Any

from portico.web.background import BackgroundTask
from portico.web.responses.content import Response

_stdlib_dumps = json.dumps
CONTAINERS = frozenset((dict, list, tuple))
SCALARS = frozenset((str, int, float, bool, type(None)))
FLAT = frozenset((str, int, bool, type(None)))
PLAIN = CONTAINERS | SCALARS
BYTES = (bytes, bytearray, memoryview)


class JSONResponse(Response):
    """A value as JSON (RFC 8259); see `dump_json` for what it may hold."""

    media_type = "application/json"

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: BackgroundTask | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type, background)

    def render(self, content: Any) -> bytes:
        """Return the content as JSON in UTF-8, without spaces."""
        return dump_json(content)


def dump_json(content: Any) -> bytes:
    """Return the content as JSON in UTF-8, without spaces.

    Besides what `json.dumps` takes it may have dataclasses, `msgspec.Struct`s, dates, UUIDs, decimals and sets.
    Numbers equal those of `json.dumps`, though not by the character (`1e16`, `1e+16`).

    Raises:
        TypeError: If it has what has no form in JSON, such as bytes.
        ValueError: If it has NaN or an infinity, refers to itself, or has text that UTF-8 has no form for.
    """
    if json.dumps is not _stdlib_dumps:  # a program that has put another encoder there wants it used
        return _dump_slowly(content)
    floats: list[float] = []
    try:
        encoded = _encode(content)  # first, since it finds out whether the content refers to itself
        kinds = kinds_in(content, floats)
        if not kinds <= PLAIN:
            content = _to_builtins(content)
            encoded = _encode(content)
            kinds = kinds_in(content, floats)
    except (TypeError, RecursionError):  # a key that is None, a subclass of str: json.dumps knows what to do
        return _dump_slowly(content)
    # msgspec writes bytes as base64, and NaN as null: neither is what the content says.
    if not kinds.isdisjoint(BYTES):
        raise TypeError("bytes have no form in JSON: decode them to text, or to base64, before they go into a response")
    if floats and b"null" in encoded and not all(map(isfinite, floats)):
        return _dump_slowly(content)
    return encoded


def dump_plain(content: Any) -> bytes | None:
    """Return the content as JSON if it is made of JSON's types and of `msgspec.Struct`s alone, else None.

    `jsonable_encoder` sees to the rest. Keys that start with `_sa`, which it drops, are among the rest.
    """
    floats: list[float] = []
    try:
        encoded = _encode(content)
        kinds = kinds_in(content, floats)
        if not kinds <= PLAIN and not all(hasattr(kind, "__struct_config__") for kind in kinds - PLAIN):
            return None
    except (TypeError, RecursionError):
        return None
    return encoded if is_faithful(encoded, floats) else None


def is_faithful(encoded: bytes, floats: list[float]) -> bool:
    """Tell whether what msgspec has made of plain content is what `jsonable_encoder` and `json.dumps` would.

    Args:
        encoded: What it has made.
        floats: Those in the content: msgspec makes null of NaN and of the infinities, which have no form in JSON.
    """
    if json.dumps is not _stdlib_dumps or b'"_sa' in encoded:
        return False
    return not floats or b"null" not in encoded or all(map(isfinite, floats))


def _first_encode(content: Any) -> bytes:
    """Import msgspec, which takes as long as all the rest of the module, and have it called from then on."""
    global _encode
    from msgspec.json import Encoder

    _encode = Encoder().encode
    return _encode(content)


_encode: Callable[[Any], bytes] = _first_encode


def _to_builtins(content: Any) -> Any:
    from msgspec import to_builtins

    return to_builtins(content, builtin_types=BYTES, str_keys=True)


def _dump_slowly(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=None, separators=(",", ":")).encode()


def kinds_in(content: Any, floats: list[float]) -> set[type]:
    """Return the types of everything in the content, level by level, and collect its floats.

    The collector's view of a container is its keys and values as one list made in C: a quarter of the time of a loop.
    """
    kind = type(content)
    kinds = {kind}
    if kind not in CONTAINERS:
        if kind is float:
            floats.append(content)
        return kinds
    children: list[Any] = get_referents(content)
    while True:
        found = set(map(type, children))
        kinds |= found
        if found <= FLAT:
            return kinds
        if float in found:
            floats += [child for child in children if type(child) is float]
        if found <= SCALARS:
            return kinds
        containers = [child for child in children if type(child) in CONTAINERS]
        if not containers:
            return kinds
        children = get_referents(*containers)
