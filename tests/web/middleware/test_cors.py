import asyncio

import pytest
from tests.web.middleware.exchange import ask, exchange, make_scope, page

from portico.web.middleware.cors import MAX_GRANTS, CORSMiddleware

SITE = "https://example.org"


def preflight(app, origin=SITE, method="GET", headers=None, **more):
    asked = {"origin": origin, "access-control-request-method": method}
    if headers is not None:
        asked["access-control-request-headers"] = headers
    return ask(app, "OPTIONS", headers={**asked, **more})


def test_an_allowed_origin_is_echoed_exactly():
    answer = ask(CORSMiddleware(page(), allow_origins=[SITE]), headers={"origin": SITE})
    assert answer.get("access-control-allow-origin") == SITE
    assert answer.get("vary") == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["https://example.org.evil.example", "https://evil-example.org", "http://example.org", "https://example.org:8443",
     "https://EXAMPLE.org", "https://example.org/", "null", "", "https://sub.example.org"],
)  # fmt: skip
def test_no_other_origin_gets_in(origin):
    answer = ask(CORSMiddleware(page(), allow_origins=[SITE], allow_credentials=True), headers={"origin": origin})
    assert "access-control-allow-origin" not in answer
    assert "access-control-allow-credentials" not in answer
    assert answer.get("vary") == "Origin"


def test_a_lone_string_is_one_origin_and_not_its_parts():
    answer = ask(CORSMiddleware(page(), allow_origins="https://example.org"), headers={"origin": "https://example"})
    assert "access-control-allow-origin" not in answer


def test_any_origin_is_a_star_without_credentials():
    answer = ask(CORSMiddleware(page(), allow_origins=["*"]), headers={"origin": SITE})
    assert answer.get("access-control-allow-origin") == "*"
    assert "access-control-allow-credentials" not in answer


def test_a_star_never_goes_with_credentials():
    app = CORSMiddleware(page(), allow_origins=["*"], allow_credentials=True)
    for answer in (ask(app, headers={"origin": SITE}), preflight(app)):
        assert answer.get("access-control-allow-origin") == SITE
        assert answer.get("access-control-allow-credentials") == "true"
        assert "Origin" in answer.get("vary")


@pytest.mark.parametrize("options", [{"allow_origins": ["*"]}, {"allow_origin_regex": ".*"}])
def test_the_null_origin_gets_no_credentials_unless_it_is_listed(options):
    app = CORSMiddleware(page(), allow_credentials=True, **options)
    assert "access-control-allow-origin" not in ask(app, headers={"origin": "null"})
    assert preflight(app, "null").status == 400


def test_the_null_origin_is_allowed_where_it_is_listed():
    answer = ask(CORSMiddleware(page(), allow_origins=["null"], allow_credentials=True), headers={"origin": "null"})
    assert answer.get("access-control-allow-origin") == "null"


@pytest.mark.parametrize(
    "origin", ["https://a.example.org.evil.example", "xhttps://a.example.org", "https://a.example.org\n"]
)
def test_a_pattern_has_to_match_as_a_whole(origin):
    app = CORSMiddleware(page(), allow_origin_regex=r"https://[a-z]+\.example\.org$|https://[a-z]+\.example\.org")
    assert "access-control-allow-origin" not in ask(app, headers={"origin": origin})
    assert ask(app, headers={"origin": "https://a.example.org"}).get("access-control-allow-origin")


def test_a_request_without_origin_is_told_apart_by_caches():
    answer = ask(CORSMiddleware(page(headers={"vary": "Accept"}), allow_origins=[SITE]))
    assert answer.get("vary") == "Accept, Origin"
    assert "access-control-allow-origin" not in answer


@pytest.mark.parametrize("vary", ["Origin", "origin, Accept", "*"])
def test_vary_is_not_said_twice(vary):
    app = CORSMiddleware(page(headers={"vary": vary}), allow_origins=[SITE])
    assert ask(app, headers={"origin": SITE}).get("vary") == vary


def test_what_the_application_says_itself_is_replaced():
    app = CORSMiddleware(page(headers={"access-control-allow-origin": "*"}), allow_origins=[SITE])
    assert ask(app, headers={"origin": SITE}).get("access-control-allow-origin") == SITE


def test_constant_messages_of_the_application_are_left_alone():
    app = CORSMiddleware(page(), allow_origins=[SITE])
    first, second = ask(app, headers={"origin": SITE}), ask(app, headers={"origin": SITE})
    assert first.fields == second.fields
    assert "access-control-allow-origin" not in ask(app)


def test_a_preflight_request_never_reaches_the_application():
    async def unreachable(scope, receive, send):
        raise AssertionError

    app = CORSMiddleware(unreachable, allow_origins=[SITE], allow_methods=["PUT"], allow_headers=["X-One"])
    answer = preflight(app, method="PUT", headers="x-one, content-type,, ")
    assert (answer.status, answer.body) == (200, b"OK")
    assert answer.get("access-control-allow-methods") == "PUT"
    assert answer.get("access-control-max-age") == "600"


def test_options_without_the_preflight_field_is_for_the_application():
    assert ask(CORSMiddleware(page(), allow_origins=[SITE]), "OPTIONS", headers={"origin": SITE}).body == b"page"


def test_a_refused_preflight_request_says_what_was_refused():
    app = CORSMiddleware(page(), allow_origins=[SITE])
    answer = preflight(app, "https://evil.example", "PUT", "x-no", **{"access-control-request-private-network": "true"})
    assert (answer.status, answer.body) == (400, b"Disallowed CORS origin, method, headers, private-network")
    assert "access-control-allow-origin" not in answer


def test_a_private_network_is_opened_on_request_only():
    app = CORSMiddleware(page(), allow_origins=[SITE], allow_private_network=True)
    asked = {"access-control-request-private-network": "true"}
    assert preflight(app, **asked).get("access-control-allow-private-network") == "true"
    assert "access-control-allow-private-network" not in preflight(app)
    assert preflight(CORSMiddleware(page(), allow_origins=[SITE]), **asked).status == 400


def test_an_error_response_made_outside_can_have_the_fields():
    from portico.web.datastructures import MutableHeaders

    async def failing(scope, receive, send):
        raise ZeroDivisionError

    scope = make_scope(headers={"origin": SITE})
    app = CORSMiddleware(failing, allow_origins=[SITE], allow_credentials=True)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(exchange(app, scope, [b""]))
    headers = MutableHeaders()
    for hook in scope["portico.error_headers"]:
        hook(headers)
    assert dict(headers) == {
        "access-control-allow-origin": SITE,
        "access-control-allow-credentials": "true",
        "vary": "Origin",
    }


def test_a_500_response_has_the_fields():
    from portico.web.middleware.errors import ServerErrorMiddleware

    async def failing(scope, receive, send):
        raise ZeroDivisionError

    app = ServerErrorMiddleware(CORSMiddleware(failing, allow_origins=[SITE]))
    sent = []

    async def send(message):
        sent.append(message)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(app(make_scope(headers={"origin": SITE}), None, send))
    assert sent[0]["status"] == 500
    assert dict(sent[0]["headers"])[b"access-control-allow-origin"] == SITE.encode()
    assert dict(sent[0]["headers"])[b"vary"] == b"Origin"


def test_a_subclass_may_decide_anew_for_each_request():
    class Mine(CORSMiddleware):
        open = True

        def is_allowed_origin(self, origin):
            return self.open

    app = Mine(page())
    assert ask(app, headers={"origin": SITE}).get("access-control-allow-origin") == SITE
    app.open = False
    assert "access-control-allow-origin" not in ask(app, headers={"origin": SITE})


def test_what_is_kept_for_origins_is_bounded():
    app = CORSMiddleware(page(), allow_origin_regex=".*")
    for number in range(MAX_GRANTS + 10):
        origin = f"https://{number}.example"
        assert ask(app, headers={"origin": origin}).get("access-control-allow-origin") == origin
    assert len(app._grants) == MAX_GRANTS


def test_other_protocols_pass_with_their_own_send():
    seen = []

    async def app(scope, receive, send):
        seen.append(send)

    send = object()
    asyncio.run(CORSMiddleware(app)({"type": "lifespan"}, None, send))
    assert seen == [send]


@pytest.mark.parametrize("origin", ["https://example.org/", "example.org", "https://*.example.org", "https://a.b/path"])
def test_an_origin_that_no_browser_sends_is_warned_of(origin):
    with pytest.warns(UserWarning, match="no browser sends the origin"):
        CORSMiddleware(page(), allow_origins=[origin])


def test_every_standard_method_is_a_star():
    app = CORSMiddleware(page(), allow_origins=[SITE], allow_methods=["*"])
    assert preflight(app, method="QUERY").status == 200
    assert preflight(app, method="CUSTOM").status == 400


def test_any_header_is_mirrored_where_all_are_allowed():
    app = CORSMiddleware(page(), allow_origins=[SITE], allow_headers=["*"])
    assert preflight(app, headers="x-a, x-b").get("access-control-allow-headers") == "x-a, x-b"


def test_scripts_may_read_what_is_exposed():
    app = CORSMiddleware(page(), allow_origins=[SITE], expose_headers=["X-One", "X-Two"])
    assert ask(app, headers={"origin": SITE}).get("access-control-expose-headers") == "X-One, X-Two"
    assert "access-control-expose-headers" not in ask(app)
