"""What a response shows: no more than its declared type has."""

from typing import Annotated, Any, ClassVar, Generic, TypeVar

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


class Picky(msgspec.Struct):
    made: ClassVar[list[str]] = []
    name: str

    def __post_init__(self) -> None:
        self.made.append(self.name)
        raise ValueError("never right")


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

    with pytest.raises(ParameterError, match=r"'item'.*'Unknown'"):
        app.get("/")(endpoint)

    dependency = Depends(lambda: 1)

    def with_dependency(item: "Unknown" = dependency) -> int:  # type: ignore[name-defined]  # noqa: F821
        return item  # type: ignore[no-any-return]

    app.get("/")(with_dependency)
    assert TestClient(app).get("/").json() == 1


@pytest.mark.parametrize("nested", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_json_that_is_nested_too_deeply_for_a_struct_is_a_bad_request(nested: str) -> None:
    app = Portico()

    @app.post("/")
    async def endpoint(user: User) -> User:
        return user

    headers = {"content-type": "application/json"}
    response = TestClient(app).post("/", content='{"name": "ann", "other": ' + nested + "}", headers=headers)
    assert response.status_code == 400


def test_what_a_struct_does_after_it_is_made_is_done_once_where_that_fails() -> None:
    app = Portico()

    @app.post("/")
    async def endpoint(picky: Picky) -> None: ...

    response = TestClient(app).post("/", json={"name": "ann"})
    assert response.status_code == 422
    assert Picky.made == ["ann"]


@pytest.mark.parametrize(("count", "listed"), [(10, 10), (10_001, 1)])
def test_more_errors_than_anybody_reads_are_counted_instead_of_listed(count: int, listed: int) -> None:
    app = Portico()

    @app.post("/")
    async def endpoint(numbers: list[int]) -> None: ...

    response = TestClient(app).post("/", json=["x"] * count)
    errors = response.json()["detail"]
    assert response.status_code == 422
    assert len(errors) == listed
    if listed == 1:
        assert errors[0]["ctx"] == {"errors": count}
        assert errors[0]["loc"] == ["body"]
