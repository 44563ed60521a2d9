"""What a response shows: no more than its declared type has."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
import pytest

from portico.web import Depends, Portico
from portico.web.params import ParameterError
from portico.web.plan.structs import structs_within
from portico.web.testclient import TestClient

T = TypeVar("T")


class User(msgspec.Struct):
    name: str


class Account(User):
    password: str = "secret"


class Team(msgspec.Struct):
    lead: User
    members: list[User] = []


class Box(msgspec.Struct, Generic[T]):
    content: T


class Point(msgspec.Struct):
    x: int
    tag: Annotated[str | None, msgspec.Meta(extra={})] = None


ANN = Account("ann")


@pytest.mark.parametrize(
    ("declared", "result", "expected"),
    [
        (User, ANN, {"name": "ann"}),
        (list[User], [ANN], [{"name": "ann"}]),
        (Team, Team(ANN, [ANN]), {"lead": {"name": "ann"}, "members": [{"name": "ann"}]}),
        (Team, {"lead": {"name": "ann"}, "members": [ANN]}, {"lead": {"name": "ann"}, "members": [{"name": "ann"}]}),
        (Box[Team], Box(Team(ANN)), {"content": {"lead": {"name": "ann"}, "members": []}}),
    ],
)
def test_members_of_a_derived_struct_are_not_shown(declared: Any, result: Any, expected: Any) -> None:
    app = Portico()

    @app.get("/", response_model=declared)
    async def endpoint() -> Any:
        return result

    assert TestClient(app).get("/").json() == expected


def test_the_structs_within_a_struct_are_known_unless_a_member_may_be_anything() -> None:
    assert structs_within(Point) == frozenset()
    assert structs_within(Team) == {User}
    assert structs_within(Box[list[Box[User]]]) == {Box, User}
    assert structs_within(Box[Any]) is None


def test_an_annotation_that_names_nothing_is_refused_when_the_route_is_made() -> None:
    app = Portico()

    def endpoint(item: "Unknown") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ParameterError, match="'item'.*'Unknown'"):
        app.get("/")(endpoint)

    def with_dependency(item: "Unknown" = Depends(lambda: 1)) -> int:  # type: ignore[name-defined]  # noqa: F821
        return item  # type: ignore[no-any-return]

    app.get("/")(with_dependency)
    assert TestClient(app).get("/").json() == 1
