"""The body of a request as values for the fields that want it: read once, validated for each.

A body that is one JSON value for one field goes to pydantic as bytes, where that means the same as decoding it first
(see `jsonsafety`). Whatever fails there is done again the long way, which knows how to say what is wrong.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from portico.asgi import Scope
from portico.http.media_types import parse_media_type
from portico.web.exceptions import HTTPException, RequestValidationError
from portico.web.jsonbody import parse_json
from portico.web.middleware.body_limit import is_refused_outside
from portico.web.params import Form
from portico.web.plan.bodyfield import flat_body_params, get_body_field, should_embed
from portico.web.plan.defaults import validate_or_default
from portico.web.plan.fields import ModelField, Undefined, missing_error
from portico.web.plan.forms import FORM_LIMITS_KEY, FormLimits, check_form_limits, form_models
from portico.web.plan.formvalues import FormField, FormModel
from portico.web.plan.jsonsafety import means_the_same_from_json
from portico.web.plan.structs import struct_decoder
from portico.web.plan.values import value_aliases
from portico.web.requests import ClientDisconnect, Request

__all__ = [
    "BodyPlan",
    "FormLimits",
    "Received",
    "check_form_limits",
    "flat_body_params",
    "get_body_field",
    "should_embed",
    "wants_form",
]

Values = list[dict[str, Any]]
Errors = list[list[Any] | None]

Loc = tuple[str, ...]

WHOLE = ("body",)
NO_OBJECT = object()
# Where half a surrogate pair may be: an escape, its bytes in what is not quite UTF-8, anything in UTF-16 and UTF-32.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]|\x00")
MAX_KNOWN_TYPES = 128
_known_types: dict[bytes, bool] = {b"application/json": True}


def is_json_type(content_type: bytes) -> bool:
    """Tell whether a Content-Type says that the body is JSON: `application/json` or `application/...+json`."""
    kind, _ = parse_media_type(content_type.decode("latin-1"))
    main, _, sub = kind.partition("/")
    answer = main == "application" and "/" not in sub and (sub == "json" or sub.endswith("+json"))
    if len(_known_types) < MAX_KNOWN_TYPES and len(content_type) < MAX_KNOWN_TYPES:
        _known_types[content_type] = answer
    return answer


class _Whole:
    """A field that is the whole body."""

    __slots__ = ("field",)

    def __init__(self, field: ModelField) -> None:
        self.field = field

    def read(self, received: Any) -> tuple[Any, Loc]:
        """Return the value and its place: `Undefined` if there is none."""
        return received, WHOLE


class _Member:
    """A field that is a member of a JSON object."""

    __slots__ = ("field", "names")

    def __init__(self, field: ModelField) -> None:
        self.field = field
        self.names = [(name, ("body", name)) for name, _ in value_aliases(field)]

    def read(self, received: Any) -> tuple[Any, Loc]:
        """Return the value and its place: `Undefined` if there is none, `NO_OBJECT` where there can be none."""
        if received is not Undefined and not isinstance(received, bytes):
            get = getattr(received, "get", None)
            if get is None:
                return NO_OBJECT, self.names[0][1]
            for name, loc in self.names:
                value = get(name, Undefined)
                if value is not Undefined:
                    return value, loc
        return Undefined, self.names[0][1]


def _json_readers(fields: Sequence[ModelField], embed: bool) -> "list[_Whole | _Member]":
    if len(fields) == 1 and not embed and not should_embed(fields) and not form_models(fields[0]):
        return [_Whole(fields[0])]
    return [_Member(field) for field in fields]


def _form_readers(fields: Sequence[ModelField]) -> "list[FormField | FormModel]":
    readers: list[FormField | FormModel] = []
    for field in fields:
        models = form_models(field)
        readers.append(FormModel(field, models) if models else FormField(field))
    return readers


class Received:
    """The body of one request, as it has come and as it has been decoded."""

    __slots__ = ("body", "request", "value")

    def __init__(self, request: Request[Any] | None, body: bytes, value: Any) -> None:
        self.request = request  # None for a WebSocket, which has no body
        self.body = body
        self.value = value  # the form, or what the JSON means; `Undefined` as long as nobody has decoded it

    @property
    def shown(self) -> Any:
        """What an error shows of it; None where there is nothing."""
        if self.value is not Undefined:
            return self.value
        return parse_json(self.body) if self.body else None  # it has been validated from the bytes


class BodyPlan:
    """Reads the body of requests to one route, for those steps that want something of it.

    Args:
        places: The number of each step, and its fields.
        embed: Whether the fields are members of one JSON object, or of a form.
        strict_content_type: Whether a body without Content-Type is no JSON.
        form_limits: How much a form may have; these limits go before those in the scope.
        is_form: Whether the body is a form; found out of the fields if it is None.
    """

    __slots__ = ("direct", "form_limits", "forms", "is_form", "places", "strict_content_type", "wanted")

    def __init__(
        self,
        places: Sequence[tuple[int, Sequence[ModelField]]],
        *,
        embed: bool,
        strict_content_type: bool = True,
        form_limits: FormLimits | None = None,
        is_form: bool | None = None,
    ) -> None:
        self.wanted = places
        self.strict_content_type = strict_content_type
        self.form_limits: Any = form_limits or {}
        self.is_form = (
            wants_form([field for _, some in places for field in some], embed) if is_form is None else is_form
        )
        self.forms = [(step, _form_readers(some)) for step, some in places] if self.is_form else []
        self.places = [(step, _json_readers(some, embed)) for step, some in places] if not self.is_form else []
        # The step and the name of the one value that may be made from the bytes, and what makes it.
        self.direct: tuple[int, str, Callable[[bytes], Any]] | None = None
        if len(self.places) == 1:
            step, readers = self.places[0]
            make = _direct(readers[0].field) if isinstance(readers[0], _Whole) else None
            if make is not None:
                self.direct = step, readers[0].field.name, make

    async def receive(self, conn: Any) -> Received:
        """Wait for the whole body, before anything is called: what is held open must not wait for a slow client.

        Raises:
            HTTPException: If it is too large, cannot be read, or is no form where one is wanted.
        """
        if not isinstance(conn, Request):
            return Received(None, b"", Undefined)
        if self.is_form:
            return Received(conn, b"", await self._form(conn))
        try:
            body = await conn.body()
        except Exception as error:
            if _has_answer(conn, error):
                raise
            raise _unreadable() from error
        value: Any = Undefined
        if body and not self._is_json(conn.scope):
            value = body
        elif body and type(conn).json is not Request.json:  # a program's own way to decode it
            with _decoding(conn, body):
                value = await conn.json()
        return Received(conn, body, value)

    def place(self, received: Received, values: Values, errors: Errors) -> None:
        """Put what the fields get of a body that is no form into the values of their steps.

        The other inputs have been read before: only while nothing is wrong with them the body may stay undecoded.

        Args:
            received: What `receive` has returned.
            values: Of each step, by the names of its parameters.
            errors: Of each step; None while there are none. What is wrong is added to them.

        Raises:
            RequestValidationError: If the body is said to be JSON and is not.
            HTTPException: If it cannot be decoded.
        """
        request = received.request
        if request is None:
            for step, fields in self.wanted:
                for field in fields:
                    _put(step, field, Undefined, ("body", value_aliases(field)[0][0]), values, errors)
            return
        if received.value is Undefined and received.body:
            if self.direct is not None and not hasattr(request, "_json") and not any(errors):
                step, name, make = self.direct
                try:
                    values[step][name] = make(received.body)
                except (ValueError, RecursionError):  # pydantic's error and msgspec's among it
                    pass
                else:
                    return
            received.value = _decoded(request, received.body)
        for step, readers in self.places:
            for reader in readers:
                value, loc = reader.read(received.value)
                _put(step, reader.field, value, loc, values, errors)

    async def place_form(self, received: Received, values: Values, errors: Errors) -> None:
        """Put what the fields get of a form into the values of their steps; the arguments are those of `place`."""
        if received.request is None:
            self.place(received, values, errors)
            return
        for step, readers in self.forms:
            for reader in readers:
                value, loc = await reader.read(received.value)
                _put(step, reader.field, value, loc, values, errors)

    def _is_json(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"content-type" and value:
                known = _known_types.get(value)
                return is_json_type(value) if known is None else known
        return not self.strict_content_type

    async def _form(self, request: Request[Any]) -> Any:
        limits = self.form_limits
        if (outer := request.scope.get(FORM_LIMITS_KEY)) is not None:
            limits = {**outer, **limits}
        try:
            return await request.form(**limits)
        except Exception as error:
            if _has_answer(request, error):
                raise
            raise _unreadable() from error


def wants_form(fields: Sequence[ModelField], embed: bool) -> bool:
    """Tell whether the body that the fields are of is a form.

    The endpoint's come last. Where nothing is embedded its field decides, and all others want the same.
    """
    return any(isinstance(field.field_info, Form) for field in (fields if embed else fields[-1:]))


def _decoded(request: Request[Any], body: bytes) -> Any:
    """Return what the body means as JSON, and let `request.json()` return the same."""
    with _decoding(request, body):
        if not hasattr(request, "_json"):
            request._json = parse_json(body)
        value = request._json
        half = SURROGATE.search(body)
        if half is not None and not _has_form(value):
            # RFC 8259 §8.2: half a surrogate pair means nothing, and cannot be sent on.
            raise json.JSONDecodeError("Unpaired surrogate", "", half.start())
        return value


@contextmanager
def _decoding(request: Request[Any], body: bytes) -> Iterator[None]:
    """Tell the client what is wrong with its JSON."""
    try:
        yield
    except json.JSONDecodeError as error:
        if not _is_text(body):
            raise _unreadable() from error
        item = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": error.msg},
        }
        raise RequestValidationError([item], body=error.doc) from error
    except Exception as error:
        if _has_answer(request, error):
            raise
        raise _unreadable() from error


def _direct(field: ModelField) -> Callable[[bytes], Any] | None:
    """Return what makes a valid value of JSON at once, and raises ValueError; None where it has to be decoded first."""
    if means_the_same_from_json(field):
        return field.validator.validate_json
    return None if field.field_info.metadata else struct_decoder(field.field_info.annotation)


def _put(step: int, field: ModelField, value: Any, loc: Loc, values: Values, errors: Errors) -> None:
    """Validate a value and put it, or what is wrong with it, where it belongs."""
    if value is NO_OBJECT:  # then a default does not help
        valid, found = None, [missing_error(loc)]
    else:
        valid, found = validate_or_default(field, value, loc)
    if not found:
        values[step][field.name] = valid
        return
    of_step = errors[step]
    if of_step is None:
        errors[step] = found
    else:
        of_step += found


def _has_form(value: Any) -> bool:
    """Tell whether every text in what JSON gave can be encoded."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_text(body: bytes) -> bool:
    """Tell whether what is wrong with the JSON is its grammar, and not its encoding, depth or size of numbers."""
    try:
        json.loads(body)
    except json.JSONDecodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return True


def _has_answer(request: Request[Any], error: Exception) -> bool:
    """Tell whether the exception says itself what becomes of the request."""
    return isinstance(error, HTTPException | ClientDisconnect) or is_refused_outside(request.scope, error)


def _unreadable() -> HTTPException:
    return HTTPException(400, "There was an error parsing the body")
