"""What an endpoint raises to answer with an error, and the warning for what will go away."""

from collections.abc import Mapping

from portico.http.status import reason as reason_phrase


class HTTPException(Exception):
    """Answer the request with an error status.

    Args:
        status_code: The status of the response.
        detail: What the client is told; the status's reason phrase by default.
        headers: More fields for the response, such as `WWW-Authenticate`.
    """

    def __init__(self, status_code: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status_code
        self.detail = reason_phrase(status_code) if detail is None else detail
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


class PorticoDeprecationWarning(UserWarning):
    """Something of the framework will go away. A UserWarning, because Python hides DeprecationWarning by default."""
