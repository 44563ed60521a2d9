"""OAuth2 (RFC 6749): bearer tokens of its flows, and the form that the password flow gets them with."""

from typing import TYPE_CHECKING, Annotated, Any

from portico.web.connections import HTTPConnection
from portico.web.param_functions import Form
from portico.web.security.base import SecurityBase
from portico.web.security.scopes import SecurityScopes as SecurityScopes
from portico.web.security.utils import get_bearer_token

if TYPE_CHECKING:
    from portico.web.openapi.schemes import OAuth2 as OAuth2Model
    from portico.web.openapi.schemes import OAuthFlows as OAuthFlowsModel


class OAuth2PasswordRequestForm:
    """The form of the password flow (RFC 6749 §4.3.2), as a dependency: `form: Annotated[…, Depends()]`.

    Args:
        grant_type: `password`, or left out; `OAuth2PasswordRequestFormStrict` insists on it.
        username: The name of the user.
        password: The password of the user.
        scope: Scopes with spaces between them; the attribute `scopes` is a list.
        client_id: The client's id, if it sends it here and not by HTTP Basic.
        client_secret: The client's secret, likewise.
    """

    def __init__(
        self,
        *,
        grant_type: Annotated[str | None, Form(pattern="^password$")] = None,
        username: Annotated[str, Form()],
        password: Annotated[str, Form(json_schema_extra={"format": "password"})],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form(json_schema_extra={"format": "password"})] = None,
    ) -> None:
        self.grant_type = grant_type
        self.username = username
        self.password = password
        self.scopes = scope.split()
        self.client_id = client_id
        self.client_secret = client_secret


class OAuth2PasswordRequestFormStrict(OAuth2PasswordRequestForm):
    """The form of the password flow, with the `grant_type` that RFC 6749 §4.3.2 requires.

    Args:
        grant_type: `password`.
        username: The name of the user.
        password: The password of the user.
        scope: Scopes with spaces between them; the attribute `scopes` is a list.
        client_id: The client's id, if it sends it here and not by HTTP Basic.
        client_secret: The client's secret, likewise.
    """

    def __init__(
        self,
        grant_type: Annotated[str, Form(pattern="^password$")],
        username: Annotated[str, Form()],
        password: Annotated[str, Form()],
        scope: Annotated[str, Form()] = "",
        client_id: Annotated[str | None, Form()] = None,
        client_secret: Annotated[str | None, Form()] = None,
    ) -> None:
        super().__init__(
            grant_type=grant_type,
            username=username,
            password=password,
            scope=scope,
            client_id=client_id,
            client_secret=client_secret,
        )


class OAuth2(SecurityBase):
    """Any OAuth2 scheme: a dependency whose result is the whole value of the Authorization field.

    Args:
        flows: The flows, as OpenAPI has them.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without the field is refused with 401; else the result is None.
    """

    model: "OAuth2Model"
    _flows: dict[str, dict[str, Any]]

    def __init__(
        self,
        *,
        flows: "OAuthFlowsModel | dict[str, dict[str, Any]] | None" = None,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._describe(scheme_name, description, auto_error)
        if flows is None:
            self._flows = {}
        else:
            self.model = self._model_of(flows)  # now, so that a mistake in it is seen here

    def _make_model(self) -> "OAuth2Model":
        return self._model_of(self._flows)

    def _model_of(self, flows: "OAuthFlowsModel | dict[str, dict[str, Any]]") -> "OAuth2Model":
        from portico.web.openapi.schemes import OAuth2 as OAuth2Model

        return OAuth2Model.model_validate({"flows": flows, "description": self._description})

    async def __call__(self, request: HTTPConnection) -> str | None:
        found = request.headers.get("authorization")
        if not found:
            self._refuse()
        return found or None


class _BearerFlow(OAuth2):
    async def __call__(self, request: HTTPConnection) -> str | None:
        token = get_bearer_token(request.headers.get("authorization"))
        if not token:
            self._refuse()
        return token or None


class OAuth2PasswordBearer(_BearerFlow):
    """Bearer tokens that the password flow gives: a dependency whose result is the token.

    Args:
        tokenUrl: Where the token is got: the path operation with `OAuth2PasswordRequestForm`.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        scopes: All scopes that operations may require, each with a description.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without a token is refused with 401; else the result is None.
        refreshUrl: Where a new token is got for an old one.
    """

    def __init__(
        self,
        tokenUrl: str,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
        refreshUrl: str | None = None,
    ) -> None:
        self._describe(scheme_name, description, auto_error)
        self._flows = {"password": {"tokenUrl": tokenUrl, "refreshUrl": refreshUrl, "scopes": scopes or {}}}


class OAuth2AuthorizationCodeBearer(_BearerFlow):
    """Bearer tokens that the authorization code flow gives: a dependency whose result is the token.

    Args:
        authorizationUrl: Where the user is sent to agree.
        tokenUrl: Where the code is exchanged for a token.
        refreshUrl: Where a new token is got for an old one.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        scopes: All scopes that operations may require, each with a description.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without a token is refused with 401; else the result is None.
    """

    def __init__(
        self,
        authorizationUrl: str,
        tokenUrl: str,
        refreshUrl: str | None = None,
        scheme_name: str | None = None,
        scopes: dict[str, str] | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._describe(scheme_name, description, auto_error)
        self._flows = {
            "authorizationCode": {
                "authorizationUrl": authorizationUrl,
                "tokenUrl": tokenUrl,
                "refreshUrl": refreshUrl,
                "scopes": scopes or {},
            }
        }
