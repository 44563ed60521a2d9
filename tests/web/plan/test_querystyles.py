"""Query parameters in other styles: lists with commas, models in brackets, and how the document shows them."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from portico.web import Portico, Query
from portico.web.params import ParameterError
from portico.web.testclient import TestClient


class Filter(BaseModel):
    name: str | None = None
    price: float = Field(0, alias="maxPrice", ge=0)
    tags: list[str] = []


class Named(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


def application(annotation: Any, default: Any = ...) -> Portico:
    """Return an application that answers with its one query parameter."""
    app = Portico()

    def read(value: Any) -> Any:
        return value

    read.__annotations__["value"] = annotation
    if default is not ...:
        read.__defaults__ = (default,)
    app.get("/")(read)
    return app


def got(app: Portico, query: str) -> Any:
    answer = TestClient(app).get(f"/?{query}")
    assert answer.status_code == 200
    return answer.json()


def refused(app: Portico, query: str) -> list[tuple[str, list[Any]]]:
    answer = TestClient(app).get(f"/?{query}")
    assert answer.status_code == 422
    return [(item["type"], item["loc"]) for item in answer.json()["detail"]]


def shown(app: Portico) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = app.openapi()["paths"]["/"]["get"]["parameters"]
    return [{key: value for key, value in each.items() if key not in ("in", "schema")} for each in parameters]


JOINED = Annotated[list[int], Query(explode=False)]
DEEP = Annotated[Filter, Query(style="deepObject")]


@pytest.mark.parametrize(
    ("query", "items"),
    [
        ("value=1", [1]),
        ("value=1,2", [1, 2]),
        ("value=1%2C2", [1, 2]),
        ("value=1,2&value=3", [1, 2, 3]),
        ("value=", []),
    ],
)
def test_a_list_that_is_not_exploded_has_its_items_in_one_text(query: str, items: list[int]) -> None:
    assert got(application(JOINED), query) == items


def test_each_item_of_such_a_list_is_validated() -> None:
    assert refused(application(JOINED), "value=1,x,") == [
        ("int_parsing", ["query", "value", 1]),
        ("int_parsing", ["query", "value", 2]),
    ]


def test_such_a_list_has_its_default_only_where_the_parameter_is_not_there() -> None:
    assert refused(application(JOINED), "") == [("missing", ["query", "value"])]
    assert got(application(Annotated[list[int] | None, Query(explode=False, alias="v")], None), "value=1") is None
    assert got(application(Annotated[list[int] | None, Query(explode=False, alias="v")], None), "v=1,2") == [1, 2]


@pytest.mark.parametrize("kind", [set[int], tuple[int, ...], frozenset[int]])
def test_other_sequences_can_be_in_one_text_too(kind: Any) -> None:
    assert sorted(got(application(Annotated[kind, Query(explode=False)]), "value=1,2")) == [1, 2]


def test_the_lists_of_a_model_are_in_one_text_each() -> None:
    app = application(Annotated[Filter, Query(explode=False)])
    assert got(app, "name=a,b&tags=a,b") == {"name": "a,b", "maxPrice": 0, "tags": ["a", "b"]}
    assert shown(app) == [
        {"name": "name", "required": False},
        {"name": "maxPrice", "required": False},
        {"name": "tags", "required": False, "style": "form", "explode": False},
    ]


def test_a_list_of_a_model_may_say_so_itself() -> None:
    class Sorted(BaseModel):
        sort: list[str] = Query([], explode=False)
        tags: list[str] = []

    app = application(Annotated[Sorted, Query()])
    assert got(app, "sort=a,b&tags=a,b") == {"sort": ["a", "b"], "tags": ["a,b"]}
    assert shown(app)[0] == {"name": "sort", "required": False, "style": "form", "explode": False}


def test_the_fields_of_a_deep_object_are_in_brackets() -> None:
    value = got(application(DEEP), "value[name]=a&value%5BmaxPrice%5D=2&value[tags]=b&value[tags]=c,d&name=x")
    assert value == {"name": "a", "maxPrice": 2, "tags": ["b", "c,d"]}


def test_what_is_wrong_in_a_deep_object_is_below_its_name() -> None:
    assert refused(application(DEEP), "value[maxPrice]=-1") == [("greater_than_equal", ["query", "value", "maxPrice"])]
    named = application(Annotated[Named, Query(style="deepObject", alias="f")])
    assert refused(named, "name=x") == [("missing", ["query", "f", "name"])]
    assert refused(named, "f[name]=x&f[y]=1&z=1") == [("extra_forbidden", ["query", "f", "y"])]


def test_a_deep_object_that_may_be_none_is_so_where_nothing_of_it_is_there() -> None:
    app = application(Annotated[Named | None, Query(style="deepObject")], None)
    for query in ("", "name=x", "value=x", "value[name=x", "value]=x", "other[name]=x"):
        assert got(app, query) is None
    assert got(app, "value[name]=x") == {"name": "x"}


def test_several_deep_objects_do_not_see_each_other() -> None:
    app = Portico()

    @app.get("/")
    def read(
        a: Annotated[Named, Query(style="deepObject")], b: Annotated[Named, Query(style="deepObject")], name: str
    ) -> list[str]:
        return [a.name, b.name, name]

    assert got(app, "a[name]=1&b[name]=2&name=3") == ["1", "2", "3"]


def test_the_document_shows_the_style_where_it_is_not_the_usual_one() -> None:
    assert shown(application(JOINED)) == [{"name": "value", "required": True, "style": "form", "explode": False}]
    assert shown(application(Annotated[list[int], Query()])) == [{"name": "value", "required": True}]
    assert shown(application(DEEP)) == [{"name": "value", "required": False, "style": "deepObject", "explode": True}]


def test_a_deep_object_is_one_parameter_with_the_schema_of_the_model() -> None:
    document = application(Annotated[Named, Query(style="deepObject")]).openapi()
    [parameter] = document["paths"]["/"]["get"]["parameters"]
    assert parameter["required"]
    assert parameter["schema"] == {"$ref": "#/components/schemas/Named"}
    assert document["components"]["schemas"]["Named"]["required"] == ["name"]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            Annotated[int, Query(explode=False)],
            "'value' has explode=False, which is for lists and for models",
        ),
        (Annotated[list[int], Query(style="deepObject")], "'value' is a deepObject, which must be a pydantic model"),
        (
            Annotated[Filter, Query(style="deepObject", explode=False)],
            "with explode=True, got .*Filter.* with explode",
        ),
        (Annotated[Filter, Query(style="pipes")], "the style 'form' or 'deepObject', got 'pipes'"),  # type: ignore[arg-type]
    ],
)
def test_a_style_that_does_not_fit_the_type_is_refused_when_the_route_is_made(annotation: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        application(annotation)
