import asyncio
import hmac
import json
import sys
import time
from base64 import b64decode, b64encode

import itsdangerous
import pytest
from tests.web.middleware.exchange import ask, make_scope

from portico.web.middleware.sessions import MAX_COOKIE_SIZE, Session, SessionError, SessionMiddleware
from portico.web.middleware.sessionstore import MemorySessionStore

SECRET = "a long secret"


def app_that(act, secret=SECRET, **options):
    """An application that does something with the session and answers with what is in it."""

    async def app(scope, receive, send):
        session = scope["session"]
        act(session)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(session).encode()})

    return SessionMiddleware(app, secret, **options)


def read(session):
    session.mark_accessed()  # as `request.session` does


def put(**values):
    return lambda session: session.update(values)


def cookie_of(answer):
    return answer.get("set-cookie").partition(";")[0]


def session_in(answer):
    return json.loads(answer.body)


def signed(value, secret=SECRET):
    return "session=" + itsdangerous.TimestampSigner(secret).sign(b64encode(json.dumps(value).encode())).decode()


def test_what_is_put_into_a_session_comes_back():
    cookie = cookie_of(ask(app_that(put(user="ada"))))
    assert session_in(ask(app_that(read), headers={"cookie": f"a=b; {cookie}; c=d"})) == {"user": "ada"}


def test_the_cookie_is_what_itsdangerous_writes_and_reads():
    name, _, value = cookie_of(ask(app_that(put(user="ada")))).partition("=")
    assert name == "session"
    assert json.loads(b64decode(itsdangerous.TimestampSigner(SECRET).unsign(value, max_age=60))) == {"user": "ada"}
    assert session_in(ask(app_that(read), headers={"cookie": signed({"user": "bob"})})) == {"user": "bob"}


def test_the_cookie_has_every_attribute_that_is_asked_for():
    options = {"max_age": 60, "path": "/app", "same_site": "none", "https_only": True, "domain": "example.org"}
    cookie = ask(app_that(put(a=1), **options, partitioned=True)).get("set-cookie")
    flags = "; path=/app; Max-Age=60; httponly; samesite=none; secure; domain=example.org; partitioned"
    assert cookie.endswith(flags)


@pytest.mark.parametrize(
    "change",
    [
        # Not the last letter of the signature, of whose bits some mean nothing.
        lambda cookie: cookie[:-2] + ("A" if cookie[-2] != "A" else "B") + cookie[-1],
        lambda cookie: cookie.replace("=", "=x", 1),
        lambda cookie: cookie.rpartition(".")[0],
        lambda cookie: "session=",
        lambda cookie: "session=..",
    ],
)
def test_a_cookie_that_was_tampered_with_is_an_empty_session(change):
    answer = ask(app_that(read), headers={"cookie": change(signed({"user": "ada"}))})
    assert session_in(answer) == {}


def test_a_cookie_of_another_secret_is_an_empty_session():
    assert session_in(ask(app_that(read), headers={"cookie": signed({"user": "ada"}, "another")})) == {}


@pytest.mark.parametrize("value", [[1], 7, "text", None])
def test_signed_data_that_is_no_session_is_an_empty_one(value):
    assert session_in(ask(app_that(read), headers={"cookie": signed(value)})) == {}


@pytest.mark.parametrize("raw", [b"!!!", b64encode(b"\xff\xff"), b64encode(b"{"), b64encode(b"[" * 100_000)])
def test_signed_data_that_is_no_json_is_an_empty_session(raw):
    cookie = b"session=" + itsdangerous.TimestampSigner(SECRET).sign(raw)
    assert session_in(ask(app_that(read), headers=[(b"cookie", cookie)])) == {}


def test_the_signature_carries_the_time(monkeypatch):
    cookie = signed({"user": "ada"})
    later = time.time() + 61
    monkeypatch.setattr("time.time", lambda: later)
    assert session_in(ask(app_that(read, max_age=60), headers={"cookie": cookie})) == {}
    assert session_in(ask(app_that(read, max_age=100), headers={"cookie": cookie})) == {"user": "ada"}
    assert session_in(ask(app_that(read, max_age=None), headers={"cookie": cookie})) == {"user": "ada"}


def test_the_first_key_signs_and_all_are_accepted():
    keys = ["new", "old"]
    assert session_in(ask(app_that(read, keys), headers={"cookie": signed({"a": 1}, "old")})) == {"a": 1}
    cookie = cookie_of(ask(app_that(put(b=2), keys)))
    assert session_in(ask(app_that(read, "new"), headers={"cookie": cookie})) == {"b": 2}
    assert session_in(ask(app_that(read, "old"), headers={"cookie": cookie})) == {}


@pytest.mark.parametrize("secret", ["", [], ["good", ""]])
def test_an_empty_secret_is_refused(secret):
    with pytest.raises(ValueError, match="secret_key"):
        app_that(read, secret)


def test_a_session_that_nobody_looks_at_costs_no_field():
    assert ask(app_that(lambda session: None), headers={"cookie": signed({"a": 1})}).fields == []


def test_a_session_that_is_only_read_is_not_written_again():
    answer = ask(app_that(read), headers={"cookie": signed({"a": 1})})
    assert answer.fields == [(b"vary", b"Cookie")]


def test_a_change_inside_of_a_value_is_kept():
    def act(session):
        session.mark_accessed()
        session["cart"].append(2) if "cart" in session else None

    answer = ask(app_that(act), headers={"cookie": signed({"cart": [1]})})
    assert session_in(ask(app_that(read), headers={"cookie": cookie_of(answer)})) == {"cart": [1, 2]}


def test_a_session_that_becomes_empty_ends_its_cookie():
    answer = ask(app_that(Session.clear), headers={"cookie": signed({"a": 1})})
    assert answer.get("set-cookie").startswith("session=null; path=/; expires=Thu, 01 Jan 1970")
    assert "set-cookie" not in ask(app_that(Session.clear))


def test_a_cookie_that_browsers_would_drop_is_an_error_that_says_so():
    with pytest.raises(SessionError, match=rf"would have \d+ bytes.*{MAX_COOKIE_SIZE}.*store"):
        ask(app_that(put(text="x" * 4000)))


def test_a_value_that_json_cannot_say_is_an_error_that_says_so():
    with pytest.raises(SessionError, match="not JSON serializable"):
        ask(app_that(put(when=object())))


def test_of_two_cookies_of_the_name_the_last_counts():
    both = f"session=junk; {signed({'a': 1})}"
    assert session_in(ask(app_that(read), headers={"cookie": both})) == {"a": 1}
    assert session_in(ask(app_that(read), headers={"cookie": "xsession=1; my" + signed({"a": 1})})) == {}


def test_a_websocket_has_its_session():
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["session"], send))

    async def send(message):
        raise AssertionError

    scope = {"type": "websocket", "path": "/", "headers": [(b"cookie", signed({"a": 1}).encode())]}
    asyncio.run(SessionMiddleware(app, SECRET)(scope, None, send))
    assert seen == [({"a": 1}, send)]


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "itsdangerous", None)
    with pytest.raises(ImportError, match=r"pip install 'portico\[sessions\]'"):
        app_that(read)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_with_a_store_the_cookie_is_a_key_and_the_session_may_be_large():
    store = MemorySessionStore()
    answer = ask(app_that(put(text="x" * 10_000), store=store))
    cookie = cookie_of(answer)
    assert len(cookie) < 200
    assert session_in(ask(app_that(read, store=store), headers={"cookie": cookie})) == {"text": "x" * 10_000}
    assert session_in(ask(app_that(read, store=MemorySessionStore()), headers={"cookie": cookie})) == {}


def test_with_a_store_a_session_goes_on_under_its_key():
    store = MemorySessionStore()
    cookie = cookie_of(ask(app_that(put(a=1), store=store)))
    ask(app_that(put(b=2), store=store), headers={"cookie": cookie})
    assert session_in(ask(app_that(read, store=store), headers={"cookie": cookie})) == {"a": 1, "b": 2}
    assert ask(app_that(read, store=store), headers={"cookie": cookie}).fields == [(b"vary", b"Cookie")]


def test_a_renewed_session_has_a_new_key_and_the_old_one_is_void():
    store = MemorySessionStore()
    planted = cookie_of(ask(app_that(put(cart=1), store=store)))

    def log_in(session):
        session.renew()
        session["user"] = "ada"

    renewed = cookie_of(ask(app_that(log_in, store=store), headers={"cookie": planted}))
    assert renewed.split(".")[0] != planted.split(".")[0]
    assert session_in(ask(app_that(read, store=store), headers={"cookie": renewed})) == {"cart": 1, "user": "ada"}
    assert session_in(ask(app_that(read, store=store), headers={"cookie": planted})) == {}


def test_a_renewed_session_in_a_cookie_is_written_again():
    assert "set-cookie" in ask(app_that(Session.renew), headers={"cookie": signed({"a": 1})})


def test_a_key_that_the_store_does_not_know_is_never_taken_over():
    store = MemorySessionStore()
    chosen = "session=" + itsdangerous.TimestampSigner(SECRET).sign("chosen").decode()
    ask(app_that(put(a=1), store=store), headers={"cookie": chosen})
    assert asyncio.run(store.load("chosen")) is None


def test_a_cleared_session_is_deleted_from_the_store():
    store = MemorySessionStore()
    cookie = cookie_of(ask(app_that(put(a=1), store=store)))
    answer = ask(app_that(Session.clear, store=store), headers={"cookie": cookie})
    assert answer.get("set-cookie").startswith("session=null;")
    assert session_in(ask(app_that(read, store=store), headers={"cookie": cookie})) == {}


@pytest.mark.parametrize("end", [Session.clear, Session.renew])
def test_a_request_that_outlives_the_session_of_its_store_does_not_bring_it_back(end):
    store = MemorySessionStore()
    cookie = cookie_of(ask(app_that(put(user="ada"), store=store)))

    async def slow(scope, receive, send):
        scope["session"]["seen"] = 1
        log_out = SessionMiddleware(app_that(end).app, SECRET, store=store)
        await log_out(make_scope(headers={"cookie": cookie}), receive, nothing)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    answer = ask(SessionMiddleware(slow, SECRET, store=store), headers={"cookie": cookie})
    assert "set-cookie" not in answer
    assert session_in(ask(app_that(read, store=store), headers={"cookie": cookie})) == {}


async def nothing(message):
    pass


def test_the_memory_store_forgets_what_is_old_or_too_much():
    async def scene():
        clock = Clock()
        store = MemorySessionStore(2, clock=clock)
        await store.save("a", "1", 10)
        await store.save("b", "2", None)
        assert await store.load("a") == "1"
        await store.save("c", "3", 10)
        assert [await store.load(key) for key in "abc"] == ["1", None, "3"]
        clock.now = 10
        assert await store.load("a") is None

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("act", "modified"),
    [
        (lambda s: s.update(b=1), True),
        (lambda s: s.__setitem__("a", 2), True),
        (lambda s: s.__delitem__("a"), True),
        (lambda s: s.pop("a"), True),
        (lambda s: s.popitem(), True),
        (lambda s: s.setdefault("b", 1), True),
        (lambda s: s.__ior__({"b": 1}), True),
        (lambda s: s.clear(), True),
        (lambda s: s.renew(), True),
        (lambda s: s.pop("b", None), False),
        (lambda s: s.setdefault("a", 2), False),
        (lambda s: s.get("a"), False),
    ],
)
def test_a_session_notes_each_way_to_change_it(act, modified):
    session = Session(a=1)
    act(session)
    assert session.modified is modified


def test_signatures_are_compared_in_constant_time(monkeypatch):
    compared = []
    plain = hmac.compare_digest

    def compare(one, other):
        compared.append(len(one))
        return plain(one, other)

    monkeypatch.setattr("hmac.compare_digest", compare)
    assert session_in(ask(app_that(read), headers={"cookie": signed({"a": 1})})) == {"a": 1}
    assert compared == [20]


def test_other_protocols_pass_with_their_own_send():
    seen = []

    async def app(scope, receive, send):
        seen.append(send)

    send = object()
    asyncio.run(SessionMiddleware(app, SECRET)({"type": "lifespan"}, None, send))
    assert seen == [send]
