"""What an endpoint returns as a response: which way it goes is decided when the route is planned."""

from collections.abc import AsyncIterator, Callable, Iterator
from copy import copy
from typing import Any

from portico.asgi import Scope
from portico.web.background import BackgroundTask
from portico.web.datastructures import Default, DefaultPlaceholder
from portico.web.encoders import jsonable_encoder
from portico.web.plan.annotations import lenient_issubclass
from portico.web.plan.callables import is_async_generator, is_generator
from portico.web.plan.fields import ModelField
from portico.web.plan.outgoing import Outgoing, options_of, untyped_json
from portico.web.plan.peers import response_types
from portico.web.plan.streams import Encode, event_encoder, line_encoder, pieces, untyped_item
from portico.web.responses import (
    EventSourceResponse,
    JSONLinesResponse,
    JSONResponse,
    Response,
    StreamingResponse,
    events,
)
from portico.web.responses.content import LENGTHS
from portico.web.types import IncEx
from portico.web.utils import BODILESS

BY_DEFAULT = Default(JSONResponse)
JSON = (b"content-type", b"application/json")
EVENT_FIELDS = {"cache-control": "no-cache"}
SINGLE = frozenset((b"content-type", b"cache-control"))

_new = JSONResponse.__new__


class ResultPlan:
    """How the responses of a route are made.

    Args:
        call: The endpoint.
        field: The type of what it returns, if it is declared.
        stream_item_field: The type of what it yields, if it is declared.
        response_class: The class of its responses; JSON, if that is a default that nobody chose.
        status_code: The status of its responses, else the class's.
        include: The fields of a model to have.
        exclude: Those to leave out.
        by_alias: Whether they go by their aliases.
        exclude_unset: Whether to leave out those that nobody has set.
        exclude_defaults: Whether to leave out those that have their default.
        exclude_none: Whether to leave out those that are None.
        is_sse_stream: Whether it yields events.
        is_json_stream: Whether it yields lines of JSON.
    """

    __slots__ = (
        "_content",
        "_item",
        "_json",
        "_made_of_pieces",
        "_responses",
        "call",
        "is_json_stream",
        "is_sse_stream",
        "is_stream",
        "response_class",
        "status_code",
    )

    def __init__(
        self,
        *,
        call: Callable[..., Any],
        field: ModelField | None = None,
        stream_item_field: ModelField | None = None,
        response_class: type[Response] | DefaultPlaceholder = BY_DEFAULT,
        status_code: int | None = None,
        include: IncEx | None = None,
        exclude: IncEx | None = None,
        by_alias: bool = True,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
        is_sse_stream: bool = False,
        is_json_stream: bool = False,
    ) -> None:
        options = options_of(
            include=include,
            exclude=exclude,
            by_alias=by_alias,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )
        self.call = call
        self.status_code = None if status_code is None else int(status_code)
        self.is_sse_stream = is_sse_stream
        self.is_json_stream = is_json_stream
        self.is_stream = is_sse_stream or is_json_stream or is_async_generator(call) or is_generator(call)
        by_default = isinstance(response_class, DefaultPlaceholder)
        self.response_class: type[Response] = (
            response_class.value if isinstance(response_class, DefaultPlaceholder) else response_class
        )
        self._responses = response_types()
        self._made_of_pieces = lenient_issubclass(self.response_class, StreamingResponse)
        # One of the two is set: a way to bytes that are JSON, or to the content for the class of the response.
        self._json: Callable[[Any, Scope | None], bytes] | None = None
        self._content: Callable[[Any, Scope | None], Any] | None = None
        typed = None if field is None else Outgoing(call, field, options)
        if typed is not None and by_default:
            self._json = typed.json
        elif typed is not None:
            self._content = typed.jsonable
        elif self.response_class is JSONResponse:
            self._json = untyped_json
        else:
            self._content = _text_or_jsonable
        self._item: Outgoing | None = None
        if stream_item_field is not None:
            self._item = Outgoing(call, stream_item_field, options)

    def respond(
        self,
        result: Any,
        injected: Response | None = None,
        background: BackgroundTask | None = None,
        scope: Scope | None = None,
    ) -> Response:
        """Return the response that a result becomes.

        Args:
            result: What the endpoint has returned.
            injected: The response that the endpoint, or a dependency, has set a status or fields on.
            background: The tasks that they have added.
            scope: That of the request, for errors.

        Raises:
            ResponseValidationError: If the result is not of the declared type.
        """
        if self._json is None:
            return self._of_class(result, injected, background, scope)
        if isinstance(result, self._responses):
            return _passed_on(result, background)
        body = self._json(result, scope)
        status = self.status_code or 200
        if injected is not None:
            status = injected.status_code or status
        response = _new(JSONResponse)
        response.status_code = status
        response.background = background
        if status != 200 and (status < 200 or status in BODILESS):
            body = b""
            response.raw_headers = [LENGTHS[0], JSON] if status == 205 else [JSON]
        else:
            length = len(body)
            response.raw_headers = [
                LENGTHS[length] if length < 1024 else (b"content-length", b"%d" % length),
                JSON,
            ]
        response.body = body
        if injected is not None and injected.raw_headers:
            _add_fields(response, injected)
        return response

    def _of_class(
        self, result: Any, injected: Response | None, background: BackgroundTask | None, scope: Scope | None
    ) -> Response:
        if isinstance(result, self._responses):
            return _passed_on(result, background)
        if self._made_of_pieces and isinstance(result, AsyncIterator | Iterator):
            return self.stream(result, injected, background, scope)
        assert self._content is not None
        response = self._make(self.response_class, self._content(result, scope), injected, background)
        if response.status_code < 200 or response.status_code in BODILESS:
            _empty(response)
        if injected is not None and injected.raw_headers:
            _add_fields(response, injected)
        return response

    def stream(
        self,
        generator: Any,
        injected: Response | None = None,
        background: BackgroundTask | None = None,
        scope: Scope | None = None,
    ) -> Response:
        """Return the response that sends what a generator yields; the arguments are those of `respond`."""
        response: Response
        if self.is_sse_stream or lenient_issubclass(self.response_class, EventSourceResponse):
            encode = event_encoder(self._item_encoder(scope))
            more = {"headers": EVENT_FIELDS, "ping_interval": events.PING_INTERVAL, "encode": encode}
            response = self._make(EventSourceResponse, generator, injected, background, **more)
        elif self.is_json_stream:
            encode = line_encoder(self._item_encoder(scope))
            response = self._make(JSONLinesResponse, generator, injected, background, encode=encode)
        else:
            response = self._make(self.response_class, pieces(generator), injected, background)
            if isinstance(response, StreamingResponse):
                response.listens = True
        if injected is not None and injected.raw_headers:
            _add_fields(response, injected)
        return response

    def _item_encoder(self, scope: Scope | None) -> Encode:
        item = self._item
        return untyped_item if item is None else lambda value: item.json(value, scope)

    def _make(
        self,
        response_class: type[Response],
        content: Any,
        injected: Response | None,
        background: BackgroundTask | None,
        **more: Any,
    ) -> Response:
        """Make a response of a class; the class's own status holds where nobody has chosen one."""
        status = self.status_code
        if injected is not None:
            status = injected.status_code or status
        if status:
            more["status_code"] = status
        return response_class(content, background=background, **more)


def _passed_on(response: Response, background: BackgroundTask | None) -> Response:
    if background is None or response.background is not None:
        return response
    # The endpoint may give the same response again, to another request.
    response = copy(response)
    response.background = background
    return response


def _empty(response: Response) -> None:
    """Take the body of a response whose status has none."""
    response.body = b""
    response.raw_headers[:] = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
    if response.status_code == 205:  # RFC 9110 §15.3.6: which has to say so
        response.raw_headers.append(LENGTHS[0])


def _text_or_jsonable(result: Any, scope: Scope | None) -> Any:
    """Return the content for a class of response that is not JSON, or the program's own."""
    if isinstance(result, bytes):
        try:
            return result.decode()
        except UnicodeDecodeError:  # a picture, say
            return result
    return jsonable_encoder(result)


def _add_fields(response: Response, injected: Response) -> None:
    """Add the fields that were set on an injected response; those that come once replace the response's own."""
    fields = injected.raw_headers
    once = SINGLE.intersection([name for name, _ in fields])
    if once:
        response.raw_headers[:] = [pair for pair in response.raw_headers if pair[0] not in once]
    response.raw_headers += fields
