"""The opening handshake (RFC 6455 §4.2): what a client asks for, what it offers, and what is wrong with it.

Requests come as bytes, by way of the reader of HTTP/1.1.
"""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portico.codec.events import Fault, Request
from portico.codec.http1.reader import RequestReader
from portico.codec.limits import Limits
from portico.codec.websocket.deflate import accept
from portico.codec.websocket.handshake import (
    UPGRADE_REQUIRED,
    Extensions,
    Offer,
    accept_value,
    is_handshake,
    parse_extensions,
    read_handshake,
    read_offer,
)

HOST = b"Host: server.example.com\r\n"
UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
ALL = [HOST, UPGRADE, CONNECTION, KEY, VERSION]
DEFLATE = "permessage-deflate"


def request(*lines: bytes, start: bytes = b"GET /chat HTTP/1.1\r\n") -> Request:
    """Return the request with these field lines."""
    reader = RequestReader(Limits())
    reader.feed(start + b"".join(lines) + b"\r\n")
    event = reader.next_event()
    assert isinstance(event, Request)
    return event


def without(*lines: bytes, plus: Sequence[bytes] = ()) -> Request:
    """Return a handshake that lacks some of its lines and has others."""
    return request(*(line for line in ALL if line not in lines), *plus)


def offer(*lines: bytes, compress: bool = True) -> Offer:
    """Return what a handshake with these lines more offers."""
    found = read_handshake(request(*ALL, *lines), compress)
    assert isinstance(found, Offer)
    return found


def status(asked: Request) -> int:
    """Return the status of the fault in a handshake."""
    found = read_handshake(asked, True)
    assert isinstance(found, Fault)
    return found.status


def extensions(*values: bytes) -> bytes:
    """Return field lines with these values."""
    return b"".join(b"Sec-WebSocket-Extensions: " + value + b"\r\n" for value in values)


def protocols(*values: bytes) -> bytes:
    """Return field lines with these values."""
    return b"".join(b"Sec-WebSocket-Protocol: " + value + b"\r\n" for value in values)


# --- which requests are handshakes ---------------------------------------------------------------


@pytest.mark.parametrize("value", [b"websocket", b"WebSocket", b"WEBSOCKET", b"h2c, websocket", b"x/1 ,\twebsocket"])
def test_a_get_that_asks_for_an_upgrade_to_websocket_is_a_handshake(value: bytes) -> None:
    """§4.2.1 3: an Upgrade field with the value "websocket", case-insensitive."""
    assert is_handshake(without(UPGRADE, plus=[b"Upgrade: " + value + b"\r\n"]))


@pytest.mark.parametrize("value", [b"", b"h2c", b"websockets", b"web socket", b"websocket/13", b"x-websocket"])
def test_another_upgrade_is_no_handshake(value: bytes) -> None:
    """RFC 9110 §7.8: it is a request like any other."""
    assert not is_handshake(without(UPGRADE, plus=[b"Upgrade: " + value + b"\r\n"]))


def test_a_request_without_upgrade_is_no_handshake() -> None:
    """RFC 9110 §7.8: it is a request like any other."""
    assert not is_handshake(without(UPGRADE))


def test_an_upgrade_in_http_1_0_is_no_handshake() -> None:
    """§4.2.1 1: an HTTP/1.1 or higher GET; RFC 9110 §7.8: Upgrade in HTTP/1.0 MUST be ignored."""
    assert not is_handshake(request(*ALL, start=b"GET /chat HTTP/1.0\r\n"))


@pytest.mark.parametrize("lines", [[UPGRADE], [UPGRADE, CONNECTION], [UPGRADE, KEY], [UPGRADE, VERSION]])
def test_a_handshake_with_faults_is_a_handshake(lines: list[bytes]) -> None:
    """§4.2.1: the server answers it with what is wrong."""
    assert is_handshake(request(HOST, *lines))


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH"])
def test_another_method_is_a_handshake_only_with_a_key(method: bytes) -> None:
    """RFC 9110 §7.8: an upgrade that is not taken is ignored, and the request answered."""
    start = method + b" /chat HTTP/1.1\r\n"
    assert not is_handshake(request(HOST, UPGRADE, CONNECTION, start=start))
    assert is_handshake(request(*ALL, start=start))


# --- what a handshake must have ------------------------------------------------------------------


def test_a_handshake_with_all_that_it_must_have_is_an_offer() -> None:
    """§4.2.1: GET, Host, Upgrade, Connection, Sec-WebSocket-Key and Sec-WebSocket-Version."""
    found = offer()
    assert (found.key, found.subprotocols, found.agreement) == (b"dGhlIHNhbXBsZSBub25jZQ==", [], None)


def test_fields_that_are_not_known_are_ignored() -> None:
    """§4.2.1 10: unknown fields MUST be ignored."""
    assert offer(b"Origin: http://example.com\r\n", b"Sec-WebSocket-Foo: bar\r\n", b"X: y\r\n").subprotocols == []


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"HEAD", b"OPTIONS"])
def test_another_method_is_refused(method: bytes) -> None:
    """§4.2.1 1: a GET request."""
    assert status(request(*ALL, start=method + b" /chat HTTP/1.1\r\n")) == 400


@pytest.mark.parametrize("line", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_is_refused(line: bytes) -> None:
    """§4.1: the bytes after the head are frames once the server has answered, so no body may be there."""
    assert status(request(*ALL, line)) == 400


def test_a_body_of_nothing_is_none() -> None:
    assert offer(b"Content-Length: 0\r\n").subprotocols == []


@pytest.mark.parametrize("value", [b"Upgrade", b"upgrade", b"UPGRADE", b"keep-alive, Upgrade", b"x ,\tupgrade"])
def test_the_connection_field_names_upgrade(value: bytes) -> None:
    """§4.2.1 4: a Connection field that includes the token "Upgrade", case-insensitive."""
    asked = without(CONNECTION, plus=[b"Connection: " + value + b"\r\n"])
    assert isinstance(read_handshake(asked, True), Offer)


@pytest.mark.parametrize("lines", [[], [b"Connection: keep-alive\r\n"], [b"Connection: upgraded\r\n"]])
def test_a_connection_field_that_does_not_name_upgrade_is_refused(lines: list[bytes]) -> None:
    """§4.2.1 4: a Connection field that includes the token "Upgrade"."""
    assert status(without(CONNECTION, plus=lines)) == 400


@pytest.mark.parametrize(
    "value", [b"AAAAAAAAAAAAAAAAAAAAAA==", b"x3JJHMbDL1EzLkh9GBhXDw==", b"+/+/+/+/+/+/+/+/+/+/+w=="]
)
def test_a_key_is_16_bytes_in_base64(value: bytes) -> None:
    """§4.2.1 5: a base64-encoded value that, when decoded, is 16 bytes in length."""
    found = read_handshake(without(KEY, plus=[b"Sec-WebSocket-Key: " + value + b"\r\n"]), True)
    assert isinstance(found, Offer)
    assert found.key == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"dGhlIHNhbXBsZSBub25jZQ",
        b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ===",
        b"dGhlIHNhbXBsZSBub25jZQ==a",
        b"dGhlIHNhbXBsZSBub25jZT0=",
        b"dGhlIHNhbXBsZSBub25j",
        b"dGhlIHNhbXBsZSBub25jZSE=",
        b"dGhlIHNhbXBsZSBub25jZS4uLi4=",
        b"dGhlIHNhbXBsZSBub25-ZQ==",
        b"dGhlIHNhbXBsZSBub25_ZQ==",
        b"dGhlIHNhbXBs ZSBub25jZQ==",
        b"dGhlIHNhbXBsZSBub25jZ\xe9==",
        b"dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        b"the sample nonce",
    ],
)
def test_a_key_that_is_not_is_refused(value: bytes) -> None:
    """§4.2.1 5: a base64-encoded value that, when decoded, is 16 bytes in length."""
    assert status(without(KEY, plus=[b"Sec-WebSocket-Key: " + value + b"\r\n"])) == 400


def test_a_handshake_without_a_key_is_refused() -> None:
    """§4.2.1 5: a Sec-WebSocket-Key field."""
    assert status(without(KEY)) == 400


def test_a_handshake_with_two_keys_is_refused() -> None:
    """§11.3.1: the field MUST NOT appear more than once."""
    assert status(request(*ALL, KEY)) == 400


@pytest.mark.parametrize("value", [b"0", b"7", b"8", b"12", b"14", b"255", b"13, 8", b"x"])
def test_another_version_is_answered_with_426(value: bytes) -> None:
    """§4.2.2 4: abort with an appropriate code (such as 426) and a Sec-WebSocket-Version field."""
    assert status(without(VERSION, plus=[b"Sec-WebSocket-Version: " + value + b"\r\n"])) == 426


def test_the_answer_to_another_version_names_ours() -> None:
    """§4.4: all versions that the server understands; RFC 9110 §15.5.22: 426 MUST have an Upgrade field."""
    found = read_handshake(without(VERSION, plus=[b"Sec-WebSocket-Version: 8\r\n"]), True)
    assert isinstance(found, Fault)
    assert found.fields == UPGRADE_REQUIRED
    lines = found.fields.split(b"\r\n")
    assert sorted(lines) == [b"", b"connection: upgrade", b"sec-websocket-version: 13", b"upgrade: websocket"]


@pytest.mark.parametrize("lines", [[], [b"Sec-WebSocket-Version:\r\n"], [VERSION, VERSION]])
def test_no_version_or_two_are_refused(lines: list[bytes]) -> None:
    """§4.2.1 6: a Sec-WebSocket-Version field; §11.3.5: which MUST NOT appear more than once in a request."""
    assert status(without(VERSION, plus=lines)) == 400


@pytest.mark.parametrize("line", [KEY, CONNECTION, VERSION])
def test_a_fault_says_what_is_wrong(line: bytes) -> None:
    found = read_handshake(without(line), True)
    assert isinstance(found, Fault)
    assert line.partition(b":")[0].decode() in found.reason


@pytest.mark.parametrize("line", [KEY, CONNECTION])
def test_a_fault_of_another_kind_asks_for_no_fields(line: bytes) -> None:
    found = read_handshake(without(line), True)
    assert isinstance(found, Fault)
    assert found.fields == b""


# --- the answer to the key -----------------------------------------------------------------------


def test_the_example_of_the_rfc() -> None:
    """§1.3, §4.2.2 5.4: the key "dGhlIHNhbXBsZSBub25jZQ==" is answered with "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="."""
    assert accept_value(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_another_example() -> None:
    """§4.2.2: the base64 of the SHA-1 of the key and the GUID."""
    assert accept_value(b"x3JJHMbDL1EzLkh9GBhXDw==") == b"HSmrc0sMlYUkAGmm5OPpG2HaGWk="


# --- origins -------------------------------------------------------------------------------------

WELCOME = frozenset((b"https://example.com", b"http://localhost:8000"))


def with_origin(*values: bytes) -> Request:
    """Return a handshake from pages of these origins."""
    return request(*ALL, *(b"Origin: " + value + b"\r\n" for value in values))


@pytest.mark.parametrize("value", [b"https://example.com", b"http://localhost:8000", b"HTTPS://Example.COM"])
def test_an_origin_that_is_welcome_is_accepted(value: bytes) -> None:
    """§10.2: servers that are not for any page SHOULD verify that the Origin is one that they expect."""
    assert isinstance(read_handshake(with_origin(value), True, WELCOME), Offer)


@pytest.mark.parametrize(
    "value",
    [b"https://evil.example", b"http://example.com", b"https://example.com:444", b"https://example.com.evil.example",
     b"https://www.example.com", b"https://example.com/", b"example.com", b"null", b"",
     b"https://example.com, https://example.com", b"https://example.com https://evil.example"],
)  # fmt: skip
def test_another_origin_is_answered_with_403(value: bytes) -> None:
    """§4.2.2 4: an origin that is not acceptable MUST get an appropriate HTTP error code such as 403."""
    assert read_handshake(with_origin(value), True, WELCOME) == Fault(403, "Origin is not allowed")


@pytest.mark.parametrize("values", [[b"https://example.com", b"null"], [b"null", b"https://example.com"]])
def test_one_origin_of_several_that_is_not_welcome_is_enough(values: list[bytes]) -> None:
    """RFC 6454 §7.3: there is one at most, so which of them a proxy has looked at is unknown."""
    assert read_handshake(with_origin(*values), True, WELCOME) == Fault(403, "Origin is not allowed")


def test_a_client_that_is_no_browser_has_no_origin_and_is_welcome() -> None:
    """§4.2.1 7, §10.2: the field is optional, and protects only from the pages that a browser shows."""
    assert isinstance(read_handshake(with_origin(), True, WELCOME), Offer)


@pytest.mark.parametrize("value", [b"https://evil.example", b"null", b""])
def test_without_a_list_every_origin_is_welcome(value: bytes) -> None:
    """§10.2: it is for servers that are not for any page."""
    assert isinstance(read_handshake(with_origin(value), True), Offer)
    assert isinstance(read_handshake(with_origin(value), True, frozenset()), Offer)


def test_a_wrong_version_is_told_before_a_wrong_origin() -> None:
    """§4.2.2 4: an origin is a matter of a handshake that is right."""
    asked = without(VERSION, plus=[b"Sec-WebSocket-Version: 8\r\n", b"Origin: null\r\n"])
    found = read_handshake(asked, True, WELCOME)
    assert isinstance(found, Fault)
    assert found.status == 426


# --- subprotocols --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], []),
        ([b"chat"], ["chat"]),
        ([b"chat, superchat"], ["chat", "superchat"]),
        ([b"superchat,chat"], ["superchat", "chat"]),
        ([b"chat", b"superchat"], ["chat", "superchat"]),
        ([b"c, b", b"a"], ["c", "b", "a"]),
        ([b"chat\t ,\t superchat"], ["chat", "superchat"]),
        ([b",chat,, superchat ,"], ["chat", "superchat"]),
        ([b"Chat, chat"], ["Chat", "chat"]),
        ([b"chat, superchat, chat", b"chat"], ["chat", "superchat"]),
        ([b"v10.stomp, graphql-ws, a!#$%&'*+-.^_`|~z"], ["v10.stomp", "graphql-ws", "a!#$%&'*+-.^_`|~z"]),
    ],
)
def test_subprotocols_are_read_in_the_order_of_preference(values: list[bytes], found: list[str]) -> None:
    """§4.2.1 8, §11.3.4: tokens in one line or several, ordered by preference."""
    assert offer(protocols(*values)).subprotocols == found


@pytest.mark.parametrize("value", [b"a b", b"chat, a/b", b'"chat"', b"chat;q=1", b"ch\xe9", b"a, b(c)", b"{a}"])
def test_a_subprotocol_that_is_no_token_is_refused(value: bytes) -> None:
    """§11.3.4: 1#token; §4.2.1: a handshake that does not match the grammar is answered with 400."""
    assert status(request(*ALL, protocols(value))) == 400
    assert status(request(*ALL, protocols(b"chat", value))) == 400


# --- the grammar of extensions -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"foo", [("foo", [])]),
        (b"foo, bar", [("foo", []), ("bar", [])]),
        (b"foo,bar", [("foo", []), ("bar", [])]),
        (b"foo; a", [("foo", [("a", None)])]),
        (b"foo;a", [("foo", [("a", None)])]),
        (b"foo; a=1", [("foo", [("a", "1")])]),
        (b"foo; a; b=2; c", [("foo", [("a", None), ("b", "2"), ("c", None)])]),
        (b"foo; a=1, bar; a=2", [("foo", [("a", "1")]), ("bar", [("a", "2")])]),
        (b"foo; a=1, foo; a=2", [("foo", [("a", "1")]), ("foo", [("a", "2")])]),
        (b"foo; a=1; a=2; a", [("foo", [("a", "1"), ("a", "2"), ("a", None)])]),
        (b'foo; a="1"', [("foo", [("a", "1")])]),
        (b'foo; a="1"; b="2", bar', [("foo", [("a", "1"), ("b", "2")]), ("bar", [])]),
        (b'foo; a="\\1\\0"', [("foo", [("a", "10")])]),
        (b"Foo; A=B", [("Foo", [("A", "B")])]),
        (b"a!#$%&'*+-.^_`|~z; !=~", [("a!#$%&'*+-.^_`|~z", [("!", "~")])]),
        (b" \tfoo\t ;\t a\t =\t 1 \t,\t bar \t", [("foo", [("a", "1")]), ("bar", [])]),
        (b'foo ; a = "1" ; b , bar', [("foo", [("a", "1"), ("b", None)]), ("bar", [])]),
        (
            b"permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
            [
                (DEFLATE, [("client_max_window_bits", None), ("server_max_window_bits", "10")]),
                (DEFLATE, []),
            ],
        ),
    ],
)
def test_extensions_are_read_with_their_parameters(value: bytes, found: Extensions) -> None:
    """§9.1: 1#extension; extension = token *( ";" token [ "=" (token | quoted-string) ] )."""
    assert parse_extensions(value) == found


@pytest.mark.parametrize(
    "value", [b"foo,, bar", b"foo, ,bar", b", foo, bar", b",foo,bar,", b"foo, bar, , ", b"foo ,\t,bar"]
)
def test_empty_elements_of_the_list_are_ignored(value: bytes) -> None:
    """§9.1 has the list rule of RFC 2616 §2.1: null elements are allowed; RFC 9110 §5.6.1.2: MUST be ignored."""
    assert parse_extensions(value) == [("foo", []), ("bar", [])]


@pytest.mark.parametrize("value", [b"", b" ", b"\t", b",", b" , ", b",,"])
def test_a_line_may_be_without_an_element(value: bytes) -> None:
    """RFC 9110 §5.3: several lines are one list, to which such a line adds nothing."""
    assert parse_extensions(value) == []


@pytest.mark.parametrize(
    "value",
    [
        b";",
        b"; a",
        b"foo;",
        b"foo; ",
        b"foo;; a",
        b"foo; a;",
        b"foo; =1",
        b"foo; a=",
        b"foo; a= ",
        b"foo; a=,bar",
        b"foo; a==1",
        b"foo; a=1=2",
        b"foo; a b",
        b"foo; a=1 2",
        b"foo bar",
        b"foo=1",
        b"foo; a=1 bar",
        b'foo; a=""',
        b'foo; a="',
        b'foo; a="1',
        b'foo; a="1\\"',
        b'foo; a="1"2',
        b'foo; a="1" 2',
        b'foo; a=1"2"',
        b'foo; a="1 2"',
        b'foo; a="1,2"',
        b'foo; a="1;2"',
        b'foo; a="\\""',
        b'foo; a="\\\\"',
        b'foo; a="\xe9"',
        b'foo; a="\x00"',
        b'"foo"',
        b"f\xe9",
        b"foo; \xe9",
        b"foo; a=\xe9",
        b"foo/1",
        b"foo; a=1/2",
        b"(foo)",
        b"foo\n",
        b"foo; a=1\n",
        b"foo\x00",
        b"foo, bar;",
        b"foo, =",
    ],
)
def test_what_breaks_the_grammar_of_extensions_is_refused(value: bytes) -> None:
    """§9.1: MUST be refused; a quoted value MUST be a token after unescaping."""
    assert parse_extensions(value) is None


EXTENSION_VALUES = st.lists(
    st.sampled_from(
        [b"foo", b"a", b";", b",", b"=", b" ", b"\t", b'"', b"\\", b"1", b"permessage-deflate", b"\xe9", b"\x00", b"\n"]
    )
).map(b"".join)


@settings(deadline=None)
@given(EXTENSION_VALUES | st.binary(max_size=60))
def test_no_value_breaks_the_reading_of_extensions(value: bytes) -> None:
    """A client may send anything."""
    for name, parameters in parse_extensions(value) or []:
        assert name
        assert all(key and given != "" for key, given in parameters)


TOKENS = st.text("abz09!#$%&'*+-.^_`|~", min_size=1, max_size=5)
LISTS = st.lists(st.tuples(TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=3)), min_size=1, max_size=4)
SPACES = st.text(" \t", max_size=2)


@settings(deadline=None, max_examples=50)
@given(LISTS, st.data())
def test_every_list_of_extensions_can_be_read(listed: Extensions, data: st.DataObject) -> None:
    """§9.1, with whitespace wherever RFC 2616 §2.1 allows it, and values quoted or not."""
    parts = []
    for name, parameters in listed:
        part = name
        for key, value in parameters:
            part += f"{data.draw(SPACES)};{data.draw(SPACES)}{key}"
            if value is not None:
                part += "=" + data.draw(st.sampled_from([value, f'"{value}"', '"\\' + "\\".join(value) + '"']))
        parts.append(data.draw(SPACES) + part + data.draw(SPACES))
    assert parse_extensions(",".join(parts).encode()) == listed


# --- extensions that are offered -----------------------------------------------------------------


def agreement_of(*values: bytes, compress: bool = True) -> str | None:
    """Return the answer to these field lines."""
    agreement = offer(extensions(*values), compress=compress).agreement
    return None if agreement is None else agreement.response


def test_compression_is_agreed_on_where_it_is_offered() -> None:
    """RFC 7692 §5: an offer is accepted by naming it in the answer."""
    assert agreement_of(b"permessage-deflate") == DEFLATE


def test_compression_that_is_not_offered_is_not_agreed_on() -> None:
    """§9.1: the server MUST NOT answer with an extension that was not offered."""
    assert agreement_of() is None


def test_compression_that_is_switched_off_is_not_agreed_on() -> None:
    assert agreement_of(b"permessage-deflate", compress=False) is None


@pytest.mark.parametrize(
    "value", [b"foo", b"x-webkit-deflate-frame", b"permessage-bzip2", b"permessage-deflated", b"mux"]
)
def test_other_extensions_are_ignored(value: bytes) -> None:
    """§4.2.2: extensions that are not supported are not in the answer."""
    assert agreement_of(value) is None
    assert agreement_of(value + b"; a=1, permessage-deflate") == DEFLATE


@pytest.mark.parametrize(
    "values",
    [
        [b"permessage-deflate; server_max_window_bits=9, permessage-deflate"],
        [b"permessage-deflate; server_max_window_bits=9", b"permessage-deflate"],
        [b"foo", b"permessage-deflate; server_max_window_bits=9; server_no_context_takeover=1, foo",
         b"permessage-deflate; server_max_window_bits=9"],
    ],
)  # fmt: skip
def test_the_first_offer_that_can_be_accepted_is(values: list[bytes]) -> None:
    """RFC 7692 §5.2: offers are in order of preference; §9.1: several lines are one list."""
    assert agreement_of(*values) == "permessage-deflate; server_max_window_bits=9"


@pytest.mark.parametrize(
    "values", [[b"", b"permessage-deflate"], [b"permessage-deflate", b","], [b" ,permessage-deflate"]]
)
def test_an_offer_among_empty_elements_is_accepted(values: list[bytes]) -> None:
    """RFC 9110 §5.6.1.2: a recipient MUST parse and ignore a reasonable number of empty list elements."""
    assert agreement_of(*values) == DEFLATE


@pytest.mark.parametrize("values", [[b""], [b","], [b"", b" ,\t, "]])
def test_a_list_without_an_element_is_refused(values: list[bytes]) -> None:
    """§9.1: 1#extension; RFC 9110 §5.6.1.2: empty elements do not count."""
    found = read_handshake(request(*ALL, extensions(*values)), True)
    assert found == Fault(400, "malformed Sec-WebSocket-Extensions")


@pytest.mark.parametrize("value", [b"permessage-deflate; a", b"permessage-deflate; server_max_window_bits=8"])
def test_an_offer_that_is_declined_is_no_fault(value: bytes) -> None:
    """RFC 7692 §7.1: the WebSocket opens without compression."""
    assert agreement_of(value) is None


def test_an_offer_behind_one_that_is_declined_is_accepted() -> None:
    """RFC 7692 §5.2: a client that would like more offers less behind it."""
    value = b"permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits=10"
    assert agreement_of(value) == "permessage-deflate; client_max_window_bits=10"


def test_a_quoted_value_is_as_good_as_a_token() -> None:
    """§9.1: the quoted-string form has the same meaning."""
    value = b'permessage-deflate; server_max_window_bits="1\\0"'
    assert agreement_of(value) == "permessage-deflate; server_max_window_bits=10"


@pytest.mark.parametrize(
    "values", [[b"permessage-deflate;"], [b"permessage-deflate", b"foo bar"], [b'foo; a="1', b"x"]]
)
@pytest.mark.parametrize("compress", [True, False])
def test_extensions_that_break_the_grammar_are_refused(values: list[bytes], compress: bool) -> None:
    """§9.1: a server that receives something that does not match the grammar MUST fail the connection."""
    found = read_handshake(request(*ALL, extensions(*values)), compress)
    assert found == Fault(400, "malformed Sec-WebSocket-Extensions")


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(["server_no_context_takeover", "client_no_context_takeover"]), unique=True))
def test_the_answer_is_written_in_the_grammar_it_is_read_in(flags: list[str]) -> None:
    """§9.1: both sides write the field alike."""
    parameters = [*((flag, None) for flag in flags), ("client_max_window_bits", "10"), ("server_max_window_bits", "9")]
    agreement = accept(parameters)
    assert agreement is not None
    ((name, answered),) = parse_extensions(agreement.response.encode()) or [("", [])]
    assert (name, sorted(answered)) == (DEFLATE, sorted(parameters))


# --- without HTTP/1.1 ----------------------------------------------------------------------------


def test_an_offer_can_be_read_from_fields_alone() -> None:
    """RFC 8441 §5: in HTTP/2 there is no key, and the other fields are the same."""
    headers = [(b"sec-websocket-protocol", b"chat"), (b"sec-websocket-extensions", b"permessage-deflate")]
    found = read_offer(headers, b"", True)
    assert isinstance(found, Offer)
    assert (found.key, found.subprotocols) == (b"", ["chat"])
    assert found.agreement == accept([])
