"""Which parts of a path the parameters of a template take, in a time that grows with the path and no faster.

A pattern with several parameters between two slashes tries their lengths in every combination before it gives a long
path up. So a long path is fitted from its end instead: for each part of the template, at which places it and all after
it fit, and how far it may reach from there. The outcome is that of the pattern, whose parameters take all that they
can, the first one first.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from portico.web.convertors import (
    FloatConvertor,
    IntegerConvertor,
    PathConvertor,
    StringConvertor,
    UUIDConvertor,
)
from portico.web.routing.paths import Param, Template

# Up to this length a pattern is faster, whatever it has to try.
SHORT = 64
MAX_DIGITS = 4300
DIGITS = frozenset("0123456789")
UUID = re.compile(UUIDConvertor.regex)

# For each place in a path: the furthest place that a parameter which begins there may reach so that the rest fits.
Reach = list[int]


def read_params(route: Any, template: str, path: str) -> dict[str, Any] | None:
    """Return the values of the parameters that a route's pattern finds in a path, None where it does not match.

    Args:
        route: A route, with its pattern and convertors.
        template: What the pattern was made of.
        path: The path.
    """
    texts = _texts_in(route, template, path)
    if texts is None:
        return None
    convertors = route.param_convertors
    return {name: convertors[name].convert(text) for name, text in texts.items()}


def _texts_in(route: Any, template: str, path: str) -> dict[str, str] | None:
    if len(path) > SHORT:
        read = Template(template)
        is_own = route.path_regex.pattern == read.pattern()  # neither it nor a convertor was replaced since
        if is_own and all(type(convertor) in REACHES for convertor in read.param_convertors.values()):
            return fit(read.parts, path)
    match = route.path_regex.fullmatch(path)
    return None if match is None else match.groupdict()


def fit(parts: Sequence[str | Param], path: str) -> dict[str, str] | None:
    """Return the text of each parameter, or None where the parts do not make up the path."""
    size = len(path)
    fits = bytearray(size + 1)  # at which places the parts fit that have been looked at
    fits[size] = True
    reaches: dict[str, Reach] = {}
    for part in reversed(parts):
        if isinstance(part, Param):
            reach = reaches[part.name] = REACHES[type(part.convertor)](path, fits)
            fits = bytearray(end >= 0 for end in reach)
        else:
            fits = _places_of(part, path, fits)
    if not fits[0]:
        return None
    texts = {}
    place = 0
    for part in parts:
        if isinstance(part, Param):
            end = reaches[part.name][place]
            texts[part.name] = path[place:end]
            if type(part.convertor) is IntegerConvertor and end - place > MAX_DIGITS:
                return None
            place = end
        else:
            place += len(part)
    return texts


def _places_of(text: str, path: str, fits: bytearray) -> bytearray:
    places = bytearray(len(fits))
    place = path.find(text)
    while place >= 0:
        places[place] = fits[place + len(text)]
        place = path.find(text, place + 1)
    return places


def _run(path: str, fits: bytearray, belongs: Callable[[str], bool]) -> Reach:
    """Return how far one or more characters of a kind reach."""
    reach = [-1] * len(fits)
    end = -1
    for place in range(len(path) - 1, -1, -1):
        if not belongs(path[place]):
            end = -1
            continue
        if end < 0 and fits[place + 1]:
            end = place + 1
        reach[place] = end
    return reach


def _segment(path: str, fits: bytearray) -> Reach:
    return _run(path, fits, "/".__ne__)


def _integer(path: str, fits: bytearray) -> Reach:
    return _run(path, fits, DIGITS.__contains__)


def _float(path: str, fits: bytearray) -> Reach:
    digits = _run(path, fits, DIGITS.__contains__)
    reach = [-1] * len(fits)
    fraction = -1  # how far the fraction reaches that follows the digits
    for place in range(len(path) - 1, -1, -1):
        if path[place] in DIGITS:
            reach[place] = digits[place] if fraction < 0 else fraction
        else:
            fraction = digits[place + 1] if path[place] == "." else -1
    return reach


def _anything(path: str, fits: bytearray) -> Reach:
    end = fits.rfind(True)
    return [end if place <= end else -1 for place in range(len(fits))]


def _uuid(path: str, fits: bytearray) -> Reach:
    reach = [-1] * len(fits)
    for place in range(len(path)):
        match = UUID.match(path, place)
        if match is not None and fits[match.end()]:
            reach[place] = match.end()
    return reach


REACHES: dict[type, Callable[[str, bytearray], Reach]] = {
    StringConvertor: _segment,
    IntegerConvertor: _integer,
    FloatConvertor: _float,
    PathConvertor: _anything,
    UUIDConvertor: _uuid,
}
