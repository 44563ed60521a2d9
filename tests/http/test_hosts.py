"""The Host field (RFC 9110 section 7.2)."""

import pytest

from portico.http.hosts import Host, host_field, parse_host


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


def test_two_host_fields_are_none():
    assert host_field([(b"host", b"a"), (b"host", b"a")]) is None
    assert host_field([(b"accept", b"b"), (b"host", b"a")]) == b"a"
