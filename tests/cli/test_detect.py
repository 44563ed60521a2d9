"""Where `portico dev` finds the application, and what it says where it does not. Nothing is imported."""

from pathlib import Path

import pytest

from portico.cli.detect import DetectionError, Found, detect

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
DJANGO = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(files: dict[str, str], directory: str = "") -> Found:
    for name, source in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return detect(directory)


MADE = [
    "from portico import Portico\nx = Portico()",
    "from portico.web import Application\nx = Application(routes=[])",
    "import portico.web\nx = portico.web.Application()",
    "from portico.web.applications import Application as A\nx = A()",
    "from fastapi import FastAPI as F\nx = F()",
    "import fastapi\nx = fastapi.FastAPI(title='x')",
    "import fastapi as f\nx = f.FastAPI()",
    "from starlette.applications import Starlette\nx = Starlette()",
    "from litestar import Litestar\nx = Litestar([])",
    "from quart import Quart\nx = Quart(__name__)",
    "from flask import Flask\nx = Flask(__name__)",
    "from sanic import Sanic\nx = Sanic('x')",
    "import falcon.asgi\nx = falcon.asgi.App()",
    "from falcon import App\nx = App()",
    "from blacksheep import Application\nx = Application()",
    "from bottle import Bottle\nx = Bottle()",
    "from channels.routing import ProtocolTypeRouter\nx = ProtocolTypeRouter({})",
    "from django.core.asgi import get_asgi_application\nx = get_asgi_application()",
    "from django.core.wsgi import get_wsgi_application\nx = get_wsgi_application()",
    "from fastapi import FastAPI\nclass Mine(FastAPI): ...\nx = Mine()",
    "from fastapi import FastAPI\nx: FastAPI = make()",
    "from fastapi import FastAPI\ntry:\n    x = FastAPI()\nexcept Exception:\n    x = None",
    "from fastapi import FastAPI\nif DEBUG:\n    x = FastAPI(debug=True)\nelse:\n    x = FastAPI()",
]


@pytest.mark.parametrize("source", MADE)
def test_a_name_that_a_framework_makes_is_an_application(source: str) -> None:
    assert found({"main.py": source}).target == "main:x"


@pytest.mark.parametrize(
    "source",
    [
        "async def app(scope, receive, send): ...",
        "def app(environ, start_response): ...",
        "class app: ...",
        "app = CORSMiddleware(inner)",
        "from .other import make\napp = make()",
    ],
)
def test_a_name_that_says_so_is_an_application(source: str) -> None:
    assert found({"main.py": source}).target == "main:app"
    assert found({"main.py": source.replace("app", "application", 1)}).target != "main:app"


@pytest.mark.parametrize(
    "source",
    ["x = 1", "from fastapi import APIRouter\nx = APIRouter()", "x = FastAPI()", "def f():\n    app = 1", "# app = 1"],
)
def test_nothing_else_is_an_application(source: str) -> None:
    with pytest.raises(DetectionError, match="no application was found"):
        found({"main.py": source})


@pytest.mark.parametrize("name", ["create_app", "make_app", "get_application"])
def test_a_function_that_makes_one_is_a_factory(name: str) -> None:
    one = found({"app.py": f"def {name}(config=None, *, debug=False): ..."})
    assert (one.target, one.is_factory) == (f"app:{name}", True)


@pytest.mark.parametrize("arguments", ["config", "*, config"])
def test_a_function_that_needs_arguments_is_no_factory(arguments: str) -> None:
    with pytest.raises(DetectionError):
        found({"app.py": f"def create_app({arguments}): ..."})


def test_what_is_surest_wins_within_a_place() -> None:
    assert found({"main.py": "app = 1\ndef create_app(): ...", "api.py": f"{FASTAPI}"}).target == "api:app"
    assert found({"main.py": "def create_app(): ...", "api.py": "app = wrapped()"}).target == "api:app"
    assert not found({"main.py": FASTAPI + "def create_app(): ..."}).is_factory


def test_of_several_in_a_file_the_one_called_app_is_meant() -> None:
    source = "from fastapi import FastAPI\nv1 = FastAPI()\napp = FastAPI()\napp.mount('/v1', v1)\n"
    assert found({"main.py": source}).target == "main:app"


PLACES = [
    (["main.py"], "main:app"),
    (["app.py"], "app:app"),
    (["wsgi.py"], "wsgi:app"),
    (["app/main.py"], "app.main:app"),
    (["app/__init__.py"], "app:app"),
    (["shop/__init__.py=", "shop/main.py"], "shop.main:app"),
    (["shop/__init__.py"], "shop:app"),
    (["main.py", "app/main.py", "shop/__init__.py"], "main:app"),
    (["app/main.py", "shop/__init__.py"], "app.main:app"),
]


@pytest.mark.parametrize(("names", "target"), PLACES, ids=[place[1] for place in PLACES])
@pytest.mark.parametrize("root", ["", "src/"])
def test_the_usual_places_are_looked_at(project: Path, root: str, names: list[str], target: str) -> None:
    one = found({root + name.removesuffix("="): "" if name.endswith("=") else FASTAPI for name in names})
    assert (one.target, one.directory) == (target, str(project / root.rstrip("/")))


def test_a_file_of_any_name_is_found_where_there_is_no_usual_one(project: Path) -> None:
    function = "async def app(scope, receive, send):\n    pass\n"
    files = {"hello.py": function, "test_hello.py": FASTAPI, "conftest.py": FASTAPI}
    assert found(files).target == "hello:app"
    assert found({"src/main.py": FASTAPI}).target == "main:app"


def test_only_the_directory_that_is_named_is_looked_at(project: Path) -> None:
    files = {"main.py": "", "backend/main.py": FASTAPI}
    assert found(files, "backend").directory == str(project / "backend")
    with pytest.raises(DetectionError):
        found(files)


@pytest.mark.parametrize("settings", ["mysite.settings", "mysite.settings.dev"])
def test_the_file_beside_the_settings_of_django_is_found(settings: str) -> None:
    asgi = "from django.core.asgi import get_asgi_application\napplication = get_asgi_application()\n"
    files = {
        "manage.py": DJANGO.replace("mysite.settings", settings),
        "mysite/__init__.py": "",
        "mysite/asgi.py": asgi,
        "mysite/wsgi.py": asgi.replace("asgi", "wsgi"),
    }
    assert found(files).target == "mysite.asgi:application"
    Path("mysite/asgi.py").unlink()
    assert detect().target == "mysite.wsgi:application"


def test_a_file_that_does_not_parse_yet_is_found_by_its_names() -> None:
    assert found({"main.py": FASTAPI + "def broken(:\n"}).target == "main:app"
    assert found({"main.py": "async def app(scope, receive, send):\n    await send(\n"}).target == "main:app"


def test_several_are_listed_with_what_to_write() -> None:
    with pytest.raises(DetectionError) as caught:
        found({"main.py": FASTAPI, "api.py": "\n" + FASTAPI})
    assert str(caught.value) == (
        "several applications were found, so name one: portico dev main:app\n"
        "  main:app (main.py, line 2, FastAPI)\n"
        "  api:app (api.py, line 3, FastAPI)"
    )


def test_none_is_said_with_what_was_looked_at_and_what_to_write(project: Path) -> None:
    with pytest.raises(DetectionError) as caught:
        found({"main.py": "x = 1", "shop/__init__.py": "y = 2"})
    assert str(caught.value) == (
        f"no application was found in {project}: looked at main.py, shop/__init__.py. "
        "Name it as module:attribute: `portico dev main:app` is the name 'app' in main.py"
    )


def test_nothing_to_look_at_is_said_too() -> None:
    with pytest.raises(DetectionError, match=r"there is no main\.py, app\.py, api\.py"):
        detect()


@pytest.mark.parametrize("content", [b"\xff\xfe\x00app = 1", b"x = '\x00'", b"(" * 100_000])
def test_files_that_are_no_python_do_no_harm(content: bytes) -> None:
    Path("main.py").write_bytes(content)
    with pytest.raises(DetectionError):
        detect()
