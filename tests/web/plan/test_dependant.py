from collections.abc import Callable, Iterator
from typing import Any

from portico.web.plan.dependant import Dependant
from portico.web.security import APIKeyHeader


def function() -> None: ...


def generator() -> Iterator[None]:
    yield


def test_scopes_are_those_of_the_callers_first_each_once() -> None:
    assert Dependant(parent_oauth_scopes=["a", "b"], own_oauth_scopes=["c", "a"]).oauth_scopes == ["a", "b", "c"]
    assert Dependant().oauth_scopes == []


def test_generators_are_torn_down_after_the_request_if_they_do_not_say() -> None:
    assert Dependant(call=generator).computed_scope == "request"
    assert Dependant(call=generator, scope="function").computed_scope == "function"
    assert Dependant(call=function).computed_scope is None


def test_a_scheme_is_found_and_uses_the_scopes() -> None:
    scheme = APIKeyHeader(name="key")
    assert Dependant(call=scheme).security_scheme is scheme
    assert Dependant(call=function).security_scheme is None
    assert Dependant().security_scheme is None
    assert Dependant(dependencies=[Dependant(call=scheme)]).uses_scopes


def test_the_cache_key_has_the_scopes_only_where_they_count() -> None:
    def key(call: Callable[..., Any], **more: Any) -> Any:
        return Dependant(call=call, parent_oauth_scopes=["b", "a"], **more).cache_key

    assert key(function) == (function, (), "")
    assert key(generator) == (generator, (), "request")
    assert key(function, security_scopes_param_name="scopes") == (function, ("a", "b"), "")
    assert key(function, own_oauth_scopes=["c"]) == (function, ("a", "b", "c"), "")


def test_what_is_derived_follows_changes() -> None:
    dependant = Dependant(call=function)
    keys = [dependant.cache_key]
    dependant.own_oauth_scopes = ["a"]
    keys.append(dependant.cache_key)
    assert keys == [(function, (), ""), (function, ("a",), "")]


def test_dependants_have_no_dict() -> None:
    assert not hasattr(Dependant(), "__dict__")
