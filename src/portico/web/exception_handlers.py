"""How errors are answered where the application has no handlers of its own."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from portico.web.encoders import jsonable_encoder
from portico.web.exceptions import HTTPException, RequestValidationError, WebSocketRequestValidationError
from portico.web.requests import Request
from portico.web.responses import JSONResponse, Response
from portico.web.utils import is_body_allowed_for_status_code
from portico.web.websockets import WebSocket

UNPROCESSABLE = 422
POLICY_VIOLATION = 1008
MAX_REASON_BYTES = 123  # RFC 6455 §5.5: a control frame has 125, and the code takes two
MAX_DEPTH = 32
MAX_INTEGER_BITS = 8192  # the interpreter writes no more than 4,300 digits


async def http_exception_handler(request: Request, exc: HTTPException) -> Response:
    """Answer with `{"detail": …}`, or with no body where the status has none."""
    if not is_body_allowed_for_status_code(exc.status_code):
        return Response(status_code=exc.status_code, headers=exc.headers)
    try:
        return JSONResponse({"detail": exc.detail}, exc.status_code, exc.headers)
    except UnicodeEncodeError:  # a detail that repeats half a surrogate pair of the client's
        return JSONResponse({"detail": showable(exc.detail)}, exc.status_code, exc.headers)


async def request_validation_exception_handler(request: Request, exc: RequestValidationError) -> JSONResponse:
    """Answer with 422 and the problems."""
    errors = exc.errors()
    try:
        return JSONResponse({"detail": jsonable_encoder(errors)}, UNPROCESSABLE)
    except (ValueError, TypeError, RecursionError):
        pass
    # Each problem repeats what the client sent, which JSON may have no form for: NaN, bytes, half a surrogate pair.
    return JSONResponse({"detail": showable(errors)}, UNPROCESSABLE)


async def websocket_request_validation_exception_handler(
    websocket: WebSocket, exc: WebSocketRequestValidationError
) -> None:
    """Close the WebSocket, with the first problem as the reason; one that is not accepted yet is refused."""
    await websocket.close(POLICY_VIOLATION, _reason(exc.errors()))


def _reason(errors: Sequence[Any]) -> str:
    if not errors:
        return ""
    where = ".".join(map(str, errors[0]["loc"]))
    text = f"{where}: {errors[0]['msg']}"
    return text.encode("utf-8", "replace")[:MAX_REASON_BYTES].decode("utf-8", "ignore")


def showable(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return the value as JSON can have it: what it cannot is replaced, and what is nested too deeply left out."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MAX_INTEGER_BITS else None
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if depth == 0:
        return None
    if isinstance(value, dict):
        return {str(showable(key, 0)): showable(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [showable(item, depth - 1) for item in value]
    try:
        return showable(jsonable_encoder(value), depth - 1)
    except (ValueError, TypeError, RecursionError):
        return None
