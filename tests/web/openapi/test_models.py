"""The models of OpenAPI: importing them is cheap, and they keep what they do not know."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from portico.web.openapi.models import APIKey, APIKeyIn, Contact, HTTPBearer, OAuthFlows, OpenAPI, Schema


def test_the_security_schemes_come_without_the_other_models() -> None:
    code = "import portico.web.security, sys; sys.exit('portico.web.openapi.models' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_of_pythons_own_are_written_as_the_specification_has_them() -> None:
    key = APIKey(**{"in": APIKeyIn.header, "name": "X-Key"})
    dumped = key.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert dumped == {"type": "apiKey", "in": "header", "name": "X-Key"}


def test_extensions_are_kept() -> None:
    assert Schema(**{"type": "string", "x-mine": 1}).model_dump(exclude_none=True) == {"type": "string", "x-mine": 1}


def test_a_schema_may_have_several_types_and_be_nested_or_a_boolean() -> None:
    schema = Schema(type=["string", "null"], properties={"a": {"not": True}})
    assert schema.model_dump(by_alias=True, exclude_none=True)["properties"] == {"a": {"not": True}}


def test_flows_and_bearers_have_their_defaults() -> None:
    assert OAuthFlows().model_dump(exclude_none=True) == {}
    assert HTTPBearer().scheme == "bearer"


def test_a_contact_has_an_address_of_mail() -> None:
    assert Contact(email="ada@example.com").email == "ada@example.com"
    with pytest.raises(ValidationError):
        Contact(email="no address")


def test_a_document_needs_what_the_specification_asks_of_it() -> None:
    with pytest.raises(ValidationError, match="version"):
        OpenAPI.model_validate({"openapi": "3.1.0", "info": {"title": "x"}})
