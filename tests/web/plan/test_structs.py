from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import pytest

from portico.web.plan.fields import create_model_field
from portico.web.plan.structs import with_structs

T = TypeVar("T")


class Node(msgspec.Struct):
    name: str
    children: "list[Node]" = []


class Item(msgspec.Struct, rename="camel"):
    """An item."""

    some_id: int
    price: Annotated[float, msgspec.Meta(ge=0, description="EUR")]
    made: datetime | None = None
    node: Node | None = None
    note: str | msgspec.UnsetType = msgspec.UNSET


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag="dog"):
    name: str


class Point(msgspec.Struct, array_like=True):
    x: int
    y: int


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


class Sparse(msgspec.Struct, omit_defaults=True):
    a: int
    b: int = 1
    c: list[int] = []


def validate(annotation: Any, value: Any) -> Any:
    return create_model_field("name", annotation).validate(value, loc=("body",))


def test_a_struct_is_made_of_json_values() -> None:
    value = {"someId": 1, "price": 2, "made": "2024-01-02T03:04:05", "node": {"name": "a", "children": [{"name": "b"}]}}
    expected = Item(1, 2.0, datetime(2024, 1, 2, 3, 4, 5), Node("a", [Node("b")]))
    assert validate(Item, value) == (expected, [])


def test_json_is_read_by_the_validator_too() -> None:
    assert create_model_field("name", list[Node]).validator.validate_json(b'[{"name":"a"}]') == [Node("a")]


def test_a_struct_is_taken_as_it_is() -> None:
    node = Node("a")
    assert validate(Node, node)[0] is node


def test_a_struct_is_made_of_attributes() -> None:
    class Row:
        name = "a"
        children = ()

    assert validate(Node, Row()) == (Node("a"), [])


@pytest.mark.parametrize(
    ("annotation", "value", "type_", "place", "input_"),
    [
        (Item, {}, "missing", ("someId",), {}),
        (Item, {"someId": "1"}, "msgspec", ("someId",), "1"),
        (Item, {"someId": 1, "price": -1}, "msgspec", ("price",), -1),
        (Item, [], "msgspec", (), []),
        (list[Node], [{"name": "a", "children": [{"name": 3}]}], "msgspec", (0, "children", 0, "name"), 3),
        (Page[Node], {"items": [1]}, "msgspec", ("items", 0), 1),
        (Point, [1], "msgspec", (), [1]),
        (Cat | Dog, {"type": "cow"}, "msgspec", ("type",), "cow"),
        (Node, {"name": "{x}", "children": "{y}"}, "msgspec", ("children",), "{y}"),
    ],
)
def test_what_is_wrong_is_an_item_at_its_place(
    annotation: Any, value: Any, type_: str, place: tuple[Any, ...], input_: Any
) -> None:
    made, (error,) = validate(annotation, value)
    assert made is None
    assert (error["type"], error["loc"], error["input"]) == (type_, ("body", *place), input_)


def test_the_message_is_that_of_msgspec() -> None:
    assert validate(Node, {"name": 1})[1][0]["msg"] == "Expected `str`, got `int`"


@pytest.mark.parametrize("value", [Cat(9), Dog("a")])
def test_structs_of_a_union_are_told_apart_by_their_tags(value: Any) -> None:
    field = create_model_field("name", Cat | Dog)
    assert field.validate(value) == (value, [])
    assert field.validate(field.serialize(value)) == (value, [])
    assert create_model_field("name", Cat | Dog | None).validate(None) == (None, [])


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Node, Node("a", [Node("b")]), {"name": "a", "children": [{"name": "b", "children": []}]}),
        (Item, Item(1, 2.0), {"someId": 1, "price": 2.0, "made": None, "node": None}),
        (Cat, Cat(9), {"type": "Cat", "lives": 9}),
        (Point, Point(1, 2), [1, 2]),
        (list[Node], [Node("a")], [{"name": "a", "children": []}]),
        (Page[Node], Page([Node("a")]), {"items": [{"name": "a", "children": []}]}),
        (Sparse, Sparse(1, 1, []), {"a": 1}),
        (Sparse, Sparse(1, 2, [3]), {"a": 1, "b": 2, "c": [3]}),
    ],
)
def test_structs_are_serialized_as_msgspec_does(annotation: Any, value: Any, expected: Any) -> None:
    field = create_model_field("name", annotation)
    assert field.serialize(value) == expected == msgspec.to_builtins(value)
    assert msgspec.json.decode(field.serialize_json(value)) == expected


def test_members_can_be_left_out_of_a_response() -> None:
    field = create_model_field("name", Item)
    item = Item(1, 2.0, node=Node("a"))
    assert field.serialize(item, exclude={"price"}, exclude_none=True) == {
        "someId": 1,
        "node": {"name": "a", "children": []},
    }
    assert field.serialize(item, include={"node": {"name"}}) == {"node": {"name": "a"}}
    assert field.serialize(Item(1, 2.0), exclude_defaults=True) == {"someId": 1, "price": 2.0}


def test_a_response_has_only_the_members_of_its_type() -> None:
    class Secret(Node):
        password: str = "x"

    assert create_model_field("name", Node).serialize(Secret("a")) == {"name": "a", "children": []}


def test_the_document_names_structs() -> None:
    schema = create_model_field("name", Item).type_adapter.json_schema()
    assert (schema["title"], schema["description"], schema["required"]) == ("Item", "An item.", ["someId", "price"])
    assert schema["properties"]["price"] == {"title": "Price", "type": "number", "minimum": 0, "description": "EUR"}
    assert schema["properties"]["note"] == {"title": "Note", "type": "string"}
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_the_document_is_the_same_for_requests_and_responses() -> None:
    for annotation in (Item, list[Node], Cat | Dog, Point, Page[Node]):
        adapter = create_model_field("name", annotation).type_adapter
        assert adapter.json_schema() == adapter.json_schema(mode="serialization")


def test_annotations_without_structs_are_left_as_they_are() -> None:
    for annotation in (int, list[int], int | None, dict[str, Any], Annotated[int, 1], None):
        assert with_structs(annotation) is annotation


def test_structs_are_found_in_annotations() -> None:
    assert validate(dict[str, Node] | None, {"a": {"name": "b"}}) == ({"a": Node("b")}, [])
    assert validate(Annotated[list[Node], "x"], [{"name": "b"}]) == ([Node("b")], [])
