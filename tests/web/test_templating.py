"""Templates: what they see, what is escaped, and what a test client is told of them."""

import asyncio
from pathlib import Path
from typing import Any

import jinja2
import pytest

from portico.asgi import Message, Scope
from portico.web.applications import Application
from portico.web.background import BackgroundTask
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.routing import Route
from portico.web.templating import Jinja2Templates, is_markup


def request(app: Any = None) -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "server": ("testserver", 80),
        "path": "/",
        "query_string": b"",
        "headers": [],
        "app": app,
    }
    if app is not None:
        scope["router"] = app.router
    return Request(scope)


def sent(response: Response, extensions: dict[str, Any] | None = None) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    scope: Scope = {"type": "http", "method": "GET", "headers": [], "extensions": extensions}
    asyncio.run(response(scope, receive, send))
    return messages


def test_a_template_becomes_a_response(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("Hello {{ name }} at {{ request.url.path }}")
    ran: list[int] = []
    response = Jinja2Templates(tmp_path).TemplateResponse(
        request(), "page.html", {"name": "you"}, 201, {"x-a": "1"}, background=BackgroundTask(ran.append, 1)
    )
    assert (response.status_code, response.headers["x-a"]) == (201, "1")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.body == b"Hello you at /"
    sent(response)
    assert ran == [1]


def test_a_template_may_have_another_media_type(tmp_path: Path) -> None:
    (tmp_path / "page.xml").write_text("<x/>")
    response = Jinja2Templates(tmp_path).TemplateResponse(request(), "page.xml", media_type="application/xml")
    assert response.headers["content-type"] == "application/xml"


def test_values_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ value }}")
    response = Jinja2Templates(tmp_path).TemplateResponse(request(), "page.html", {"value": "<script>"})
    assert response.body == b"&lt;script&gt;"


@pytest.mark.parametrize(
    "name",
    [
        "page.html",
        "page.HTML",
        "page.htm",
        "a.b/page.xml",
        "page.svg",
        "page.html.j2",
        "page.jinja",
        "page",
        "a.txt/page",
        None,
    ],
)
def test_markup_is_escaped_whatever_the_template_is_called(name: str | None) -> None:
    assert is_markup(name)


@pytest.mark.parametrize("name", ["mail.txt", "mail.txt.j2", "a.html/data.json", "robots.txt.jinja2"])
def test_what_says_that_it_is_no_markup_is_not_escaped(name: str) -> None:
    assert not is_markup(name)


def test_context_processors_add_what_every_template_sees(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ user }} {{ path }}")
    templates = Jinja2Templates(
        tmp_path, context_processors=[lambda request: {"user": "me"}, lambda request: {"path": request.url.path}]
    )
    assert templates.TemplateResponse(request(), "page.html").body == b"me /"


def test_the_callers_context_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("")
    context: dict[str, Any] = {"a": 1}
    response = Jinja2Templates(tmp_path).TemplateResponse(request(), "page.html", context)
    assert context == {"a": 1}
    assert set(response.context) == {"request", "a"}


def test_templates_have_the_urls_of_the_routes(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ url_for('item', id=5) }}")

    async def item(request: Request) -> Response:
        return Response()

    app = Application(routes=[Route("/items/{id:int}", item, name="item")])
    response = Jinja2Templates(tmp_path).TemplateResponse(request(app), "page.html")
    assert response.body == b"http://testserver/items/5"


def test_an_environments_own_url_for_stays(tmp_path: Path) -> None:
    env = jinja2.Environment(loader=jinja2.DictLoader({"page": "{{ url_for('x') }}"}), autoescape=True)
    env.globals["url_for"] = lambda name: f"mine:{name}"
    assert Jinja2Templates(env=env).TemplateResponse(request(), "page").body == b"mine:x"


def test_the_first_directory_that_has_a_template_wins(tmp_path: Path) -> None:
    for directory, names in (("a", ["x"]), ("b", ["x", "y"])):
        (tmp_path / directory).mkdir()
        for name in names:
            (tmp_path / directory / name).write_text(f"{directory}/{name}")
    templates = Jinja2Templates([tmp_path / "a", str(tmp_path / "b")])
    assert [templates.get_template(name).render() for name in ("x", "y")] == ["a/x", "b/y"]


def test_a_template_stays_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "templates").mkdir()
    with pytest.raises(jinja2.TemplateNotFound):
        Jinja2Templates(tmp_path / "templates").get_template("../secret")


def test_templates_are_of_a_directory_or_of_an_environment(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="either 'directory' or 'env'"):
        Jinja2Templates()  # type: ignore[call-overload]
    with pytest.raises(AssertionError, match="either 'directory' or 'env'"):
        Jinja2Templates(tmp_path, env=jinja2.Environment(autoescape=True))  # type: ignore[call-overload]


def test_a_test_client_gets_the_template_and_its_context(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("x")
    response = Jinja2Templates(tmp_path).TemplateResponse(request(), "page.html", {"a": 1})
    first, *rest = sent(response, {"http.response.debug": {}})
    assert first["type"] == "http.response.debug"
    assert first["info"]["template"].name == "page.html"
    assert first["info"]["context"]["a"] == 1
    assert [message["type"] for message in rest] == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("extensions", [None, {}])
def test_nobody_else_does(tmp_path: Path, extensions: dict[str, Any] | None) -> None:
    (tmp_path / "page.html").write_text("x")
    response = Jinja2Templates(tmp_path).TemplateResponse(request(), "page.html")
    assert sent(response, extensions)[0]["type"] == "http.response.start"
