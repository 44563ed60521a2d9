import functools
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel

from portico.web.exceptions import DependencyScopeError
from portico.web.params import Body, Cookie, Depends, Form, Header, ParameterError, Query, Security
from portico.web.plan.fields import ModelField
from portico.web.plan.signature import (
    flat_dependants,
    flat_fields,
    flat_params,
    get_dependant,
    get_parameterless_sub_dependant,
    get_path_param_names,
    get_stream_item_type,
    get_typed_annotation,
    get_typed_return_annotation,
    get_typed_signature,
)
from portico.web.requests import Request
from portico.web.responses import Response
from portico.web.security import SecurityScopes

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


class Model(BaseModel):
    a: int
    b: str = ""


def names(fields: list[ModelField]) -> list[str]:
    return [field.name for field in fields]


def test_parameters_are_sorted_by_where_they_come_from() -> None:
    def handler(
        item_id: int,
        body: Model,
        form: Annotated[str, Form()],
        header: Annotated[str, Header()],
        cookie: Annotated[str, Cookie()],
        request: Request,
        response: Response,
        query: str = "x",
    ) -> None: ...

    found = get_dependant(path="/items/{item_id}", call=handler)
    assert names(found.path_params) == ["item_id"]
    assert names(found.query_params) == ["query"]
    assert names(found.header_params) == ["header"]
    assert names(found.cookie_params) == ["cookie"]
    assert names(found.body_params) == ["body", "form"]
    assert (found.request_param_name, found.response_param_name) == ("request", "response")
    assert (found.call, found.path) == (handler, "/items/{item_id}")


def test_dependencies_are_read_with_what_they_depend_on() -> None:
    def below(q: int) -> int:
        return q

    def above(value: Annotated[int, Depends(below)], item_id: str) -> int:
        return value

    def handler(value: Annotated[int, Depends(above, use_cache=False, scope="function")]) -> None: ...

    (first,) = get_dependant(path="/{item_id}", call=handler).dependencies
    assert (first.name, first.call, first.use_cache, first.scope) == ("value", above, False, "function")
    assert names(first.path_params) == ["item_id"]
    (second,) = first.dependencies
    assert (second.call, names(second.query_params)) == (below, ["q"])


def test_the_limit_of_a_declaration_is_shared_by_all_who_use_it() -> None:
    def dependency() -> None: ...

    shared = Depends(dependency, max_concurrency=1)

    def handler(one: Annotated[None, shared], two: Annotated[None, shared]) -> None: ...

    one, two = get_dependant(path="/", call=handler).dependencies
    assert one.concurrency is two.concurrency is shared._concurrency


def test_classes_objects_and_partials_are_dependencies() -> None:
    class Pager:
        def __init__(self, page: int = 1) -> None: ...

        def __call__(self, size: int) -> None: ...

    def sized(size: int, order: str) -> None: ...

    def handler(
        by_class: Annotated[Pager, Depends()],
        by_object: Annotated[None, Depends(Pager())],
        by_partial: Annotated[None, Depends(functools.partial(sized, order="up"))],
    ) -> None: ...

    found = [names(item.query_params) for item in get_dependant(path="/", call=handler).dependencies]
    assert found == [["page"], ["size"], ["size", "order"]]


def test_scopes_are_collected_on_the_way_down() -> None:
    def below(scopes: SecurityScopes) -> None: ...

    def above(value: Annotated[None, Security(below, scopes=["b", "a"])]) -> None: ...

    def handler(value: Annotated[None, Security(above, scopes=["a"])]) -> None: ...

    (first,) = get_dependant(path="/", call=handler).dependencies
    (second,) = first.dependencies
    assert (first.oauth_scopes, second.oauth_scopes) == (["a"], ["a", "b"])
    assert second.security_scopes_param_name == "scopes"


def test_a_dependency_that_nobody_takes_the_value_of() -> None:
    def dependency(q: int) -> None: ...

    found = get_parameterless_sub_dependant(depends=Security(dependency, scopes=["a"]), path="/")
    assert (found.name, names(found.query_params), found.oauth_scopes) == (None, ["q"], ["a"])
    with pytest.raises(ParameterError, match="A parameter-less dependency must have a callable dependency"):
        get_parameterless_sub_dependant(depends=Depends(), path="/")


def test_annotations_that_are_text_are_evaluated() -> None:
    def handler(number: "int", model: "Model | None", nothing: "None" = None) -> "list[Model]":
        return []

    signature = get_typed_signature(handler)
    assert [item.annotation for item in signature.parameters.values()] == [int, Model | None, None]
    assert get_typed_return_annotation(handler) == list[Model]


def test_what_only_type_checkers_know_stays_a_reference() -> None:
    def handler(number: "int", other: "Missing") -> "Missing": ...

    annotations = [item.annotation for item in get_typed_signature(handler).parameters.values()]
    assert annotations[0] is int
    assert annotations[1].__forward_arg__ == "Missing"
    assert get_typed_return_annotation(handler).__forward_arg__ == "Missing"


def test_an_unknown_type_of_a_dependencys_result_does_not_matter() -> None:
    def dependency(q: "int") -> "Missing": ...

    assert names(get_dependant(path="/", call=dependency).query_params) == ["q"]


def test_annotations_are_looked_up_where_the_wrapped_function_is() -> None:
    def handler(model: "Model") -> None: ...

    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    assert names(get_dependant(path="/", call=wrapper).body_params) == ["model"]


def test_typed_annotation() -> None:
    assert get_typed_annotation("None", {}) is None
    assert get_typed_annotation(int, {}) is int
    assert get_typed_annotation("list[X]", {"X": str}) == list[str]


def test_no_return_annotation_is_none() -> None:
    def handler():  # type: ignore[no-untyped-def]
        ...

    assert get_typed_return_annotation(handler) is None


@pytest.mark.parametrize(
    ("annotation", "item"),
    [
        (AsyncIterable[int], int),
        (AsyncIterator[Model], Model),
        (Iterable[str], str),
        (Iterator[int], int),
        (Generator[int, None, None], int),
        (list[int], None),
        (int, None),
        (None, None),
    ],
)
def test_the_items_of_a_stream(annotation: Any, item: Any) -> None:
    assert get_stream_item_type(annotation) is item


def test_the_names_in_a_path() -> None:
    assert get_path_param_names("/{a}/b/{c:path}") == {"a", "c:path"}


def test_what_outlives_something_cannot_depend_on_it() -> None:
    def short() -> Iterator[int]:
        yield 1

    def long(value: Annotated[int, Depends(short, scope="function")]) -> Iterator[int]:
        yield value

    def handler(value: Annotated[int, Depends(long)]) -> None: ...

    with pytest.raises(DependencyScopeError, match='"long" has a scope of "request"'):
        get_dependant(path="/", call=handler)


def test_a_dependency_of_the_application_depends_on_nothing_less() -> None:
    def settings() -> int:
        return 1

    def pool(value: Annotated[int, Depends(settings, scope="app")]) -> int:
        return value

    def fitting(value: Annotated[int, Depends(pool, scope="app")]) -> None: ...

    assert get_dependant(path="/", call=fitting).dependencies[0].dependencies[0].scope == "app"

    def other(value: Annotated[int, Depends(settings)]) -> int:
        return value

    def unfitting(value: Annotated[int, Depends(other, scope="app")]) -> None: ...

    with pytest.raises(DependencyScopeError, match=r"'other' has the scope \"app\".*declare 'settings'"):
        get_dependant(path="/", call=unfitting)


@pytest.mark.parametrize("annotation", [int, Request, Annotated[str, Header()], Model])
def test_a_dependency_of_the_application_takes_nothing_of_a_request(annotation: Any) -> None:
    def pool(value: Any) -> int:
        return 1

    pool.__annotations__["value"] = annotation

    def handler(value: Annotated[int, Depends(pool, scope="app")]) -> None: ...

    with pytest.raises(DependencyScopeError, match="cannot take the parameter 'value'"):
        get_dependant(path="/", call=handler)


def test_a_positional_parameter_is_refused() -> None:
    def handler(q: int, /) -> None: ...

    with pytest.raises(ParameterError, match="parameter 'q' of 'handler' is positional only"):
        get_dependant(path="/", call=handler)


def test_a_dependency_that_cannot_be_called_is_refused() -> None:
    def handler(value: Annotated[int, Depends(5)]) -> None: ...

    with pytest.raises(ParameterError, match="parameter 'value' depends on 5, which cannot be called"):
        get_dependant(path="/", call=handler)


def test_what_shares_a_value_is_listed_once() -> None:
    def below(q: int) -> int:
        return q

    def above(value: Annotated[int, Depends(below)]) -> int:
        return value

    def handler(one: Annotated[int, Depends(above)], two: Annotated[int, Depends(below)], p: int) -> None: ...

    found = get_dependant(path="/", call=handler)
    assert [item.call for item in flat_dependants(found)] == [handler, above, below]
    assert names(flat_params(found)) == ["p", "q"]


def test_a_model_of_parameters_is_listed_by_its_members() -> None:
    def handler(
        group: Annotated[Model, Query()], other: Annotated[int, Header()], body: Annotated[Model, Body()]
    ) -> None: ...

    found = get_dependant(path="/", call=handler)
    assert names(flat_params(found)) == ["a", "b", "other"]
    assert names(flat_fields(found.query_params)) == ["a", "b"]
