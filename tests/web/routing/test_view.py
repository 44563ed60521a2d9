"""The list of a router's routes: what is done to it is what is routed."""

import random
from typing import Any

import pytest

from portico.web import APIRouter, Portico, Request
from portico.web.responses import PlainTextResponse, Response
from portico.web.routing import APIRoute, Route
from portico.web.testclient import TestClient


def bare() -> Portico:
    return Portico(openapi_url=None)


def ping() -> str:
    return "pong"


def paths(app: Portico | APIRouter) -> list[Any]:
    return [getattr(route, "path", None) for route in app.routes]


async def plain(request: Request) -> Response:
    return PlainTextResponse(request.url.path)


def test_effective_routes_stay_the_same_objects_until_their_own_route_changes() -> None:
    router = APIRouter()
    router.get("/a")(ping)
    app = bare()
    app.include_router(router)
    first = app.routes[0]
    router.get("/b")(ping)
    assert app.routes[0] is first
    assert paths(app) == ["/a", "/b"]


def test_a_route_taken_out_of_the_list_is_not_served_and_later_ones_are() -> None:
    router = APIRouter()
    router.get("/a")(ping)
    router.get("/b")(ping)
    app = bare()
    app.include_router(router, prefix="/r")
    app.router.routes = [route for route in app.routes if getattr(route, "path", "") != "/r/a"]
    client = TestClient(app)
    assert paths(app) == ["/r/b"]
    assert client.get("/r/a").status_code == 404
    router.get("/c")(ping)
    assert paths(app) == ["/r/b", "/r/c"]
    assert client.get("/r/c").json() == "pong"
    assert paths(router) == ["/a", "/b", "/c"]


def test_routes_may_be_inserted_among_those_of_an_included_router() -> None:
    router = APIRouter()
    router.get("/{id}")(ping)
    router.get("/z")(ping)
    app = bare()
    app.include_router(router, prefix="/r")
    app.routes.insert(1, Route("/r/between", plain))
    assert paths(app) == ["/r/{id}", "/r/between", "/r/z"]
    app.routes.reverse()
    assert paths(app) == ["/r/z", "/r/between", "/r/{id}"]
    assert TestClient(app).get("/r/between").text == "/r/between"
    router.get("/later")(ping)
    assert sorted(paths(app)) == ["/r/between", "/r/later", "/r/z", "/r/{id}"]


def test_a_router_without_routes_keeps_its_place_when_the_list_is_changed() -> None:
    empty = APIRouter()
    app = bare()
    app.get("/first")(ping)
    app.include_router(empty, prefix="/empty")
    app.get("/last")(ping)
    app.routes.insert(0, Route("/zero", plain))
    empty.get("/x")(ping)
    assert paths(app) == ["/zero", "/first", "/empty/x", "/last"]


def test_a_router_whose_routes_are_all_taken_out_is_gone() -> None:
    router = APIRouter()
    router.get("/a")(ping)
    app = bare()
    app.include_router(router)
    app.routes.clear()
    router.get("/b")(ping)
    assert paths(app) == []


@pytest.mark.parametrize("edit", ["append", "extend", "+=", "setitem", "sort", "pop", "del"])
def test_every_way_to_change_the_list_changes_what_is_routed(edit: str) -> None:
    app = bare()
    app.get("/b")(ping)
    app.get("/a")(ping)
    client = TestClient(app)
    assert client.get("/a").status_code == 200
    new = Route("/new", plain)
    routes = app.router.routes
    match edit:
        case "append":
            routes.append(new)
        case "extend":
            routes.extend([new])
        case "+=":
            app.router.routes += [new]
        case "setitem":
            routes[0] = new
        case "sort":
            routes.sort(key=lambda route: getattr(route, "path", ""))
        case "pop":
            routes.pop()
        case "del":
            del routes[:]
    served = [path for path in ("/a", "/b", "/new") if client.get(path).status_code == 200]
    assert served == sorted(paths(app))


def test_views_in_classes_may_move_routes_from_router_to_router() -> None:
    source = APIRouter()
    source.get("/x")(ping)
    target = APIRouter()
    app = bare()
    app.include_router(source, prefix="/api")
    source.include_router(target, prefix="/moved")
    for route in list(source.routes):
        source.routes.remove(route)
        target.routes.append(route)
    assert paths(app) == ["/api/moved/x"]
    assert TestClient(app).get("/api/moved/x").json() == "pong"


@pytest.mark.parametrize("seed", range(6))
def test_what_the_list_shows_is_what_is_routed_whatever_was_done_to_it(seed: int) -> None:
    chance = random.Random(seed)
    app = bare()
    routers: list[APIRouter] = [app.router]
    client = TestClient(app)
    for number in range(30):
        router = chance.choice(routers)
        match chance.choice(["add", "add", "include", "remove", "insert", "shuffle", "filter", "move"]):
            case "add":
                router.get(f"/{number}")(ping)
            case "include":
                other = APIRouter()
                other.get(f"/{number}")(ping)
                router.include_router(other, prefix=f"/p{number}")
                routers.append(other)
            case "remove" if router.routes:
                router.routes.remove(chance.choice(router.routes))
            case "insert":
                router.routes.insert(chance.randrange(len(router.routes) + 1), APIRoute(f"/{number}", ping))
            case "shuffle":
                router.routes = chance.sample(router.routes, len(router.routes))
            case "filter":
                router.routes = [route for route in router.routes if chance.random() < 0.9]
            case "move" if router.routes:
                router.routes.append(router.routes.pop(0))
        shown = paths(app)
        assert len(shown) == len(set(shown))
        for gone in (f"/{number}", f"/p{number}/{number}"):
            assert (client.get(gone).status_code == 200) == (gone in shown)
        for path in chance.sample(shown, min(3, len(shown))):
            assert client.get(path).status_code == 200
