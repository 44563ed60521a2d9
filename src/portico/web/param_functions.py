"""The declarations of a handler's parameters, typed so that they fit any annotation.

`q: Annotated[str | None, Query(max_length=50)] = None`, or in the place of the default: `q: str = Query("all")`.

What they take by keyword is described once, in `FieldOptions`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Unpack

from pydantic_core import PydanticUndefined

from portico.web import params
from portico.web.params import DependencyScope, FieldOptions, QueryStyle

__all__ = ["Body", "Cookie", "Depends", "FieldOptions", "File", "Form", "Header", "Path", "Query", "Security"]


def Path(default: Any = ..., **options: Unpack[FieldOptions]) -> Any:
    """Declare a part of the path. It is always required: there is no default.

    Args:
        default: Nothing but `...`.
        options: See `FieldOptions`.
    """
    return params.Path(default, **options)


def Query(
    default: Any = PydanticUndefined,
    *,
    style: QueryStyle = "form",
    explode: bool = True,
    **options: Unpack[FieldOptions],
) -> Any:
    """Declare a parameter of the query string, or a model of several.

    Args:
        default: Its value if it is not there; without one it is required.
        style: Whether the fields of a model are parameters, as "form" has them, or in one that is a "deepObject":
            `filter[name]=green`.
        explode: Whether each item of a list is a parameter, `tag=a&tag=b`, or all are in one: `tag=a,b`. For a model,
            whether that is so for its lists.
        options: See `FieldOptions`.
    """
    return params.Query(default, style=style, explode=explode, **options)


def Header(
    default: Any = PydanticUndefined, *, convert_underscores: bool = True, **options: Unpack[FieldOptions]
) -> Any:
    """Declare a header field, or a model of several.

    Args:
        default: Its value if it is not there; without one it is required.
        convert_underscores: Whether `user_agent` stands for `user-agent`.
        options: See `FieldOptions`.
    """
    return params.Header(default, convert_underscores=convert_underscores, **options)


def Cookie(default: Any = PydanticUndefined, **options: Unpack[FieldOptions]) -> Any:
    """Declare a cookie, or a model of several.

    Args:
        default: Its value if it is not there; without one it is required.
        options: See `FieldOptions`.
    """
    return params.Cookie(default, **options)


def Body(
    default: Any = PydanticUndefined,
    *,
    embed: bool | None = None,
    media_type: str = "application/json",
    **options: Unpack[FieldOptions],
) -> Any:
    """Declare the JSON body, or a member of it if there are several.

    Args:
        default: Its value if it is not there; without one it is required.
        embed: Whether it is a member of the body even if it is the only one.
        media_type: What the document says of the body.
        options: See `FieldOptions`.
    """
    return params.Body(default, embed=embed, media_type=media_type, **options)


def Form(
    default: Any = PydanticUndefined,
    *,
    media_type: str = "application/x-www-form-urlencoded",
    **options: Unpack[FieldOptions],
) -> Any:
    """Declare a field of a form, or a model of several.

    Args:
        default: Its value if it is not there; without one it is required.
        media_type: What the document says of the body.
        options: See `FieldOptions`.
    """
    return params.Form(default, media_type=media_type, **options)


def File(
    default: Any = PydanticUndefined, *, media_type: str = "multipart/form-data", **options: Unpack[FieldOptions]
) -> Any:
    """Declare a file of a form: as `bytes`, read into memory, or as an `UploadFile`.

    Args:
        default: Its value if it is not there; without one it is required.
        media_type: What the document says of the body.
        options: See `FieldOptions`.
    """
    return params.File(default, media_type=media_type, **options)


def Depends(
    dependency: Callable[..., Any] | None = None,
    *,
    use_cache: bool = True,
    scope: DependencyScope | None = None,
    max_concurrency: int | None = None,
) -> Any:
    """Declare a value that comes from calling something, which is given what it declares in turn.

    Args:
        dependency: What to call: a function, sync or async, that may be a generator; a class; any callable. The
            annotated type by default.
        use_cache: Whether all who depend on it in a request share one value.
        scope: When the code after its `yield` runs: "function", when the endpoint is done and before the response is
            sent; "request", after that, which is the default; "app", when the application shuts down: it is called
            once for the application, and may depend only on such ones.
        max_concurrency: How many calls may run at once, those that have yet to run their code after `yield` included.
            They are counted for this declaration, in each event loop; share it to share the limit.
    """
    return params.Depends(dependency, use_cache=use_cache, scope=scope, max_concurrency=max_concurrency)


def Security(
    dependency: Callable[..., Any] | None = None,
    *,
    scopes: Sequence[str] | None = None,
    use_cache: bool = True,
) -> Any:
    """Declare a dependency that asks for OAuth2 scopes.

    Args:
        dependency: What to call, as for `Depends`.
        scopes: What the client must be allowed, for the dependencies that take `SecurityScopes` and for the document.
        use_cache: Whether all who depend on it with the same scopes share one value.
    """
    return params.Security(dependency, scopes=scopes, use_cache=use_cache)
