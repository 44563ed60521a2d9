"""The types of the framework's seams, under the names that Starlette's users know."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import UnionType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Union

from portico.asgi import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from portico.web.requests import Request
    from portico.web.responses import Response
    from portico.web.websockets import WebSocket

__all__ = [
    "ASGIApp",
    "AppType",
    "DecoratedCallable",
    "DependencyCacheKey",
    "ExceptionHandler",
    "HTTPExceptionHandler",
    "IncEx",
    "Lifespan",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "StatefulLifespan",
    "StatelessLifespan",
    "UnionType",
    "WebSocketExceptionHandler",
]

AppType = TypeVar("AppType")
DecoratedCallable = TypeVar("DecoratedCallable", bound=Callable[..., Any])

StatelessLifespan = Callable[[AppType], AbstractAsyncContextManager[None]]
StatefulLifespan = Callable[[AppType], AbstractAsyncContextManager[Mapping[str, Any]]]
Lifespan = StatelessLifespan[AppType] | StatefulLifespan[AppType]

HTTPExceptionHandler = Callable[["Request", Any], "Response | Awaitable[Response]"]
WebSocketExceptionHandler = Callable[["WebSocket", Any], Awaitable[None]]
ExceptionHandler = HTTPExceptionHandler | WebSocketExceptionHandler

# What a response holds of a model's fields: pydantic's type of that name, without pydantic.
IncEx: TypeAlias = set[int] | set[str] | Mapping[int, Union["IncEx", bool]] | Mapping[str, Union["IncEx", bool]]
# What two uses of a dependency share if their results are one: the callable, its OAuth2 scopes, how long it lives.
DependencyCacheKey = tuple[Callable[..., Any] | None, tuple[str, ...], str]
