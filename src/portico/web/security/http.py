"""The schemes of HTTP's Authorization field: Basic, Bearer, Digest, or one of your own."""

import re
from base64 import b64decode
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from portico.web.connections import HTTPConnection
from portico.web.exceptions import HTTPException
from portico.web.security.base import SecurityBase, not_authenticated
from portico.web.security.utils import get_authorization_scheme_param

if TYPE_CHECKING:
    from portico.web.openapi.schemes import HTTPBase as HTTPBaseModel
    from portico.web.openapi.schemes import HTTPBearer as HTTPBearerModel

CONTROLS = re.compile("[\0-\x1f\x7f-\x9f]")


class HTTPBasicCredentials(BaseModel):
    """What `HTTPBasic` found."""

    username: str
    password: str


class HTTPAuthorizationCredentials(BaseModel):
    """What `HTTPBearer`, `HTTPDigest` or `HTTPBase` found: the scheme as it was written, and what followed it."""

    scheme: str
    credentials: str


class HTTPBase(SecurityBase):
    """A scheme of the Authorization field: a dependency whose result is `HTTPAuthorizationCredentials`.

    Whether the client used this scheme is for the application to see in the result.

    Args:
        scheme: The scheme's name in the registry of HTTP, such as `digest`.
        scheme_name: Its name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without credentials is refused with 401; else the result is None.
    """

    model: "HTTPBaseModel"
    _scheme: str = ""

    def __init__(
        self,
        *,
        scheme: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._scheme = scheme
        self._describe(scheme_name, description, auto_error)

    def _make_model(self) -> "HTTPBaseModel":
        from portico.web.openapi.schemes import HTTPBase as HTTPBaseModel

        return HTTPBaseModel(scheme=self._scheme, description=self._description)

    def make_authenticate_headers(self) -> dict[str, str]:
        """Return the challenge of a refusal."""
        return {"WWW-Authenticate": (self._scheme or self.model.scheme).title()}

    def make_not_authenticated_error(self) -> HTTPException:
        """Return the error for a connection without usable credentials."""
        return not_authenticated(self.make_authenticate_headers())

    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        scheme, credentials = get_authorization_scheme_param(request.headers.get("authorization"))
        if scheme and credentials:
            return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials)
        self._refuse()
        return None


class HTTPBasic(HTTPBase):
    """Basic authentication (RFC 7617): a dependency whose result is `HTTPBasicCredentials`.

    Compare both parts with `secrets.compare_digest`, which tells nobody by its time how much of a guess is right.
    Credentials that are malformed are refused also where they are optional.

    Args:
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        realm: What the credentials are for, as the browser shows it.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without credentials is refused with 401; else the result is None.
        charset: `"UTF-8"` to accept names and passwords outside ASCII, and to tell clients so. Encode them before
            `secrets.compare_digest`, since it raises TypeError for such text.
    """

    _scheme = "basic"

    def __init__(
        self,
        *,
        scheme_name: str | None = None,
        realm: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
        charset: Literal["UTF-8"] | None = None,
    ) -> None:
        if charset is not None and charset.lower() != "utf-8":  # RFC 7617 §2.1 knows no other
            raise ValueError(f"the charset of HTTPBasic is 'UTF-8' or None, got {charset!r}")
        if realm is not None and not (realm.isprintable() and realm.isascii()):
            raise ValueError(f"the realm of HTTPBasic is printable ASCII, got {realm!r}")
        self.realm = realm
        self.charset = charset
        self._describe(scheme_name, description, auto_error)

    def make_authenticate_headers(self) -> dict[str, str]:
        """Return the challenge of a refusal."""
        parameters = []
        if self.realm:
            escaped = self.realm.replace("\\", "\\\\").replace('"', '\\"')
            parameters.append(f'realm="{escaped}"')
        if self.charset:
            parameters.append('charset="UTF-8"')
        return {"WWW-Authenticate": f"Basic {', '.join(parameters)}".rstrip()}

    async def __call__(  # type: ignore[override]
        self, request: HTTPConnection
    ) -> HTTPBasicCredentials | None:
        scheme, encoded = get_authorization_scheme_param(request.headers.get("authorization"))
        if scheme.lower() != "basic":
            self._refuse()
            return None
        try:
            text = b64decode(encoded, validate=True).decode(self.charset or "ascii")
        except ValueError:  # of both steps, and of text that is not ASCII
            raise self.make_not_authenticated_error() from None
        username, colon, password = text.partition(":")
        if not colon or CONTROLS.search(text):  # RFC 7617 §2: neither part has control characters
            raise self.make_not_authenticated_error()
        return HTTPBasicCredentials(username=username, password=password)


class _TokenBase(HTTPBase):
    async def __call__(self, request: HTTPConnection) -> HTTPAuthorizationCredentials | None:
        scheme, credentials = get_authorization_scheme_param(request.headers.get("authorization"))
        # RFC 9110 §11.2: what these schemes send is ASCII, and only with that `secrets.compare_digest` never raises.
        if credentials and scheme.lower() == self._scheme and credentials.isascii():
            return HTTPAuthorizationCredentials(scheme=scheme, credentials=credentials)
        self._refuse()
        return None


class HTTPBearer(_TokenBase):
    """Bearer tokens (RFC 6750): a dependency whose result is `HTTPAuthorizationCredentials`.

    Args:
        bearerFormat: What the tokens are, for the documentation, such as `JWT`.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without a token is refused with 401; else the result is None.
    """

    _scheme = "bearer"

    def __init__(
        self,
        *,
        bearerFormat: str | None = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._bearer_format = bearerFormat
        self._describe(scheme_name, description, auto_error)

    def _make_model(self) -> "HTTPBearerModel":
        from portico.web.openapi.schemes import HTTPBearer as HTTPBearerModel

        return HTTPBearerModel(bearerFormat=self._bearer_format, description=self._description)


class HTTPDigest(_TokenBase):
    """Digest authentication (RFC 7616), unchecked: a dependency whose result is `HTTPAuthorizationCredentials`.

    It only connects the scheme with OpenAPI: to check the digest is up to the application.

    Args:
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without credentials is refused with 401; else the result is None.
    """

    _scheme = "digest"

    def __init__(
        self, *, scheme_name: str | None = None, description: str | None = None, auto_error: bool = True
    ) -> None:
        self._describe(scheme_name, description, auto_error)
