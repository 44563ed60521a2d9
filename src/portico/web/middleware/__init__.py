"""Middleware: ASGI applications around an application.

Nothing is imported here: `portico.web.middleware.cors` has `CORSMiddleware`, and so on. A few modules are parts of
others: `driven` of `base`; `encoders` and `negotiation` of `compression`; `decoders` of
`decompression`; `csrftoken` and `csrfform` of `csrf`; `sessionstore` of `sessions`; `fields`, `hosts`, `refusal` and
`taken` of several.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ParamSpec, Protocol

from portico.asgi import ASGIApp

P = ParamSpec("P")


class _MiddlewareFactory(Protocol[P]):
    def __call__(self, app: ASGIApp, /, *args: P.args, **kwargs: P.kwargs) -> ASGIApp: ...


class Middleware:
    """A middleware class and its arguments, kept until the application is put together."""

    def __init__(self, cls: _MiddlewareFactory[P], *args: P.args, **kwargs: P.kwargs) -> None:
        self.cls: Any = cls
        self.args = args
        self.kwargs = kwargs

    def __iter__(self) -> Iterator[Any]:
        return iter((self.cls, self.args, self.kwargs))

    def __repr__(self) -> str:
        name = getattr(self.cls, "__name__", "")
        values = [repr(value) for value in self.args] + [f"{key}={value!r}" for key, value in self.kwargs.items()]
        return f"{type(self).__name__}({', '.join([name, *values])})"


def wrapped(app: ASGIApp, middleware: Sequence[Middleware]) -> ASGIApp:
    """Return the application inside the middleware, the first of which is the outermost."""
    for cls, args, kwargs in reversed(middleware):
        app = cls(app, *args, **kwargs)
    return app
