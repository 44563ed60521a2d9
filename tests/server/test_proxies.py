import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.server.proxies import CACHE_LIMIT, Client, Headers, ProxyTrust, Server, forwarded

PROXY = ("10.0.0.1", 5000)
TRUST = ProxyTrust("10.0.0.0/8, ::1, fd00::/8")
SERVER: Server = ("10.0.0.2", 8000)


def client_of(*fields: tuple[bytes, bytes], trust: ProxyTrust = TRUST, peer: Client = PROXY) -> Client:
    return forwarded(trust, peer, "http", SERVER, list(fields))[0]


def xff(*values: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"x-forwarded-for", value) for value in values]


@pytest.mark.parametrize(
    ("allow", "host", "trusted"),
    [
        ("127.0.0.1,::1", "127.0.0.1", True),
        ("127.0.0.1,::1", "0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.1/8", "10.9.9.9", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("*", "203.0.113.9", True),
        ("unix", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("10.0.0.0/8", "garbage", False),
    ],
)
def test_who_is_trusted(allow: str, host: str, trusted: bool) -> None:
    trust = ProxyTrust(allow)
    assert [trust.trusts((host, 1)), trust.trusts((host, 2))] == [trusted, trusted]


@pytest.mark.parametrize(("allow", "trusted"), [("unix", True), ("*", True), ("127.0.0.1", False)])
def test_the_peers_of_a_unix_socket_are_trusted_by_name(allow: str, trusted: bool) -> None:
    assert ProxyTrust(allow).trusts(None) is trusted


def test_all_bad_entries_are_named() -> None:
    with pytest.raises(ValueError, match=r"'localhost', '10\.0\.0\.0/99'"):
        ProxyTrust("localhost,127.0.0.1,10.0.0.0/99")


def test_the_cache_of_verdicts_is_bounded() -> None:
    trust = ProxyTrust("10.0.0.0/8")
    for number in range(3 * CACHE_LIMIT):
        trust.trusts((f"192.0.{number >> 8}.{number & 255}", 1))
    assert len(trust._verdicts) <= CACHE_LIMIT


def test_headers_without_forwarding_come_back_as_they_are() -> None:
    headers: Headers = [(b"host", b"a"), (b"accept", b"*/*")]
    result = forwarded(TRUST, PROXY, "http", SERVER, headers)
    assert result == (PROXY, "http", SERVER, headers)
    assert result[3] is headers


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ([b"192.0.2.1"], ("192.0.2.1", 0)),
        ([b"192.0.2.1:81"], ("192.0.2.1", 81)),
        ([b"2001:DB8::1"], ("2001:db8::1", 0)),
        ([b"[2001:db8::1]"], ("2001:db8::1", 0)),
        ([b"[2001:db8::1]:82"], ("2001:db8::1", 82)),
        ([b"::ffff:192.0.2.1"], ("192.0.2.1", 0)),
        ([b"6.6.6.6, 192.0.2.1, 10.0.0.9"], ("192.0.2.1", 0)),
        ([b"6.6.6.6", b"192.0.2.1", b"10.0.0.9"], ("192.0.2.1", 0)),
        ([b" ,, 192.0.2.1 ,\t,"], ("192.0.2.1", 0)),
        ([b"10.0.0.7, 10.0.0.8"], ("10.0.0.7", 0)),
        ([b"6.6.6.6, unknown"], PROXY),
        ([b"6.6.6.6, garbage, 10.0.0.9"], ("10.0.0.9", 0)),
        ([b"192.0.2.1:notaport"], ("192.0.2.1", 0)),
        ([b"192.0.2.1:99999"], ("192.0.2.1", 0)),
        ([b"[192.0.2.1]:80"], PROXY),
        ([b"[2001:db8::1"], PROXY),
        ([b"[2001:db8::1]x"], PROXY),
        ([b"fe80::1%<b>"], PROXY),
        ([b""], PROXY),
        ([b"\xff\x00"], PROXY),
    ],
)
def test_the_right_most_untrusted_hop_is_the_client(values: list[bytes], client: Client) -> None:
    assert client_of(*xff(*values)) == client


def test_when_everybody_is_trusted_the_left_most_hop_is_the_client() -> None:
    assert client_of(*xff(b"192.0.2.1, 198.51.100.1"), trust=ProxyTrust("*")) == ("192.0.2.1", 0)


def test_a_unix_peer_without_a_forwarded_client_stays_none() -> None:
    assert client_of(*xff(b"unknown"), trust=ProxyTrust("unix"), peer=None) is None


@pytest.mark.parametrize(
    ("proto", "scheme", "result"),
    [
        (b"https", "http", "https"),
        (b"HTTPS", "http", "https"),
        (b"wss", "http", "https"),
        (b"https", "ws", "wss"),
        (b"http", "https", "http"),
        (b"gopher", "http", "http"),
        (b"", "http", "http"),
        (b"https, http", "http", "http"),
    ],
)
def test_the_scheme_follows_the_nearest_proxy(proto: bytes, scheme: str, result: str) -> None:
    assert forwarded(TRUST, PROXY, scheme, SERVER, [(b"x-forwarded-proto", proto)])[1] == result


def test_lists_of_equal_length_are_read_at_the_hop_of_the_client() -> None:
    headers = [*xff(b"6.6.6.6, 192.0.2.1, 10.0.0.9"), (b"x-forwarded-proto", b"ws, https, http")]
    assert forwarded(TRUST, PROXY, "http", SERVER, headers)[1] == "https"


@pytest.mark.parametrize(
    ("fields", "server", "host"),
    [
        ([(b"x-forwarded-host", b"a.example")], ("a.example", 80), b"a.example"),
        ([(b"x-forwarded-host", b"a.example:81")], ("a.example", 81), b"a.example:81"),
        ([(b"x-forwarded-host", b"[::1]:81")], ("::1", 81), b"[::1]:81"),
        ([(b"x-forwarded-host", b"a.example"), (b"x-forwarded-proto", b"https")], ("a.example", 443), b"a.example"),
        ([(b"x-forwarded-host", b"a:1"), (b"x-forwarded-port", b"82")], ("a", 82), b"a:82"),
        ([(b"x-forwarded-port", b"82")], ("inner", 82), b"inner:82"),
        ([(b"x-forwarded-port", b"80")], ("inner", 80), b"inner"),
        ([(b"x-forwarded-port", b"x")], SERVER, b"inner:8000"),
        ([(b"x-forwarded-host", b"a b")], SERVER, b"inner:8000"),
        ([(b"x-forwarded-host", b"a/b@c")], SERVER, b"inner:8000"),
        ([(b"x-forwarded-host", b"evil, a.example")], ("a.example", 80), b"a.example"),
    ],
)
def test_host_and_port_are_replaced(fields: Headers, server: Server, host: bytes) -> None:
    headers = [(b"accept", b"*/*"), (b"host", b"inner:8000"), *fields]
    result = forwarded(TRUST, PROXY, "http", SERVER, headers)
    assert result[2] == server
    assert result[3] == [(b"accept", b"*/*"), (b"host", host), *fields]


def test_a_forwarded_host_is_added_where_none_was() -> None:
    field = (b"x-forwarded-host", b"a.example")
    assert forwarded(TRUST, PROXY, "http", None, [field])[2:] == (("a.example", 80), [(b"host", b"a.example"), field])


@pytest.mark.parametrize(
    ("value", "client", "scheme"),
    [
        (b"for=192.0.2.1;proto=https", ("192.0.2.1", 0), "https"),
        (b'For="[2001:db8::1]:4711"; Proto="HTTPS"', ("2001:db8::1", 4711), "https"),
        (b'for="192.0.2.\\1"', ("192.0.2.1", 0), "http"),
        (b"for=[2001:db8::1]:80", ("2001:db8::1", 80), "http"),
        (b"for=6.6.6.6;proto=wss, for=192.0.2.1;proto=https, for=10.0.0.9;proto=http", ("192.0.2.1", 0), "https"),
        (b"for=6.6.6.6, for=unknown;proto=https", PROXY, "https"),
        (b"for=6.6.6.6, for=_hidden", PROXY, "http"),
        (b"for=6.6.6.6, proto=https", PROXY, "https"),
        (b'for=192.0.2.1;ext="a, b;c=\\"d"', ("192.0.2.1", 0), "http"),
        (b" , for=192.0.2.1 ; proto=https , ", ("192.0.2.1", 0), "https"),
        (b'for="6.6.6.6, for=192.0.2.1;proto=https', ("192.0.2.1", 0), "https"),
        (b'for=6.6.6.6;x=", for="[2001:db8::1]"', ("2001:db8::1", 0), "http"),
        (b"for=6.6.6.6;for=7.7.7.7", PROXY, "http"),
        (b"for = 6.6.6.6", PROXY, "http"),
        (b"for", PROXY, "http"),
        (b"", PROXY, "http"),
        (b"\xff=\x00", PROXY, "http"),
    ],
)
def test_forwarded_is_read_by_its_grammar(value: bytes, client: Client, scheme: str) -> None:
    assert forwarded(TRUST, PROXY, "http", SERVER, [(b"forwarded", value)])[:2] == (client, scheme)


def test_forwarded_fields_are_joined_in_order() -> None:
    fields = [(b"forwarded", b"for=6.6.6.6"), (b"forwarded", b"for=192.0.2.1"), (b"forwarded", b"for=10.0.0.9")]
    assert client_of(*fields) == ("192.0.2.1", 0)


def test_forwarded_host_replaces_the_host() -> None:
    field = (b"forwarded", b'for=192.0.2.1;host="a.example:81";proto=https')
    result = forwarded(TRUST, PROXY, "http", SERVER, [(b"host", b"x"), (b"host", b"y"), field])
    assert result[2:] == (("a.example", 81), [(b"host", b"a.example:81"), field])


def test_x_forwarded_fields_win_over_a_forwarded_that_the_client_may_have_made_up() -> None:
    assert client_of((b"forwarded", b"for=6.6.6.6"), *xff(b"192.0.2.1")) == ("192.0.2.1", 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    b"forwarded",
                    b"x-forwarded-for",
                    b"x-forwarded-proto",
                    b"x-forwarded-host",
                    b"x-forwarded-port",
                    b"host",
                ]
            ),
            st.one_of(st.binary(max_size=40), st.text('for="[]:;,=\\ 0123.fa', max_size=40).map(str.encode)),
        ),
        max_size=6,
    )
)
def test_garbage_is_never_an_exception(headers: Headers) -> None:
    client, scheme, server, fields = forwarded(TRUST, PROXY, "http", SERVER, headers)
    assert client is not None
    assert scheme in ("http", "https")
    assert server is not None
    assert all(isinstance(value, bytes) for _, value in fields)


@pytest.mark.parametrize(
    "unit", [b",", b'"', b"\\", b'"\\', b" ", b"a=b,", b"for=1.2.3.4,", b';a="', b"[", b"1.1.1.1,", b", \t"]
)
@pytest.mark.parametrize("name", [b"forwarded", b"x-forwarded-for"])
def test_hostile_values_take_linear_time(name: bytes, unit: bytes) -> None:
    value = unit * (262_144 // len(unit))
    began = time.process_time()
    forwarded(ProxyTrust("*"), PROXY, "http", SERVER, [(name, value)])
    assert time.process_time() - began < 5  # quadratic would take minutes
