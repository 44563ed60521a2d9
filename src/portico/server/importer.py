"""Applications by name: import `module:attribute`, and see to it that what was found is called the ASGI 3 way.

What goes wrong here is the application's or the operator's, so the errors are one sentence each, with the place.
"""

import inspect
import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from portico.asgi import ASGIApp, PorticoError, Receive, Scope, Send
from portico.server.config import Config
from portico.server.sources import load_env_file

NAMES = ("app", "application")
# What WSGI applications call their first parameter, in case they have more than the two.
ENVIRONS = ("environ", "env")
# How many names a message suggests.
SUGGESTED = 3
importing = False  # an application, now
_MACHINERY = (__file__, import_module.__code__.co_filename)


class AppImportError(PorticoError):
    """The application cannot be imported; the text names the file and the error."""


def load(config: Config) -> Any:
    """Return the application that the settings name or hold; a factory is called.

    Raises:
        AppImportError: with the file and the line of what went wrong, or with names that were perhaps meant.
    """
    if config.env_file is not None:
        load_env_file(config.env_file, os.environ)
    global importing
    importing = True
    try:
        return _load(config)
    finally:
        importing = False


def _load(config: Config) -> Any:
    app: Any = config.app
    if isinstance(app, str):
        directory = os.path.abspath(config.app_dir or os.curdir)
        if directory not in sys.path:
            sys.path.insert(0, directory)
        app = _find(app, directory)
    if not config.factory:
        return app
    if not callable(app) or _accepts(app, 0) is False:
        raise AppImportError(f"{_name(config.app)} is no factory: a callable without parameters was expected")
    try:
        return app()
    except (Exception, SystemExit) as error:
        raise AppImportError(f"the factory {_name(config.app)} failed: {_describe(error)}") from error


def adapt(app: Any, interface: str, threads: int = 16) -> ASGIApp:
    """Return the application as an ASGI 3 application, a WSGI one in so many threads.

    Raises AppImportError where it can be none.
    """
    if not callable(app):
        raise AppImportError(f"{_name(app)} is no application: a callable was expected; name one as module:attribute")
    if interface == "asgi2" or (interface == "auto" and _is_double(app)):
        return _single(app)
    if interface == "wsgi" or (interface == "auto" and _is_wsgi(app)):
        from portico.wsgi import Gateway  # others do without its modules

        return Gateway(app, threads=threads)
    if interface == "auto" and _accepts(app, 3) is False:
        if _accepts(app, 0):
            raise AppImportError(f"{_name(app)} takes no arguments: if it makes the application, add --factory")
        raise AppImportError(
            f"{_name(app)} is no application: it cannot be called with (scope, receive, send) as ASGI is, "
            "nor with (environ, start_response) as WSGI is"
        )
    result: ASGIApp = app
    return result


def _single(app: Any) -> ASGIApp:
    async def single(scope: Scope, receive: Receive, send: Send) -> None:
        scope["asgi"] = {**scope["asgi"], "version": "2.0"}
        await app(scope)(receive, send)

    return single


def _is_double(app: Any) -> bool:
    """Tell an ASGI 2 application: called with the scope alone, it returns what is called with receive and send."""
    # The marks that asgiref sets and honours.
    if getattr(app, "_asgi_single_callable", False):
        return False
    if getattr(app, "_asgi_double_callable", False):
        return True
    called = app if inspect.isclass(app) or inspect.isroutine(app) else app.__call__
    return not inspect.iscoroutinefunction(called) and _accepts(app, 1) is True and _accepts(app, 3) is False


def _is_wsgi(app: Any) -> bool:
    """Tell a WSGI application: no coroutine function, and called with environment and `start_response`.

    What takes anything, as decorators often do, is taken for ASGI.
    """
    if inspect.isclass(app):  # PEP 3333's example: its instances are what is iterated over
        return hasattr(app, "__iter__") and _accepts(app, 2) is True and _accepts(app, 3) is False
    called = app if inspect.isroutine(app) else app.__call__
    if inspect.iscoroutinefunction(called) or _accepts(app, 2) is not True:
        return False
    return _accepts(app, 3) is False or _first_parameter(app) in ENVIRONS


def _first_parameter(app: Any) -> str:
    return next(iter(inspect.signature(app).parameters), "")


def _accepts(app: Any, count: int) -> bool | None:
    """Tell whether the callable takes that many positional arguments; None where nobody knows."""
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _find(target: str, directory: str) -> Any:
    name, colon, path = target.partition(":")
    if name.endswith(".py") or not _is_dotted(name) or (colon and not _is_dotted(path)):
        raise AppImportError(f"{target!r} is not module:attribute, such as main:app{_meant(name, path)}")
    module = _import(name, directory)
    if not path:
        found = next((each for each in NAMES if hasattr(module, each)), None)
        if found is None:
            raise AppImportError(
                f"{_file(module)} has neither 'app' nor 'application'{_suggest(_candidates(module), f'{name}:')}"
            )
        path = found
    value: Any = module
    for index, part in enumerate(path.split(".")):
        try:
            value = getattr(value, part)
        except AttributeError:
            where = _file(module) if value is module else f"{name}:{'.'.join(path.split('.')[:index])}"
            raise AppImportError(f"{where} has no attribute {part!r}{_near(part, dir(value))}") from None
        except Exception as error:
            raise AppImportError(f"getting {target!r} failed: {_describe(error)}") from error
    return value


def _is_dotted(name: str) -> bool:
    return all(map(str.isidentifier, name.split(".")))


def _import(name: str, directory: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        # An import inside the module has a place in somebody's file; the module itself not being there has none.
        if _places(error) or not (name + ".").startswith(missing + "."):
            raise AppImportError(f"importing {name!r} failed: {_describe(error)}") from error
        parent, _, last = missing.rpartition(".")
        package = sys.modules.get(parent)
        if package is not None and not hasattr(package, "__path__"):
            raise AppImportError(
                f"there is no module {missing!r}: {_file(package)} is no package; perhaps {parent}:{last} was meant"
            ) from None
        where = [directory] if package is None else list(package.__path__)
        raise AppImportError(
            f"there is no module {missing!r} in {', '.join(where)}{_near(last, _modules(where))}"
        ) from None
    except (Exception, SystemExit) as error:
        raise AppImportError(f"importing {name!r} failed: {_describe(error)}") from error


def _describe(error: BaseException) -> str:
    """Return the error with the place where it is mended: the last line of the user's own code that led to it."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return f"{kind}: {error.msg} ({_short(error.filename or '?')}, line {error.lineno})"
    if isinstance(error, SystemExit):
        kind = "the code called sys.exit: SystemExit"
    text = f"{kind}: {error}" if str(error) else kind
    places = _places(error)
    if not places:
        return text
    own = [place for place in places if "site-packages" not in place[0] and not place[0].startswith(sys.base_prefix)]
    file, line = (own or places)[-1]
    text += f" ({_short(file)}, line {line})"
    if own and own[-1] != places[-1]:
        text += f", raised in {places[-1][0]}, line {places[-1][1]}"
    return text


def _places(error: BaseException) -> list[tuple[str, int]]:
    """Return file and line of each frame of the traceback, without those of the import machinery and of this module."""
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file not in _MACHINERY and not file.startswith("<frozen importlib"):
            places.append((file, traceback.tb_lineno))
        traceback = traceback.tb_next
    return places


def _short(file: str) -> str:
    """Return the path as it is seen from the current directory, if it lies there."""
    start = os.getcwd() + os.sep
    return file.removeprefix(start)


def _file(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"the module {module.__name__!r}" + (f" ({_short(file)})" if file else "")


def _name(app: Any) -> str:
    return repr(app) if isinstance(app, str) else repr(getattr(app, "__qualname__", app))


def _meant(name: str, path: str) -> str:
    """Return a hint for those who give a file."""
    module = os.path.normpath(name).removesuffix(".py").strip(os.sep).replace(os.sep, ".")
    if module == name or not _is_dotted(module):
        return ""
    return f": did you mean '{module}:{path or NAMES[0]}'?"


def _modules(directories: list[str]) -> list[str]:
    from pkgutil import iter_modules

    return [found.name for found in iter_modules(directories)]


def _candidates(module: ModuleType) -> list[str]:
    """Return the names of what may be an application: instances that can be called, and callables defined there."""
    found = []
    for name, value in vars(module).items():
        defined = inspect.isclass(value) or inspect.isroutine(value)
        if callable(value) and name[0] != "_" and (not defined or value.__module__ == module.__name__):
            found.append(name)
    return found


def _near(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    return _suggest(get_close_matches(name, [each for each in known if not each.startswith("__")], SUGGESTED))


def _suggest(names: list[str], prefix: str = "") -> str:
    shown = [repr(prefix + name) for name in names[:SUGGESTED]]
    return f": did you mean {' or '.join(shown)}?" if shown else ""
