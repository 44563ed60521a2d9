"""Ids of operations, and statuses without a body."""

from types import SimpleNamespace
from typing import Any

import pytest

from portico.web.utils import generate_unique_id, is_body_allowed_for_status_code


@pytest.mark.parametrize("status", [None, "default", "2XX", "5XX", 200, "200", 404, 599])
def test_most_statuses_may_have_a_body(status: Any) -> None:
    assert is_body_allowed_for_status_code(status)


@pytest.mark.parametrize("status", [100, "101", 103, 204, "205", 304])
def test_some_statuses_have_none(status: Any) -> None:
    assert not is_body_allowed_for_status_code(status)


def test_an_id_is_made_of_name_path_and_method() -> None:
    route: Any = SimpleNamespace(name="read_item", path_format="/items/{id}.json", methods={"GET"})
    assert generate_unique_id(route) == "read_item_items__id__json_get"


def test_an_id_is_the_same_in_every_process() -> None:
    route: Any = SimpleNamespace(name="x", path_format="/", methods={"PUT", "POST", "PATCH", "DELETE"})
    assert generate_unique_id(route) == "x__delete"
