"""The route tree answers as the list tried from its beginning would."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.web.convertors import CONVERTOR_TYPES, Convertor, register_url_convertor
from portico.web.responses import PlainTextResponse
from portico.web.routing import BaseRoute, Host, Match, Mount, Route, WebSocketRoute
from portico.web.routing.tree import RouteTree


async def endpoint(request: Any) -> PlainTextResponse:
    return PlainTextResponse("")


async def application(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("never called")


def scope_of(path: str, method: str = "GET", kind: str = "http", host: bytes = b"example.org") -> dict[str, Any]:
    return {"type": kind, "path": path, "method": method, "headers": [(b"host", host)], "root_path": ""}


def by_list(routes: list[BaseRoute], scope: dict[str, Any]) -> tuple[BaseRoute, Match, dict[str, Any]] | None:
    """Return the route that is taken, how it matches and what the scope becomes, by trying one after the other."""
    partial = None
    for route in routes:
        match, child_scope = route.matches(scope)
        if match is Match.FULL:
            return route, match, {**scope, **child_scope, "route": route}
        if match is Match.PARTIAL and partial is None:
            partial = route, match, {**scope, **child_scope, "route": route}
    return partial


def by_tree(routes: list[BaseRoute], scope: dict[str, Any]) -> tuple[BaseRoute, Match, dict[str, Any]] | None:
    partial = None
    path = scope["path"]
    for leaf, params in RouteTree(routes, scope["type"]).find(path):
        entered = scope.copy()
        match = leaf.enter(entered, path, params)
        if match is Match.PARTIAL and partial is None:
            leaf.enter_partly(entered, path, params)
            partial = leaf.route, match, entered
        if match is Match.FULL:
            return leaf.route, match, entered
    return partial


def same(routes: list[BaseRoute], scope: dict[str, Any]) -> bool:
    expected, got = by_list(routes, scope), by_tree(routes, scope)
    if expected is None or got is None:
        return expected is got
    return expected[0] is got[0] and expected[1:] == got[1:]


SEGMENTS = ["a", "b", "1", "a.b", "{x}", "{x:int}", "{x:float}", "{x:uuid}", "{x:path}", "{x}.txt", "v{x:int}", ""]
TEXTS = [
    "a",
    "b",
    "1",
    "007",
    "1.5",
    "a.b",
    "a.txt",
    "v2",
    "",
    "é",
    "a\nb",
    "b\n",
    "550e8400-e29b-41d4-a716-446655440000",
    "²",
]


@st.composite
def templates(draw: st.DrawFn) -> str:
    segments = draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4))
    names = iter("pqrs")
    return "".join("/" + segment.replace("{x", "{" + next(names)) for segment in segments)


@st.composite
def route_lists(draw: st.DrawFn) -> list[BaseRoute]:
    def route(template: str, kind: str, methods: list[str]) -> BaseRoute:
        match kind:
            case "mount":
                return Mount(template, app=application)
            case "websocket":
                return WebSocketRoute(template, endpoint)
            case "host":
                return Host("example.org", app=application)
        return Route(template, endpoint, methods=methods)

    kinds = st.sampled_from(["route"] * 5 + ["mount", "websocket", "host"])
    methods = st.sampled_from([["GET"], ["POST"], ["PUT", "DELETE"]])
    return draw(st.lists(st.builds(route, templates(), kinds, methods), max_size=8))


paths = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5).map(
    lambda texts: "".join("/" + text for text in texts)
)


@settings(max_examples=250, deadline=None)
@given(route_lists(), paths, st.sampled_from(["GET", "HEAD", "POST"]), st.sampled_from(["http", "websocket"]))
def test_the_tree_takes_the_route_that_the_list_takes(routes: Any, path: str, method: str, kind: str) -> None:
    for host in (b"example.org", b"example.com"):
        assert same(routes, scope_of(path, method, kind, host))


@pytest.mark.parametrize("path", ["", "*", "a", "a/b", "/", "//", "///a"])
@pytest.mark.parametrize("template", ["/", "/{x}", "/{x:path}", "/a", "//a", "/{x}/"])
def test_unusual_paths_lead_where_the_list_leads(template: str, path: str) -> None:
    routes: list[BaseRoute] = [Route(template, endpoint), Mount("/a", app=application), Mount("", app=application)]
    assert same(routes, scope_of(path))


def test_the_first_of_two_routes_that_match_wins() -> None:
    first, second = Route("/users/{name}", endpoint), Route("/users/me", endpoint)
    assert [leaf.route for leaf, _ in RouteTree([first, second], "http").find("/users/me")] == [first, second]
    assert [leaf.route for leaf, _ in RouteTree([second, first], "http").find("/users/me")] == [second, first]


def test_an_integer_that_python_does_not_convert_is_no_match() -> None:
    assert RouteTree([Route("/{x:int}", endpoint)], "http").find("/" + "9" * 5000) == []


class Anything(BaseRoute):
    def matches(self, scope: Any) -> tuple[Match, Any]:
        return (Match.FULL, {"anything": True}) if scope["path"].startswith("/any") else (Match.NONE, {})


class Shouting(Route):
    def matches(self, scope: Any) -> tuple[Match, Any]:
        return super().matches({**scope, "path": scope["path"].lower()})


def test_routes_with_a_way_of_matching_of_their_own_are_asked_in_their_place() -> None:
    routes: list[BaseRoute] = [
        Route("/anything", endpoint),
        Anything(),
        Shouting("/a", endpoint),
        Mount("", application),
    ]
    for path in ("/anything", "/any", "/A", "/a", "/b"):
        assert same(routes, scope_of(path))
    taken = by_tree(routes, scope_of("/A"))
    assert taken is not None
    assert taken[0] is routes[2]


def test_a_route_whose_pattern_was_replaced_is_matched_by_the_new_one() -> None:
    route = Route("/a", endpoint)
    route.path_regex = __import__("re").compile("^/b$")
    assert same([route], scope_of("/b"))
    assert by_tree([route], scope_of("/b")) is not None
    assert same([route], scope_of("/a"))


class Pair(Convertor[list[str]]):
    regex = "[a-z]+/[a-z]+"

    def convert(self, value: str) -> list[str]:
        return value.split("/")

    def to_string(self, value: list[str]) -> str:
        return "/".join(value)


def test_a_convertor_of_ones_own_may_match_slashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTOR_TYPES, "pair", Pair())
    routes: list[BaseRoute] = [Route("/x/{p:pair}/y", endpoint), Route("/x/{p}/{q}/y", endpoint)]
    for path in ("/x/a/b/y", "/x/a/1/y", "/x/a/y"):
        assert same(routes, scope_of(path))
    taken = by_tree(routes, scope_of("/x/a/b/y"))
    assert taken is not None
    assert taken[2]["path_params"] == {"p": ["a", "b"]}


def test_a_convertor_registered_under_a_known_name_replaces_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONVERTOR_TYPES, "int", CONVERTOR_TYPES["int"])

    class Hex(Convertor[int]):
        regex = "[0-9a-f]+"

        def convert(self, value: str) -> int:
            return int(value, 16)

        def to_string(self, value: int) -> str:
            return f"{value:x}"

    register_url_convertor("int", Hex())
    taken = by_tree([Route("/{n:int}", endpoint)], scope_of("/ff"))
    assert taken is not None
    assert taken[2]["path_params"] == {"n": 255}


def test_a_path_is_looked_up_without_looking_at_other_routes() -> None:
    """The cost of a match does not grow with the number of routes: nothing but the path's own places is visited."""
    tree = RouteTree([Route(f"/group{n}/{{x}}/item{n}", endpoint) for n in range(2000)], "http")
    assert len(tree._leaves(["", "group1999", "y", "item1999"])) == 1
    assert len(tree._leaves(["", "group1999", "y", "item1998"])) == 0


def test_parameters_of_one_request_are_not_seen_by_the_next() -> None:
    tree = RouteTree([Route("/a", endpoint)], "http")
    leaf, params = tree.find("/a")[0]
    scope = scope_of("/a")
    leaf.enter(scope, "/a", params)
    scope["path_params"]["x"] = 1
    assert tree.find("/a")[0][1] == {}


@pytest.mark.parametrize("template", ["/{n:int}", "/a-{n:int}", "/{n:int}.json"])
def test_an_integer_of_more_digits_than_python_converts_does_not_match(template: str) -> None:
    for route in (Route(template, endpoint), Mount(template, application)):
        path = template.replace("{n:int}", "1" * 5000) + ("/x" if isinstance(route, Mount) else "")
        assert by_tree([route], scope_of(path)) is None
        assert same([route], scope_of(path))
