"""Applications by name: import `module:attribute`, and call whatever was found the ASGI 3 way."""

import inspect
import os
import sys
import traceback
from importlib import import_module
from types import ModuleType
from typing import Any

from portico.asgi import ASGIApp, PorticoError, Receive, Scope, Send
from portico.server.config import Config

NAMES = ("app", "application")


class AppImportError(PorticoError):
    """The application cannot be imported; the text names the file and the error."""


def load(config: Config) -> Any:
    """Return the application that the settings name, or that they hold; a factory is called."""
    app = config.app
    if isinstance(app, str):
        directory = os.path.abspath(config.app_dir or ".")
        if directory not in sys.path:
            sys.path.insert(0, directory)
        app = _find(app)
    if app is None:
        raise AppImportError("there is no application to serve: name one as module:attribute")
    if not config.factory:
        return app
    try:
        return app()
    except Exception as error:
        raise AppImportError(f"the factory {config.app!r} failed: {_where(error)}") from error


def _find(name: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if not module_name or not all(part.isidentifier() for part in module_name.split(".")):
        hint = f"; did you mean {_as_module(name)!r}?" if name.endswith(".py") else ""
        raise AppImportError(f"{name!r} is not module:attribute, such as main:app{hint}")
    module = _import(module_name)
    if not attribute:
        attribute = next((each for each in NAMES if hasattr(module, each)), NAMES[0])
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise AppImportError(
                f"{getattr(module, '__file__', module_name)} has no attribute {attribute!r}{_near(part, dir(found))}"
            ) from None
    return found


def _as_module(name: str) -> str:
    return name.removesuffix(".py").strip("./").replace("/", ".") + ":app"


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            here = [entry.removesuffix(".py") for entry in os.listdir(sys.path[0]) if entry.endswith(".py")]
            raise AppImportError(f"there is no module {missing!r} in {sys.path[0]}{_near(missing, here)}") from None
        raise AppImportError(f"importing {name!r} failed: {_where(error)}") from error
    except Exception as error:
        raise AppImportError(f"importing {name!r} failed: {_where(error)}") from error


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, [each for each in known if not each.startswith("__")], 3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _where(error: BaseException) -> str:
    """Return the error with the last place in somebody's file, which is where it is mended."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    frames = [frame for frame in frames if frame.filename != __file__]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def adapt(app: Any, interface: str) -> ASGIApp:
    """Return the application as an ASGI 3 application; AppImportError where it can be none."""
    if not callable(app):
        raise AppImportError(f"an ASGI application is a callable, not {app!r}")
    if interface == "asgi2" or (interface == "auto" and _is_double(app)):

        async def single(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope)(receive, send)

        return single
    if interface == "auto" and not inspect.isclass(app) and _takes_nothing(app):
        raise AppImportError(f"{app!r} takes no arguments: if it makes the application, say --factory")
    result: ASGIApp = app
    return result


def _is_double(app: Any) -> bool:
    """Tell an ASGI 2 application: a class, or a plain callable of one argument that returns the instance."""
    if inspect.isclass(app):
        return True
    call = app if inspect.isfunction(app) or inspect.ismethod(app) else type(app).__call__
    own = 0 if inspect.isfunction(app) or inspect.ismethod(app) else 1  # `self`
    return not inspect.iscoroutinefunction(call) and _arguments(call) == 1 + own


def _takes_nothing(app: Any) -> bool:
    return _arguments(app) == 0


def _arguments(call: Any) -> int:
    """Return how many positional arguments a callable takes, -1 where that cannot be told."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except (TypeError, ValueError):
        return -1
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return -1
    return sum(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters
    )
