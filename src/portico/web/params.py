"""What a parameter's declaration says: where its value comes from, its constraints, its place in the documentation.

The functions of the same names in `portico.web.param_functions` are what programs use; they make these classes.
"""

# pydantic calls FieldInfo final, and makes room for such subclasses:
# mypy: disable-error-code="misc"

import asyncio
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, Unpack
from weakref import WeakKeyDictionary

from pydantic import AliasChoices, AliasPath, Discriminator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from portico.web.exceptions import DefinitionError, PorticoDeprecationWarning

if TYPE_CHECKING:
    from typing_extensions import deprecated

    from portico.web.openapi.models import Example

__all__ = [
    "Body",
    "Cookie",
    "Depends",
    "FieldOptions",
    "File",
    "Form",
    "Header",
    "Param",
    "ParamTypes",
    "ParameterError",
    "Path",
    "Query",
    "QueryStyle",
    "Security",
]


class ParameterError(DefinitionError, AssertionError):
    """The declaration of a parameter contradicts itself, or cannot be met by a request."""


DependencyScope = Literal["function", "request", "app"]
QueryStyle = Literal["form", "deepObject"]


class ParamTypes(Enum):
    """Where the value of a parameter is in a request."""

    query = "query"
    header = "header"
    path = "path"
    cookie = "cookie"


class FieldOptions(TypedDict, total=False):
    """What every declaration of a parameter may say, each by keyword.

    A default: `default_factory` (a callable), `validate_default`.

    Names: `alias` is the name in the request and in the document; `validation_alias` and `serialization_alias` are for
    one of the two; `alias_priority` is pydantic's, for models with an alias generator.

    Constraints, which pydantic checks: `gt`, `ge`, `lt`, `le`, `multiple_of`, `allow_inf_nan`, `max_digits`,
    `decimal_places` for numbers; `min_length`, `max_length`, `pattern` for text; `min_length`, `max_length`,
    `fail_fast` for lists; `discriminator`, `union_mode` for unions; `strict` against conversion.

    For the document: `title`, `description`, `examples` (in the JSON schema), `openapi_examples` (with names, as the
    documentation pages show them), `deprecated`, `include_in_schema`, `json_schema_extra`.

    `regex` and `example` are deprecated spellings of `pattern` and `examples`.
    """

    default_factory: Callable[[], Any] | None
    alias: str | None
    alias_priority: int | None
    validation_alias: str | AliasPath | AliasChoices | None
    serialization_alias: str | None
    title: str | None
    description: str | None
    gt: float | None
    ge: float | None
    lt: float | None
    le: float | None
    min_length: int | None
    max_length: int | None
    pattern: str | re.Pattern[str] | None
    regex: str | None
    discriminator: str | Discriminator | None
    strict: bool | None
    validate_default: bool | None
    union_mode: Literal["smart", "left_to_right"] | None
    fail_fast: bool | None
    multiple_of: float | None
    allow_inf_nan: bool | None
    max_digits: int | None
    decimal_places: int | None
    examples: list[Any] | None
    example: Any
    openapi_examples: "dict[str, Example] | None"
    deprecated: "deprecated | str | bool | None"
    include_in_schema: bool
    json_schema_extra: dict[str, Any] | Callable[[dict[str, Any]], None] | None


class DeclarationOptions(FieldOptions, total=False):
    """What a declaration may be told besides by the framework."""

    annotation: Any


class _Declared(FieldInfo):
    """A field of a request, with what only the document needs to know about it."""

    __slots__ = ("example", "include_in_schema", "openapi_examples")

    def __init__(self, default: Any = PydanticUndefined, **options: Unpack[DeclarationOptions]) -> None:
        given: dict[str, Any] = dict(options)
        self.example = given.pop("example", PydanticUndefined)
        if self.example is not PydanticUndefined:
            _warn("`example` has been deprecated, please use `examples` instead")
        regex = given.pop("regex", None)
        if regex is not None:
            _warn("`regex` has been deprecated, please use `pattern` instead")
            given["pattern"] = given.get("pattern") or regex
        self.include_in_schema: bool = given.pop("include_in_schema", True)
        self.openapi_examples: dict[str, Example] | None = given.pop("openapi_examples", None)
        if "alias" in given:
            alias = given["alias"]
            if alias is not None and given.get("serialization_alias") is None:
                given["serialization_alias"] = alias
            if given.get("validation_alias") is None:
                given["validation_alias"] = alias  # None too: it takes back the alias of a Field() beside this
        super().__init__(default=default, **given)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.default})"


class Param(_Declared):
    """A parameter outside the body: of the query string if a subclass does not say otherwise."""

    __slots__ = ()

    in_: ClassVar[ParamTypes] = ParamTypes.query


class Path(Param):
    """A part of the path. It is always required."""

    __slots__ = ()

    in_ = ParamTypes.path

    def __init__(self, default: Any = ..., **options: Unpack[DeclarationOptions]) -> None:
        if default is not ...:
            raise ParameterError(
                f"Path parameters cannot have a default value, got {default!r}: they are never missing"
            )
        super().__init__(default, **options)


class Query(Param):
    """A parameter of the query string, in one of the styles that OpenAPI has for lists and objects."""

    __slots__ = ("explode", "style")

    in_ = ParamTypes.query

    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        style: QueryStyle = "form",
        explode: bool = True,
        **options: Unpack[DeclarationOptions],
    ) -> None:
        self.style = style
        self.explode = explode
        super().__init__(default, **options)


class Header(Param):
    """A header field; the underscores of its name are hyphens unless told otherwise."""

    __slots__ = ("convert_underscores",)

    in_ = ParamTypes.header

    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        convert_underscores: bool = True,
        **options: Unpack[DeclarationOptions],
    ) -> None:
        self.convert_underscores = convert_underscores
        super().__init__(default, **options)


class Cookie(Param):
    """A cookie."""

    __slots__ = ()

    in_ = ParamTypes.cookie


class Body(_Declared):
    """The body, or a member of it."""

    __slots__ = ("embed", "media_type")

    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        embed: bool | None = None,
        media_type: str = "application/json",
        **options: Unpack[DeclarationOptions],
    ) -> None:
        self.embed = embed
        self.media_type = media_type
        super().__init__(default, **options)


class Form(Body):
    """A field of a form."""

    __slots__ = ()

    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        media_type: str = "application/x-www-form-urlencoded",
        **options: Unpack[DeclarationOptions],
    ) -> None:
        super().__init__(default, media_type=media_type, **options)


class File(Form):
    """A file of a form."""

    __slots__ = ()

    def __init__(
        self,
        default: Any = PydanticUndefined,
        *,
        media_type: str = "multipart/form-data",
        **options: Unpack[DeclarationOptions],
    ) -> None:
        super().__init__(default, media_type=media_type, **options)


class ConcurrencyLimit:
    """How many calls of a dependency may run at once: a semaphore for each event loop.

    Its identity counts: whatever shares one `Depends` shares the limit.
    """

    __slots__ = ("__weakref__", "_semaphores", "max_concurrency")

    def __init__(self, max_concurrency: int) -> None:
        self.max_concurrency = max_concurrency
        self._semaphores: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    def get_semaphore(self) -> asyncio.Semaphore:
        """Return the semaphore of the running loop."""
        loop = asyncio.get_running_loop()
        semaphore = self._semaphores.get(loop)
        if semaphore is None:
            semaphore = self._semaphores[loop] = asyncio.Semaphore(self.max_concurrency)
        return semaphore


@dataclass(frozen=True)
class Depends:
    """A value that comes from calling something, which is given what it declares in turn."""

    dependency: Callable[..., Any] | None = None
    use_cache: bool = True
    scope: DependencyScope | None = None
    max_concurrency: int | None = field(default=None, kw_only=True)
    # A field, so that dataclasses.replace() keeps it: the copy counts for the same limit.
    _concurrency: ConcurrencyLimit | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        limit = self.max_concurrency
        if limit is None:
            object.__setattr__(self, "_concurrency", None)
            return
        if type(limit) is not int or limit < 1:
            raise ValueError(f"max_concurrency must be a positive integer or None, got {limit!r}")
        if self._concurrency is None or self._concurrency.max_concurrency != limit:
            object.__setattr__(self, "_concurrency", ConcurrencyLimit(limit))


@dataclass(frozen=True)
class Security(Depends):
    """A dependency that says which OAuth2 scopes it asks for."""

    scopes: Sequence[str] | None = None


def _warn(message: str) -> None:
    """Warn at the line of the program that declares the parameter, however many of our calls are in between."""
    frame, level = sys._getframe(1), 2
    while frame.f_globals.get("__name__") in _OURS and frame.f_back is not None:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, PorticoDeprecationWarning, stacklevel=level)


_OURS = (__name__, "portico.web.param_functions")
