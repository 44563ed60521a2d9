import pytest
from tests.web.middleware.exchange import make_scope

from portico.web.middleware.hosts import MAX_KNOWN_HOSTS, AllowedHosts, location


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
