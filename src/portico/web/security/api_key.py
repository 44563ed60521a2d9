"""API keys: a secret in a query parameter, a field or a cookie."""

from typing import TYPE_CHECKING, Literal

from portico.web.connections import HTTPConnection
from portico.web.exceptions import HTTPException
from portico.web.security.base import SecurityBase, not_authenticated

if TYPE_CHECKING:
    from portico.web.openapi.schemes import APIKey, APIKeyIn


class APIKeyBase(SecurityBase):
    """What the three have in common.

    Args:
        location: Where the key is.
        name: The name of the parameter, field or cookie.
        description: What OpenAPI says about it.
        scheme_name: Its name in OpenAPI; the class's name by default.
        auto_error: Whether a connection without a key is refused; else the result is None.
    """

    model: "APIKey"
    _location: "APIKeyIn | Literal['query', 'header', 'cookie']"
    _name: str = ""  # of a subclass that makes its own model; see `_key_name`

    def __init__(
        self,
        location: "APIKeyIn | Literal['query', 'header', 'cookie']",
        name: str,
        description: str | None,
        scheme_name: str | None,
        auto_error: bool,
    ) -> None:
        self._location = location
        self._name = name
        self._describe(scheme_name, description, auto_error)

    def _make_model(self) -> "APIKey":
        from portico.web.openapi.schemes import APIKey

        return APIKey.model_validate({"in": self._location, "name": self._name, "description": self._description})

    def _key_name(self) -> str:
        return self._name or self.model.name

    def make_not_authenticated_error(self) -> HTTPException:
        """Return the 401. No challenge is defined for API keys, and a 401 must have one: ours is `APIKey`."""
        return not_authenticated({"WWW-Authenticate": "APIKey"})

    def check_api_key(self, api_key: str | None) -> str | None:
        """Return the key; refuse the connection if there is none or if it is empty."""
        if api_key:
            return api_key
        self._refuse()
        return None


class APIKeyQuery(APIKeyBase):
    """A key in a query parameter: a dependency whose result is the key.

    Args:
        name: The parameter's name.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without a key is refused with 401; else the result is None.
    """

    def __init__(
        self, *, name: str, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        super().__init__("query", name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(request.query_params.get(self._key_name()))


class APIKeyHeader(APIKeyBase):
    """A key in a field of the header: a dependency whose result is the key.

    Args:
        name: The field's name.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without a key is refused with 401; else the result is None.
    """

    def __init__(
        self, *, name: str, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        super().__init__("header", name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(request.headers.get(self._key_name()))


class APIKeyCookie(APIKeyBase):
    """A key in a cookie: a dependency whose result is the key.

    Args:
        name: The cookie's name.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without a key is refused with 401; else the result is None.
    """

    def __init__(
        self, *, name: str, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        super().__init__("cookie", name, description, scheme_name, auto_error)

    async def __call__(self, request: HTTPConnection) -> str | None:
        return self.check_api_key(request.cookies.get(self._key_name()))
