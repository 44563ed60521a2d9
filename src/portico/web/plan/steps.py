"""A step: one call of a request, a dependency or at last the endpoint, with where its arguments come from."""

from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from portico.web.background import BackgroundTasks
from portico.web.connections import HTTPConnection
from portico.web.plan.appscope import app_key
from portico.web.plan.bodies import Received
from portico.web.plan.callables import is_async_generator, is_coroutine, is_generator
from portico.web.plan.dependant import Dependant
from portico.web.plan.inputs import Inputs
from portico.web.responses import Response
from portico.web.security.scopes import SecurityScopes


class Kind(Enum):
    """How a callable is called."""

    FUNCTION = "in a thread"
    INLINE = "on the loop, for it cannot block"
    COROUTINE = "on the loop"
    GENERATOR = "entered and left in a thread"
    ASYNC_GENERATOR = "entered and left on the loop"


def kind_of(call: Callable[..., Any]) -> Kind:
    """Return how the callable is called."""
    if is_async_generator(call):
        return Kind.ASYNC_GENERATOR
    if is_generator(call):
        return Kind.GENERATOR
    if is_coroutine(call):
        return Kind.COROUTINE
    return Kind.INLINE if _only_stores(call) else Kind.FUNCTION


def _only_stores(call: Callable[..., Any]) -> bool:
    """Tell whether the callable is a class that does nothing but keep its arguments."""
    return (
        isinstance(call, type)
        and is_dataclass(call)
        and type(call).__call__ is type.__call__
        and call.__new__ is object.__new__
        and "<string>" in call.__init__.__code__.co_filename
        and not hasattr(call, "__post_init__")
    )


class Step:
    """One call: a dependency, or at last the endpoint."""

    __slots__ = (
        "app_key",
        "app_scope",
        "call",
        "concurrency",
        "function_scope",
        "injections",
        "inputs",
        "kind",
        "needs",
        "number",
        "scopes",
    )

    def __init__(self, number: int, dependant: Dependant, needs: list[tuple[str | None, int]]) -> None:
        assert dependant.call is not None
        self.number = number
        self.call = dependant.call
        self.kind = kind_of(dependant.call)
        self.needs = tuple(needs)
        self.inputs = Inputs.of(dependant)
        self.function_scope = dependant.scope == "function"
        self.app_scope = dependant if dependant.scope == "app" else None
        self.app_key = app_key(dependant) if dependant.scope == "app" else None
        self.concurrency = dependant.concurrency
        self.scopes = dependant.oauth_scopes if dependant.security_scopes_param_name else None
        self.injections = tuple(
            (name, inject)
            for name, inject in (
                (dependant.http_connection_param_name, _connection),
                (dependant.request_param_name, _connection),
                (dependant.websocket_param_name, _connection),
                (dependant.background_tasks_param_name, _background),
                (dependant.response_param_name, _response),
                (dependant.security_scopes_param_name, _scopes),
            )
            if name
        )

    def read(self, frame: "Frame") -> None:
        """Read what the call takes of the request besides its body."""
        if self.inputs is not None:
            errors: list[Any] = []
            self.inputs.read(frame.conn, frame.values[self.number], errors)
            if errors:
                frame.errors[self.number] = errors

    @property
    def blocks(self) -> bool:
        """Whether the call belongs into a thread."""
        return self.kind in (Kind.FUNCTION, Kind.GENERATOR) and self.concurrency is None and self.app_scope is None


class Frame:
    """What one request has brought, and what its steps have made."""

    __slots__ = ("background", "conn", "errors", "failed", "injected", "received", "results", "values")

    def __init__(self, conn: HTTPConnection[Any], steps: int) -> None:
        self.conn = conn
        self.values: list[dict[str, Any]] = [{} for _ in range(steps)]
        self.errors: list[list[Any] | None] = [None] * steps
        self.results: list[Any] = [None] * steps
        self.failed: set[int] | None = None
        self.injected: InjectedResponse | None = None
        self.background: BackgroundTasks | None = None
        self.received: Received | None = None

    def found(self) -> list[Any]:
        """Return everything that is wrong with the request, in order."""
        return [error for of_step in self.errors if of_step for error in of_step]

    def shown_body(self) -> Any:
        """Return the body as errors show it."""
        return None if self.received is None else self.received.shown


class InjectedResponse(Response):
    """The response that handlers ask for to set a status, fields and cookies of the real one."""

    def __init__(self) -> None:
        self.status_code = None  # type: ignore[assignment]
        self.background = None
        self.body = b""
        self.raw_headers = []


def _connection(frame: Frame, step: Step) -> Any:
    return frame.conn


def _background(frame: Frame, step: Step) -> BackgroundTasks:
    if frame.background is None:
        frame.background = BackgroundTasks()
    return frame.background


def _response(frame: Frame, step: Step) -> Response:
    if frame.injected is None:
        frame.injected = InjectedResponse()
    return frame.injected


def _scopes(frame: Frame, step: Step) -> SecurityScopes:
    return SecurityScopes(scopes=list(step.scopes or ()))


def arguments(frame: Frame, step: Step) -> dict[str, Any]:
    """Return what the step is called with."""
    values = frame.values[step.number]
    for name, number in step.needs:
        if name is not None:
            values[name] = frame.results[number]
    for name, inject in step.injections:
        values[name] = inject(frame, step)
    return values
