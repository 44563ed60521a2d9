"""JSON that clients send: read as `json.loads` reads it, only faster; what is none is the client's fault."""

import json
from collections.abc import Callable
from typing import Any

from portico.web.exceptions import HTTPException, WebSocketException

INVALID_PAYLOAD = 1007


class InvalidJSON(json.JSONDecodeError, HTTPException):
    """The body of the request is no JSON: answered with 400 where nobody catches it."""

    def __init__(self, msg: str, doc: str, pos: int) -> None:
        json.JSONDecodeError.__init__(self, msg, doc, pos)
        text = f"{msg}: line {self.lineno} column {self.colno} (char {pos})"
        HTTPException.__init__(self, 400, f"The body of the request is not JSON. {text}")

    __str__ = ValueError.__str__


class InvalidJSONMessage(json.JSONDecodeError, WebSocketException):
    """A message of the client is no JSON: the WebSocket is closed with 1007 where nobody catches it."""

    def __init__(self, msg: str, doc: str, pos: int) -> None:
        json.JSONDecodeError.__init__(self, msg, doc, pos)
        WebSocketException.__init__(self, INVALID_PAYLOAD, "The message is not JSON.")

    __str__ = ValueError.__str__


def _first_decode(text: bytes | str) -> Any:
    """Import msgspec, which takes as long as all the rest of the framework, and have it called from then on."""
    global _decode
    from msgspec.json import decode

    _decode = decode
    return decode(text)


_decode: Callable[[bytes | str], Any] = _first_decode


def parse_json(text: bytes | str, invalid: type[json.JSONDecodeError] = InvalidJSON) -> Any:
    """Return what the text means as JSON, to the letter as `json.loads` reads it; raises `invalid`."""
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        pass
    # msgspec keeps to RFC 8259. The standard library reads more (NaN, UTF-16), and its errors are those users know.
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise invalid(error.msg, error.doc, error.pos) from None
    except (ValueError, RecursionError) as error:  # bytes of no encoding, digits beyond counting, nested too deeply
        reason = "The text is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise invalid(reason, text if isinstance(text, str) else text.decode("utf-8", "replace"), 0) from None
