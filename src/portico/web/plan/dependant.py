"""A callable whose parameters are known: where each value comes from, and what is called first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from portico.web.params import ConcurrencyLimit, DependencyScope
from portico.web.plan.callables import is_async_generator, is_generator, unwrapped
from portico.web.plan.fields import ModelField

if TYPE_CHECKING:
    from portico.web.security.base import SecurityBase

__all__ = ["CacheKey", "Dependant"]

CacheKey = tuple[Callable[..., Any] | None, tuple[str, ...], str]


@dataclass(slots=True)
class Dependant:
    """An endpoint, or a dependency of one, with the parameters that it takes from the request.

    Those with a `..._param_name` are given the object of that type, under this name.
    """

    path_params: list[ModelField] = field(default_factory=list)
    query_params: list[ModelField] = field(default_factory=list)
    header_params: list[ModelField] = field(default_factory=list)
    cookie_params: list[ModelField] = field(default_factory=list)
    body_params: list[ModelField] = field(default_factory=list)
    dependencies: "list[Dependant]" = field(default_factory=list)
    name: str | None = None
    call: Callable[..., Any] | None = None
    request_param_name: str | None = None
    websocket_param_name: str | None = None
    http_connection_param_name: str | None = None
    response_param_name: str | None = None
    background_tasks_param_name: str | None = None
    security_scopes_param_name: str | None = None
    own_oauth_scopes: list[str] | None = None
    parent_oauth_scopes: list[str] | None = None
    use_cache: bool = True
    path: str | None = None
    scope: DependencyScope | None = None
    concurrency: ConcurrencyLimit | None = None

    @property
    def oauth_scopes(self) -> list[str]:
        """The scopes that are asked for up to here, those of the callers first."""
        return list(dict.fromkeys((self.parent_oauth_scopes or []) + (self.own_oauth_scopes or [])))

    @property
    def computed_scope(self) -> str | None:
        """When what it gives is torn down; "request" for generators that do not say."""
        if self.scope:
            return self.scope
        return "request" if is_generator(self.call) or is_async_generator(self.call) else None

    @property
    def security_scheme(self) -> "SecurityBase | None":
        """The security scheme that is called here, if it is one."""
        from portico.web.security.base import SecurityBase

        scheme = unwrapped(self.call) if self.call is not None else None
        return scheme if isinstance(scheme, SecurityBase) else None

    @property
    def uses_scopes(self) -> bool:
        """Whether what it gives may depend on the scopes that are asked for."""
        return (
            bool(self.own_oauth_scopes)
            or self.security_scopes_param_name is not None
            or self.security_scheme is not None
            or any(dependency.uses_scopes for dependency in self.dependencies)
        )

    @property
    def cache_key(self) -> CacheKey:
        """What two uses have in common that share one value in a request."""
        scopes = tuple(sorted(set(self.oauth_scopes))) if self.uses_scopes else ()
        return (self.call, scopes, self.computed_scope or "")
