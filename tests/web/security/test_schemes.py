"""Security schemes, called as dependencies are: what they find, and how they refuse what is missing or malformed."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from portico.web.connections import HTTPConnection
from portico.web.exceptions import HTTPException
from portico.web.openapi import schemes as models
from portico.web.requests import Request
from portico.web.security import (
    APIKeyCookie,
    APIKeyHeader,
    APIKeyQuery,
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
    HTTPDigest,
    OAuth2,
    OAuth2AuthorizationCodeBearer,
    OAuth2PasswordBearer,
    OpenIdConnect,
)
from portico.web.security.api_key import APIKeyBase
from portico.web.security.base import SecurityBase
from portico.web.security.http import HTTPBase
from portico.web.security.utils import get_authorization_scheme_param
from portico.web.websockets import WebSocket

TOKEN_SCHEMES: list[tuple[Callable[..., Any], str, str]] = [
    (HTTPBearer, "Bearer", "Bearer"),
    (HTTPDigest, "Digest", "Digest"),
    (lambda **options: OAuth2PasswordBearer("token", **options), "Bearer", "Bearer"),
    (lambda **options: OAuth2AuthorizationCodeBearer("auth", "token", **options), "Bearer", "Bearer"),
]


def basic(credentials: bytes) -> str:
    return "Basic " + b64encode(credentials).decode()


def connection(headers: dict[str, str] | None = None, query: str = "", kind: str = "http") -> HTTPConnection:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {"type": kind, "headers": raw, "query_string": query.encode(), "path": "/"}
    if kind == "http":
        return Request({**scope, "method": "GET"})
    return WebSocket(scope, None, None)  # type: ignore[arg-type]


def called(scheme: Any, conn: HTTPConnection) -> Any:
    return asyncio.run(scheme(conn))


def with_authorization(scheme: Any, value: str | None) -> Any:
    return called(scheme, connection({} if value is None else {"Authorization": value}))


def refusal(scheme: Any, value: str | None) -> str:
    """Return the challenge that the scheme refuses this Authorization field with."""
    with pytest.raises(HTTPException) as caught:
        with_authorization(scheme, value)
    assert caught.value.status_code == 401
    assert caught.value.detail == "Not authenticated"
    assert caught.value.headers is not None
    return caught.value.headers["WWW-Authenticate"]


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_schemes_find_the_credentials_of_requests_and_of_websockets(kind: str) -> None:
    def found(scheme: Any, headers: dict[str, str] | None = None, query: str = "") -> Any:
        return called(scheme, connection(headers, query, kind))

    assert found(APIKeyQuery(name="key"), query="key=k%20k") == "k k"
    assert found(APIKeyHeader(name="X-Key"), {"x-key": "secret"}) == "secret"
    assert found(APIKeyCookie(name="key"), {"cookie": "a=b; key=secret"}) == "secret"
    assert found(HTTPBasic(), {"authorization": basic(b"ann:s:e")}) == HTTPBasicCredentials(
        username="ann", password="s:e"
    )
    assert found(HTTPBearer(), {"authorization": "Bearer t"}) == HTTPAuthorizationCredentials(
        scheme="Bearer", credentials="t"
    )
    assert found(HTTPBase(scheme="Other"), {"authorization": "Other x=1, y"}).credentials == "x=1, y"
    assert found(OAuth2(), {"authorization": "Any thing"}) == "Any thing"
    assert found(OpenIdConnect(openIdConnectUrl="/.well-known"), {"authorization": "Bearer t"}) == "Bearer t"


@pytest.mark.parametrize("auto_error", [True, False])
def test_a_key_that_is_missing_or_empty_is_refused_unless_it_is_optional(auto_error: bool) -> None:
    schemes: list[APIKeyBase] = [
        APIKeyQuery(name="key", auto_error=auto_error),
        APIKeyHeader(name="key", auto_error=auto_error),
        APIKeyCookie(name="key", auto_error=auto_error),
    ]
    for scheme in schemes:
        for conn in (connection(), connection({"key": "", "cookie": "key="}, "key=")):
            if not auto_error:
                assert called(scheme, conn) is None
                continue
            with pytest.raises(HTTPException) as caught:
                called(scheme, conn)
            assert caught.value.status_code == 401
            assert caught.value.headers == {"WWW-Authenticate": "APIKey"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("Bearer abc", id="another scheme"),
        pytest.param("Basic", id="no credentials"),
        pytest.param("Basic ", id="only a space"),
        pytest.param("Basic\tYTpi", id="a tab"),
        pytest.param("BasicYTpi", id="no space"),
        pytest.param(",", id="punctuation"),
        pytest.param("Basic \xe9\xe9\xe9\xe9", id="not ASCII"),
        pytest.param("Basic YTpi!", id="not base64"),
        pytest.param("Basic YT pi", id="a space in it"),
        pytest.param("Basic YTp", id="wrong padding"),
        pytest.param("Basic ====", id="padding alone"),
        pytest.param("Basic -_-_", id="the alphabet of URLs"),
        pytest.param(basic(b"no colon"), id="no colon"),
        pytest.param(basic(b"\xff\xfe:x"), id="not UTF-8"),
        pytest.param(basic(b"a\0:b"), id="NUL"),
        pytest.param(basic(b"a:b\r\nX-Y: z"), id="line ends"),
        pytest.param(basic("a:\u0085".encode()), id="a control character outside ASCII"),
        pytest.param("Basic " + "A" * 100_001, id="long"),
    ],
)
@pytest.mark.parametrize("charset", [None, "UTF-8"])
def test_basic_refuses_what_is_malformed(value: str | None, charset: Any) -> None:
    assert refusal(HTTPBasic(charset=charset), value).startswith("Basic")


@pytest.mark.parametrize("value", ["basic YTpi", "BASIC YTpi", "Basic   YTpi  "])
def test_the_case_of_the_scheme_and_more_spaces_make_no_difference(value: str) -> None:
    assert with_authorization(HTTPBasic(), value) == HTTPBasicCredentials(username="a", password="b")


def test_basic_may_have_either_part_empty() -> None:
    assert with_authorization(HTTPBasic(), basic(b":")) == HTTPBasicCredentials(username="", password="")


def test_optional_basic_credentials_are_none_if_missing_and_refused_if_malformed() -> None:
    scheme = HTTPBasic(auto_error=False)
    assert with_authorization(scheme, None) is None
    assert with_authorization(scheme, "Bearer x") is None
    assert refusal(scheme, "Basic ???") == "Basic"


def test_text_outside_ascii_is_accepted_only_with_a_charset() -> None:
    value = basic("jürgen:naïve".encode())
    assert refusal(HTTPBasic(), value) == "Basic"
    scheme = HTTPBasic(charset="UTF-8")
    assert with_authorization(scheme, value) == HTTPBasicCredentials(username="jürgen", password="naïve")
    assert with_authorization(scheme, basic("a:\u00a0".encode())).password == "\u00a0"
    assert refusal(scheme, None) == 'Basic charset="UTF-8"'


def test_the_realm_is_a_quoted_string() -> None:
    assert refusal(HTTPBasic(realm='the "inner" \\ one', charset="UTF-8"), None) == (
        r'Basic realm="the \"inner\" \\ one", charset="UTF-8"'
    )


def test_a_realm_or_charset_that_cannot_be_sent_is_an_error_of_the_author() -> None:
    with pytest.raises(ValueError, match="realm of HTTPBasic is printable ASCII, got 'a\\\\r\\\\nb'"):
        HTTPBasic(realm="a\r\nb")
    with pytest.raises(ValueError, match="charset of HTTPBasic is 'UTF-8' or None, got 'latin-1'"):
        HTTPBasic(charset="latin-1")  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "name", "challenge"), TOKEN_SCHEMES)
def test_tokens_are_taken_whatever_the_case_of_the_scheme(make: Callable[..., Any], name: str, challenge: str) -> None:
    for value in (f"{name} token", f"{name.lower()} token", f"{name.upper()}   token "):
        found = with_authorization(make(), value)
        assert getattr(found, "credentials", found) == "token"


@pytest.mark.parametrize(("make", "name", "challenge"), TOKEN_SCHEMES)
@pytest.mark.parametrize("rest", [None, "", " ", "   ", " \xe9", "\ttoken", "x token", "=token"])
def test_tokens_that_are_missing_or_malformed_are_refused_unless_they_are_optional(
    make: Callable[..., Any], name: str, challenge: str, rest: str | None
) -> None:
    value = None if rest is None else name + rest
    assert refusal(make(), value) == challenge
    assert with_authorization(make(auto_error=False), value) is None


def test_every_token_that_is_found_can_be_compared_with_compare_digest() -> None:
    for make, name, _ in TOKEN_SCHEMES:
        for code in range(256):
            found = with_authorization(make(auto_error=False), f"{name} a{chr(code)}z")
            token = getattr(found, "credentials", found)
            assert token is None or not secrets.compare_digest(token, "token")


def test_the_whole_field_is_the_result_of_schemes_that_are_not_specific() -> None:
    for scheme in (OAuth2(), OpenIdConnect(openIdConnectUrl="/.well-known")):
        assert with_authorization(scheme, "one  two") == "one  two"
        assert refusal(scheme, None) == "Bearer"
        assert refusal(scheme, "") == "Bearer"
    for scheme in (OAuth2(auto_error=False), OpenIdConnect(openIdConnectUrl="/", auto_error=False)):
        assert with_authorization(scheme, None) is None


def test_a_subclass_chooses_how_it_refuses() -> None:
    class Forbidding(HTTPBearer):
        def make_not_authenticated_error(self) -> HTTPException:
            return HTTPException(403, "no")

    with pytest.raises(HTTPException) as caught:
        with_authorization(Forbidding(), None)
    assert caught.value.status_code == 403


def test_models_are_what_openapi_says_of_the_schemes() -> None:
    def described(scheme: Any) -> Any:
        return scheme.model.model_dump(mode="json", by_alias=True, exclude_none=True)

    assert described(APIKeyCookie(name="k", description="d")) == {
        "type": "apiKey",
        "in": "cookie",
        "name": "k",
        "description": "d",
    }
    assert described(HTTPBasic(description="d")) == {"type": "http", "scheme": "basic", "description": "d"}
    assert described(HTTPBearer(bearerFormat="JWT")) == {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    assert described(HTTPDigest()) == {"type": "http", "scheme": "digest"}
    assert described(OpenIdConnect(openIdConnectUrl="/u")) == {"type": "openIdConnect", "openIdConnectUrl": "/u"}
    assert described(OAuth2()) == {"type": "oauth2", "flows": {}}
    assert described(OAuth2PasswordBearer("t", scopes={"a": "A"}, refreshUrl="r")) == {
        "type": "oauth2",
        "flows": {"password": {"tokenUrl": "t", "refreshUrl": "r", "scopes": {"a": "A"}}},
    }
    assert described(OAuth2AuthorizationCodeBearer("a", "t")) == {
        "type": "oauth2",
        "flows": {"authorizationCode": {"authorizationUrl": "a", "tokenUrl": "t", "scopes": {}}},
    }


def test_a_scheme_is_called_by_its_class_unless_it_has_a_name() -> None:
    assert HTTPBearer().scheme_name == "HTTPBearer"
    assert HTTPBearer(scheme_name="mine").scheme_name == "mine"


def test_flows_that_are_wrong_are_an_error_where_they_are_written() -> None:
    with pytest.raises(ValueError, match="tokenUrl"):
        OAuth2(flows={"password": {"scopes": {}}})


def test_flows_may_be_a_model() -> None:
    flows = models.OAuthFlows(password=models.OAuthFlowPassword(tokenUrl="t"))
    assert OAuth2(flows=flows).model.flows == flows


def test_a_scheme_of_ones_own_has_its_own_model() -> None:
    class Header(APIKeyHeader):
        def __init__(self) -> None:
            self.model = models.APIKey.model_validate({"in": "header", "name": "x-mine"})
            self.scheme_name = "Mine"

    assert called(Header(), connection({"x-mine": "1"})) == "1"


def test_a_scheme_without_a_model_says_what_is_missing() -> None:
    with pytest.raises(AttributeError, match="SecurityBase has no `model`: set it to one of"):
        _ = SecurityBase().model


def test_an_authorization_field_has_two_parts() -> None:
    assert get_authorization_scheme_param(None) == ("", "")
    assert get_authorization_scheme_param("Basic") == ("Basic", "")
    assert get_authorization_scheme_param("Basic  a b ") == ("Basic", "a b")
