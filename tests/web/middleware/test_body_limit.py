import asyncio

import pytest
from tests.web.middleware.exchange import Answer, ask, echo, exchange, make_scope, page

from portico.web.applications import Application
from portico.web.exceptions import HTTPException
from portico.web.middleware.base import BaseHTTPMiddleware
from portico.web.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY, RequestBodyLimitMiddleware
from portico.web.middleware.cors import CORSMiddleware
from portico.web.requests import Request
from portico.web.responses import PlainTextResponse
from portico.web.routing import Mount, Route


def limited(app, size=5):
    return RequestBodyLimitMiddleware(app, size)


def test_a_body_as_large_as_the_limit_is_let_in():
    for headers in ({}, {"content-length": "5"}):
        assert ask(limited(echo), "POST", headers=headers, body=b"12345").body == b"12345"


@pytest.mark.parametrize("pieces", [[b"123456"], [b"123", b"456"], [b"1"] * 6, [b"", b"123456", b""]])
def test_a_larger_body_without_a_length_is_refused_while_it_is_read(pieces):
    answer = ask(limited(echo), "POST", body=pieces)
    assert (answer.status, answer.body) == (413, b"Content Too Large")


def test_no_more_is_read_of_a_body_than_passes_the_limit():
    received = []

    async def receive():
        received.append(1)
        return {"type": "http.request", "body": b"x" * 4, "more_body": True}

    async def send(message):
        pass

    asyncio.run(limited(echo)(make_scope("POST"), receive, send))
    assert len(received) == 2


@pytest.mark.parametrize("length", ["6", "99999999999999999999999999", "9" * 5000])
def test_a_declared_length_above_the_limit_is_refused_before_anything_is_read(length):
    async def receive():
        raise AssertionError

    sent = []

    async def send(message):
        sent.append(message)

    for app in (echo, page()):  # one that reads, and one that does not
        sent.clear()
        asyncio.run(limited(app)(make_scope("POST", headers={"content-length": length}), receive, send))
        assert Answer(sent).status == 413
        assert len(sent) == 2


@pytest.mark.parametrize("length", ["1", "0", "-6", "+1", "0x1", "1_0", "", "five"])
def test_a_wrong_length_does_not_let_a_body_past_the_limit(length):
    answer = ask(limited(echo), "POST", headers={"content-length": length}, body=b"123456")
    assert answer.status == 413


@pytest.mark.parametrize(("inner", "status"), [(10, 200), (3, 413)])
@pytest.mark.parametrize("declared", [True, False])
def test_a_limit_further_in_replaces_the_one_outside(inner, status, declared):
    headers = {"content-length": "6"} if declared else {}
    app = limited(limited(echo, inner), 5)
    assert ask(app, "POST", headers=headers, body=b"123456").status == status


def test_what_was_read_outside_counts_for_a_limit_further_in():
    async def read(request, call_next):
        await request.body()
        return await call_next(request)

    app = limited(BaseHTTPMiddleware(limited(echo, 3), read), 10)
    assert ask(app, "POST", body=b"12345").status == 413


def test_a_body_that_was_read_without_a_limit_is_measured_by_one_further_in():
    async def read(request, call_next):
        await request.body()
        return await call_next(request)

    async def app(scope, receive, send):
        await PlainTextResponse(await Request(scope, receive).body())(scope, receive, send)

    for inner in (echo, app):
        assert ask(BaseHTTPMiddleware(limited(inner), read), "POST", body=b"123456").status == 413
        assert ask(BaseHTTPMiddleware(limited(inner), read), "POST", body=b"12345").body == b"12345"


@pytest.mark.parametrize("inner", [{}, {"debug": True}, {"max_body_size": 3}])
def test_a_mounted_application_lets_the_one_around_it_answer(inner):
    async def endpoint(request):
        return PlainTextResponse(await request.body())

    mounted = Application(routes=[Route("/", endpoint, methods=["POST"])], **inner)
    app = Application(routes=[Mount("/in", mounted)], max_body_size=5)
    assert ask(app, "POST", "/in/", body=b"123456").status == 413
    assert ask(app, "POST", "/in/", body=b"123").body == b"123"


def test_a_copied_scope_shares_the_counter():
    async def copied(scope, receive, send):
        await limited(echo, 10)({**scope}, receive, send)

    assert ask(limited(copied, 5), "POST", body=[b"1234", b"5678"]).status == 200
    assert ask(limited(copied, 5), "POST", body=[b"12345678", b"9012"]).status == 413


def test_the_applications_own_413_is_kept():
    async def app(scope, receive, send):
        try:
            await Request(scope, receive).body()
        except HTTPException as error:
            await PlainTextResponse(f"mine: {error.detail}", status_code=error.status_code)(scope, receive, send)

    for headers in ({}, {"content-length": "6"}):
        answer = ask(limited(app), "POST", headers=headers, body=b"123456")
        assert (answer.status, answer.body) == (413, b"mine: Content Too Large")


def test_an_error_from_tasks_that_read_is_a_413_too():
    async def app(scope, receive, send):
        async with asyncio.TaskGroup() as group:
            group.create_task(Request(scope, receive).body())

    assert ask(limited(app), "POST", body=b"123456").status == 413


def test_other_errors_of_tasks_go_on():
    async def app(scope, receive, send):
        async def fails():
            raise ValueError

        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            await Request(scope, receive).body()

    with pytest.raises(ExceptionGroup):
        ask(limited(app), "POST", body=b"1")


def test_a_body_that_gets_too_large_after_the_response_started_is_an_exception():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await echo(scope, receive, send)

    with pytest.raises(HTTPException):
        ask(limited(app), "POST", body=b"123456")


def test_nothing_is_left_in_the_scope():
    scope = make_scope("POST")
    asyncio.run(exchange(limited(echo), scope, [b"1"]))
    assert not [key for key in scope if key.startswith("portico")]

    scope[MAX_BODY_SIZE_SCOPE_KEY] = 7
    asyncio.run(exchange(limited(echo), scope, [b"1"]))
    assert scope[MAX_BODY_SIZE_SCOPE_KEY] == 7


def test_other_scopes_go_past_it():
    seen = []

    async def app(*args):
        seen.append(args)

    asyncio.run(limited(app)({"type": "websocket"}, 1, 2))
    assert seen == [({"type": "websocket"}, 1, 2)]


@pytest.mark.parametrize("read", [True, False])
def test_a_browser_may_read_why_its_body_was_refused(read):
    async def app(scope, receive, send):
        if read:
            await receive()
        await page()(scope, receive, send)

    limited = RequestBodyLimitMiddleware(CORSMiddleware(app, allow_origins=["https://a.example"]), max_body_size=4)
    headers = {"origin": "https://a.example", "content-length": "5"}
    answer = ask(limited, "POST", headers=headers, body=b"abcde")
    assert answer.status == 413
    assert answer.get("access-control-allow-origin") == "https://a.example"
    assert answer.get("vary") == "Origin"
