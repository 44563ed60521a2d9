import pytest
from tests.web.middleware.exchange import make_scope

from portico.web.middleware.hosts import MAX_KNOWN_HOSTS, AllowedHosts, Host, host_field, location, parse_host


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"example.com", Host("example.com", None)),
        (b"EXAMPLE.com:8000", Host("example.com", "8000")),
        (b"[::1]:443", Host("[::1]", "443")),
        (b"[::ffff:192.0.2.1]", Host("[::ffff:192.0.2.1]", None)),
        (b"example.com.", Host("example.com.", None)),
        (b"", None),
        (b":80", None),
        (b"example.com:", None),
        (b"example.com:8a", None),
        (b"example.com:80:80", None),
        (b"::1", None),
        (b"[::1", None),
        (b"[:::]", None),
        (b"[::1].", None),
        (b"[::1]x", None),
        (b"user@example.com", None),
        (b"example.com/path", None),
        (b"example.com?x", None),
        (b"example.com#x", None),
        (b"example.com\\x", None),
        (b"exa mple.com", None),
        (b" example.com", None),
        (b"example.com\n", None),
        (b"example.com\x00", None),
        ("exämple.com".encode(), None),
    ],
)
def test_a_host_field_is_a_host_and_perhaps_a_port(value, host):
    assert parse_host(value) == host


@pytest.mark.parametrize(
    ("port", "number"), [("80", 80), ("00080", 80), ("0", 0), ("65535", 65535), ("65536", -1), ("9" * 5000, -1)]
)
def test_a_port_above_65535_is_none(port, number):
    assert Host("a", port).port_number == number


@pytest.mark.parametrize("pattern", ["*example.com", "a.*", "*.*.com", "**", "a*b", "*.a*"])
def test_a_wildcard_stands_only_for_whole_labels_in_front(pattern):
    with pytest.raises(ValueError, match="wildcard"):
        AllowedHosts([pattern])


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        (b"example.com", True),
        (b"Example.COM:9", True),
        (b"sub.wild.org", True),
        (b"a.b.wild.org", True),
        (b"wild.org", False),
        (b".wild.org", False),
        (b"evilwild.org", False),
        (b"exampleXcom", False),  # a dot is a dot
        (b"example.com.", False),
        (b"example.com.evil.net", False),
        (b"a.example.com", False),
        (None, False),
    ],
)
def test_names_are_compared_literally(value, allowed):
    hosts = AllowedHosts(["example.com", "*.wild.org"])
    assert hosts.allows(value) is allowed
    assert hosts.allows(value) is allowed


def test_what_is_kept_of_good_names_is_bounded():
    hosts = AllowedHosts(["*.wild.org"])
    assert all(hosts.allows(b"%d.wild.org" % number) for number in range(MAX_KNOWN_HOSTS + 10))
    assert len(hosts.known) == MAX_KNOWN_HOSTS


def test_two_host_fields_are_none():
    assert host_field(make_scope(headers=[(b"host", b"a"), (b"host", b"a")])) is None
    assert host_field(make_scope(headers=[(b"host", b"a")])) == b"a"


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        ("/", b"", "https://a.example/"),
        ("/ä b?", b"x=%20", "https://a.example/%C3%A4%20b%3F?x=%20"),
        ("/", b"q=a b\xe9\r\n&x[]=1", "https://a.example/?q=a%20b%E9%0D%0A&x[]=1"),
        ("//evil.example", b"", "https://a.example//evil.example"),
        ("@evil.example", b"", "https://a.example/@evil.example"),
        ("*", b"", "https://a.example/*"),
        ("/%2e", b"", "https://a.example/%252e"),
    ],
)
def test_a_url_is_made_from_its_parts(path, query, url):
    assert location(make_scope(path=path, query_string=query), "https", "a.example") == url
