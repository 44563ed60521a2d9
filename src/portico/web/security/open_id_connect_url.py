"""OpenID Connect, as far as OpenAPI describes it."""

from typing import TYPE_CHECKING

from portico.web.connections import HTTPConnection
from portico.web.security.base import SecurityBase

if TYPE_CHECKING:
    from portico.web.openapi.schemes import OpenIdConnect as OpenIdConnectModel


class OpenIdConnect(SecurityBase):
    """A scheme that clients discover by URL: a dependency whose result is the whole value of the Authorization field.

    It only connects the scheme with OpenAPI: to check the token is up to the application.

    Args:
        openIdConnectUrl: Where the discovery document is.
        scheme_name: The scheme's name in OpenAPI; the class's name by default.
        description: What OpenAPI says about it.
        auto_error: Whether a connection without the field is refused with 401; else the result is None.
    """

    model: "OpenIdConnectModel"
    _url: str = ""

    def __init__(
        self,
        *,
        openIdConnectUrl: str,
        scheme_name: str | None = None,
        description: str | None = None,
        auto_error: bool = True,
    ) -> None:
        self._url = openIdConnectUrl
        self._describe(scheme_name, description, auto_error)

    def _make_model(self) -> "OpenIdConnectModel":
        from portico.web.openapi.schemes import OpenIdConnect as OpenIdConnectModel

        return OpenIdConnectModel(openIdConnectUrl=self._url, description=self._description)

    async def __call__(self, request: HTTPConnection) -> str | None:
        found = request.headers.get("authorization")
        if not found:
            self._refuse()
        return found or None
