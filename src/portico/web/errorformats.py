"""What errors look like, said in one place: the application answers with it, and its document describes it.

A format is a class with two methods, which return the content of the answer to an exception that means a status and of
that to a request that does not fit. What they are annotated to return is the schema in the document, so the two cannot
disagree. Without a format all is as in FastAPI.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, NotRequired, cast
from urllib.parse import quote

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes that of typing from Python 3.12 on

from portico.http.status import reason as reason_phrase
from portico.web.encoders import jsonable_encoder
from portico.web.exception_handlers import showable
from portico.web.exceptions import HTTPException, RequestValidationError
from portico.web.plan.fields import ModelField, create_model_field
from portico.web.plan.signature import get_typed_return_annotation
from portico.web.requests import Request
from portico.web.responses import JSONResponse, Response
from portico.web.utils import is_body_allowed_for_status_code

PCHARS = "~!$&'()*+,;=:@"  # what stays as it is in a path or fragment beside letters and digits (RFC 3986 section 3.3)


class ErrorFormat:
    """FastAPI's format of errors, and what other formats are derived from.

    It is for what no exception handler of the program answers: handlers go before it. An unhandled exception is
    answered like `HTTPException(500)`, and nothing of it is told.

    Args:
        validation_status: The status of the answer to a request that does not fit.
    """

    media_type: str = "application/json"
    validation_status: int = 422

    def __init__(self, *, validation_status: int | None = None) -> None:
        if validation_status is not None:
            self.validation_status = validation_status
        if not 400 <= self.validation_status < 500:
            raise ValueError(f"validation_status is a client error, from 400 to 499, got {self.validation_status!r}")

    def http_error(self, request: Request, error: HTTPException) -> Any:
        """Return the content of the answer to an HTTPException; its status and header fields are kept anyway."""
        return {"detail": error.detail}

    def validation_error(self, request: Request, error: RequestValidationError) -> Any:
        """Return the content of the answer to a request that does not fit."""
        return {"detail": error.errors()}

    async def answer_http_error(self, request: Request, error: HTTPException) -> Response:
        """Answer an HTTPException, with no body where the status has none."""
        headers = getattr(error, "headers", None)  # another framework's may have none
        if not is_body_allowed_for_status_code(error.status_code):
            return Response(status_code=error.status_code, headers=headers)
        content = self.http_error(request, error)
        try:
            return self._response(content, error.status_code, headers)
        except UnicodeEncodeError:  # it repeats half a surrogate pair of the client's
            return JSONResponse(showable(content), error.status_code, headers, self.media_type)

    async def answer_validation_error(self, request: Request, error: RequestValidationError) -> Response:
        """Answer a request that does not fit, whatever it repeats of what the client sent."""
        content = self.validation_error(request, error)
        try:
            return self._response(content, self.validation_status)
        except (ValueError, TypeError, RecursionError):
            return JSONResponse(showable(content), self.validation_status, media_type=self.media_type)

    async def answer_server_error(self, request: Request, error: Exception) -> Response:
        """Answer an exception that nobody has handled, without a word about it."""
        return await self.answer_http_error(request, HTTPException(500))

    def exception_handlers(self) -> dict[Any, Callable[..., Any]]:
        """Return the handlers that make the answers."""
        return {HTTPException: self.answer_http_error, RequestValidationError: self.answer_validation_error}

    @cached_property
    def http_field(self) -> ModelField | None:
        """The type of the content that `http_error` returns, for the document; None if it does not say."""
        return _returned(self.http_error)

    @cached_property
    def validation_field(self) -> ModelField | None:
        """The type of the content that `validation_error` returns, for the document; None if it does not say."""
        return _returned(self.validation_error)

    def _response(self, content: Any, status_code: int, headers: Mapping[str, str] | None = None) -> Response:
        return JSONResponse(jsonable_encoder(content), status_code, headers, self.media_type)


def _returned(method: Callable[..., Any]) -> ModelField | None:
    annotation = get_typed_return_annotation(method)
    if annotation is None or annotation is Any:
        return None
    return create_model_field(method.__name__, annotation, mode="serialization")


class Problem(TypedDict):
    """What went wrong (RFC 9457); there may be further members, which depend on the type."""

    type: Annotated[str, Field(description="A URI that names the type of the problem.")]
    title: Annotated[str, Field(description="The type of the problem in a few words.")]
    status: Annotated[int, Field(description="The status of the response.")]
    detail: NotRequired[Annotated[str, Field(description="What went wrong this time.")]]
    instance: NotRequired[Annotated[str, Field(description="Where it went wrong, as a URI.")]]


class InvalidValue(TypedDict):
    """A value of a request that does not fit."""

    detail: Annotated[str, Field(description="What is wrong with it.")]
    type: Annotated[str, Field(description="The kind of error.")]
    loc: Annotated[list[str | int], Field(description="Where it is: the part of the request, then names and indices.")]
    pointer: NotRequired[Annotated[str, Field(description="Where it is in the body, as a JSON pointer.")]]


class ValidationProblem(Problem):
    """What is wrong with a request (RFC 9457)."""

    errors: list[InvalidValue]


class ProblemDetails(ErrorFormat):
    """Problem details (RFC 9457): `application/problem+json` for all errors.

    The `detail` of an HTTPException is a text; or a mapping, whose items are members of the problem: `type`, `title`,
    `detail`, `instance` and any others; anything else is the member `errors`. Values that do not fit are not repeated.
    """

    media_type = "application/problem+json"

    def http_error(self, request: Request, error: HTTPException) -> Problem:
        problem = _problem(request, error.status_code)
        match error.detail:
            case str() as text:
                return problem if text == problem["title"] else {**problem, "detail": text}
            case Mapping() as members:
                return cast(Problem, {**problem, **members, "status": error.status_code})
        return cast(Problem, {**problem, "errors": error.detail})

    def validation_error(self, request: Request, error: RequestValidationError) -> ValidationProblem:
        problem = _problem(request, self.validation_status)
        return {
            **problem,
            "detail": "The request does not fit: see errors.",
            "errors": [_invalid_value(item) for item in error.errors()],
        }


def _problem(request: Request, status_code: int) -> Problem:
    return {
        "type": "about:blank",
        "title": reason_phrase(status_code),
        "status": status_code,
        "instance": quote(request.scope["path"], safe=f"/{PCHARS}", errors="replace"),
    }


def _invalid_value(item: Mapping[str, Any]) -> InvalidValue:
    kind, loc = item.get("type", "value_error"), list(item.get("loc", ()))  # a program may raise less than we do
    value: InvalidValue = {"detail": item["msg"], "type": kind, "loc": loc}
    if loc[:1] == ["body"] and kind != "json_invalid":  # whose place is a number of characters
        value["pointer"] = _pointer(loc[1:])
    return value


def _pointer(names: Sequence[str | int]) -> str:
    """Return the JSON pointer as the fragment of a URI (RFC 6901 §6)."""
    tokens = (str(name).replace("~", "~0").replace("/", "~1") for name in names)
    return "#" + "".join(f"/{quote(token, safe=PCHARS, errors='replace')}" for token in tokens)
