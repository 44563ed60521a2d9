import asyncio
import gc
import hmac
import weakref

import pytest
from tests.web.middleware.exchange import ask, echo, make_scope, page

from portico.web.middleware import csrf
from portico.web.middleware.csrf import CSRFError, CSRFMiddleware, csrf_token
from portico.web.middleware.csrftoken import TokenSigner

SECRET = "a long secret"
HOST = {"host": "example.org"}


async def form(scope, receive, send):
    """An application whose pages have the token."""
    token = csrf_token(scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": token.encode()})


def guarded(app=echo, secret=SECRET, **options):
    return CSRFMiddleware(app, secret, **options)


def new_token(secret=SECRET, bound_to=""):
    return TokenSigner(secret).make(bound_to).decode()


def posted(app, token=None, cookie=None, body=b"", method="POST", path="/", **headers):
    fields = {**HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if cookie is not None:
        fields["cookie"] = f"csrftoken={cookie}"
    if token is not None:
        fields["x-csrf-token"] = token
    return ask(app, method, path, headers=fields, body=body)


def test_a_page_with_a_token_sets_its_cookie_once():
    first = ask(guarded(form))
    assert first.get("vary") == "Cookie"
    cookie = first.get("set-cookie")
    assert cookie.startswith(f"csrftoken={first.body.decode()};")
    assert "SameSite=lax" in cookie
    again = ask(guarded(form), headers={"cookie": cookie.partition(";")[0]})
    assert again.body == first.body
    assert again.fields == [(b"vary", b"Cookie")]


def test_a_page_without_a_token_costs_no_field():
    assert ask(guarded(page())).fields == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "QUERY"])
def test_a_safe_method_needs_no_token(method):
    assert ask(guarded(), method, headers={"origin": "https://evil.example"}).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ANY"])
def test_another_method_needs_the_token_in_cookie_and_field(method):
    token = new_token()
    assert posted(guarded(), token, token, b"body", method).body == b"body"
    assert posted(guarded(), method=method).status == 403


@pytest.mark.parametrize(
    ("token", "cookie"),
    [
        (new_token(), None),
        (None, new_token()),
        (new_token(), new_token()),
        ("", ""),
        ("x", "x"),
        (".", "."),
        (new_token("another"), "same"),
        (new_token(bound_to="bob"), "same"),
    ],
)
def test_without_two_equal_tokens_of_ours_a_request_is_refused(token, cookie):
    answer = posted(guarded(), token, token if cookie == "same" else cookie)
    assert answer.status == 403
    assert answer.body.startswith(b"CSRF check failed: ")


def test_a_signature_cannot_be_moved_to_another_token():
    one, other = new_token(), new_token()
    mixed = one.split(".")[0] + "." + other.split(".")[1]
    assert posted(guarded(), mixed, mixed).status == 403


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-origin", "origin": "null"}, True),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "https://evil.example"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "https://friend.example"}, True),
        ({"origin": "http://example.org"}, True),
        ({"origin": "https://example.org"}, False),
        ({"origin": "http://example.org:8000"}, False),
        ({"origin": "http://example.org.evil.example"}, False),
        ({"origin": "http://sub.example.org"}, False),
        ({"origin": "https://friend.example"}, True),
        ({"origin": "https://friend.example.evil"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
    ],
)
def test_a_request_has_to_come_from_here_or_from_a_friend(headers, passes):
    token = new_token()
    app = guarded(trusted_origins=["https://friend.example"])
    assert (posted(app, token, token, **headers).status == 200) is passes


def test_a_standard_port_in_the_host_is_none_in_the_origin():
    token = new_token()
    headers = {"origin": "https://example.org", "cookie": f"csrftoken={token}", "x-csrf-token": token}
    for host, status in (("EXAMPLE.org:443", 200), ("example.org:80", 403)):
        assert ask(guarded(), "POST", headers={**headers, "host": host}, scheme="https").status == status


def test_without_a_host_no_origin_is_ours():
    token = new_token()
    headers = {"origin": "http://", "cookie": f"csrftoken={token}", "x-csrf-token": token}
    assert ask(guarded(), "POST", headers=headers).status == 403


def multipart(*parts):
    lines = []
    for name, value, filename in parts:
        lines += [b"--cut", b'Content-Disposition: form-data; name="%s"%s' % (name, filename), b"", value]
    return b"\r\n".join([*lines, b"--cut--", b""])


def test_the_token_may_be_a_field_of_a_form_and_the_body_stays_readable():
    token = new_token()
    body = b"a=1&csrf_token=" + token.replace("=", "%3D").encode() + b"&b=2"
    for pieces in (body, [bytes((byte,)) for byte in body]):
        answer = posted(guarded(), cookie=token, body=pieces, content_type="application/x-www-form-urlencoded")
        assert answer.body == body


def test_the_token_may_be_a_field_of_a_multipart_form():
    token = new_token()
    body = multipart((b"a", b"1", b""), (b"csrf_token", token.encode(), b""), (b"f", b"x" * 9999, b'; filename="f"'))
    for pieces in (body, [bytes((byte,)) for byte in body]):
        answer = posted(guarded(), cookie=token, body=pieces, content_type="multipart/form-data; boundary=cut")
        assert answer.body == body


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"csrf_token=", "application/x-www-form-urlencoded"),
        (b"csrf_tokenx={}", "application/x-www-form-urlencoded"),
        (b"a=1;csrf_token={}", "application/x-www-form-urlencoded"),
        (b"csrf_token={}", "text/plain"),
        (b"csrf_token={}", ""),
        (b'{"csrf_token": "{}"}', "application/json"),
        (multipart((b"csrf_token", b"{}", b'; filename="f"')), "multipart/form-data; boundary=cut"),
        (multipart((b"csrf_token", b"{}", b"")), "multipart/form-data; boundary=other"),
        (multipart((b"csrf_token", b"{}", b"")), "multipart/form-data"),
        (b"\xff\x00", "multipart/form-data; boundary=cut"),
    ],
)
def test_a_token_elsewhere_in_a_body_does_not_count(body, content_type):
    token = new_token()
    body = body.replace(b"{}", token.encode())
    assert posted(guarded(), cookie=token, body=body, content_type=content_type).status == 403


def test_only_so_much_of_a_body_is_read_for_the_token():
    taken = []

    async def scene(body):
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)]

        async def receive():
            taken.append(1)
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message):
            sent.append(message)

        sent = []
        headers = {**HOST, "cookie": f"csrftoken={token}", "content-type": "application/x-www-form-urlencoded"}
        await guarded(max_form_size=5000)(make_scope("POST", headers=headers), receive, send)
        return sent[0]["status"]

    token = new_token()
    field = b"csrf_token=" + token.encode()
    assert asyncio.run(scene(b"a=" + b"x" * 20_000 + b"&" + field)) == 403
    assert len(taken) == 5
    assert asyncio.run(scene(field + b"&a=" + b"x" * 20_000)) == 200


def test_a_client_that_goes_while_the_token_is_looked_for_is_refused():
    token = new_token()
    headers = {**HOST, "cookie": f"csrftoken={token}", "content-type": "application/x-www-form-urlencoded"}
    assert ask(guarded(), "POST", headers=headers, body=[]).status == 403


def test_exempt_paths_are_exact_or_whole_directories():
    app = guarded(exempt_paths=["/hook", "/api/*"])
    statuses = {
        path: posted(app, path=path).status
        for path in ("/hook", "/api/", "/api/x", "/hook/x", "/hooks", "/apix", "/api")
    }
    assert [path for path, status in statuses.items() if status == 200] == ["/hook", "/api/", "/api/x"]


def test_a_token_may_be_bound_to_a_session():
    def app(user):
        return guarded(form, bind=lambda scope: user)

    page_of_ada = ask(app("ada"))
    token = page_of_ada.body.decode()
    assert posted(app("ada"), token, token).status == 200
    assert posted(app("bob"), token, token).status == 403
    assert ask(app("bob"), headers={"cookie": f"csrftoken={token}"}).body != page_of_ada.body


def test_a_websocket_of_another_site_is_refused():
    def shaken(origin):
        scope = {"type": "websocket", "scheme": "ws", "extensions": {"websocket.http.response": {}}}
        return ask(guarded(page()), headers={**HOST, "origin": origin}, **scope)

    assert shaken("http://evil.example").status == 403
    assert shaken("http://example.org").status == 200


def test_tokens_are_compared_in_constant_time(monkeypatch):
    compared = []
    plain = hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return plain(one, other)

    monkeypatch.setattr("portico.web.middleware.csrftoken.hmac.compare_digest", compare)
    token = new_token()
    assert posted(guarded(), token, token).status == 200
    assert (token.encode(), token.encode()) in compared
    assert len(compared) == 2


def test_a_token_that_is_not_ascii_is_just_wrong():
    assert posted(guarded(), "\xff", new_token()).status == 403
    assert posted(guarded(), "\xff", "\xff").status == 403


def test_the_cookie_has_the_attributes_that_are_asked_for():
    app = guarded(form, cookie_name="__Host-csrf", https_only=True, same_site="strict", max_age=60)
    cookie = ask(app).get("set-cookie")
    assert cookie.startswith("__Host-csrf=")
    assert {"Secure", "SameSite=strict", "Max-Age=60", "Path=/"} <= set(cookie.split("; "))


def test_a_token_without_the_middleware_is_an_error_that_says_so():
    with pytest.raises(CSRFError, match="inside of CSRFMiddleware"):
        csrf_token(make_scope())


def test_an_empty_secret_is_refused():
    with pytest.raises(ValueError, match="secret_key"):
        guarded(secret="")


def test_other_protocols_pass():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    asyncio.run(guarded(app)({"type": "lifespan"}, None, None))
    assert seen == [{"type": "lifespan"}]
    assert csrf.SCOPE_KEY not in seen[0]


def test_a_body_that_a_layer_outside_has_read_is_there_for_both():
    from portico.web.requests import Request

    async def endpoint(scope, receive, send):
        body = await Request(scope, receive).body()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    inner = guarded(endpoint)

    async def outer(scope, receive, send):
        await Request(scope, receive).body()
        await inner(scope, receive, send)

    token = new_token()
    body = b"csrf_token=" + token.encode()
    for app in (inner, outer):
        answer = posted(app, cookie=token, body=[body[:5], body[5:]], content_type="application/x-www-form-urlencoded")
        assert answer.body == body


def test_a_request_is_freed_without_the_garbage_collector():
    class Marked(dict):
        pass

    scope = Marked(make_scope())
    gone = weakref.ref(scope)
    gc.collect()
    gc.disable()
    try:
        ask(guarded(form), scope=scope)
        del scope
        assert gone() is None
    finally:
        gc.enable()
