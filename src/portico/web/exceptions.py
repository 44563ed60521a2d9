"""What an endpoint raises to answer with an error, and the warning for what will go away."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from portico.asgi import PorticoError
from portico.http.status import reason as reason_phrase


class HTTPException(Exception):
    """Answer the request with an error status.

    Args:
        status_code: The status of the response.
        detail: What the client is told: a text, or what JSON can hold; the status's reason phrase by default.
        headers: More fields for the response, such as `WWW-Authenticate`.
    """

    def __init__(self, status_code: int, detail: Any = None, headers: Mapping[str, str] | None = None) -> None:
        if not isinstance(status_code, int):
            raise TypeError(f"the first argument of {type(self).__name__} is a status such as 404, got {status_code!r}")
        self.status_code = status_code
        self.detail: Any = reason_phrase(status_code) if detail is None else detail
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status_code}: {self.detail}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code!r}, detail={self.detail!r})"


class WebSocketException(Exception):
    """Close the WebSocket, or refuse it if it is not accepted yet.

    Args:
        code: The close code (RFC 6455 section 7.4).
        reason: The close reason, at most 123 bytes of UTF-8.
    """

    def __init__(self, code: int, reason: str | None = None) -> None:
        self.code = code
        self.reason = reason or ""

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, reason={self.reason!r})"


class DefinitionError(PorticoError, RuntimeError):
    """A path operation, a dependency or a parameter is declared in a way that cannot work."""


class DependencyScopeError(DefinitionError):
    """A dependency depends on one that ends before it does."""


class PydanticV1NotSupportedError(DefinitionError):
    """A model is of `pydantic.v1`, which is not supported."""


class EndpointContext(TypedDict, total=False):
    """Where the endpoint of a failed validation is: what its function, its path, its file and its line are."""

    function: str
    path: str
    file: str
    line: int


class ValidationException(Exception):
    """Data does not fit what was declared.

    Args:
        errors: The problems: for each a dict with `type`, `loc`, `msg` and `input`.
        endpoint_ctx: The endpoint that it happened at, for the text of the error.
    """

    def __init__(self, errors: Sequence[Any], *, endpoint_ctx: EndpointContext | None = None) -> None:
        self._errors = errors
        self.endpoint_ctx = endpoint_ctx

    def errors(self) -> Sequence[Any]:
        """Return the problems."""
        return self._errors

    @property
    def endpoint_function(self) -> str | None:
        return (self.endpoint_ctx or {}).get("function")

    @property
    def endpoint_path(self) -> str | None:
        return (self.endpoint_ctx or {}).get("path")

    @property
    def endpoint_file(self) -> str | None:
        return (self.endpoint_ctx or {}).get("file")

    @property
    def endpoint_line(self) -> int | None:
        return (self.endpoint_ctx or {}).get("line")

    def __str__(self) -> str:
        count = len(self._errors)
        lines = [f"{count} validation error{'' if count == 1 else 's'}:"]
        lines += [f"  {error}" for error in self._errors]
        path = self.endpoint_path
        if self.endpoint_file and self.endpoint_line and self.endpoint_function:
            lines += ["", f'  File "{self.endpoint_file}", line {self.endpoint_line}, in {self.endpoint_function}']
            if path:
                lines.append(f"    {path}")
        elif path:
            lines += ["", f"  Endpoint: {path}"]
        return "\n".join(lines)


class RequestValidationError(ValidationException):
    """What a client sent does not fit the endpoint's parameters: answered with 422.

    Args:
        errors: The problems.
        body: The body as it was received.
        endpoint_ctx: The endpoint that it happened at.
    """

    def __init__(self, errors: Sequence[Any], *, body: Any = None, endpoint_ctx: EndpointContext | None = None) -> None:
        super().__init__(errors, endpoint_ctx=endpoint_ctx)
        self.body = body


class WebSocketRequestValidationError(ValidationException):
    """What a client sent with the handshake does not fit the endpoint's parameters: the WebSocket is closed."""


class ResponseValidationError(ValidationException):
    """What an endpoint returned is not what it promised, which is the application's mistake.

    Args:
        errors: The problems.
        body: What it returned.
        endpoint_ctx: The endpoint that it happened at.
    """

    def __init__(self, errors: Sequence[Any], *, body: Any = None, endpoint_ctx: EndpointContext | None = None) -> None:
        super().__init__(errors, endpoint_ctx=endpoint_ctx)
        self.body = body


class PorticoDeprecationWarning(UserWarning):
    """Something of the framework will go away. A UserWarning, because Python hides DeprecationWarning by default."""
