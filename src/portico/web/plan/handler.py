"""From a request to its response, and through a WebSocket: what the routes of the typed framework call."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from portico.asgi import ASGIApp, Receive, Scope, Send
from portico.web.concurrency import run_in_threadpool
from portico.web.connections import HTTPConnection
from portico.web.exceptions import (
    DefinitionError,
    EndpointContext,
    RequestValidationError,
    WebSocketRequestValidationError,
)
from portico.web.handling import ResponseWatch, answered
from portico.web.plan.bodies import BodyPlan
from portico.web.plan.cleanup import CLEANUP_KEY, Cleanup, cleanup_of
from portico.web.plan.context import endpoint_context
from portico.web.plan.dependant import Dependant
from portico.web.plan.plans import Plan, overridden
from portico.web.plan.results import ResultPlan
from portico.web.plan.steps import Frame, Kind, Step, arguments
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.websockets import WebSocket

Overrides = dict[Callable[..., Any], Callable[..., Any]]


class OverridesProvider(Protocol):
    """Whoever has the overrides of dependencies: the application."""

    dependency_overrides: Overrides


class Planned:
    """A route's plan: made at its first request, and again when the overrides of dependencies have changed."""

    def __init__(
        self, dependant: Dependant, body: Callable[..., BodyPlan], overrides_provider: OverridesProvider | None
    ) -> None:
        self.dependant = dependant
        self.body = body
        self.overrides_provider = overrides_provider
        self._plan: Plan | None = None
        self._overrides: Overrides = {}
        self._overridden: Plan | None = None

    def plan(self) -> Plan:
        """Return the plan as things are now."""
        provider = self.overrides_provider
        if provider is not None and provider.dependency_overrides:
            return self._with_overrides(provider.dependency_overrides)
        if self._overridden is not None:
            self._overridden, self._overrides = None, {}
        plan = self._plan
        if plan is None:
            plan = self._plan = Plan(self.dependant, self.body)
        return plan

    def _with_overrides(self, overrides: Overrides) -> Plan:
        if self._overridden is None or self._overrides != overrides:
            self._overridden = Plan(overridden(self.dependant, overrides), self.body, self.dependant)
            self._overrides = dict(overrides)
        return self._overridden


class RequestHandler(Planned):
    """Answers the requests for one route.

    Args:
        dependant: What the endpoint asks for.
        body: Makes the reader of the body, from the places that want something of it.
        result: How what the endpoint returns becomes a response.
        overrides_provider: The application, if its overrides of dependencies count.
    """

    def __init__(
        self,
        dependant: Dependant,
        *,
        body: Callable[..., BodyPlan] = BodyPlan,
        result: ResultPlan,
        overrides_provider: OverridesProvider | None = None,
    ) -> None:
        super().__init__(dependant, body, overrides_provider)
        self.result = result

    def as_request_app(self) -> ASGIApp:
        """Return the ASGI application of the handler, for who asks the untyped half for it."""
        return request_response(self)

    async def __call__(self, request: Request) -> Response:
        provider = self.overrides_provider
        plan = self._plan if provider is None or not provider.dependency_overrides else None
        if plan is None:
            plan = self.plan()
        endpoint = plan.endpoint
        if plan.simple:
            values: dict[str, Any] = {}
            errors: list[Any] = []
            if endpoint.inputs is not None:
                endpoint.inputs.read(request, values, errors)
                if errors:
                    raise self._invalid(request, errors, None)
            if endpoint.kind is Kind.COROUTINE:
                return self.result.respond(await endpoint.call(**values), None, None, request.scope)
            if self.result.is_stream:
                return self.result.stream(endpoint.call(**values), None, None, request.scope)
            return await run_in_threadpool(self._call_endpoint, endpoint, values, request.scope)
        return await self._run(plan, request)

    async def _run(self, plan: Plan, request: Request) -> Response:
        frame = Frame(request, len(plan.steps))
        if plan.has_form:
            cleanup_of(request.scope).stack(function=False).push_async_callback(request.close)
        endpoint = plan.endpoint
        try:
            await plan.call_dependencies(frame)
            if endpoint.kind is Kind.FUNCTION and frame.failed is None and not plan.has_form:
                return await run_in_threadpool(self._finish, plan, frame)
            await plan.read_endpoint(frame)
        except RequestValidationError as error:
            if error.endpoint_ctx is None:  # the body is not what it is said to be
                error.endpoint_ctx = self._context(request)
            raise
        errors = frame.found()
        if errors:
            raise self._invalid(request, errors, frame.shown_body())
        if endpoint.kind is Kind.FUNCTION:
            return await run_in_threadpool(self._call_in_frame, endpoint, frame)
        values = arguments(frame, endpoint)
        if self.result.is_stream:
            return self.result.stream(endpoint.call(**values), frame.injected, frame.background, request.scope)
        result = endpoint.call(**values)
        if endpoint.kind is Kind.COROUTINE:
            result = await result
        return self.result.respond(result, frame.injected, frame.background, request.scope)

    def _call_endpoint(self, endpoint: Step, values: dict[str, Any], scope: Scope) -> Response:
        return self.result.respond(endpoint.call(**values), None, None, scope)

    def _finish(self, plan: Plan, frame: Frame) -> Response:
        """Call the last dependencies and the endpoint, in one visit to a thread."""
        plan.read_endpoint_in_thread(frame)
        errors = frame.found()
        if errors:
            raise self._invalid(frame.conn, errors, frame.shown_body())
        return self._call_in_frame(plan.endpoint, frame)

    def _call_in_frame(self, endpoint: Step, frame: Frame) -> Response:
        result = endpoint.call(**arguments(frame, endpoint))
        return self.result.respond(result, frame.injected, frame.background, frame.conn.scope)

    def _invalid(self, request: HTTPConnection[Any], errors: list[Any], body: Any) -> RequestValidationError:
        return RequestValidationError(errors, body=body, endpoint_ctx=self._context(request))

    def _context(self, request: HTTPConnection[Any]) -> EndpointContext:
        return endpoint_context(self.dependant.call, request.scope["method"], request.scope, self.dependant.path)


class WebSocketHandler(Planned):
    """Holds the conversations on one route of WebSockets."""

    def __init__(self, dependant: Dependant, *, overrides_provider: OverridesProvider | None = None) -> None:
        super().__init__(dependant, BodyPlan, overrides_provider)

    async def __call__(self, websocket: WebSocket) -> None:
        plan = self.plan()
        frame = Frame(websocket, len(plan.steps))
        await plan.call_dependencies(frame)
        await plan.read_endpoint(frame)
        errors = frame.found()
        if errors:
            context = endpoint_context(self.dependant.call, "WS", websocket.scope, self.dependant.path)
            raise WebSocketRequestValidationError(errors, endpoint_ctx=context)
        await plan.endpoint.call(**arguments(frame, plan.endpoint))


def request_response(handler: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """Return an ASGI application of a function from request to response, around the dependencies with `yield`.

    They are left after the response, and see what goes wrong before an exception handler answers it.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        watch = send if type(send) is ResponseWatch else ResponseWatch(send)
        # Made here, since a handler of the program's own may go on with a copy of the scope.
        cleanup = scope[CLEANUP_KEY] = Cleanup()
        try:
            try:
                response = await handler(request)
                if cleanup.function is not None:
                    await cleanup.leave_function()
                await response(scope, receive, watch)
            except BaseException as error:
                await _leave(cleanup, error, watch)
            else:
                if cleanup.request is not None:
                    await cleanup.leave_request()
        except Exception as error:
            if not await answered(error, request, scope, receive, watch):
                raise

    return app


async def _leave(cleanup: Cleanup, error: BaseException, watch: ResponseWatch | None) -> None:
    """Leave the dependencies because of an error, which goes on unless one of them has swallowed it.

    What those of scope "function" make of it is what those of scope "request" see: where there will be no response, an
    error.
    """
    try:
        if not await cleanup.leave_function(error):
            raise error
        _expect_response(watch, error)
    except BaseException as raised:
        if not await cleanup.leave_request(raised):
            raise
    else:
        await cleanup.leave_request()
    _expect_response(watch, error)


def _expect_response(watch: ResponseWatch | None, swallowed: BaseException) -> None:
    if watch is not None and not watch.started:
        raise DefinitionError(
            "There is no response: the endpoint was raising an exception and a dependency with yield has caught it "
            f"and has not raised it again, {swallowed!r}. End its `except` block with `raise`."
        )


def websocket_session(handler: Callable[[WebSocket], Awaitable[None]]) -> ASGIApp:
    """Return an ASGI application of a function of a WebSocket, around the dependencies with `yield`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session = WebSocket(scope, receive=receive, send=send)
        cleanup = scope[CLEANUP_KEY] = Cleanup()
        try:
            try:
                await handler(session)
                await cleanup.leave_function()
            except BaseException as error:
                await _leave(cleanup, error, None)
            else:
                await cleanup.leave_request()
        except Exception as error:
            if not await answered(error, session, scope, receive, ResponseWatch(send)):
                raise

    return app
