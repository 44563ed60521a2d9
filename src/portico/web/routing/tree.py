"""The route tree: which routes a path leads to, at a cost that does not grow with their number.

Built once from the list of routes. A path that a template without parameters spells out is found in a dictionary,
which holds everything that matches it, worked out beforehand. Any other path walks a tree of segments: at each one,
the child of that very text and the child for a parameter. What comes back is in the order of the list, so that the
first route that matches wins as if the list had been tried from its beginning.

A route that decides for itself (a host, a subclass with its own `matches`) is asked each time, in its place.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from portico.asgi import Scope
from portico.web.convertors import FloatConvertor, IntegerConvertor, PathConvertor, StringConvertor, UUIDConvertor
from portico.web.routing.fitting import read_params
from portico.web.routing.mounts import BELOW, Mount
from portico.web.routing.paths import Param, Template
from portico.web.routing.routes import BaseRoute, Match, Route, WebSocketRoute

# A convertor of one whole segment: gives None where the text does not match.
Reader = Callable[[str], Any]


class Leaf:
    """A route at its place in the tree. Subclasses know what kinds of routes take from a request.

    Paths are split at their slashes, so that the first segment is the empty text before the first slash.
    """

    __slots__ = ("direct", "order", "readers", "rest", "rest_from", "route", "verify")

    def __init__(self, order: int, route: Any) -> None:
        self.order = order
        self.route = route
        # Whether a request that the route matches wholly may go to its app at once.
        self.direct = hasattr(type(route).handle, "leads_to_app") and "handle" not in vars(route)
        self.readers: list[tuple[int, str, Reader | None]] = []
        self.rest: str | None = None  # the parameter that takes all segments from `rest_from` on
        self.rest_from = 0
        self.verify = False  # the pattern decides

    def read(self, path: str, segments: list[str]) -> dict[str, Any] | None:
        """Return the parameters of a path that has led here, None where one does not fit."""
        if self.verify:
            route = self.route
            return read_params(route, route.path + BELOW if isinstance(route, Mount) else route.path, path)
        params = {}
        for position, name, reader in self.readers:
            value: Any = segments[position]
            if reader is not None:
                value = reader(value)
                if value is None:
                    return None
            params[name] = value
        if self.rest is not None:
            params[self.rest] = "/".join(segments[self.rest_from :])
        return params

    def enter(self, scope: Scope, path: str, params: dict[str, Any]) -> Match:
        """Return how well the route fits; where it does, the scope is then that of the route."""
        route = scope["route"] = self.route
        outer = scope.get("path_params")
        scope["path_params"] = {**outer, **params} if outer else params.copy()
        scope["endpoint"] = route.endpoint
        return Match.FULL

    enter_partly = enter
    """As `enter`, for a route that is taken though it does not fit wholly."""


class RequestLeaf(Leaf):
    """A route that looks at the method."""

    __slots__ = ()

    def enter(self, scope: Scope, path: str, params: dict[str, Any]) -> Match:
        route = self.route
        methods = route.methods
        if methods and scope["method"] not in methods:
            return Match.PARTIAL
        scope["route"] = route
        outer = scope.get("path_params")
        scope["path_params"] = {**outer, **params} if outer else params.copy()
        scope["endpoint"] = route.endpoint
        return Match.FULL


class MountLeaf(Leaf):
    """A mount, which takes the part of the path before what is below it."""

    __slots__ = ()

    def enter(self, scope: Scope, path: str, params: dict[str, Any]) -> Match:
        route = scope["route"] = self.route
        scope.update(route.mounted_scope(scope, params, path))
        return Match.FULL


class Question(Leaf):
    """A route that decides for itself."""

    __slots__ = ()

    def enter(self, scope: Scope, path: str, params: dict[str, Any]) -> Match:
        match: Match
        match, child_scope = self.route.matches(scope)
        if type(match) is not Match:  # a route of Starlette's own
            match = Match(match.value)
        if match is Match.FULL:
            scope["route"] = self.route
            scope.update(child_scope)
        return match

    def enter_partly(self, scope: Scope, path: str, params: dict[str, Any]) -> Match:
        match: Match
        match, child_scope = self.route.matches(scope)
        scope["route"] = self.route
        scope.update(child_scope)
        return match


# A leaf that the path leads to, and the parameters that it has read from it.
Hit = tuple[Leaf, dict[str, Any]]


class Node:
    """A place in the tree, reached by some segments of a path."""

    __slots__ = ("any_segment", "ends", "literals", "tails")

    def __init__(self) -> None:
        self.literals: dict[str, Node] = {}
        self.any_segment: Node | None = None
        self.ends: list[Leaf] = []  # for paths that end here
        self.tails: list[Leaf] = []  # for paths that go on, however far


class RouteTree:
    """The routes of one router for one kind of scope.

    Args:
        routes: The routes, in the order in which they are tried.
        kind: The type of scope, `http` or `websocket`.
    """

    __slots__ = ("questions", "root", "spelt_out")

    def __init__(self, routes: Sequence[BaseRoute], kind: str) -> None:
        self.root = Node()
        self.questions: list[Hit] = []
        self.spelt_out: dict[str, list[Hit]] = {}
        literal = []
        for order, route in enumerate(routes):
            if not _is_readable(route):
                self.questions.append((Question(order, route), {}))
                continue
            if isinstance(route, Mount):
                self._add(MountLeaf(order, route), route.path + BELOW)
                continue
            assert isinstance(route, Route | WebSocketRoute)
            if (kind == "http") is isinstance(route, Route):
                self._add((RequestLeaf if kind == "http" else Leaf)(order, route), route.path)
                if not route.param_convertors:
                    literal.append(route.path)
        for path in literal:
            self.spelt_out[path] = self.walk(path)

    def find(self, path: str) -> list[Hit]:
        """Return what matches the path, in the order of the list. The parameters are shared: not to be changed."""
        known = self.spelt_out.get(path)
        return self.walk(path) if known is None else known

    def walk(self, path: str) -> list[Hit]:
        """Return what matches a path that no template spells out, as `find` does."""
        found: list[Hit] = []
        if path[:1] == "/":
            segments = path.split("/")
            for leaf in self._leaves(segments):
                params = leaf.read(path, segments)
                if params is not None:
                    found.append((leaf, params))
        if self.questions:
            found += self.questions
        if len(found) > 1:
            found.sort(key=_order)
        return found

    def _leaves(self, segments: list[str]) -> list[Leaf]:
        """Return the leaves at the end of every way through the tree that the segments allow."""
        leaves: list[Leaf] = []
        count = len(segments)
        waiting: list[tuple[Node, int]] = []
        node: Node | None = self.root
        depth = 1
        while True:
            while node is not None:
                if depth == count:
                    leaves += node.ends
                    break
                if node.tails:
                    leaves += node.tails
                segment = segments[depth]
                depth += 1
                other = node.any_segment
                node = node.literals.get(segment)
                if other is not None and segment:
                    if node is None:
                        node = other
                    else:
                        waiting.append((other, depth))
            if not waiting:
                return leaves
            node, depth = waiting.pop()

    def _add(self, leaf: Leaf, path: str) -> None:
        node = self.root
        pieces = list(_segments(Template(path)))
        for position, piece in enumerate(pieces, 1):
            if not any(isinstance(part, Param) for part in piece):
                node = node.literals.setdefault("".join(map(str, piece)), Node())
                continue
            whole = piece[0] if len(piece) == 1 else None
            if isinstance(whole, Param) and type(whole.convertor) is PathConvertor and position == len(pieces):
                leaf.rest = whole.name
                leaf.rest_from = position
                node.tails.append(leaf)
                return
            if any(isinstance(part, Param) and type(part.convertor) not in READERS for part in piece):
                leaf.verify = True  # may match slashes: its own segments and those after it cannot be told apart
                node.tails.append(leaf)
                return
            if isinstance(whole, Param):
                leaf.readers.append((position, whole.name, READERS[type(whole.convertor)]))
            else:
                leaf.verify = True
            if node.any_segment is None:
                node.any_segment = Node()
            node = node.any_segment
        node.ends.append(leaf)


def _order(hit: Hit) -> int:
    return hit[0].order


def _is_readable(route: BaseRoute) -> bool:
    """Tell whether the route matches as its class does by its path alone, so that the tree may answer for it."""
    if not isinstance(route, Route | WebSocketRoute | Mount) or "matches" in vars(route):
        return False
    if type(route).matches not in (Route.matches, WebSocketRoute.matches, Mount.matches):
        return False
    path = route.path + BELOW if isinstance(route, Mount) else route.path
    if path[:1] != "/":
        return False
    given = vars(route).get("path_regex")
    return given is None or given.pattern == Template(path).pattern()


def _segments(template: Template) -> Iterator[list[str | Param]]:
    """Yield the segments of a path template, each as its literals and parameters."""
    piece: list[str | Param] = []
    first = True
    for part in template.parts:
        if isinstance(part, Param):
            piece.append(part)
            continue
        texts = part.split("/")
        if texts[0]:
            piece.append(texts[0])
        for text in texts[1:]:
            if not first:
                yield piece
            first = False
            piece = [text] if text else []
    yield piece


def _read_int(text: str) -> int | None:
    # Longer ones CPython refuses to convert: no integer that a program counts with.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def _read_float(text: str) -> float | None:
    return float(text) if FLOAT.fullmatch(text) else None


def _read_uuid(text: str) -> Any:
    return UUIDConvertor().convert(text) if UUID.fullmatch(text) else None


MAX_DIGITS = 4300
FLOAT = re.compile(FloatConvertor.regex)
UUID = re.compile(UUIDConvertor.regex)
READERS: dict[type, Reader | None] = {
    StringConvertor: None,
    IntegerConvertor: _read_int,
    FloatConvertor: _read_float,
    UUIDConvertor: _read_uuid,
}
