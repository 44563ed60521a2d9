import asyncio
import random

import pytest
from tests.web.middleware.exchange import ask, make_scope, page

from portico.web.middleware.ratelimit import (
    Hit,
    MemoryRateLimitStore,
    RateLimitError,
    RateLimitMiddleware,
    client_address,
    rate_limit,
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def limited(limit=2, window_s=10, app=None, **options):
    clock = Clock()
    store = MemoryRateLimitStore(clock=clock)
    return RateLimitMiddleware(app or page(), limit, window_s, store=store, **options), clock


def test_a_bucket_holds_so_many_requests_and_fills_up_evenly():
    app, clock = limited(2, 10)
    assert [ask(app).status for _ in range(3)] == [200, 200, 429]
    clock.now += 4.9
    assert ask(app).status == 429
    clock.now += 0.1
    assert [ask(app).status for _ in range(2)] == [200, 429]
    clock.now += 1000
    assert [ask(app).status for _ in range(3)] == [200, 200, 429]


def test_a_response_tells_the_state_of_the_bucket():
    app, clock = limited(3, 30)
    answers = [ask(app) for _ in range(4)]
    assert [answer.get("ratelimit-limit") for answer in answers] == ["3"] * 4
    assert [answer.get("ratelimit-remaining") for answer in answers] == ["2", "1", "0", "0"]
    assert [answer.get("ratelimit-reset") for answer in answers] == ["10", "20", "30", "30"]
    assert [answer.get("retry-after") for answer in answers] == [None, None, None, "10"]
    assert answers[3].body == b"Too Many Requests"
    clock.now += 9.5
    assert ask(app).get("retry-after") == "1"


def test_each_client_has_its_own_bucket():
    app, _ = limited(1)
    for address in ("192.0.2.1", "192.0.2.2"):
        assert [ask(app, client=(address, 1)).status for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("client", "key"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::"),
        (("2001:db8:1:2::9", 1), "2001:db8:1:2::"),
        (("fe80::1%eth0", 1), "fe80::"),
        (("odd:name", 1), "odd:name"),
        (None, None),
    ],
)
def test_a_client_is_its_address_or_its_ipv6_site(client, key):
    assert client_address(make_scope(client=client)) == key


@pytest.mark.parametrize("key", [lambda scope: None, lambda scope: "", client_address])
def test_a_request_without_a_key_is_not_let_through(key):
    reached = []

    async def app(scope, receive, send):
        reached.append(scope)

    limit, _ = limited(app=app, key=key)
    with pytest.raises(RateLimitError, match="give RateLimitMiddleware a key"):
        ask(limit, client=None)
    assert not reached


def test_a_store_that_fails_lets_nothing_through():
    class Broken:
        async def hit(self, key, limit, window_s):
            raise ConnectionError

    reached = []

    async def app(scope, receive, send):
        reached.append(scope)

    with pytest.raises(ConnectionError):
        ask(RateLimitMiddleware(app, 1, 1, store=Broken()))
    assert not reached


def test_a_key_may_be_async():
    async def key(scope):
        return scope["path"]

    app, _ = limited(1, key=key)
    assert [ask(app, path=path).status for path in ("/a", "/b", "/a")] == [200, 200, 429]


def test_a_store_gets_the_limit_and_a_key_that_tells_limits_apart():
    calls = []

    class Store:
        async def hit(self, key, limit, window_s):
            calls.append((key, limit, window_s))
            return Hit(True, 1, 0.0, 0.0)

    ask(RateLimitMiddleware(page(), 5, 60, store=Store(), name="login"))
    ask(RateLimitMiddleware(page(), 6, 0.5, store=Store()))
    assert calls == [("login:5/60:192.0.2.1", 5, 60), (":6/0.5:192.0.2.1", 6, 0.5)]


def test_the_limit_further_in_is_the_one_that_is_told():
    inner = RateLimitMiddleware(page(), 1, 60)
    assert ask(RateLimitMiddleware(inner, 100, 60)).get("ratelimit-limit") == "1"


def test_an_entry_for_a_route_makes_a_limit_of_its_own():
    entry = rate_limit(1, 60)
    apps = [cls(page(), *args, **kwargs) for cls, args, kwargs in (entry, entry)]
    assert [ask(app).status for app in (*apps, *apps)] == [200, 200, 429, 429]


def test_a_route_has_its_own_limit():
    from portico.web.applications import Application
    from portico.web.responses import PlainTextResponse
    from portico.web.routing import Mount, Route

    def hello(request):
        return PlainTextResponse("hello")

    routes = [Route("/login", hello, middleware=[rate_limit(1, 60)]), Route("/", hello)]
    app = Application(routes=[Mount("/sub", routes=routes)])
    assert [ask(app, path=path).status for path in ("/sub/login", "/sub/login", "/sub/", "/sub/")] == [
        200,
        429,
        200,
        200,
    ]


def test_a_websocket_handshake_is_counted_and_denied():
    app, _ = limited(1)
    scope = {"type": "websocket", "extensions": {"websocket.http.response": {}}}
    answers = [ask(app, **scope) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].messages[0]["type"] == "websocket.http.response.start"


def test_the_memory_of_a_store_is_bounded():
    async def scene():
        store = MemoryRateLimitStore(3, clock=Clock())
        for number in range(100):
            await store.hit(str(number), 1, 10)
        assert len(store._full_at) == 3
        assert not (await store.hit("99", 1, 10)).allowed

    asyncio.run(scene())


def test_over_any_time_no_more_is_let_through_than_the_bucket_and_its_refill():
    async def scene():
        chance = random.Random(7)
        clock = Clock()
        store = MemoryRateLimitStore(clock=clock)
        start, allowed = clock.now, 0
        for _ in range(2000):
            clock.now += chance.choice((0, 0.01, 0.3, 2))
            hit = await store.hit("k", 7, 3)
            allowed += hit.allowed
            assert allowed <= 7 + (clock.now - start) * 7 / 3 + 1e-6
            assert 0 <= hit.remaining <= 7
            assert hit.allowed == (hit.retry_after_s == 0)

    asyncio.run(scene())


@pytest.mark.parametrize(("limit", "window_s"), [(0, 1), (-1, 1), (1, 0), (1, -1), (1, float("nan"))])
def test_a_limit_that_is_none_is_refused(limit, window_s):
    with pytest.raises(ValueError):
        RateLimitMiddleware(page(), limit, window_s)
    with pytest.raises(ValueError):
        MemoryRateLimitStore(0)


def test_other_protocols_pass_with_their_own_send():
    seen = []

    async def app(scope, receive, send):
        seen.append(send)

    send = object()
    asyncio.run(RateLimitMiddleware(app, 1, 1)({"type": "lifespan"}, None, send))
    assert seen == [send]
