import pytest

from portico.web.middleware.negotiation import MAX_KNOWN_FIELDS, Negotiator

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("gzip; q=0.5 ,br ; q=0.4", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("gzip;q=0, *", "zstd"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
        ("zstd;q=0, br;q=0, *;q=0.1", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.4", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0, gzip", "gzip"),
        ("gzip;q=0.001", "gzip"),
        ("gzipped, brotli", None),
        (",,;,q=1,;q=", None),
    ],
)
def test_the_weights_decide_and_then_the_order_of_the_server(accept, coding):
    """RFC 9110 section 12.5.3."""
    assert Negotiator(ALL).choose(None if accept is None else accept.encode()).coding == coding


@pytest.mark.parametrize(
    ("accept", "refused"),
    [("gzip", False), ("gzip, identity;q=0", True), ("gzip, *;q=0", True), ("gzip, *;q=0, identity;q=0.1", False)],
)
def test_plain_content_is_refused_by_name_or_by_star(accept, refused):
    assert Negotiator(ALL).choose(accept.encode()).identity_refused is refused


def test_what_is_kept_of_fields_is_bounded():
    negotiator = Negotiator(ALL)
    for number in range(MAX_KNOWN_FIELDS + 10):
        assert negotiator.choose(b"gzip;q=0.5, x%d" % number).coding == "gzip"
    assert len(negotiator.known) == MAX_KNOWN_FIELDS
