"""What a security scheme is: a dependency that OpenAPI knows by a name and a model."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from portico.web.exceptions import HTTPException

if TYPE_CHECKING:
    from portico.web.openapi.schemes import SecurityBase as SecurityBaseModel

UNAUTHORIZED = 401


class SecurityBase:
    """A scheme that credentials are given by: an object that is called with the connection and returns what it found.

    A scheme of one's own sets `model`, which is what OpenAPI says of it, and `scheme_name`.
    """

    scheme_name: str
    auto_error: bool = True
    _description: str | None = None

    def _describe(self, scheme_name: str | None, description: str | None, auto_error: bool) -> None:
        self.scheme_name = scheme_name or type(self).__name__
        self._description = description
        self.auto_error = auto_error

    @cached_property
    def model(self) -> "SecurityBaseModel":
        """What OpenAPI says of the scheme. Made when asked for: a worker that serves no documentation never asks."""
        model: SecurityBaseModel = self._make_model()
        return model

    def _make_model(self) -> Any:
        raise AttributeError(f"{type(self).__name__} has no `model`: set it to one of portico.web.openapi.models")

    def make_not_authenticated_error(self) -> HTTPException:
        """Return the error for a connection without usable credentials. A subclass may have another challenge."""
        return not_authenticated({"WWW-Authenticate": "Bearer"})

    def _refuse(self) -> None:
        """Raise the error, or leave the connection without credentials if those are optional."""
        if self.auto_error:
            raise self.make_not_authenticated_error()


def not_authenticated(challenge: dict[str, str]) -> HTTPException:
    """Return the 401 with its challenge, which RFC 9110 §15.5.2 asks of every 401."""
    return HTTPException(UNAUTHORIZED, "Not authenticated", challenge)
