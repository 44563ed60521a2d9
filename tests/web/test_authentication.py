import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.web.middleware.exchange import make_scope

from portico.web.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    NoConnectionParameter,
    SimpleUser,
    UnauthenticatedUser,
    has_required_scope,
    requires,
)
from portico.web.exceptions import HTTPException
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse
from portico.web.routing import Route, Router
from portico.web.websockets import WebSocket


def request_of(*scopes, **more):
    return Request(make_scope(auth=AuthCredentials(scopes), user=SimpleUser("ann"), **more))


def sync_endpoint(request):
    return PlainTextResponse("sync")


async def async_endpoint(request):
    return PlainTextResponse("async")


def body_of(endpoint, *args, **kwargs):
    result = endpoint(*args, **kwargs)
    return (asyncio.run(result) if asyncio.iscoroutine(result) else result).body


@pytest.mark.parametrize("endpoint", [sync_endpoint, async_endpoint])
def test_who_has_all_the_scopes_gets_in(endpoint):
    guarded = requires(["a", "b"])(endpoint)
    assert body_of(guarded, request_of("b", "a", "c"))
    assert body_of(guarded, request=request_of("a", "b"))


@pytest.mark.parametrize("scopes", [(), ("a",), ("ab",)])
@pytest.mark.parametrize("endpoint", [sync_endpoint, async_endpoint])
def test_who_lacks_one_is_refused(endpoint, scopes):
    with pytest.raises(HTTPException) as caught:
        body_of(requires(["a", "b"], status_code=401)(endpoint), request_of(*scopes))
    assert caught.value.status_code == 401


def test_a_lone_string_is_one_scope_and_not_its_letters():
    with pytest.raises(HTTPException):
        requires("ab")(sync_endpoint)(request_of("a", "b"))


def test_a_redirect_keeps_the_url_that_was_wanted():
    router = Router([Route("/login", sync_endpoint, name="login")])
    request = request_of(path="/secret", query_string=b"a=1&b=%20", router=router)
    for endpoint in (sync_endpoint, async_endpoint):
        response = requires("a", redirect="login")(endpoint)(request)
        response = asyncio.run(response) if asyncio.iscoroutine(response) else response
        location = urlsplit(response.headers["location"])
        assert (response.status_code, location.path) == (303, "/login")
        assert parse_qs(location.query) == {"next": ["http://testserver/secret?a=1&b=%20"]}


def test_a_websocket_without_the_scope_is_closed_and_its_endpoint_not_called():
    sent = []

    async def send(message):
        sent.append(message["type"])

    @requires("a")
    async def endpoint(websocket):
        sent.append("endpoint")

    async def receive():
        return {"type": "websocket.connect"}

    for scopes in ([], ["a"]):
        scope = make_scope(type="websocket", auth=AuthCredentials(scopes))
        asyncio.run(endpoint(WebSocket(scope, receive, send)))
    assert sent == ["websocket.close", "endpoint"]


def test_a_function_without_a_connection_is_refused_when_it_is_decorated():
    with pytest.raises(NoConnectionParameter, match='No "request" or "websocket" argument'):
        requires("a")(lambda other: None)


def test_something_else_in_place_of_the_request_does_not_get_past():
    for wrong in ([object()], [None], []):
        with pytest.raises(AssertionError, match="takes a Request"):
            requires("a")(sync_endpoint)(*wrong)


def test_the_decorated_function_keeps_its_name_and_signature():
    guarded = requires("a")(async_endpoint)
    assert guarded.__name__ == "async_endpoint"
    assert guarded.__wrapped__ is async_endpoint


def test_users():
    ann, nobody = SimpleUser("ann"), UnauthenticatedUser()
    assert (ann.is_authenticated, ann.display_name, ann.identity) == (True, "ann", "ann")
    assert (nobody.is_authenticated, nobody.display_name, nobody.identity) == (False, "", "")
    for name in ("is_authenticated", "display_name", "identity"):
        with pytest.raises(NotImplementedError, match=name):
            getattr(BaseUser(), name)


def test_credentials_are_a_copy():
    scopes = ["a"]
    credentials = AuthCredentials(scopes)
    scopes.append("b")
    assert credentials.scopes == ["a"]
    assert AuthCredentials().scopes == []
    assert has_required_scope(request_of(), [])


def test_a_backend_has_to_say_how():
    with pytest.raises(NotImplementedError):
        asyncio.run(AuthenticationBackend().authenticate(request_of()))
    assert issubclass(AuthenticationError, Exception)
