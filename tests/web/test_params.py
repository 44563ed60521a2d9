import asyncio
import copy
import pickle
from dataclasses import replace
from typing import Any

import pytest
from pydantic import AliasChoices

from portico.web import param_functions, params
from portico.web.exceptions import DefinitionError, PorticoDeprecationWarning
from portico.web.params import Body, Cookie, Depends, File, Form, Header, Param, ParameterError, Path, Query, Security

KINDS = (Param, Query, Header, Cookie, Body, Form, File)


def dependency() -> int:
    return 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_declaration_is_required_without_a_default(kind: Any) -> None:
    assert kind().is_required()
    assert kind(...).is_required()
    assert not kind(None).is_required()
    assert not kind(default_factory=list).is_required()


def test_a_path_parameter_has_no_default() -> None:
    assert Path().is_required()
    with pytest.raises(ParameterError, match="Path parameters cannot have a default value, got 1"):
        Path(1)


def test_a_mistake_in_a_declaration_is_a_definition_error_and_an_assertion_error() -> None:
    assert issubclass(ParameterError, DefinitionError)
    assert issubclass(ParameterError, AssertionError)


def test_the_representation_has_the_kind_and_the_default() -> None:
    assert repr(Query("x")) == "Query(x)"
    assert repr(Path()) == "Path(PydanticUndefined)"


def test_an_alias_counts_for_validation_and_serialization() -> None:
    query = Query(alias="q")
    assert (query.alias, query.validation_alias, query.serialization_alias) == ("q", "q", "q")


def test_an_alias_leaves_more_special_ones_alone() -> None:
    query = Query(alias="q", validation_alias=AliasChoices("a", "b"), serialization_alias="s")
    assert query.validation_alias == AliasChoices("a", "b")
    assert query.serialization_alias == "s"


def test_constraints_become_metadata() -> None:
    assert [type(item).__name__ for item in Query(ge=1, lt=5).metadata] == ["Ge", "Lt"]


def test_underscores_of_header_names_are_converted_by_default() -> None:
    assert Header().convert_underscores
    assert not Header(convert_underscores=False).convert_underscores


def test_media_types_of_bodies() -> None:
    assert Body().media_type == "application/json"
    assert Form().media_type == "application/x-www-form-urlencoded"
    assert File().media_type == "multipart/form-data"
    assert Body(media_type="text/x").media_type == "text/x"


@pytest.mark.parametrize("make", [Query, param_functions.Query, Path, param_functions.Path, param_functions.Header])
def test_regex_is_a_deprecated_name_of_pattern(make: Any) -> None:
    with pytest.warns(PorticoDeprecationWarning, match="`regex`") as caught:
        declaration = make(regex="^a$")
    assert caught[0].filename == __file__
    assert declaration.metadata[0].pattern == "^a$"


def test_example_is_deprecated_and_kept() -> None:
    with pytest.warns(PorticoDeprecationWarning, match="`example`") as caught:
        assert param_functions.Body(example=1).example == 1
    assert caught[0].filename == __file__


def test_a_copy_is_a_declaration_of_its_own() -> None:
    header = Header(None, alias="x", include_in_schema=False)
    copied = copy.copy(header)
    copied.alias = "y"
    assert header.alias == "x"
    assert copied.include_in_schema is False
    assert copied.in_ is params.ParamTypes.header


def test_declarations_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Query(3, ge=1))).default == 3


def test_unknown_options_are_refused_or_ignored_as_pydantic_does() -> None:
    assert Query(nonsense=1).is_required()  # type: ignore[call-arg]


def test_declarations_of_the_same_dependency_are_equal() -> None:
    assert Depends(dependency) == Depends(dependency)
    assert hash(Depends(dependency)) == hash(Depends(dependency))
    assert Depends(dependency) != Depends(dependency, scope="function")
    assert Security(dependency, scopes=["a"]) != Security(dependency, scopes=["b"])


def test_each_declaration_with_a_limit_counts_for_itself() -> None:
    first = Depends(dependency, max_concurrency=2)
    assert first != Depends(dependency, max_concurrency=2)


def test_a_replaced_dependency_shares_the_limit_and_a_replaced_limit_does_not() -> None:
    first = Depends(max_concurrency=2)
    assert replace(first, dependency=dependency)._concurrency is first._concurrency
    assert replace(first, max_concurrency=3)._concurrency is not first._concurrency
    assert replace(first, max_concurrency=None)._concurrency is None


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "2"])
def test_a_limit_is_a_positive_integer(limit: Any) -> None:
    with pytest.raises(ValueError, match="max_concurrency must be a positive integer"):
        Depends(dependency, max_concurrency=limit)


def test_a_limit_has_one_semaphore_in_a_loop() -> None:
    asyncio.run(_use_a_limit())


async def _use_a_limit() -> None:
    limit = params.ConcurrencyLimit(1)
    semaphore = limit.get_semaphore()
    assert limit.get_semaphore() is semaphore
    async with semaphore:
        assert semaphore.locked()


def test_the_functions_make_the_classes_of_the_same_names() -> None:
    for name in ("Path", "Query", "Header", "Cookie", "Body", "Form", "File", "Depends", "Security"):
        assert type(getattr(param_functions, name)()) is getattr(params, name)


def test_the_functions_pass_their_options_on() -> None:
    header = param_functions.Header(None, convert_underscores=False, title="T")
    assert (header.default, header.convert_underscores, header.title) == (None, False, "T")
    body = param_functions.Body(embed=True, media_type="x/y", openapi_examples={"a": {"value": 1}})
    assert (body.embed, body.media_type, body.openapi_examples) == (True, "x/y", {"a": {"value": 1}})
    assert param_functions.Depends(dependency, use_cache=False, scope="app") == Depends(dependency, False, "app")
    assert param_functions.Security(dependency, scopes=["a"]).scopes == ["a"]
