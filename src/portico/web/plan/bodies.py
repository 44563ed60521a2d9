"""The body of a request as values for the fields that want it: read once, validated for each.

A body that is one JSON value for one field goes to pydantic as bytes, where that means the same as decoding it first
(see `jsonsafety`). Whatever fails there is done again the long way, which knows how to say what is wrong.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from portico.http.media_types import parse_media_type
from portico.web.datastructures import FormData
from portico.web.exceptions import HTTPException, RequestValidationError
from portico.web.middleware.body_limit import is_refused_outside
from portico.web.params import Form
from portico.web.plan.bodyfield import flat_body_params, get_body_field, should_embed
from portico.web.plan.defaults import validate_or_default
from portico.web.plan.fields import ModelField, Undefined, missing_error
from portico.web.plan.forms import FormLimits, check_form_limits, form_models, is_optional
from portico.web.plan.formvalues import FormField, FormGroup, FormModel
from portico.web.plan.jsonsafety import means_the_same_from_json
from portico.web.plan.values import value_aliases
from portico.web.requests import ClientDisconnect, Request

__all__ = ["BodyPlan", "FormLimits", "check_form_limits", "flat_body_params", "get_body_field", "should_embed"]

Values = list[dict[str, Any]]
Errors = list[list[Any] | None]

MAX_KNOWN_TYPES = 128
_known_types: dict[str, bool] = {"application/json": True}


def is_json_type(content_type: str) -> bool:
    """Tell whether a Content-Type says that the body is JSON: `application/json` or `application/...+json`."""
    known = _known_types.get(content_type)
    if known is not None:
        return known
    kind, _ = parse_media_type(content_type)
    main, _, sub = kind.partition("/")
    answer = main == "application" and "/" not in sub and (sub == "json" or sub.endswith("+json"))
    if len(_known_types) < MAX_KNOWN_TYPES and len(content_type) < MAX_KNOWN_TYPES:
        _known_types[content_type] = answer
    return answer


class _Whole:
    """A field that is the whole body."""

    __slots__ = ("field", "group", "name")

    def __init__(self, field: ModelField) -> None:
        self.field = field
        self.name = field.name
        self.group = FormGroup([field])

    def value(self, received: Any) -> tuple[Any, tuple[str, ...] | None]:
        return received, ("body",)

    async def form_value(self, form: FormData) -> tuple[Any, tuple[str, ...]]:
        return await self.group.read(form), ("body",)


class _Member:
    """A field that is one member of the body: of a JSON object, or of a form."""

    __slots__ = ("aliases", "field", "form", "locs", "name")

    def __init__(self, field: ModelField) -> None:
        self.field = field
        self.name = field.name
        self.aliases = [alias for alias, _ in value_aliases(field)]
        self.locs = [("body", alias) for alias in self.aliases]
        self.form = FormField(field)

    def value(self, received: Any) -> tuple[Any, tuple[str, ...] | None]:
        """Return the value, `Undefined` if it is not there, and its place; None for the place if this is no object."""
        if received is Undefined or isinstance(received, bytes):
            return Undefined, self.locs[0]
        get = getattr(received, "get", None)
        if get is None:
            return Undefined, None
        for alias, loc in zip(self.aliases, self.locs, strict=True):
            value = get(alias, Undefined)
            if value is not Undefined:
                return value, loc
        return Undefined, self.locs[0]

    async def form_value(self, form: FormData) -> tuple[Any, tuple[str, ...]]:
        name, value = self.form.find(form)
        if self.form.reads_file or self.form.reads_files:
            value = await self.form.with_content(value)
        return value, ("body", name)


class _Model(_Member):
    """A field that is a model, or a union of models, whose fields are fields of the form."""

    __slots__ = ("model",)

    def __init__(self, field: ModelField, models: list[Any]) -> None:
        super().__init__(field)
        self.model = FormModel(models, is_optional(field))

    async def form_value(self, form: FormData) -> tuple[Any, tuple[str, ...]]:
        return await self.model.read(form), ("body",)


class _Place:
    """One callable that wants something of the body."""

    __slots__ = ("members", "step")

    def __init__(self, step: int, fields: Sequence[ModelField], embed: bool) -> None:
        self.step = step
        whole = len(fields) == 1 and not embed and not should_embed(fields) and not form_models(fields[0])
        self.members: list[_Whole | _Member] = [_Whole(fields[0])] if whole else [_member(field) for field in fields]


def _member(field: ModelField) -> _Member:
    models = form_models(field)
    return _Model(field, models) if models else _Member(field)


class BodyPlan:
    """Reads the body of requests to one route.

    Args:
        places: Who wants something of the body: the number of a step, and its fields.
        embed: Whether the fields are members of one JSON object, or of a form.
        strict_content_type: Whether a body without Content-Type is no JSON.
        form_limits: How much a form may have.
    """

    __slots__ = ("direct", "form_limits", "is_form", "places", "strict_content_type")

    def __init__(
        self,
        places: Sequence[tuple[int, Sequence[ModelField]]],
        *,
        embed: bool,
        strict_content_type: bool = True,
        form_limits: FormLimits | None = None,
    ) -> None:
        self.places = [_Place(step, fields, embed) for step, fields in places]
        self.strict_content_type = strict_content_type
        self.form_limits: Any = form_limits or {}
        fields = [field for _, some in places for field in some]
        # The endpoint comes last. Where nothing is embedded its field decides, and all others want the same.
        deciding = fields if embed else fields[-1:]
        self.is_form = any(isinstance(field.field_info, Form) for field in deciding)
        # The place and the field that may be validated from the bytes.
        self.direct: tuple[int, ModelField] | None = None
        if not self.is_form and len(self.places) == 1:
            member = self.places[0].members[0]
            if isinstance(member, _Whole) and means_the_same_from_json(member.field):
                self.direct = self.places[0].step, member.field

    async def gather(self, request: Any, values: Values, errors: Errors) -> Any:
        """Put what the fields get into the values of their steps, and what is wrong into the steps' errors.

        The other inputs have been read before: only while nothing is wrong with them the body may stay undecoded.

        Args:
            request: The request. A WebSocket has no body.
            values: Of each step, by the names of its parameters.
            errors: Of each step; None while there are none.

        Returns:
            The body as it was received and decoded; None where there is none, or nothing is wrong.

        Raises:
            RequestValidationError: If it is said to be JSON and is not.
            HTTPException: If it is too large, or cannot be read.
        """
        received: Any = Undefined
        if isinstance(request, Request):
            if self.is_form:
                form = await self._read_form(request)
                await self._place_form(form, values, errors)
                return form
            body = await self._read_body(request)
            if body:
                if not self._is_json(request):
                    received = body
                else:
                    if (
                        self.direct is not None
                        and type(request).json is Request.json
                        and not hasattr(request, "_json")
                        and not any(errors)
                    ):
                        step, field = self.direct
                        try:
                            values[step][field.name] = field.validator.validate_json(body)
                        except ValidationError:
                            pass
                        else:
                            return None
                    received = await self._decode(request, body)
        self._place(received, values, errors)
        return None if received is Undefined else received

    def _is_json(self, request: Request[Any]) -> bool:
        content_type = request.headers.get("content-type")
        return is_json_type(content_type) if content_type else not self.strict_content_type

    async def _read_body(self, request: Request[Any]) -> bytes:
        try:
            return await request.body()
        except Exception as error:
            raise _unreadable(request, error) from error

    async def _read_form(self, request: Request[Any]) -> FormData:
        try:
            return await request.form(**self.form_limits)
        except Exception as error:
            raise _unreadable(request, error) from error

    async def _decode(self, request: Request[Any], body: bytes) -> Any:
        try:
            return await request.json()
        except json.JSONDecodeError as error:
            if not _is_text(body):
                raise _unreadable(request, error) from error
            item = {
                "type": "json_invalid",
                "loc": ("body", error.pos),
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": error.msg},
            }
            raise RequestValidationError([item], body=error.doc) from error
        except Exception as error:
            raise _unreadable(request, error) from error

    def _place(self, received: Any, values: Values, errors: Errors) -> None:
        for place in self.places:
            for member in place.members:
                value, loc = member.value(received)
                if loc is None:  # members are asked for, and the body is no object
                    _add(errors, place.step, [missing_error(member.locs[0])])
                else:
                    _put(member, place.step, value, loc, values, errors)

    async def _place_form(self, form: FormData, values: Values, errors: Errors) -> None:
        for place in self.places:
            for member in place.members:
                value, loc = await member.form_value(form)
                _put(member, place.step, value, loc, values, errors)


def _put(
    member: _Whole | _Member, step: int, value: Any, loc: tuple[str, ...], values: Values, errors: Errors
) -> None:
    valid, found = validate_or_default(member.field, value, loc)
    if found:
        _add(errors, step, found)
    else:
        values[step][member.name] = valid


def _add(errors: Errors, step: int, found: list[Any]) -> None:
    of_step = errors[step]
    if of_step is None:
        errors[step] = found
    else:
        of_step += found


def _is_text(body: bytes) -> bool:
    """Tell whether what is wrong with the JSON is its grammar, and not its encoding, depth or size of numbers."""
    try:
        json.loads(body)
    except json.JSONDecodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return True


def _unreadable(request: Request[Any], error: Exception) -> Exception:
    """Return what the client is told when its body cannot be read."""
    if isinstance(error, HTTPException | ClientDisconnect) or is_refused_outside(request.scope, error):
        return error
    return HTTPException(400, "There was an error parsing the body")
