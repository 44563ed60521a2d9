import pytest
from tests.web.middleware.exchange import ask, page

from portico.web.middleware.trustedhost import TrustedHostMiddleware


def asked(host, allowed=("example.com", "www.site.org"), **options):
    headers = [(b"host", value) for value in ([host] if isinstance(host, bytes) else host)]
    return ask(TrustedHostMiddleware(page(), list(allowed), **options), headers=headers)


def test_a_listed_host_passes_on_any_port():
    assert asked(b"example.com").body == b"page"
    assert asked(b"EXAMPLE.com:8000").body == b"page"


@pytest.mark.parametrize(
    "host",
    [
        b"evil.com",
        b"example.com@evil.com",
        b"example.com.",
        b"",
        b"example.com:x",
        b"[::1]",
        [],
        [b"example.com", b"evil.com"],
        [b"example.com", b"example.com"],
    ],
)
def test_any_other_host_is_refused(host):
    answer = asked(host)
    assert (answer.status, answer.body) == (400, b"Invalid host header")


def test_an_address_is_listed_with_its_brackets():
    assert asked(b"[::1]:80", ["[::1]"]).status == 200


def test_the_name_without_www_is_sent_on_with_its_port():
    answer = asked(b"SITE.org:81")
    assert (answer.status, answer.get("location")) == (307, "http://www.site.org:81/")
    assert asked(b"site.org", www_redirect=False).status == 400


def test_no_redirect_goes_to_a_host_that_only_a_wildcard_allows():
    assert asked(b"evil.com", ["*.com.evil"]).status == 400


def test_a_lone_string_is_one_host():
    assert TrustedHostMiddleware(page(), "example.com").allowed_hosts == ["example.com"]


def test_every_host_is_allowed_by_default():
    assert ask(TrustedHostMiddleware(page())).body == b"page"


def test_a_websocket_is_denied_with_a_response_or_closed():
    app = TrustedHostMiddleware(page(), ["example.com"])
    denied = ask(app, type="websocket", extensions={"websocket.http.response": {}})
    assert (denied.messages[0]["type"], denied.status) == ("websocket.http.response.start", 400)
    closed = ask(app, type="websocket")
    assert [message["type"] for message in closed.messages] == ["websocket.close"]
