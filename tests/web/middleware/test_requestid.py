import asyncio
import re

import pytest
from tests.web.middleware.exchange import ask, make_scope, page

from portico.web.middleware.errors import ServerErrorMiddleware
from portico.web.middleware.requestid import RequestIDMiddleware, current_request_id


async def show(scope, receive, send):
    assert scope["state"]["request_id"] == current_request_id()
    await page(current_request_id().encode())(scope, receive, send)


def test_a_request_gets_an_id_that_nobody_else_has():
    app = RequestIDMiddleware(show)
    answers = [ask(app) for _ in range(3)]
    ids = {answer.get("x-request-id") for answer in answers}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in ids)
    assert all(answer.body.decode() == answer.get("x-request-id") for answer in answers)


@pytest.mark.parametrize("value", ["abc-123", "req_1.2:3/4+5=6@7~8", "a" * 128])
def test_a_well_formed_id_of_the_request_is_kept(value):
    answer = ask(RequestIDMiddleware(show), headers={"x-request-id": value})
    assert answer.get("x-request-id") == answer.body.decode() == value


@pytest.mark.parametrize(
    "value", ["", "a" * 129, "a b", 'a"', "a\r\nx: y", "a\x1b[2J", "<a>", "é", "a\x00", "{{a}}", "a,b"]
)
def test_any_other_is_replaced(value):
    answer = ask(RequestIDMiddleware(show), headers={"x-request-id": value})
    assert re.fullmatch("[0-9a-f]{32}", answer.get("x-request-id"))


def test_two_ids_are_replaced():
    answer = ask(RequestIDMiddleware(show), headers=[(b"x-request-id", b"a"), (b"x-request-id", b"b")])
    assert len(answer.get("x-request-id")) == 32


def test_ids_of_clients_that_are_not_trusted_are_replaced():
    answer = ask(RequestIDMiddleware(show, trust_incoming=False), headers={"x-request-id": "abc"})
    assert answer.get("x-request-id") != "abc"


def test_field_and_generator_can_be_chosen():
    answer = ask(RequestIDMiddleware(show, "X-Trace", generator=lambda: "mine"))
    assert answer.get("x-trace") == "mine"


def test_the_applications_own_field_gives_way():
    app = RequestIDMiddleware(page(headers={"x-request-id": "other"}))
    assert ask(app, headers={"x-request-id": "abc"}).get("x-request-id") == "abc"


def test_the_500_that_is_made_outside_has_the_id_too():
    async def app(scope, receive, send):
        raise RuntimeError

    sent = []

    async def send(message):
        sent.append(message)

    with pytest.raises(RuntimeError):
        asyncio.run(
            ServerErrorMiddleware(RequestIDMiddleware(app))(make_scope(headers={"x-request-id": "abc"}), None, send)
        )
    assert (b"x-request-id", b"abc") in sent[0]["headers"]


def test_no_request_has_no_id():
    assert current_request_id() is None
    ask(RequestIDMiddleware(show))
    assert current_request_id() is None


def test_a_websocket_has_an_id_too():
    sent = []

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})

    async def send(message):
        sent.append(message)

    scope = make_scope(type="websocket", headers={"x-request-id": "abc"})
    asyncio.run(RequestIDMiddleware(app)(scope, None, send))
    assert sent[0]["headers"] == [(b"x-request-id", b"abc")]


def test_other_scopes_go_past_it():
    async def app(scope, receive, send):
        assert scope == {"type": "lifespan"}

    asyncio.run(RequestIDMiddleware(app)({"type": "lifespan"}, None, None))
