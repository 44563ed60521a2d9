"""Values of many kinds, for what makes JSON of them."""

import dataclasses
import datetime
from collections import OrderedDict, deque, namedtuple
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import PurePosixPath, PureWindowsPath
from re import compile as compile_pattern
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretBytes, SecretStr
from pydantic import dataclasses as pydantic_dataclasses
from pydantic.networks import AnyUrl


class Color(Enum):
    RED = "red"
    OTHER = 7


class Level(IntEnum):
    LOW = 1


class Name(str):
    """A text of a program's own type."""


class Part(BaseModel):
    at: datetime.datetime
    price: Decimal | None = None
    extra: dict[str, Any] = {}


class Whole(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    first: int = Field(1, alias="firstOne")
    parts: list[Part] = []
    color: Color = Color.RED


class Numbers(RootModel[list[int]]):
    pass


@dataclasses.dataclass
class Inner:
    a: int
    when: datetime.date


@dataclasses.dataclass
class Outer:
    inner: Inner
    more: list[Inner]
    _sa_state: int = 0


@pydantic_dataclasses.dataclass
class Checked:
    a: int
    b: Part


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Pairs(Plain):
    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter(vars(self).items())


Point = namedtuple("Point", ("x", "y"))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(
        [Color.RED, Color.OTHER, Level.LOW, Name("n"), b"bytes", PurePosixPath("/a/b"), PureWindowsPath("a")]
    ),
    st.sampled_from(
        [SecretStr("s"), SecretBytes(b"s"), compile_pattern("a+"), AnyUrl("http://a/b"), datetime.timedelta(1.5)]
    ),
    st.sampled_from([ip_address("::1"), ip_network("10.0.0.0/8"), ip_interface("10.0.0.1/8"), UUID(int=7)]),
    st.datetimes(timezones=st.sampled_from([None, datetime.UTC])),
    st.dates(),
    st.times(),
    st.decimals(allow_nan=False, places=2),
    st.sampled_from([Decimal("1E+3"), Decimal("NaN"), Decimal(2)]),
)
keys = st.one_of(
    st.text(max_size=3),
    st.sampled_from(
        ["_sa", "_sa_state", "_s", "a", "b", Name("_sa_x"), Name("x"), 1, 1.5, None, True, Color.RED, UUID(int=1)]
    ),
)
datetimes = st.datetimes(min_value=datetime.datetime(2000, 1, 1))


def containers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    dicts = st.dictionaries(keys, values, max_size=4)
    lists = st.lists(values, max_size=4)
    parts = st.builds(
        Part,
        at=datetimes,
        price=st.none() | st.just(Decimal("1.50")),
        extra=st.dictionaries(keys.filter(lambda key: type(key) is str), st.none() | st.integers(), max_size=3),
    )
    return st.one_of(
        dicts,
        dicts.map(OrderedDict),
        lists,
        lists.map(tuple),
        lists.map(deque),
        st.sets(st.integers()),
        st.frozensets(st.text(max_size=3), max_size=1),
        st.builds(Point, values, values),
        parts,
        st.builds(Whole, firstOne=st.integers(), parts=st.lists(parts, max_size=2), color=st.sampled_from(Color)),
        st.builds(Whole),
        st.builds(Numbers, st.lists(st.integers())),
        st.builds(Inner, st.integers(), st.dates()),
        st.builds(
            Outer, st.builds(Inner, st.integers(), st.dates()), st.lists(st.builds(Inner, st.integers(), st.dates()))
        ),
        st.builds(Checked, st.integers(), parts),
        st.builds(Plain, a=values, b=values),
        st.builds(Pairs, a=values, _sa_b=values),
    )


values = st.recursive(scalars, containers, max_leaves=12)


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what comes of a call, types included; of an error the type."""
    try:
        return repr(function(*args, **kwargs))
    except Exception as error:
        return type(error)
