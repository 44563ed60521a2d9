import asyncio
import json

import pytest
from tests.web.middleware.exchange import ask, make_scope

from portico.web.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from portico.web.middleware.authentication import AuthenticationMiddleware
from portico.web.requests import Request
from portico.web.responses import JSONResponse


class Backend(AuthenticationBackend):
    async def authenticate(self, conn):
        name = conn.headers.get("authorization")
        if name == "wrong":
            raise AuthenticationError("wrong <credentials>")
        return None if name is None else (AuthCredentials(["a"]), SimpleUser(name))


async def who(scope, receive, send):
    request = Request(scope)
    shown = {"user": request.user.display_name, "known": request.user.is_authenticated, "scopes": request.auth.scopes}
    await JSONResponse(shown)(scope, receive, send)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": "ann"}, {"user": "ann", "known": True, "scopes": ["a"]}),
        ({}, {"user": "", "known": False, "scopes": []}),
    ],
)
def test_the_application_sees_who_it_is(headers, expected):
    assert json.loads(ask(AuthenticationMiddleware(who, Backend()), headers=headers).body) == expected


def test_wrong_credentials_are_a_400_as_plain_text():
    answer = ask(AuthenticationMiddleware(who, Backend()), headers={"authorization": "wrong"})
    assert (answer.status, answer.body) == (400, b"wrong <credentials>")
    assert answer.get("content-type").startswith("text/plain")


def test_the_answer_to_wrong_credentials_can_be_chosen():
    def on_error(conn, error):
        return JSONResponse({"path": conn.url.path}, status_code=401)

    answer = ask(AuthenticationMiddleware(who, Backend(), on_error), headers={"authorization": "wrong"})
    assert (answer.status, answer.body) == (401, b'{"path":"/"}')


def test_a_websocket_with_wrong_credentials_is_refused():
    sent = []

    async def send(message):
        sent.append(message)

    scope = make_scope(type="websocket", headers={"authorization": "wrong"})
    asyncio.run(AuthenticationMiddleware(who, Backend())(scope, None, send))
    assert sent == [{"type": "websocket.close", "code": 1000}]


def test_an_error_of_the_backend_is_no_error_of_the_client():
    class Broken(AuthenticationBackend):
        async def authenticate(self, conn):
            raise OSError("no database")

    with pytest.raises(OSError, match="no database"):
        ask(AuthenticationMiddleware(who, Broken()))


def test_other_scopes_go_past_it():
    async def app(scope, receive, send):
        assert scope == {"type": "lifespan"}

    asyncio.run(AuthenticationMiddleware(app, Backend())({"type": "lifespan"}, None, None))
