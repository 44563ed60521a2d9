"""Long paths are fitted to templates as their patterns match, but in linear time."""

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.web.routing import Host, Match, Mount, Route
from portico.web.routing.fitting import SHORT, fit
from portico.web.routing.paths import Template
from portico.web.routing.tree import RouteTree

KINDS = ["", ":int", ":float", ":path", ":uuid"]
LITERALS = ["/", "-", ".", "a", "1", "--", ".json", "/x/"]
UUIDS = ["12345678123456781234567812345678", "12345678-1234-5678-1234-567812345678"]


async def endpoint(request: Any) -> None:
    raise AssertionError("never called")


@st.composite
def templates(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.sampled_from([*LITERALS, *KINDS]), min_size=1, max_size=7))
    return "/" + "".join(f"{{p{number}{piece}}}" if piece in KINDS else piece for number, piece in enumerate(pieces))


PATHS = st.lists(st.sampled_from([*LITERALS, *UUIDS, "b", "2", "1.5", "\n", "é"]), max_size=12).map(
    lambda pieces: "/" + "".join(pieces)
)


@settings(max_examples=400, deadline=None)
@given(templates(), PATHS)
def test_a_path_is_fitted_as_the_pattern_matches(path: str, asked: str) -> None:
    template = Template(path)
    match = template.regex().fullmatch(asked)
    assert fit(template.parts, asked) == (None if match is None else match.groupdict())


def scope_of(path: str) -> dict[str, Any]:
    return {"type": "http", "path": path, "method": "GET", "headers": [], "root_path": ""}


@pytest.mark.parametrize(
    ("template", "piece"),
    [
        ("/{a}-{b}-{c}.json", "-"),
        ("/{a}{n:int}{m:int}.json", "1"),
        ("/{a:float}{b:float}{c:float}x", "1"),
        ("/{a:path}/{b:path}/{c:path}/end", "/"),
    ],
)
def test_no_path_makes_a_match_slow(template: str, piece: str) -> None:
    path = "/" + piece * 8000
    begun = time.perf_counter()
    assert RouteTree([Route(template, endpoint), Mount(template, endpoint)], "http").find(path) == []
    assert Route(template, endpoint).matches(scope_of(path))[0] is Match.NONE
    assert Mount(template, endpoint).matches(scope_of(path))[0] is Match.NONE
    assert time.perf_counter() - begun < 2  # a pattern would take hours


def test_no_host_makes_a_match_slow() -> None:
    scope = {**scope_of("/"), "headers": [(b"host", b"." * 8000)]}
    begun = time.perf_counter()
    assert Host("{a}.{b}.{c}.example", endpoint).matches(scope)[0] is Match.NONE
    assert time.perf_counter() - begun < 2


def test_a_long_path_has_its_parameters() -> None:
    long = "x" * SHORT
    route = Route("/{owner}-{name}/{number:int}.{kind}", endpoint)
    match, child_scope = route.matches(scope_of(f"/a-{long}/12.json"))
    assert match is Match.FULL
    assert child_scope["path_params"] == {"owner": "a", "name": long, "number": 12, "kind": "json"}


def test_the_pattern_of_a_route_that_was_replaced_counts_for_long_paths_too() -> None:
    route = Route("/{a}-{b}", endpoint)
    route.path_regex = Template("/{a}_{b}").regex()
    assert route.matches(scope_of("/x_" + "y" * SHORT))[0] is Match.FULL
    assert route.matches(scope_of("/x-" + "y" * SHORT))[0] is Match.NONE
