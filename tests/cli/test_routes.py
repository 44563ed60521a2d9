"""`portico routes`: what the table shows of an application's routes, and what is said where there are none."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.routing import Mount as StarletteMount
from starlette.routing import Route as StarletteRoute
from starlette.routing import WebSocketRoute as StarletteWebSocketRoute
from tests.children import PORTICO, environment

from portico.cli import portico
from portico.cli.routes import NoRoutesError, Row, table
from portico.web import APIRouter, Portico
from portico.web.applications import Application
from portico.web.middleware.cors import CORSMiddleware
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing import Host, Mount, Route, Router, WebSocketRoute
from portico.web.websockets import WebSocket


async def home(request: Request) -> Response:
    return Response()


async def feed(websocket: WebSocket) -> None:
    await websocket.accept()


class Thing:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        pass


HERE = __name__
APP = """
from portico.web.applications import Application
from portico.web.responses import Response
from portico.web.routing import Route

async def home(request):
    return Response()

app = Application(routes=[Route("/", home), Route("/items/{id:int}", home, methods=["POST"], name="items")])

def make():
    return app

async def bare(scope, receive, send):
    pass
"""


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, with no settings around."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_")]:
        monkeypatch.delenv(name)
    return tmp_path


def invoke(*args: str) -> Result:
    return CliRunner().invoke(portico, args, prog_name="portico")


# --- the rows -----------------------------------------------------------------------------------


def test_a_route_shows_its_methods_path_name_and_endpoint() -> None:
    app = Application(routes=[Route("/items/{id:int}", home, methods=["DELETE", "POST", "GET"], name="items")])
    assert table(app) == [Row("GET,HEAD,POST,DELETE", "/items/{id:int}", "items", f"{HERE}:home")]


def test_a_route_of_every_method_shows_a_star() -> None:
    assert table(Application(routes=[Route("/", Thing())])) == [Row("*", "/", "Thing", f"{HERE}:Thing")]


def test_a_websocket_route_is_marked() -> None:
    assert table(Application(routes=[WebSocketRoute("/feed", feed)])) == [
        Row("WEBSOCKET", "/feed", "feed", f"{HERE}:feed")
    ]


def test_what_is_mounted_is_listed_below_its_mount_with_whole_paths() -> None:
    deep = Router(routes=[Route("/y", home)])
    inner = Router(routes=[Route("/x", home), Mount("/deep", deep)])
    router = "portico.web.routing.router:Router"
    assert table(Application(routes=[Mount("/in", inner, name="inner"), Route("/z", home)])) == [
        Row("MOUNT", "/in", "inner", router),
        Row("GET,HEAD", "/in/x", "home", f"{HERE}:home"),
        Row("MOUNT", "/in/deep", "", router),
        Row("GET,HEAD", "/in/deep/y", "home", f"{HERE}:home"),
        Row("GET,HEAD", "/z", "home", f"{HERE}:home"),
    ]


def test_a_mounted_application_without_routes_is_one_row() -> None:
    assert table(Application(routes=[Mount("/thing", Thing())])) == [Row("MOUNT", "/thing", "", f"{HERE}:Thing")]


def test_a_host_is_listed_with_its_routes() -> None:
    app = Application(routes=[Host("api.example.org", Router(routes=[Route("/users", home)]))])
    assert [(row.methods, row.path) for row in table(app)] == [
        ("HOST", "api.example.org"),
        ("GET,HEAD", "api.example.org/users"),
    ]


def test_routes_are_found_behind_middleware() -> None:
    app = Application(routes=[Route("/", home), Mount("/in", CORSMiddleware(Router(routes=[Route("/x", home)])))])
    assert [row.path for row in table(CORSMiddleware(app))] == ["/", "/in", "/in/x"]


def test_an_application_mounted_in_itself_is_listed_once() -> None:
    app = Application(routes=[Route("/", home)])
    app.mount("/again", app)
    assert [row.path for row in table(app)] == ["/", "/again"]


def test_included_routers_and_frontends_are_listed_with_whole_paths(nowhere: Path) -> None:
    app, router = Portico(openapi_url=None), APIRouter(prefix="/items")

    @router.get("/{id}")
    async def item(id: int) -> int:
        return id

    router.frontend("/ui", directory=nowhere)
    app.include_router(router, prefix="/api")
    assert [row[:3] for row in table(app)] == [("GET", "/api/items/{id}", "item"), ("FRONTEND", "/api/items/ui", "")]
    assert table(app)[1].endpoint == str(nowhere)


def test_an_application_of_starlette_is_understood() -> None:
    app = Starlette(
        routes=[
            StarletteRoute("/", home, methods=["POST"]),
            StarletteWebSocketRoute("/feed", feed),
            StarletteMount("/in", routes=[StarletteRoute("/x", home)]),
        ]
    )
    assert [row[:3] for row in table(app)] == [
        ("POST", "/", "home"),
        ("WEBSOCKET", "/feed", "feed"),
        ("MOUNT", "/in", ""),
        ("GET,HEAD", "/in/x", "home"),
    ]


def test_included_routers_of_fastapi_are_listed_with_whole_paths() -> None:
    fastapi = pytest.importorskip("fastapi")
    router = fastapi.APIRouter(prefix="/items")

    @router.get("/{id}")
    def item(id: int) -> int:
        return id

    @router.websocket("/feed")
    async def items_feed() -> None:
        pass

    app = fastapi.FastAPI(openapi_url=None)
    app.include_router(router, prefix="/api")
    assert [row[:3] for row in table(app)] == [
        ("GET", "/api/items/{id}", "item"),
        ("WEBSOCKET", "/api/items/feed", "items_feed"),
    ]


def test_an_application_without_routes_is_refused() -> None:
    with pytest.raises(NoRoutesError, match=r"home has no routes: .* got a function"):
        table(home)


# --- the command --------------------------------------------------------------------------------


def test_the_table_is_aligned(nowhere: Path) -> None:
    (nowhere / "listed_app.py").write_text(APP)
    result = invoke("routes", "listed_app:app")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "METHODS   PATH             NAME   ENDPOINT",
        "GET,HEAD  /                home   listed_app:home",
        "POST      /items/{id:int}  items  listed_app:home",
    ]


def test_a_factory_is_called(nowhere: Path) -> None:
    (nowhere / "made_app.py").write_text(APP)
    assert "/items/{id:int}" in invoke("routes", "made_app:make", "--factory").stdout


def test_the_application_may_be_named_in_the_file(nowhere: Path) -> None:
    (nowhere / "filed_app.py").write_text(APP)
    (nowhere / "portico.toml").write_text('app = "filed_app:app"\n')
    assert "/items/{id:int}" in invoke("routes").stdout


def test_an_application_without_routes_is_a_short_message(nowhere: Path) -> None:
    (nowhere / "bare_app.py").write_text(APP)
    result = invoke("routes", "bare_app:bare")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: bare_app:bare has no routes: an application with a list `routes` was expected, got a function\n"
    )


def test_an_application_that_is_not_there_is_a_short_message() -> None:
    result = invoke("routes", "nowhere_at_all:app")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no module 'nowhere_at_all' in ")


def test_something_must_be_named() -> None:
    result = invoke("routes")
    assert result.exit_code == 2
    assert "name an application as module:attribute" in result.stderr


@pytest.mark.process
def test_it_is_a_command_of_its_own(nowhere: Path) -> None:
    (nowhere / "own_app.py").write_text(APP)
    done = subprocess.run(
        [*PORTICO, "routes", "own_app:app"], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == "GET,HEAD  /                home   own_app:home"
