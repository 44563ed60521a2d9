"""Packages that were written for Starlette, and Starlette itself below a mount, on the framework."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse as StarlettePlainTextResponse
from starlette.routing import Match as StarletteMatch
from starlette.routing import Mount as StarletteMount
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router as StarletteRouter
from starlette.staticfiles import StaticFiles as StarletteStaticFiles
from tests.served import Served, served

from portico.web import Portico
from portico.web.applications import Application
from portico.web.exceptions import HTTPException
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse
from portico.web.routing import Match, Mount, Route
from portico.web.testclient import TestClient


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with served("tests.frameworks.packaged_app:app", supervised=True) as server:
        yield server


@pytest.mark.process
@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/limited/twice", [200, 200, 429, 429]),
        ("/limited/thrice", [200, 200, 200, 429]),
        ("/limited/often", [200, 200, 200, 200]),
        ("/limited/none", [404, 404, 404, 404]),
    ],
)
def test_slowapi_finds_the_endpoints_that_it_limits(site: Served, path: str, statuses: list[int]) -> None:
    assert [site.client.get(path).status_code for _ in range(4)] == statuses


@pytest.mark.process
def test_a_correlation_id_reaches_the_thread_of_a_sync_endpoint(site: Served) -> None:
    answer = site.client.get("/asked", headers={"x-request-id": "mine"})
    assert (answer.json(), answer.headers["x-request-id"]) == ("mine", "mine")


@pytest.mark.process
def test_the_events_of_sse_starlette_arrive(site: Served) -> None:
    answer = site.client.get("/events", params={"stop": 2})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.split() == ["event:", "tick", "data:", "0", "event:", "tick", "data:", "1"]


@pytest.mark.process
def test_the_events_of_sse_starlette_end_when_the_client_leaves(site: Served) -> None:
    with httpx.stream("GET", f"{site.url}/events", trust_env=False) as answer:
        next(answer.iter_lines())
    site.wait_for("end of the ticks to None")


@pytest.mark.process
def test_metrics_of_fastapi_are_counted_by_route(site: Served) -> None:
    for number in (1, 2):
        assert site.client.get(f"/measured/items/{number}").json() == {"number": number}
    metrics = site.client.get("/measured/metrics").text
    assert 'http_requests_total{handler="/items/{number}",method="GET",status="2xx"} 2.0' in metrics


async def where(request: Request) -> PlainTextResponse:
    return PlainTextResponse(" ".join(str(request.url_for(name, who="ann")) for name in ("ours", "theirs:page")))


async def starlette_where(request: StarletteRequest) -> StarlettePlainTextResponse:
    names = ("ours", "theirs:page", "theirs:below:page")
    return StarlettePlainTextResponse(" ".join(str(request.url_for(name, who="ann")) for name in names))


def starlette_page(request: StarletteRequest) -> StarlettePlainTextResponse:
    return StarlettePlainTextResponse(f"page of {request.path_params['who']}")


def test_urls_of_both_are_known_in_an_application_and_in_starlette_below_it() -> None:
    theirs = Starlette(
        routes=[
            StarletteRoute("/page/{who}", starlette_where, name="page"),
            StarletteMount("/below", name="below", routes=[StarletteRoute("/{who}", starlette_where, name="page")]),
        ]
    )
    app = Application(routes=[Mount("/theirs", theirs, name="theirs"), Route("/ours/{who}", where, name="ours")])
    client = TestClient(app)
    base = "http://testserver"
    assert client.get("/ours/bob").text.split() == [f"{base}/ours/ann", f"{base}/theirs/page/ann"]
    expected = [f"{base}/ours/ann", f"{base}/theirs/page/ann", f"{base}/theirs/below/ann"]
    assert client.get("/theirs/page/bob").text.split() == expected
    assert client.get("/theirs/below/bob").text.split() == expected


async def tea(request: Request) -> PlainTextResponse:
    raise StarletteHTTPException(418, "short and stout", headers={"x-pot": "1"})


@pytest.mark.parametrize(("path", "status"), [("/tea", 418), ("/router/none", 404), ("/static/none", 404)])
def test_http_exceptions_of_starlette_are_answered(path: str, status: int, tmp_path: Path) -> None:
    app = Application(
        routes=[
            Route("/tea", tea),
            Mount("/router", StarletteRouter()),
            Mount("/static", StarletteStaticFiles(directory=tmp_path)),
        ]
    )
    answer = TestClient(app).get(path)
    assert answer.status_code == status
    assert answer.text == {"/tea": "short and stout"}.get(path, "Not Found")
    assert answer.headers.get("x-pot") == {"/tea": "1"}.get(path)


def test_http_exceptions_of_starlette_go_to_the_handler_of_their_status_or_class() -> None:
    def by_status(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("by status")

    def by_class(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("by class")

    for key, handler in ((418, by_status), (HTTPException, by_class), (StarletteHTTPException, by_class)):
        app = Application(routes=[Route("/tea", tea)], exception_handlers={key: handler})
        assert TestClient(app).get("/tea").text == handler.__name__.replace("_", " ")


@pytest.mark.parametrize("match", list(Match))
def test_tracers_that_know_the_matches_of_starlette_understand_ours(match: Match) -> None:
    assert [theirs for theirs in StarletteMatch if match == theirs] == [StarletteMatch(match.value)]
    assert [ours for ours in Match if match == ours] == [match]
    assert len({match, StarletteMatch(match.value)}) == 1


@pytest.mark.parametrize("application", [Application, Portico])
def test_routes_of_starlette_may_be_among_those_of_an_application(application: type[Application]) -> None:
    app = application()
    app.router.routes.append(StarletteRoute("/page/{who}", starlette_where, name="page", methods=["GET"]))
    app.router.routes.append(StarletteMount("/below", routes=[StarletteRoute("/{who}", starlette_page)]))
    client = TestClient(app)
    assert client.get("/below/ann").text == "page of ann"
    assert client.post("/page/ann").status_code == 405
    assert client.get("/none").status_code == 404
