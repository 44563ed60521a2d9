import pytest
from tests.web.middleware.exchange import ask, make_scope, page

from portico.web.middleware.httpsredirect import HTTPSRedirectMiddleware


def location(host, **scope):
    headers = [(b"host", value) for value in ([host] if isinstance(host, bytes) else host)]
    answer = ask(HTTPSRedirectMiddleware(page()), headers=headers, **scope)
    assert answer.status == 307, answer.body
    return answer.get("location")


def test_http_goes_to_https_with_path_and_query():
    url = location(b"Example.org:8080", path="/a b", query_string=b"x=1&y=%2F")
    assert url == "https://example.org:8080/a%20b?x=1&y=%2F"


@pytest.mark.parametrize("port", [b":80", b":443", b":00080", b""])
def test_a_standard_port_goes(port):
    assert location(b"example.org" + port) == "https://example.org/"


def test_a_websocket_goes_to_wss():
    assert location(b"a.b", type="websocket", scheme="ws", extensions={"websocket.http.response": {}}) == "wss://a.b/"


@pytest.mark.parametrize(
    "host",
    [b"evil.org@x", b"evil.org/x", b"evil.org:99999", b"[:::]", b"evil.org\\", b"", [], [b"evil.org", b"evil.org"]],
)
def test_no_redirect_goes_to_a_malformed_host(host):
    assert location(host) == "https://testserver/"
    assert location(host, server=("::1", 8000)) == "https://[::1]:8000/"


@pytest.mark.parametrize("server", [None, ("/run/socket", None)])
def test_without_any_host_the_request_is_refused(server):
    answer = ask(HTTPSRedirectMiddleware(page()), headers={"host": "a@b"}, server=server)
    assert (answer.status, answer.body) == (400, b"Invalid host header")


def test_a_host_that_is_not_allowed_is_not_redirected_to():
    app = HTTPSRedirectMiddleware(page(), allowed_hosts=["*.example.org"])
    assert ask(app, headers={"host": "evil.org"}).status == 400
    assert ask(app, headers={"host": "a.example.org"}).status == 307


def test_https_passes():
    assert ask(HTTPSRedirectMiddleware(page()), scheme="https").body == b"page"


def test_a_scope_without_a_scheme_is_plain_http():
    scope = make_scope(headers={"host": "a.b"})
    del scope["scheme"]
    assert ask(HTTPSRedirectMiddleware(page()), scope=scope).get("location") == "https://a.b/"


def test_other_protocols_pass():
    assert ask(HTTPSRedirectMiddleware(page()), type="lifespan", scheme=None).body == b"page"
