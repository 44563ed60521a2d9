import asyncio

import pytest
from tests.web.middleware.exchange import ask, page

from portico.web.middleware.timeout import RequestTimeout, RequestTimeoutMiddleware

SHORT = 0.01


async def forever():
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("status", "text"), [(504, b"Gateway Timeout"), (503, b"Service Unavailable")])
def test_an_application_that_takes_too_long_is_cancelled_and_the_client_told(status, text):
    seen = []

    async def app(scope, receive, send):
        try:
            await forever()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    answer = ask(RequestTimeoutMiddleware(app, SHORT, status_code=status))
    assert (answer.status, answer.body, seen) == (status, text, ["cancelled"])


def test_a_response_that_has_started_is_cut():
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await forever()

    async def send(message):
        sent.append(message["type"])

    with pytest.raises(RequestTimeout, match=r"0\.01 s"):
        asyncio.run(RequestTimeoutMiddleware(app, SHORT)({"type": "http"}, forever, send))
    assert sent == ["http.response.start"]


def test_a_timeout_of_the_application_is_its_own():
    async def app(scope, receive, send):
        raise TimeoutError("of the application")

    with pytest.raises(TimeoutError, match="of the application"):
        ask(RequestTimeoutMiddleware(app, 60))


def test_a_cancellation_from_outside_is_no_timeout():
    async def main():
        task = asyncio.ensure_future(RequestTimeoutMiddleware(lambda *_: forever(), 60)({"type": "http"}, None, None))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(main())


def test_an_application_in_time_is_left_alone():
    assert ask(RequestTimeoutMiddleware(page(), 60)).body == b"page"


def test_websockets_may_take_as_long_as_they_like():
    async def app(scope, receive, send):
        await asyncio.sleep(3 * SHORT)

    asyncio.run(RequestTimeoutMiddleware(app, SHORT)({"type": "websocket"}, None, None))


@pytest.mark.parametrize("wrong", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"timeout_s": 1, "status_code": 500}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        RequestTimeoutMiddleware(page(), **wrong)
