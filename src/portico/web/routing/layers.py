"""What a router puts around its routes: middleware and exception handlers of its own, and limits of forms."""

from collections.abc import Mapping, Sequence
from typing import Any

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.errorformats import ErrorFormat
from portico.web.handling import HandledExceptions
from portico.web.middleware import Middleware, wrapped
from portico.web.plan.forms import FORM_LIMITS_KEY, FormLimits
from portico.web.plan.peers import refuse_handlers


class RouterLayers:
    """One stack of layers for all routes of a router. Which of them a request goes on to is in its scope.

    Args:
        middleware: The middleware, the outermost first.
        exception_handlers: Handlers, by status or class of exception, inside the middleware.
        error_format: The format that some of the handlers make answers in, for the document.
    """

    __slots__ = ("error_format", "key", "stack")

    def __init__(
        self,
        middleware: Sequence[Middleware],
        exception_handlers: Mapping[Any, Any],
        error_format: ErrorFormat | None = None,
    ) -> None:
        self.error_format = error_format
        self.key = f"portico.router.{id(self)}"
        app: ASGIApp = self._go_on
        if exception_handlers:
            refuse_handlers(exception_handlers)
            app = HandledExceptions(app, exception_handlers)
        self.stack = wrapped(app, middleware)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application of a route inside the layers."""

        async def enter(scope: Scope, receive: Receive, send: Send) -> None:
            scope[self.key] = app
            await self.stack(scope, receive, send)

        return enter

    async def _go_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope[self.key](scope, receive, send)


class FormLimited:
    """Says how large forms may be to what is inside, mounted applications too.

    Args:
        app: The application inside.
        limits: Limits that go before those from outside.
    """

    __slots__ = ("app", "limits")

    def __init__(self, app: ASGIApp, limits: FormLimits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[FORM_LIMITS_KEY] = {**scope.get(FORM_LIMITS_KEY, {}), **self.limits}
        await self.app(scope, receive, send)
