"""RFC 9113 §8, HTTP in frames: what a request is made of, when it is malformed, and what responses look like.

`Client` checks every response: its status, its fields and their names, its length and the frames it comes in.
"""

import pytest
from tests.frames import (
    NO_ERROR,
    PROTOCOL_ERROR,
    block,
    data,
    get,
    headers,
    indexed,
    literal,
    request,
    rst_stream,
)
from tests.peer import Peer, seen

Pair = tuple[bytes, bytes]
CONTROLS = [*range(0x21), 0x7F]
SEPARATORS = b'"(),/;<=>?@[\\]{}'


def malformed(peer: Peer, fields: list[Pair], body: bytes | None = None) -> None:
    """Check that a request of these fields is an error of its stream, and that no application hears of it."""
    with peer.client() as client:
        assert client.reset_of(client.ask(fields, body=body)) == PROTOCOL_ERROR
        assert client.answer_of(b"/next").status == 200
    assert set(peer.calls) == {"/next"}


def headers_of(peer: Peer, fields: list[Pair]) -> list[Pair]:
    """Return the header fields that the application sees of a request of these fields."""
    with peer.client() as client:
        fields_seen: list[Pair] = seen(client.response(client.ask(fields)))["headers"]
        return fields_seen


# --- 8.1 framing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"])
def test_a_request_is_answered_on_its_stream(peer: Peer, method: bytes) -> None:
    """§8.1: the response comes on the stream of the request, which it ends."""
    with peer.client() as client:
        response = client.response(client.request(method=method))
        assert (response.status, response.ended, response.reset) == (200, True, None)
        assert bool(response.body) is (method != b"HEAD")


def test_a_request_may_end_with_an_empty_data_frame(peer: Peer) -> None:
    """§8.1: END_STREAM ends the request, wherever it is set."""
    with peer.client() as client:
        stream = client.request(end=False)
        client.send(data(stream, end=True))
        assert seen(client.response(stream))["body"] == b""


def test_a_request_may_have_trailers(peer: Peer) -> None:
    """§8.1: a field section behind the content, with END_STREAM."""
    with peer.client() as client:
        stream = client.request(method=b"POST", extra=[(b"trailer", b"x-sum")], end=False)
        client.send(data(stream, b"body") + headers(stream, block([(b"x-sum", b"1")]), end=True))
        assert seen(client.response(stream))["body"] == b"body"


def test_trailers_may_follow_the_head_at_once(peer: Peer) -> None:
    """§8.1: the content may have no DATA frame."""
    with peer.client() as client:
        stream = client.request(method=b"POST", end=False)
        client.send(headers(stream, block([(b"x-sum", b"1")]), end=True))
        assert seen(client.response(stream))["body"] == b""


@pytest.mark.parametrize("content", [b"", data(1, b"body")], ids=["no content", "content"])
def test_trailers_end_the_stream(peer: Peer, content: bytes) -> None:
    """§8.1: a second HEADERS without END_STREAM MUST be treated as malformed."""
    with peer.client() as client:
        assert client.request(b"/wait", method=b"POST", end=False) == 1
        client.send(content + headers(1, block([(b"x-sum", b"1")])))
        assert client.reset_of(1) == PROTOCOL_ERROR
        assert client.is_alive()


def test_nothing_follows_trailers(peer: Peer) -> None:
    """§8.1: they have ended the request; more of it is an error of the stream."""
    with peer.client() as client:
        stream = client.request(b"/wait", method=b"POST", end=False)
        client.send(headers(stream, block([(b"x-sum", b"1")]), end=True) + data(stream, b"late", end=True))
        client.reset_of(stream)
        assert client.is_alive()


def test_a_response_may_have_trailers(peer: Peer) -> None:
    """§8.1: a field section behind the content, with END_STREAM, for a client that takes it."""
    with peer.client() as client:
        response = client.answer_of(b"/trailers", extra=[(b"te", b"trailers")])
        assert (bytes(response.body), response.trailers) == (b"ok", ((b"x-sum", b"5"),))
        response = client.answer_of(b"/trailers")
        assert (bytes(response.body), response.trailers) == (b"ok", ())


def test_interim_responses_come_before_the_final_one(peer: Peer) -> None:
    """§8.1: one or more HEADERS frames with a 1xx status, none of which ends the stream."""
    with peer.client() as client:
        response = client.answer_of(b"/hints")
        assert response.interim == [(103, ((b"link", b"</a.css>; rel=preload"),))]
        assert response.status == 200


def test_a_client_that_asks_to_go_on_is_told(peer: Peer) -> None:
    """§8.1, RFC 9110 §10.1.1: 100 is an interim response like others."""
    with peer.client() as client:
        stream = client.request(method=b"POST", extra=[(b"expect", b"100-continue")], end=False)
        client.until_true(lambda: bool(client.streams[stream].interim))
        assert client.streams[stream].interim == [(100, ())]
        client.send_data(stream, b"body", end=True)
        assert seen(client.response(stream))["body"] == b"body"


def test_a_server_that_needs_no_more_says_so(peer: Peer) -> None:
    """§8.1: after a complete response the rest of a request may be declined, by RST_STREAM with NO_ERROR."""
    with peer.client() as client:
        stream = client.request(b"/early", method=b"POST", end=False)
        assert client.response(stream).body == b"ok"
        assert client.reset_of(stream) == NO_ERROR


@pytest.mark.parametrize("status", [204, 205, 304])
def test_some_responses_have_no_content(peer: Peer, status: int) -> None:
    """§8.1, RFC 9110 §6.4.1: HEADERS, which end the stream, or nothing in DATA."""
    with peer.client() as client:
        response = client.answer_of(b"/status/%d" % status)
        assert (response.status, bytes(response.body), response.ended) == (status, b"", True)


# --- 8.1.1 malformed messages: content-length ---------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        (b"0", data(1, b"a", end=True)),
        (b"1", data(1, b"test", end=True)),
        (b"1", data(1, b"test") + data(1, b"test", end=True)),
        (b"5", data(1, b"test", end=True)),
        (b"5", data(1, end=True)),
        (b"5", data(1, b"test", end=True, padding=1)),
        (b"8", data(1, b"test") + data(1, b"tes", end=True)),
        (b"5", data(1, b"test") + headers(1, block([(b"x-sum", b"1")]), end=True)),
        (b"4", data(1, b"test") + data(1, b"a")),
    ],
)
def test_the_content_has_the_length_that_was_declared(peer: Peer, declared: bytes, sent: bytes) -> None:
    """§8.1.1: content-length that is not the sum of the DATA payloads MUST be an error of the stream."""
    with peer.client() as client:
        client.expect(1)
        fields = request(b"/wait", method=b"POST", extra=[(b"content-length", declared)])
        client.send(headers(1, block(fields)) + sent)
        assert client.reset_of(1) == PROTOCOL_ERROR
        assert client.is_alive()


def test_a_request_without_content_has_no_length_but_0(peer: Peer) -> None:
    """§8.1.1: a request that its HEADERS end has no content."""
    malformed(peer, request(method=b"POST", extra=[(b"content-length", b"4")]))
    assert (b"content-length", b"0") in headers_of(peer, request(method=b"POST", extra=[(b"content-length", b"0")]))


def test_padding_is_no_content(peer: Peer) -> None:
    """§8.1.1: padding does not count for content-length."""
    with peer.client() as client:
        stream = client.request(method=b"POST", extra=[(b"content-length", b"8")], end=False)
        client.send_data(stream, b"test", padding=100)
        client.send_data(stream, b"test", end=True, padding=0)
        assert seen(client.response(stream))["body"] == b"testtest"


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1_0", b"0x1", b"1,1", b"1 1", b"one", b"\xb2", b"9" * 30])
def test_content_length_is_a_number(peer: Peer, value: bytes) -> None:
    """§8.1.1, RFC 9110 §8.6: anything else is malformed."""
    malformed(peer, request(method=b"POST", extra=[(b"content-length", value)]), b"a")


@pytest.mark.parametrize("second", [b"1", b"2"])
def test_content_length_comes_once(peer: Peer, second: bytes) -> None:
    """§8.1.1, RFC 9110 §8.6: two of them are malformed, alike or not."""
    malformed(peer, request(method=b"POST", extra=[(b"content-length", b"1"), (b"content-length", second)]), b"a")


# --- 8.2 fields ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b"X-Test", b"x-tesT", b"TE", b"Host", b"A", b"z-Z"])
def test_field_names_are_in_lower_case(peer: Peer, name: bytes) -> None:
    """§8.2, §8.2.1: a name with an upper-case letter MUST be treated as malformed."""
    malformed(peer, request(extra=[(name, b"trailers")]))


@pytest.mark.parametrize("octet", [*CONTROLS, *SEPARATORS, 0x80, 0xC3, 0xFF], ids=hex)
def test_field_names_are_tokens(peer: Peer, octet: int) -> None:
    """§8.2.1: octets 0x00-0x20, 0x41-0x5a and 0x7f-0xff MUST NOT be in a name; nor may what is no token."""
    wrong = bytes((octet,))
    with peer.client() as client:
        for name in (wrong, b"x" + wrong + b"y", b"x" + wrong, wrong + b"x"):
            assert client.reset_of(client.ask(request(extra=[(name, b"v")]))) == PROTOCOL_ERROR
    assert peer.calls == []


@pytest.mark.parametrize("name", [b"", b"x:y", b"x:", b":"])
def test_field_names_have_no_colon_and_are_not_empty(peer: Peer, name: bytes) -> None:
    """§8.2.1: only the first octet of a pseudo-header field's name is a colon."""
    malformed(peer, request(extra=[(name, b"v")]))


@pytest.mark.parametrize("value", [b"a\0b", b"a\rb", b"a\nb", b"\0", b"a\r\nx-b: c", b"\n", b"a\r\n"])
def test_field_values_hold_no_line_ends_and_no_nul(peer: Peer, value: bytes) -> None:
    """§8.2.1: a value MUST NOT contain NUL, LF or CR at any position."""
    malformed(peer, request(extra=[(b"x-test", value)]))
    malformed(peer, request(extra=[(b"cookie", value)]))


@pytest.mark.parametrize("value", [b" a", b"a ", b"\ta", b"a\t", b" ", b"\t", b" a "])
def test_field_values_have_no_space_around(peer: Peer, value: bytes) -> None:
    """§8.2.1: a value MUST NOT start or end with SP or HTAB."""
    malformed(peer, request(extra=[(b"x-test", value)]))


@pytest.mark.parametrize("value", [b"", b"a b", b"a\tb", b"\x80\xff", b"!~", b"a" * 4000, b'"quoted, string"'])
def test_field_values_may_have_all_the_rest(peer: Peer, value: bytes) -> None:
    """§8.2.1, RFC 9110 §5.5: what is no control character is passed on as it is."""
    assert headers_of(peer, request(extra=[(b"x-test", value)])) == [(b"host", b"a"), (b"x-test", value)]


@pytest.mark.parametrize("name", [b"x-test", b"0", b"!#$%&'*+-.^`|~", b"x"])
def test_field_names_may_have_all_that_tokens_have(peer: Peer, name: bytes) -> None:
    """§8.2.1, RFC 9110 §5.6.2."""
    assert (name, b"v") in headers_of(peer, request(extra=[(name, b"v")]))


@pytest.mark.parametrize("name", [b"X-Sum", b"x sum", b"", b"x\0"])
def test_names_of_trailers_are_checked_alike(peer: Peer, name: bytes) -> None:
    """§8.1, §8.2.1: trailers are fields, too."""
    with peer.client() as client:
        stream = client.request(b"/wait", method=b"POST", end=False)
        client.send(headers(stream, block([(name, b"v")]), end=True))
        assert client.reset_of(stream) == PROTOCOL_ERROR


@pytest.mark.parametrize("name", [b"connection", b"transfer-encoding", b"content-length", b"host", b"te"])
def test_trailers_do_not_steer_the_message(peer: Peer, name: bytes) -> None:
    """§8.1, §8.2.2, RFC 9110 §6.5.1: what frames or routes a message came too late."""
    with peer.client() as client:
        stream = client.request(b"/wait", method=b"POST", end=False)
        client.send(headers(stream, block([(name, b"trailers")]), end=True))
        assert client.reset_of(stream) == PROTOCOL_ERROR


@pytest.mark.parametrize("form", [b"\x00", b"\x10", b"\x40"], ids=["not indexed", "never indexed", "indexed"])
def test_malformed_fields_are_seen_in_every_representation(peer: Peer, form: bytes) -> None:
    """§8.2.1, §10.3: also one that comes out of the table a second time."""
    bad = form + literal(b"x-bad", b"a\nb")[1:]
    with peer.client() as client:
        for fields in (bad, bad if form != b"\x40" else indexed(62)):
            stream = client.open()
            client.send(headers(stream, block(request()) + fields, end=True))
            assert client.reset_of(stream) == PROTOCOL_ERROR
    assert peer.calls == []


# --- 8.2.2 fields of the connection ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        (b"connection", b"keep-alive"),
        (b"connection", b"close"),
        (b"connection", b""),
        (b"proxy-connection", b"keep-alive"),
        (b"keep-alive", b"timeout=5"),
        (b"transfer-encoding", b"chunked"),
        (b"transfer-encoding", b"identity"),
        (b"upgrade", b"websocket"),
    ],
)
def test_fields_of_the_connection_are_malformed(peer: Peer, field: Pair) -> None:
    """§8.2.2: a message with connection-specific fields MUST be treated as malformed."""
    malformed(peer, request(method=b"POST", extra=[field]), b"a")


@pytest.mark.parametrize("value", [b"trailers, deflate", b"gzip", b"", b"trailers;q=0.5", b"trailers, trailers"])
def test_te_says_nothing_but_trailers(peer: Peer, value: bytes) -> None:
    """§8.2.2: TE MUST NOT contain any value other than "trailers"."""
    malformed(peer, request(extra=[(b"te", value)]))


def test_te_may_say_trailers(peer: Peer) -> None:
    """§8.2.2: the one exception."""
    assert (b"te", b"trailers") in headers_of(peer, request(extra=[(b"te", b"trailers")]))


def test_the_server_sends_no_fields_of_the_connection(peer: Peer) -> None:
    """§8.2.2: an endpoint MUST NOT generate them, nor names in upper case or values with space around (§8.2)."""
    with peer.client() as client:
        response = client.answer_of(b"/http1")
        assert response.field(b"x-kept") == b"spaced"
        names = {name for name, _ in response.headers}
        assert not names & {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}


# --- 8.2.3 cookies ----------------------------------------------------------------------------------------


def test_crumbs_of_a_cookie_are_joined(peer: Peer) -> None:
    """§8.2.3: they MUST be concatenated by "; " before an application sees them."""
    crumbs = [(b"cookie", b"a=b"), (b"x-between", b"1"), (b"cookie", b"c=d"), (b"cookie", b"e=f")]
    found = headers_of(peer, request(extra=crumbs))
    assert [value for name, value in found if name == b"cookie"] == [b"a=b; c=d; e=f"]
    assert (b"x-between", b"1") in found


# --- 8.3 control data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [b":test", b":status", b":reason", b":", b":Method", b":version"])
def test_unknown_pseudo_fields_are_malformed(peer: Peer, name: bytes) -> None:
    """§8.3: undefined pseudo-header fields, and those of responses, MUST be treated as malformed."""
    malformed(peer, [*request(), (name, b"200")])
    malformed(peer, [(name, b"200"), *request()])


@pytest.mark.parametrize("name", [b":method", b":scheme", b":path", b":authority", b":status"])
def test_pseudo_fields_are_not_in_trailers(peer: Peer, name: bytes) -> None:
    """§8.3, §8.1: a trailer section with a pseudo-header field MUST be treated as malformed."""
    with peer.client() as client:
        stream = client.request(b"/wait", method=b"POST", end=False)
        client.send(data(stream, b"body") + headers(stream, block([(name, b"POST")]), end=True))
        assert client.reset_of(stream) == PROTOCOL_ERROR


@pytest.mark.parametrize("last", [b":method", b":scheme", b":path", b":authority"])
def test_pseudo_fields_come_first(peer: Peer, last: bytes) -> None:
    """§8.3: one that follows a regular field MUST be treated as malformed."""
    late = dict(request())[last]
    malformed(peer, [*request(without=[last]), (b"x-test", b"v"), (last, late)])
    malformed(peer, [(b"x-test", b"v"), *request()])


@pytest.mark.parametrize("name", [b":method", b":scheme", b":path", b":authority"])
def test_pseudo_fields_come_once(peer: Peer, name: bytes) -> None:
    """§8.3: the same name MUST NOT appear twice, whatever the values."""
    for value in (dict(request())[name], b"/other"):
        malformed(peer, [*request(), (name, value)])


@pytest.mark.parametrize("name", [b":method", b":scheme", b":path"])
def test_a_request_has_its_pseudo_fields(peer: Peer, name: bytes) -> None:
    """§8.3.1: all requests but CONNECT MUST include exactly one valid value of each."""
    malformed(peer, request(without=[name]))
    malformed(peer, [field if field[0] != name else (name, b"") for field in request()])


@pytest.mark.parametrize("method", [b"G ET", b"GET ", b"GE\tT", b"G\0T", b"(GET)", b"GET/"])
def test_a_method_is_a_token(peer: Peer, method: bytes) -> None:
    """§8.3.1, RFC 9110 §9.1: anything else is no valid value."""
    malformed(peer, request(method=method))


@pytest.mark.parametrize("path", [b"a", b"//\0", b"/a b", b"/a#b", b"?a", b"http://a/", b"/\x80\r", b"/a\tb"])
def test_a_path_is_a_path(peer: Peer, path: bytes) -> None:
    """§8.3.1: :path holds path-absolute and query, or is malformed."""
    malformed(peer, request(path))


def test_a_path_has_its_query(peer: Peer) -> None:
    """§8.3.1: both parts are in :path."""
    with peer.client() as client:
        view = seen(client.answer_of(b"/a%2Fb/c%20d?x=/?&y"))
        assert view["path"] == "/a/b/c d"
        assert view["raw_path"] == b"/a%2Fb/c%20d"
        assert view["query_string"] == b"x=/?&y"


def test_an_asterisk_is_a_path_for_options_only(peer: Peer) -> None:
    """§8.3.1: an OPTIONS request without a path has "*"."""
    with peer.client() as client:
        assert client.answer_of(b"*", method=b"OPTIONS").status == 200
    peer.calls.clear()
    malformed(peer, request(b"*"))


def test_the_authority_takes_the_place_of_host(peer: Peer) -> None:
    """§8.3.1: an application of HTTP/1.1 finds it in Host, which comes first and once."""
    assert headers_of(peer, request(authority=b"example.com:8000")) == [(b"host", b"example.com:8000")]
    both = request(authority=b"example.com", extra=[(b"x-a", b"1"), (b"host", b"example.com")])
    assert headers_of(peer, both) == [(b"host", b"example.com"), (b"x-a", b"1")]


def test_host_may_stand_for_the_authority(peer: Peer) -> None:
    """§8.3.1: a request out of HTTP/1.1 may have no :authority."""
    fields = request(without=[b":authority"], extra=[(b"host", b"example.com")])
    assert headers_of(peer, fields) == [(b"host", b"example.com")]


def test_host_comes_once(peer: Peer) -> None:
    """§8.3.1, RFC 9110 §7.2: as in HTTP/1.1."""
    malformed(peer, request(extra=[(b"host", b"a"), (b"host", b"a")]))
    malformed(peer, request(without=[b":authority"], extra=[(b"host", b"a"), (b"host", b"a")]))


@pytest.mark.parametrize("host", [b"b", b"a:81", b"a.", b"a, b"])
def test_host_is_the_authority(peer: Peer, host: bytes) -> None:
    """§8.3.1: Host that names another one than :authority is malformed."""
    malformed(peer, request(extra=[(b"host", host)]))


@pytest.mark.parametrize(
    "authority", [b"user@a", b"user:pass@a", b"a/b", b"a b", b"a?b", b"a:b", b"a\0", b"[::1", b"a,b"]
)
def test_an_authority_is_host_and_port(peer: Peer, authority: bytes) -> None:
    """§8.3.1: it MUST NOT include userinfo; nothing else is an authority either."""
    malformed(peer, request(authority=authority))


@pytest.mark.parametrize("fields", [[], [(b"host", b"")], [(b"host", b"a/b")], [(b"host", b"user@a")]])
def test_a_request_names_its_host(peer: Peer, fields: list[Pair]) -> None:
    """§8.3.1, RFC 9110 §7.2: without a valid one it gets a 400 or is malformed."""
    with peer.client() as client:
        response = client.response(client.ask(request(without=[b":authority"], extra=fields)))
        assert response.status == 400 or response.reset == PROTOCOL_ERROR
    assert peer.calls == []


def test_the_scheme_is_the_connections(peer: Peer) -> None:
    """§8.3.1, RFC 9110 §4.2: what the application hears is how the request has come."""
    with peer.client() as client:
        assert seen(client.response(client.ask(request(scheme=peer.scheme))))["scheme"] == peer.scheme.decode()


# --- 8.5 CONNECT ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [(b":scheme", b"https"), (b":path", b"/")])
def test_connect_has_neither_scheme_nor_path(peer: Peer, extra: Pair) -> None:
    """§8.5: a CONNECT request that does not conform is malformed."""
    malformed(peer, [(b":method", b"CONNECT"), (b":authority", b"a:443"), extra])


def test_connect_needs_an_authority(peer: Peer) -> None:
    """§8.5: :authority has the host and port to connect to."""
    with peer.client() as client:
        response = client.response(client.ask([(b":method", b"CONNECT")], end=False))
        assert response.reset == PROTOCOL_ERROR or response.status >= 400
    assert peer.calls == []


def test_connect_is_not_for_this_server(peer: Peer) -> None:
    """§8.5: a server that is no proxy refuses; no application hears of it."""
    with peer.client() as client:
        stream = client.ask([(b":method", b"CONNECT"), (b":authority", b"a:443")], end=False)
        assert client.response(stream).status == 501
        client.drop(stream, rst_stream(stream))
        assert client.answer_of(b"/next").status == 200
    assert peer.calls == ["/next"]


# --- 8.6, 8.7 --------------------------------------------------------------------------------------------


def test_the_protocol_is_not_changed_within_http2(peer: Peer) -> None:
    """§8.6: HTTP/2 has no 101 and no Upgrade; `Client` would refuse the one, the server refuses the other."""
    malformed(peer, request(extra=[(b"upgrade", b"h2c")]))


def test_many_requests_share_a_connection(peer: Peer) -> None:
    """§8.1, §9.1: a stream each; answers come in any order."""
    with peer.client() as client:
        streams = [client.request(b"/%d" % i) for i in range(50)]
        assert [seen(client.response(stream))["path"] for stream in streams] == [f"/{i}" for i in range(50)]


def test_requests_of_one_segment_are_all_answered(peer: Peer) -> None:
    """§8.1: a stream each."""
    with peer.client() as client:
        streams = [client.open() for _ in range(20)]
        client.send(b"".join(get(stream, b"/%d" % stream) for stream in streams))
        assert [seen(client.response(stream))["path"] for stream in streams] == [f"/{stream}" for stream in streams]
