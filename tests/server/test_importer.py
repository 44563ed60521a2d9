"""Importing applications: what a name may be, what the errors say, and how ASGI 2 applications are told."""

import asyncio
import functools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.server.config import Config
from portico.server.importer import AppImportError, adapt, load
from portico.wsgi import Gateway

APP = "async def app(scope, receive, send): pass\n"
Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write modules into a directory that is the current one; what was imported is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def fails(target: str, **settings: Any) -> str:
    with pytest.raises(AppImportError) as caught:
        load(Config(target, **settings))
    return str(caught.value)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("one:app", APP),
        ("one", APP),
        ("one", APP.replace("app", "application")),
        ("one:site.web.app", f"class site:\n class web:\n  {APP}"),
    ],
)
def test_an_application_is_found(write: Write, target: str, text: str) -> None:
    write("one.py", text)
    assert callable(load(Config(target)))


def test_app_comes_before_application(write: Write) -> None:
    write("two.py", "def application(): pass\n" + APP)
    assert load(Config("two")).__name__ == "app"


def test_a_package_and_its_modules_are_found(write: Write) -> None:
    write("shop/__init__.py", "")
    write("shop/web.py", APP)
    assert load(Config("shop.web")).__module__ == "shop.web"


def test_app_dir_comes_first(write: Write) -> None:
    write("there/inner.py", APP)
    assert load(Config("inner:app", app_dir="there")).__name__ == "app"


def test_an_object_is_taken_as_it_is() -> None:
    assert load(Config(three)) is three


def test_an_env_file_is_loaded_before_the_import(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dotenv")
    monkeypatch.setenv("PORTICO_TEST_SECRET", "")
    monkeypatch.delenv("PORTICO_TEST_SECRET")
    write("my.env", "PORTICO_TEST_SECRET=42")
    write("reads.py", f"import os\nfound = os.environ['PORTICO_TEST_SECRET']\n{APP}")
    assert load(Config("reads", env_file="my.env"))


# --- factories ----------------------------------------------------------------------------------


def test_a_factory_is_called(write: Write) -> None:
    write("made.py", "def make():\n    async def app(scope, receive, send): pass\n    return app\n")
    assert load(Config("made:make", factory=True)).__name__ == "app"
    assert load(Config(lambda: three, factory=True)) is three


def test_a_failing_factory_is_placed(write: Write) -> None:
    write("breaks.py", "def make():\n    return 1 / 0\n")
    assert fails("breaks:make", factory=True) == (
        "the factory 'breaks:make' failed: ZeroDivisionError: division by zero (breaks.py, line 2)"
    )


def test_an_application_is_no_factory(write: Write) -> None:
    write("plain.py", APP)
    assert "a callable without parameters was expected" in fails("plain:app", factory=True)


def test_a_factory_called_by_mistake_is_named() -> None:
    def create_app() -> None: ...

    with pytest.raises(AppImportError, match=r"create_app' takes no arguments: .* add --factory"):
        adapt(create_app, "auto")


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_missing_module_is_named_with_near_misses(write: Write) -> None:
    write("website.py", APP)
    assert re.fullmatch(r"there is no module 'webside' in /.*: did you mean 'website'\?", fails("webside:app"))


def test_a_missing_module_of_a_package_is_named_with_near_misses(write: Write) -> None:
    write("store/__init__.py", "")
    write("store/main.py", APP)
    assert re.fullmatch(r"there is no module 'store.mian' in /.*store: did you mean 'main'\?", fails("store.mian:app"))


def test_a_module_is_no_package(write: Write) -> None:
    write("flat.py", APP)
    assert fails("flat.app") == (
        "there is no module 'flat.app': the module 'flat' (flat.py) is no package; perhaps flat:app was meant"
    )


def test_an_import_inside_the_module_is_told_from_the_module_itself(write: Write) -> None:
    write("needs.py", "import os\nimport a_missing_module\n")
    assert fails("needs:app") == (
        "importing 'needs' failed: ModuleNotFoundError: No module named 'a_missing_module' (needs.py, line 2)"
    )


def test_a_module_that_imports_itself_by_a_wrong_name_is_not_missing(write: Write) -> None:
    write("loops/__init__.py", "import loops.nothing\n")
    assert "No module named 'loops.nothing' (loops/__init__.py, line 1)" in fails("loops.nothing:app")


def test_an_error_is_placed_in_the_users_file_and_in_the_library(write: Write) -> None:
    write("site-packages/library.py", "def call():\n    raise ValueError('no')\n")
    write("uses.py", "import sys\nsys.path.append('site-packages')\nimport library\nlibrary.call()\n")
    text = fails("uses:app")
    assert text.startswith("importing 'uses' failed: ValueError: no (uses.py, line 4), raised in ")
    assert text.endswith("library.py, line 2")


def test_a_syntax_error_is_placed(write: Write) -> None:
    write("wrong.py", "x = 1\ny = = 2\n")
    assert fails("wrong:app") == "importing 'wrong' failed: SyntaxError: invalid syntax (wrong.py, line 2)"


def test_a_module_that_exits_is_reported(write: Write) -> None:
    write("leaves.py", "import sys\nsys.exit(7)\n")
    assert fails("leaves:app") == (
        "importing 'leaves' failed: the code called sys.exit: SystemExit: 7 (leaves.py, line 2)"
    )


def test_a_missing_attribute_is_named_with_near_misses(write: Write) -> None:
    write("close.py", "application = print\n")
    assert fails("close:aplication") == (
        "the module 'close' (close.py) has no attribute 'aplication': did you mean 'application'?"
    )
    assert fails("close:application.deep").startswith("close:application has no attribute 'deep'")


def test_without_a_known_name_what_can_be_called_is_suggested(write: Write) -> None:
    write("named.py", "from os.path import join\nLIMIT = 3\nasync def site(scope, receive, send): pass\n")
    assert fails("named") == (
        "the module 'named' (named.py) has neither 'app' nor 'application': did you mean 'named:site'?"
    )


@pytest.mark.parametrize(
    ("target", "hint"),
    [("main.py", "'main:app'"), ("./src/main.py:web", "'src.main:web'"), ("ma in", ""), (":app", ""), ("a:b:c", "")],
)
def test_a_name_of_the_wrong_form_is_refused(target: str, hint: str) -> None:
    text = fails(target)
    assert "is not module:attribute, such as main:app" in text
    assert text.endswith(f": did you mean {hint}?" if hint else "main:app")


# --- calling it ---------------------------------------------------------------------------------


async def three(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI 3 application."""


def plain(scope: Any, receive: Any, send: Any) -> Any:
    return three(scope, receive, send)


def anything(*args: Any) -> Any:
    return three(*args)


class Instance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Endpoint:
    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def __await__(self) -> Any: ...


@pytest.mark.parametrize(
    "app", [three, plain, anything, Instance(), Instance().__call__, Endpoint, functools.partial(three)]
)
def test_an_asgi_3_application_is_kept(app: Any) -> None:
    assert adapt(app, "auto") is app


class Double:
    seen: list[Any] = []

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        self.seen.append((self.scope, receive, send))


def doubled(scope: Any) -> Any:
    return Double(scope)


class DoubleInstance:
    def __call__(self, scope: Any) -> Any:
        return Double(scope)


@pytest.mark.parametrize("app", [Double, doubled, DoubleInstance()])
def test_an_asgi_2_application_is_told_and_called_twice(app: Any) -> None:
    Double.seen.clear()
    asyncio.run(adapt(app, "auto")({"asgi": {"version": "3.0"}}, three, three))  # type: ignore[arg-type]
    assert Double.seen == [({"asgi": {"version": "2.0"}}, three, three)]


def wsgi(environ: Any, start_response: Any) -> Any:
    """A WSGI application."""


def wsgi_with_more(environ: Any, start_response: Any, more: Any = None) -> Any: ...


class WSGIInstance:
    def __call__(self, e: Any, s: Any) -> Any: ...


class WSGIClass:
    """The second form of application in PEP 3333."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


def made_by_flask() -> Any:
    from flask import Flask

    return Flask(__name__)


def made_by_django() -> Any:
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler.__new__(WSGIHandler)


@pytest.mark.parametrize(
    "app",
    [
        wsgi,
        wsgi_with_more,
        WSGIInstance(),
        WSGIInstance().__call__,
        WSGIClass,
        functools.partial(wsgi),
        made_by_flask(),
        made_by_django(),
    ],
)
def test_a_wsgi_application_is_told_and_runs_in_so_many_threads(app: Any) -> None:
    adapted: Any = adapt(app, "auto", 3)
    assert type(adapted) is Gateway
    assert (adapted.app, adapted.pool.threads) == (app, 3)


async def asynchronous(environ: Any, start_response: Any) -> None: ...


class Layer:
    """What takes two arguments and is no application: a layer that was not put around one."""

    def __init__(self, app: Any, option: Any) -> None: ...


@pytest.mark.parametrize("app", [asynchronous, Layer])
def test_what_only_looks_like_wsgi_is_refused(app: Any) -> None:
    with pytest.raises(AppImportError, match=r"nor with \(environ, start_response\)"):
        adapt(app, "auto")


def test_the_interface_can_be_said() -> None:
    assert type(adapt(anything, "wsgi")) is Gateway
    assert adapt(anything, "asgi2") is not anything
    same: Any = adapt(Double, "asgi3")
    assert same is Double


def test_the_marks_of_asgiref_are_believed() -> None:
    def marked(scope: Any) -> Any: ...

    marked._asgi_single_callable = True  # type: ignore[attr-defined]
    with pytest.raises(AppImportError, match="cannot be called with"):
        adapt(marked, "auto")


@pytest.mark.parametrize(
    ("app", "says"), [({}, "is no application: a callable"), (lambda a, b, c, d: 0, "scope, receive")]
)
def test_what_cannot_be_called_so_is_refused(app: Any, says: str) -> None:
    with pytest.raises(AppImportError, match=re.escape(says)):
        adapt(app, "auto")
