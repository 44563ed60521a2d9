"""Decoded fields to requests and trailers (RFC 9113 §8, RFC 8441)."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.codec.events import Fault, Request
from portico.codec.http2.messages import read_request, read_trailers
from portico.codec.limits import Limits

Fields = list[tuple[bytes, bytes]]

METHOD, SCHEME, PATH = (b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/")
AUTHORITY = (b":authority", b"example.com")
GET: Fields = [METHOD, SCHEME, AUTHORITY, PATH]
POST: Fields = [(b":method", b"POST"), SCHEME, AUTHORITY, PATH]
CONNECT = (b":method", b"CONNECT")
WEBSOCKET: Fields = [CONNECT, (b":protocol", b"websocket"), SCHEME, AUTHORITY, (b":path", b"/chat?room=1")]


def read(fields: Fields, ended: bool = True, limits: Limits | None = None) -> Request:
    result = read_request(list(fields), ended, limits or Limits())
    assert isinstance(result, Request), result
    return result


def reason(fields: Fields, ended: bool = True) -> str:
    """Return why a request is malformed."""
    result = read_request(list(fields), ended, Limits())
    assert isinstance(result, str), result
    return result


def fault(fields: Fields, ended: bool = True, limits: Limits | None = None) -> Fault:
    result = read_request(list(fields), ended, limits or Limits())
    assert isinstance(result, Fault), result
    return result


def without(name: bytes, fields: Fields = GET) -> Fields:
    return [field for field in fields if field[0] != name]


def with_path(path: bytes, method: bytes = b"GET") -> Fields:
    return [(b":method", method), SCHEME, AUTHORITY, (b":path", path)]


# --- a request ----------------------------------------------------------------------------------


def test_a_request_is_what_its_fields_say() -> None:
    request = read([*GET[:3], (b":path", b"/a%20b/?q=%20x&y"), (b"accept", b"*/*"), (b"x-custom", b"1")])
    assert (request.method, request.http_version) == ("GET", "2")
    assert (request.target, request.raw_path, request.path) == (b"/a%20b/?q=%20x&y", b"/a%20b/", "/a b/")
    assert request.query_string == b"q=%20x&y"
    assert request.headers == [(b"host", b"example.com"), (b"accept", b"*/*"), (b"x-custom", b"1")]
    assert (request.has_body, request.content_length, request.keep_alive) == (False, 0, True)
    assert (request.protocol, request.upgrades, request.connection_upgrade) == (b"", None, False)


def test_the_list_that_was_read_is_as_it_was() -> None:
    fields: Fields = [*GET, (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"host", b"example.com")]
    before = list(fields)
    assert isinstance(read_request(fields, True, Limits()), Request)
    assert fields == before


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_pseudo_header_fields_come_in_any_order(order: tuple[int, ...]) -> None:
    request = read([GET[index] for index in order])
    assert (request.method, request.path, request.headers) == ("GET", "/", [(b"host", b"example.com")])


def test_a_body_follows_where_the_stream_has_not_ended() -> None:
    request = read(POST, ended=False)
    assert (request.has_body, request.content_length) == (True, -1)


def test_the_length_of_the_body_is_what_content_length_says() -> None:
    request = read([*POST, (b"content-length", b"5")], ended=False)
    assert (request.has_body, request.content_length) == (True, 5)
    assert (b"content-length", b"5") in request.headers


def test_a_body_that_is_empty_still_ends_with_its_stream() -> None:
    request = read([*POST, (b"content-length", b"0")], ended=False)
    assert (request.has_body, request.content_length) == (True, 0)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PROPFIND", b"M-SEARCH", b"QUERY"])
def test_methods_are_those_of_http_1(method: bytes) -> None:
    assert read(with_path(b"/", method)).method == method.decode()


def test_options_may_ask_about_the_whole_server() -> None:
    """§8.3.1: the path of an OPTIONS request without one is an asterisk."""
    request = read(with_path(b"*", b"OPTIONS"))
    assert (request.path, request.raw_path) == ("*", b"*")


def test_a_path_is_read_as_in_http_1() -> None:
    request = read(with_path(b"//a/../b%2Fc%C3%A9%zz?a?b"))
    assert (request.raw_path, request.path, request.query_string) == (
        b"//a/../b%2Fc%C3%A9%zz",
        "//a/../b/cé%zz",
        b"a?b",
    )


# --- malformed: pseudo-header fields (§8.3, §8.3.1) ------------------------------------------------


@pytest.mark.parametrize("name", [b":method", b":scheme", b":path"])
def test_a_request_without_a_mandatory_pseudo_header_field_is_malformed(name: bytes) -> None:
    assert reason(without(name)).startswith("no ")


@pytest.mark.parametrize("field", GET)
@pytest.mark.parametrize("value", [b"", None])
def test_a_pseudo_header_field_that_comes_twice_is_malformed(field: tuple[bytes, bytes], value: bytes | None) -> None:
    again = (field[0], field[1] if value is None else value)
    assert reason([*GET, again])
    assert reason([field, again, *without(field[0])])


@pytest.mark.parametrize("field", GET)
def test_a_pseudo_header_field_behind_another_field_is_malformed(field: tuple[bytes, bytes]) -> None:
    """§8.3: all pseudo-header fields MUST appear before all regular field lines."""
    assert reason([*without(field[0]), (b"accept", b"*/*"), field])


@pytest.mark.parametrize("name", [b":status", b":foo", b":", b":Method", b":host", b":protocols", b"::path"])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_pseudo_header_field_that_is_not_defined_is_malformed(name: bytes, place: int) -> None:
    assert reason([*GET[:place], (name, b"200"), *GET[place:]])


@pytest.mark.parametrize("method", [b"", b"GE T", b"GET\r\n", b"G\x00ET", b"G(T", b"G\xc3\xa9T", b" GET", b"GET "])
def test_a_method_that_is_no_token_is_malformed(method: bytes) -> None:
    assert reason(with_path(b"/", method)) == "malformed :method"


@pytest.mark.parametrize("method", [b"BREW", b"get", b"GETT", b"PRI"])
def test_a_method_that_is_not_known_is_not_implemented(method: bytes) -> None:
    assert fault(with_path(b"/", method)) == Fault(501, "method is not implemented")


@pytest.mark.parametrize(
    "path",
    [
        b"", b"a", b"*", b"?q", b"x/y", b"https://example.com/", b"/a b", b"/a#b", b"/a\x00", b"/a\r\nb: c", b"/\x7f",
        b"/\xc3\xa9", b"/a\t", b" /", b"/ ",
    ],
)  # fmt: skip
def test_a_path_that_is_no_path_is_malformed(path: bytes) -> None:
    assert reason(with_path(path)) == "malformed :path"


@pytest.mark.parametrize("path", [b"", b"**", b"*/", b"x"])
def test_options_asks_for_a_path_or_an_asterisk(path: bytes) -> None:
    assert reason(with_path(path, b"OPTIONS")) == "malformed :path"


@pytest.mark.parametrize("scheme", [b"", b"https:", b"http://a/", b"1a", b"ht tp", b"https\n", b"https ", b"\xe9"])
def test_a_scheme_that_is_none_is_malformed(scheme: bytes) -> None:
    assert reason([METHOD, (b":scheme", scheme), AUTHORITY, PATH]) == "malformed :scheme"


@pytest.mark.parametrize("scheme", [b"ftp", b"ws", b"HTTPS", b"coap+tcp"])
def test_another_scheme_than_http_is_refused(scheme: bytes) -> None:
    assert fault([METHOD, (b":scheme", scheme), AUTHORITY, PATH]).status == 400


@pytest.mark.parametrize(
    "authority",
    [
        b"",
        b"user@example.com",
        b"a:b@example.com",
        b"example.com:port",
        b"a b",
        b"a/b",
        b"a,b",
        b":80",
        b"[::1",
        b"a\n",
    ],
)
def test_an_authority_that_is_none_is_malformed(authority: bytes) -> None:
    """§8.3.1: ":authority" MUST NOT include the userinfo subcomponent."""
    assert reason([METHOD, SCHEME, (b":authority", authority), PATH]) == "malformed :authority"


# --- the host (§8.3.1) ------------------------------------------------------------------------------


@pytest.mark.parametrize("authority", [b"a", b"example.com:8443", b"[::1]:80", b"127.0.0.1", b"a_b.example"])
def test_the_authority_is_the_first_field_as_host(authority: bytes) -> None:
    request = read([METHOD, SCHEME, (b":authority", authority), PATH, (b"accept", b"*/*")])
    assert request.headers == [(b"host", authority), (b"accept", b"*/*")]


def test_a_host_stands_in_for_the_authority() -> None:
    request = read([*without(b":authority"), (b"accept", b"*/*"), (b"host", b"example.com")])
    assert request.headers == [(b"accept", b"*/*"), (b"host", b"example.com")]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        (b"example.com", b"example.com"),
        (b"example.com", b"EXAMPLE.com"),
        (b"example.com", b"example.com:443"),
        (b"example.com:443", b"example.com"),
        (b"example.com", b"example.com:"),
        (b"example.com:8443", b"Example.com:8443"),
    ],
)
def test_a_host_that_is_the_authority_is_replaced_by_it(authority: bytes, host: bytes) -> None:
    request = read([METHOD, SCHEME, (b":authority", authority), PATH, (b"accept", b"*/*"), (b"host", host)])
    assert request.headers == [(b"host", authority), (b"accept", b"*/*")]


@pytest.mark.parametrize(
    "host", [b"", b"example.org", b"example.com:80", b"example.com:8443", b"example.com, a", b"a@b"]
)
def test_a_host_that_is_another_one_than_the_authority_is_malformed(host: bytes) -> None:
    assert reason([*GET, (b"host", host)]) == "host is not :authority"


def test_the_port_that_goes_without_saying_depends_on_the_scheme() -> None:
    fields: Fields = [METHOD, (b":scheme", b"http"), AUTHORITY, PATH]
    assert read([*fields, (b"host", b"example.com:80")]).headers == [(b"host", b"example.com")]
    assert reason([*fields, (b"host", b"example.com:443")])


def test_a_host_that_comes_twice_is_malformed() -> None:
    assert reason([*GET, (b"host", b"example.com"), (b"host", b"example.com")])
    assert reason([*without(b":authority"), (b"host", b"example.com"), (b"host", b"example.org")])


@pytest.mark.parametrize("host", [b"", b"a b", b"a@b", b"a:b"])
def test_a_host_in_the_place_of_the_authority_is_checked(host: bytes) -> None:
    assert fault([*without(b":authority"), (b"host", host)]).status == 400


def test_a_request_to_nobody_is_refused() -> None:
    assert fault(without(b":authority")) == Fault(400, "a request has :authority or Host")


# --- malformed: fields (§8.2) -----------------------------------------------------------------------

NAME_OCTETS = frozenset((string.ascii_lowercase + string.digits + "!#$%&'*+-.^_`|~").encode())


@pytest.mark.parametrize("octet", [octet for octet in range(256) if octet not in NAME_OCTETS])
def test_a_name_with_an_octet_that_no_name_has_is_malformed(octet: int) -> None:
    """§8.2.1: 0x00-0x20, upper case, 0x7f-0xff, and ":" but as the first octet; RFC 9110 §5.1: no delimiters."""
    for name in (bytes((octet,)), b"x" + bytes((octet,)), bytes((octet,)) + b"x", b"a" * 20 + bytes((octet,)) + b"b"):
        assert reason([*GET, (name, b"1")]) == "malformed field name"


@pytest.mark.parametrize("octet", sorted(NAME_OCTETS))
def test_a_name_has_any_octet_of_a_token_but_upper_case(octet: int) -> None:
    name = b"x" + bytes((octet,))
    assert read([*GET, (name, b"1")]).headers[1] == (name, b"1")


def test_a_name_that_is_empty_is_malformed() -> None:
    assert reason([*GET, (b"", b"1")]) == "malformed field name"


@pytest.mark.parametrize("name", [b"Accept", b"HOST", b"Content-Length", b"Cookie", b"TE", b"Connection"])
def test_a_well_known_name_in_upper_case_is_malformed(name: bytes) -> None:
    assert reason([*GET, (name, b"1")]) == "malformed field name"


@pytest.mark.parametrize("octet", [*range(9), *range(10, 32), 127])
@pytest.mark.parametrize("name", [b"accept", b"x-other"])
def test_a_value_with_a_control_character_is_malformed(octet: int, name: bytes) -> None:
    """§8.2.1: NUL, LF, CR at any position; RFC 9110 §5.5: nor the others."""
    control = bytes((octet,))
    for value in (control, b"a" + control, control + b"a", b"a" * 40 + control + b"b" * 7, b"a" * 16 + control):
        assert reason([*GET, (name, value)]) == "malformed field value"


@pytest.mark.parametrize("octet", [octet for octet in range(256) if octet >= 32 and octet != 127] + [9])
def test_a_value_has_any_other_octet(octet: int) -> None:
    for value in (b"a" + bytes((octet,)) + b"b", b"a" * 20 + bytes((octet,)) + b"b"):
        assert read([*GET, (b"x-other", value)]).headers[1] == (b"x-other", value)


@pytest.mark.parametrize("value", [b" a", b"a ", b"\ta", b"a\t", b" ", b"\t", b" a "])
def test_a_value_with_white_space_around_it_is_malformed(value: bytes) -> None:
    """§8.2.1: a field value MUST NOT start or end with an ASCII whitespace character."""
    assert reason([*GET, (b"x-other", value)]) == "malformed field value"


def test_a_value_may_be_empty() -> None:
    assert read([*GET, (b"x-other", b"")]).headers[1] == (b"x-other", b"")


@pytest.mark.parametrize(
    "name",
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings"],
)
@pytest.mark.parametrize("value", [b"close", b"", b"chunked", b"trailers"])
def test_a_field_of_the_connection_is_malformed(name: bytes, value: bytes) -> None:
    """§8.2.2: connection-specific fields MUST be treated as malformed."""
    assert reason([*GET, (name, value)]) == "connection-specific field"


@pytest.mark.parametrize("value", [b"trailers", b"Trailers"])
def test_te_says_that_trailers_are_welcome(value: bytes) -> None:
    assert read([*GET, (b"te", value)]).wants_trailers
    assert not read(GET).wants_trailers


@pytest.mark.parametrize("value", [b"", b"gzip", b"trailers, deflate;q=0.5", b"trailers;q=0", b"trailer"])
def test_te_that_says_something_else_is_malformed(value: bytes) -> None:
    """§8.2.2: TE MUST NOT contain any value other than "trailers"."""
    assert reason([*GET, (b"te", value)]) == "te is not trailers"


# --- the length (§8.1.1) -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"", b"+5", b"-5", b"5, 5", b"0x5", b"5.0", b"9" * 19, b"1" * 100, b"five", b"1_0"])
def test_a_length_that_is_no_number_is_malformed(value: bytes) -> None:
    assert reason([*POST, (b"content-length", value)], ended=False) == "malformed content-length"


def test_a_length_that_comes_twice_is_malformed() -> None:
    fields: Fields = [*POST, (b"content-length", b"5"), (b"content-length", b"5")]
    assert reason(fields, ended=False) == "malformed content-length"


@pytest.mark.parametrize("value", [b"1", b"9" * 18])
def test_a_length_without_a_body_is_malformed(value: bytes) -> None:
    assert reason([*POST, (b"content-length", value)]) == "content-length without a body"


def test_no_length_is_the_length_of_no_body() -> None:
    assert read([*POST, (b"content-length", b"0")]).content_length == 0


def test_the_greatest_length_fits() -> None:
    assert read([*POST, (b"content-length", b"9" * 18)], ended=False).content_length == 10**18 - 1


def test_a_body_that_will_be_too_large_is_refused_by_its_length() -> None:
    fields: Fields = [*POST, (b"content-length", b"11")]
    assert fault(fields, ended=False, limits=Limits(body=10)) == Fault(413, "body is too large")
    assert read(fields, ended=False, limits=Limits(body=11)).content_length == 11


# --- other fields that steer -------------------------------------------------------------------------


def test_crumbs_of_a_cookie_are_joined() -> None:
    """§8.2.3: with "; "; fields of other names keep their order."""
    crumbs: Fields = [(b"cookie", b"a=1"), (b"x-1", b"1"), (b"cookie", b"b=2; c=3"), (b"x-2", b"2"), (b"cookie", b"d")]
    headers = read([*GET, *crumbs]).headers
    assert [value for name, value in headers if name == b"cookie"] == [b"a=1; b=2; c=3; d"]
    assert without(b"cookie", headers) == [(b"host", b"example.com"), (b"x-1", b"1"), (b"x-2", b"2")]


def test_one_cookie_stays_where_it_is() -> None:
    headers = read([*GET, (b"cookie", b"a=1"), (b"accept", b"*/*")]).headers
    assert headers == [(b"host", b"example.com"), (b"cookie", b"a=1"), (b"accept", b"*/*")]


@pytest.mark.parametrize(
    "name", [b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"]
)
def test_fields_of_proxies_are_noted(name: bytes) -> None:
    assert read([*GET, (name, b"1")]).forwarded
    assert not read(GET).forwarded


@pytest.mark.parametrize("value", [b"100-continue", b"100-Continue"])
def test_a_client_may_wait_for_a_word_before_its_body(value: bytes) -> None:
    assert read([*POST, (b"expect", value)], ended=False).expects_continue
    assert not read(POST, ended=False).expects_continue


@pytest.mark.parametrize("value", [b"", b"200-ok", b"100-continue, x"])
def test_an_expectation_that_is_not_known_fails(value: bytes) -> None:
    assert fault([*POST, (b"expect", value)], ended=False).status == 417


def test_the_priority_is_kept_as_it_came() -> None:
    assert read(GET).priority is None
    assert read([*GET, (b"priority", b"u=1, i")]).priority == b"u=1, i"
    assert read([*GET, (b"priority", b"u=1"), (b"priority", b"i")]).priority == b"u=1, i"


# --- limits ----------------------------------------------------------------------------------------


def test_the_number_of_fields_is_limited() -> None:
    limits = Limits(fields=3)
    fields: Fields = [*GET, (b"a", b"1"), (b"b", b"2")]
    assert len(read(fields, limits=limits).headers) == 3
    assert fault([*fields, (b"c", b"3")], limits=limits) == Fault(431, "too many header fields")


def test_crumbs_are_one_field_for_the_limit() -> None:
    crumbs = [(b"cookie", b"a=%d" % number) for number in range(50)]
    assert len(read([*GET, *crumbs], limits=Limits(fields=2)).headers) == 2


def test_the_length_of_the_path_is_limited() -> None:
    assert read(with_path(b"/" + b"a" * 9), limits=Limits(line=10))
    assert fault(with_path(b"/" + b"a" * 10), limits=Limits(line=10)).status == 414


FAULTS: list[Fields] = [
    with_path(b"/", b"BREW"),
    without(b":authority"),
    with_path(b"/" + b"a" * 9000),
    [METHOD, (b":scheme", b"ftp"), AUTHORITY, PATH],
    [*GET, (b"expect", b"the worst")],
    [*GET, *[(b"x-%d" % number, b"") for number in range(101)]],
    [CONNECT, AUTHORITY],
]


@pytest.mark.parametrize("fields", FAULTS)
@pytest.mark.parametrize("trouble", [(b"connection", b"close"), (b"X", b"1"), (b"x", b"\x00"), (b":path", b"/")])
def test_what_is_malformed_is_not_answered_though_there_were_an_answer(
    fields: Fields, trouble: tuple[bytes, bytes]
) -> None:
    assert fault(fields)
    assert reason([*fields, trouble])


def test_a_method_that_is_not_known_needs_a_target_like_others() -> None:
    assert reason([(b":method", b"BREW"), SCHEME, AUTHORITY]) == "no :scheme or no :path"


# --- CONNECT (§8.5, RFC 8441) ------------------------------------------------------------------------


def test_connect_is_not_implemented() -> None:
    assert fault([CONNECT, (b":authority", b"example.com:443")], ended=False).status == 501


@pytest.mark.parametrize("extra", [[SCHEME], [PATH], [SCHEME, PATH]])
def test_connect_with_scheme_or_path_is_malformed(extra: Fields) -> None:
    """§8.5: ":scheme" and ":path" MUST be omitted."""
    assert reason([CONNECT, AUTHORITY, *extra], ended=False) == "CONNECT with :scheme or :path"


@pytest.mark.parametrize("name", [b"websocket", b"WebSocket"])
def test_an_extended_connect_opens_a_tunnel(name: bytes) -> None:
    fields: Fields = [*without(b":protocol", WEBSOCKET), (b":protocol", name), (b"sec-websocket-version", b"13")]
    request = read(fields, ended=False)
    assert (request.method, request.protocol) == ("CONNECT", b"websocket")
    assert (request.path, request.query_string, request.has_body) == ("/chat", b"room=1", False)
    assert request.headers == [(b"host", b"example.com"), (b"sec-websocket-version", b"13")]


@pytest.mark.parametrize("name", [b":scheme", b":path"])
def test_an_extended_connect_has_scheme_and_path(name: bytes) -> None:
    """RFC 8441 §4: ":scheme" and ":path" MUST also be included."""
    assert reason(without(name, WEBSOCKET), ended=False) == "no :scheme or no :path"


@pytest.mark.parametrize("method", [b"GET", b"POST", b"BREW"])
def test_a_protocol_comes_with_connect_only(method: bytes) -> None:
    fields: Fields = [(b":method", method), *WEBSOCKET[1:]]
    assert reason(fields, ended=False) == ":protocol without CONNECT"


@pytest.mark.parametrize("protocol", [b"", b"web socket", b"websocket\n"])
def test_a_protocol_that_is_no_token_is_malformed(protocol: bytes) -> None:
    assert reason([CONNECT, (b":protocol", protocol), SCHEME, AUTHORITY, PATH], ended=False) == "malformed :protocol"


@pytest.mark.parametrize("protocol", [b"connect-udp", b"webtransport", b"h2c"])
def test_another_protocol_is_not_implemented(protocol: bytes) -> None:
    assert fault([CONNECT, (b":protocol", protocol), SCHEME, AUTHORITY, PATH], ended=False).status == 501


def test_a_tunnel_through_a_stream_that_has_ended_is_refused() -> None:
    assert fault(WEBSOCKET, ended=True).status == 400


# --- whatever comes ----------------------------------------------------------------------------------

NAMES = st.sampled_from([name for name, _ in (*GET, *WEBSOCKET)] + [b"host", b"cookie", b"te", b"content-length"])
VALUES = st.sampled_from([value for _, value in (*GET, *WEBSOCKET)] + [b"5", b"trailers"])


@given(
    st.lists(st.tuples(NAMES | st.binary(max_size=8), VALUES | st.binary(max_size=8)), max_size=9).map(
        lambda fields: [*fields]
    ),
    st.booleans(),
)
def test_anything_is_a_request_or_refused(fields: Fields, ended: bool) -> None:
    for each in (fields, [*GET, *fields]):
        result = read_request(each, ended, Limits())
        if isinstance(result, Request):
            assert sum(name == b"host" for name, _ in result.headers) == 1
            assert all(name == name.lower() and name and b":" not in name for name, _ in result.headers)
        else:
            assert isinstance(result, str | Fault)


# --- trailers ----------------------------------------------------------------------------------------


def test_trailers_are_fields() -> None:
    fields: Fields = [(b"x-checksum", b"1234"), (b"x-checksum", b""), (b"etag", b'"a"')]
    assert read_trailers(fields) == fields
    assert read_trailers([]) == []


@pytest.mark.parametrize(
    "field",
    [*GET, (b":status", b"200"), (b"X", b"1"), (b"", b"1"), (b"x", b" 1"), (b"x", b"1\n"), (b"x y", b"1"),
     (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"content-length", b"5"), (b"host", b"a"),
     (b"cookie", b"a=1"), (b"te", b"trailers"), (b"authorization", b"x"), (b"proxy-connection", b"close")],
)  # fmt: skip
def test_trailers_have_no_field_of_a_head(field: tuple[bytes, bytes]) -> None:
    """§8.1: trailers MUST NOT include pseudo-header fields; RFC 9110 §6.5.1: nor what a message rests on."""
    assert isinstance(read_trailers([(b"x-checksum", b"1234"), field]), str)
