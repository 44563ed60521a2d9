"""URLs: their components, those of a request, and what cannot move the authority."""

from typing import Any

import pytest

from portico.web.datastructures import URL, Address, URLPath


def request_url(path: str, query: bytes = b"", host: bytes | None = b"example.org", **more: Any) -> URL:
    headers = [] if host is None else [(b"host", host)]
    return URL(scope={"scheme": "http", "path": path, "query_string": query, "headers": headers, **more})


def test_the_url_of_a_request_has_scheme_host_path_and_query() -> None:
    url = request_url("/a/b", b"c=d", b"example.org:8000")
    assert str(url) == "http://example.org:8000/a/b?c=d"
    assert (url.scheme, url.netloc, url.hostname, url.port) == ("http", "example.org:8000", "example.org", 8000)
    assert (url.path, url.query, url.fragment) == ("/a/b", "c=d", "")
    assert not url.is_secure


@pytest.mark.parametrize(
    "path",
    ["@evil.example", "//evil.example/x", ":80@evil.example", "http://evil.example/", "\\\\evil.example", "/\\evil",
     "?@evil.example", "#@evil.example", ".evil.example", "\t//evil.example", "///evil.example", "/@evil.example"],
)  # fmt: skip
@pytest.mark.parametrize("host", [b"example.org", None])
def test_a_path_never_moves_the_authority(path: str, host: bytes | None) -> None:
    url = request_url(path, host=host, server=("example.org", 80))
    for reading in (url, URL(str(url))):  # what we say it is, and what a client makes of the text
        assert reading.netloc == "example.org"
        assert reading.path.startswith("/")


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "@evil.example", "http://evil.example", "/\\evil.example", "\\\\e"]
)
def test_without_a_host_the_url_of_a_request_has_no_authority_and_no_scheme(path: str) -> None:
    url = request_url(path, host=None)
    for reading in (url, URL(str(url))):
        assert (reading.scheme, reading.netloc) == ("", "")
        assert reading.path.startswith("/")


def test_a_path_keeps_what_would_end_it() -> None:
    url = request_url("/a?b#c", b"d=e")
    assert str(url) == "http://example.org/a%3Fb%23c?d=e"
    assert url.path == "/a%3Fb%23c"


def test_control_characters_of_path_and_query_are_escaped() -> None:
    assert str(request_url("/a\r\nb\0", b"c\r\n=d#e")) == "http://example.org/a%0D%0Ab%00?c%0D%0A=d%23e"


def test_a_query_that_is_not_utf8_is_no_error() -> None:
    assert request_url("/", b"a=\xff").query == "a=%FF"
    assert request_url("/", "a=é".encode()).query == "a=é"


@pytest.mark.parametrize(
    "host",
    [b"", b"a/b", b"a?b", b"a#b", b"user@a", b"a\\b", b"a b", b"a:b", b"a:65536", b"a:999999", b"a,b", b"[::1",
     b"[:::]", b"[::1]x", b"\xff", b"a\r\nb", b"a:80:80", b"[V1.a]", b"::1", b"a\0", b"a:-1", b"a:8_0"],
)  # fmt: skip
def test_a_host_field_that_is_none_gives_way_to_the_server(host: bytes) -> None:
    assert request_url("/admin", host=host, server=("example.org", 8000)).netloc == "example.org:8000"


@pytest.mark.parametrize("host", [b"a", b"a.example.", b"a:1", b"127.0.0.1:80", b"[::1]", b"[::1]:80", b"a_b", b"A.B"])
def test_a_host_field_is_the_authority(host: bytes) -> None:
    assert request_url("/", host=host, server=("other", 80)).netloc == host.decode()


def test_zeros_before_a_port_do_not_count() -> None:
    url = request_url("/", host=b"a:000080")
    assert (url.netloc, url.port) == ("a:000080", 80)


@pytest.mark.parametrize(
    ("scheme", "server", "netloc"),
    [
        ("http", ("a", 80), "a"),
        ("https", ("a", 443), "a"),
        ("https", ("a", 80), "a:80"),
        ("ws", ("a", 80), "a"),
        ("wss", ("a", 443), "a"),
        ("gopher", ("a", 70), "a:70"),
        ("http", ("::1", 80), "[::1]"),
        ("http", ("fe80::1%eth0", 81), "[fe80::1%eth0]:81"),
        ("http", ("/run/app.sock", None), ""),
        ("http", None, ""),
    ],
)
def test_the_server_is_the_authority_where_there_is_no_host(
    scheme: str, server: tuple[str, int | None] | None, netloc: str
) -> None:
    assert request_url("/", host=None, scheme=scheme, server=server).netloc == netloc


def test_replacing_parts_keeps_the_others() -> None:
    url = URL("https://user:word@[fe::2]:123/a?b=c#d")
    assert url.replace(scheme="http") == "http://user:word@[fe::2]:123/a?b=c#d"
    assert url.replace(port=None) == "https://user:word@[fe::2]/a?b=c#d"
    assert url.replace(hostname="::1") == "https://user:word@[::1]:123/a?b=c#d"
    assert url.replace(username=None) == "https://[fe::2]:123/a?b=c#d"
    assert url.replace(path="/x", query="", fragment="") == "https://user:word@[fe::2]:123/x"


def test_replacing_the_path_never_moves_the_authority() -> None:
    for path in ("//evil.example", "@evil.example", "evil.example"):
        assert URL(str(URL("http://a").replace(path=path))).netloc == "a"
        assert URL(str(URL("/x").replace(path=path))).netloc == ""


def test_a_url_is_made_of_components() -> None:
    assert URL(scheme="https", hostname="a", port=1, path="/b", query="c=d") == "https://a:1/b?c=d"
    assert URL(path="/b") == "/b"


@pytest.mark.parametrize(
    "text", ["", "a:b", "file:///etc/x", "mailto:a@b", "//a/b", "////a", "/a", "?b", "#c", "http://a"]
)
def test_replacing_nothing_changes_nothing(text: str) -> None:
    assert URL(text).replace() == text


def test_a_url_is_made_in_one_way_only() -> None:
    with pytest.raises(TypeError, match="one of url, scope and components"):
        URL("/a", path="/b")
    with pytest.raises(TypeError, match="one of url, scope and components"):
        URL("/a", scope={"path": "/", "headers": []})


def test_query_parameters_are_added_replaced_and_removed() -> None:
    url = URL("http://a/?b=1&b=2&c=")
    assert url.include_query_params(b=3, d="é ") == "http://a/?c=&b=3&d=%C3%A9+"
    assert url.replace_query_params(d=1) == "http://a/?d=1"
    assert url.remove_query_params("b") == "http://a/?c="
    assert url.remove_query_params(["b", "c", "none"]) == "http://a/"


def test_equal_urls_have_one_hash_also_with_their_text() -> None:
    assert {URL("http://a/"), request_url("/", host=b"a"), "http://a/"} == {"http://a/"}


def test_a_password_does_not_show() -> None:
    assert repr(URL("http://a:secret@b/")) == "URL('http://a:********@b/')"


def test_a_path_becomes_a_url_below_the_base() -> None:
    path = URLPath("/b")
    assert path.make_absolute_url("https://a/") == "https://a/b"
    assert path.make_absolute_url(URL("http://a/root/")) == "http://a/root/b"
    assert path.make_absolute_url("/") == "/b"


@pytest.mark.parametrize(("base", "protocol", "scheme"), [
    ("http://a", "http", "http"), ("https://a", "http", "https"), ("wss://a", "http", "https"),
    ("http://a", "websocket", "ws"), ("https://a", "websocket", "wss"), ("ws://a", "websocket", "ws"),
])  # fmt: skip
def test_the_base_says_whether_a_path_is_secure(base: str, protocol: Any, scheme: str) -> None:
    assert URLPath("/b", protocol).make_absolute_url(base).scheme == scheme


def test_a_path_may_have_a_host_of_its_own() -> None:
    assert URLPath("/b", "http", "c").make_absolute_url("https://a/x/") == "https://c/x/b"


def test_a_path_is_never_an_authority() -> None:
    assert URLPath("//evil.example") == "/%2Fevil.example"
    assert URLPath("/\\evil.example") == "/%5Cevil.example"
    assert URL(str(URLPath("//evil.example").make_absolute_url("/"))).netloc == ""


def test_a_path_has_a_protocol_that_exists() -> None:
    with pytest.raises(ValueError, match="'gopher'"):
        URLPath("/", "gopher")  # type: ignore[arg-type]


def test_an_address_has_host_and_port() -> None:
    assert Address("a", 1) == ("a", 1)
