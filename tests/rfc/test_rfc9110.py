"""RFC 9110, HTTP semantics: methods, fields, expectations, and what a response may and must carry."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.live import Answer, Echo, Live, Wire, answers, finished, live, raw, read_body, reply, seen

from portico.asgi import Receive, Scope, Send

BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
DATE = re.compile(
    rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"
)


async def paths(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer by path: `/STATUS`, `/stream` in two parts, `/length/N` with a length of its own, `/unread` at once."""
    assert scope["type"] == "http"
    path = scope["path"]
    if path.startswith("/stream"):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": False})
    elif path.startswith("/length/"):
        await read_body(receive)
        await reply(send, b"x" * int(path[8:]), headers=[(b"content-length", path[8:].encode())])
    elif path == "/unread":
        await reply(send, b"early")
    elif path == "/reads":
        body = await read_body(receive)
        await reply(send, b"%d" % len(body or b""))
    elif path == "/own":
        await reply(send, headers=[(b"date", b"Thu, 01 Jan 1970 00:00:00 GMT"), (b"server", b"mine")])
    elif path[1:].isdigit():
        await reply(send, b"" if path in ("/204", "/304") else b"ok", int(path[1:]))
    else:
        await reply(send)


@pytest.fixture(scope="module")
def server() -> Iterator[Live]:
    with live(paths) as running:
        yield running


@pytest.fixture(scope="module")
def echo() -> Iterator[Live]:
    with live(Echo()) as running:
        yield running


def get(path: bytes, method: bytes = b"GET", version: bytes = b"1.1", extra: bytes = b"") -> bytes:
    """Return a request."""
    return b"%b %b HTTP/%b\r\nHost: a\r\n%b\r\n" % (method, path, version, extra)


def one(port: int, data: bytes, method: str = "GET") -> Answer:
    """Return the answer to `data`, checking that the connection is in step after it."""
    found = answers(finished(port, data + BYE), [method, "GET"])
    assert [answer.status for answer in found[1:]] == [200], found
    return found[0]


# --- methods and statuses -------------------------------------------------------------------------


def test_head_has_the_fields_of_get_and_no_content(server: Live) -> None:
    """§9.3.2: a server MUST NOT send content in answer to HEAD, and SHOULD send the fields of GET."""
    head = one(server.port, get(b"/length/5", b"HEAD"), "HEAD")
    same = one(server.port, get(b"/length/5"))
    assert (head.status, head.body) == (200, b"")
    assert [name for name, _ in head.headers] == [name for name, _ in same.headers]
    assert head.field(b"content-length") == b"5"


@pytest.mark.parametrize("path", [b"/stream", b"/200"])
def test_head_of_any_body_stays_in_step(server: Live, path: bytes) -> None:
    """RFC 9112 §6.3: an answer to HEAD ends at its empty line, whatever its fields say."""
    assert one(server.port, get(path, b"HEAD"), "HEAD").body == b""


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_status_without_content(server: Live, status: int, method: str) -> None:
    """§15.3.5, §15.4.5: 204 and 304 end at the empty line; §8.6: a 204 has no length; RFC 9112 §6.1: nor a coding."""
    answer = one(server.port, get(b"/%d" % status, method.encode()), method)
    assert (answer.status, answer.body, answer.fields(b"transfer-encoding")) == (status, b"", [])


@pytest.mark.parametrize("status", [200, 201, 205, 206, 301, 404, 418, 429, 500, 503, 599])
def test_a_status_with_content(server: Live, status: int) -> None:
    """§15: every status but 1xx, 204 and 304 has content, so its length must be known."""
    if status == 205:
        answer = one(server.port, get(b"/205"))
        assert answer.status == 205  # §15.3.6: what a 205 carries is left to the application
        return
    answer = one(server.port, get(b"/%d" % status))
    assert (answer.status, answer.body, answer.field(b"content-length")) == (status, b"ok", b"2")


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "MKCOL", "QUERY"]
)
def test_a_registered_method_reaches_the_application(echo: Live, method: str) -> None:
    """§9.1: the application decides what it allows; the server only refuses what nobody has registered."""
    assert seen(one(echo.port, get(b"/", method.encode()), method))["method"] == method


def test_connect_is_not_a_tunnel(server: Live) -> None:
    """§9.3.6: a server that is no proxy need not implement CONNECT; nothing behind it may pass for a request."""
    (answer, *more) = answers(finished(server.port, get(b"a:80", b"CONNECT") + BYE), ["CONNECT", "GET"])
    assert answer.status in (405, 501)
    assert [later.status for later in more] == ([] if answer.closes else [200])


# --- fields ---------------------------------------------------------------------------------------


def test_date_is_an_imf_fixdate(server: Live) -> None:
    """§6.6.1: an origin server with a clock MUST send Date in 2xx, 3xx and 4xx; §5.6.7: as IMF-fixdate."""
    for data in (get(b"/200"), get(b"/304"), get(b"/404")):
        assert DATE.fullmatch(one(server.port, data).field(b"date") or b"")


def test_a_refusal_has_a_date_too(server: Live) -> None:
    """§6.6.1: also in the 4xx that the server sends by itself."""
    (answer,) = answers(finished(server.port, b"GET / HTTP/1.1\r\n\r\n"))
    assert DATE.fullmatch(answer.field(b"date") or b"")


def test_server_names_the_software(server: Live) -> None:
    """§10.2.4: Server names the product, once."""
    assert (one(server.port, get(b"/200")).field(b"server") or b"").lower().startswith(b"portico")


def test_the_application_may_set_date_and_server(server: Live) -> None:
    """§6.6.1: Date is the origin's to set; sent twice it would be invalid (§5.3)."""
    answer = one(server.port, get(b"/own"))
    assert (answer.field(b"date"), answer.field(b"server")) == (b"Thu, 01 Jan 1970 00:00:00 GMT", b"mine")


def test_date_and_server_can_be_switched_off() -> None:
    """§10.2.4: Server is a MAY; a proxy in front may own both."""
    with live(paths, date_header=False, server_header=False) as quiet:
        answer = one(quiet.port, get(b"/200"))
    assert (answer.field(b"date"), answer.field(b"server")) == (None, None)


def test_configured_headers_are_added() -> None:
    """Every answer carries the operator's fields."""
    with live(paths, headers=(("X-One", "1"), ("X-Two", "2"))) as server:
        answer = one(server.port, get(b"/200"))
    assert (answer.field(b"x-one"), answer.field(b"x-two")) == (b"1", b"2")


def test_repeated_fields_keep_their_order(echo: Live) -> None:
    """§5.3: a recipient MUST NOT change the order of field lines with one name."""
    view = seen(one(echo.port, get(b"/", extra=b"A: 1\r\nB: x\r\na: 2\r\nA: 3\r\n")))
    assert view["headers"] == [(b"host", b"a"), (b"a", b"1"), (b"b", b"x"), (b"a", b"2"), (b"a", b"3")]


def test_underscore_and_dash_are_different_names(echo: Live) -> None:
    """§5.1: names are compared as they are: `X_A` is not `X-A` and must not pose as it."""
    view = seen(one(echo.port, get(b"/", extra=b"X-A: dash\r\nX_A: underscore\r\nContent_Length: 7\r\n")))
    assert view["headers"][1:] == [(b"x-a", b"dash"), (b"x_a", b"underscore"), (b"content_length", b"7")]
    assert view["body"] == b""


def test_trailers_are_no_headers(echo: Live) -> None:
    """§6.5.1: a recipient MUST NOT merge trailers into the header section where it does not know them."""
    data = (
        get(b"/", b"POST", extra=b"Transfer-Encoding: chunked\r\nTrailer: X-A\r\n")
        + b"1\r\nz\r\n0\r\nX-A: 1\r\nX-B: y\r\n\r\n"
    )
    view = seen(one(echo.port, data, "POST"))
    assert [name for name, _ in view["headers"]] == [b"host", b"transfer-encoding", b"trailer"]


# --- the length of a response -----------------------------------------------------------------------


def test_a_whole_body_gets_a_length(server: Live) -> None:
    """§8.6: Content-Length SHOULD be sent where the size is known before the header section is finished."""
    answer = one(server.port, get(b"/200"))
    assert (answer.field(b"content-length"), answer.chunked) == (b"2", False)


def test_a_stream_is_chunked(server: Live) -> None:
    """RFC 9112 §7.1: what has no length is chunked."""
    answer = one(server.port, get(b"/stream"))
    assert (answer.body, answer.chunked, answer.complete) == (b"one two", True, True)


@pytest.mark.parametrize("extra", [b"", b"Connection: keep-alive\r\n"])
def test_a_1_0_client_is_never_sent_chunks(server: Live, extra: bytes) -> None:
    """RFC 9112 §6.1: a server MUST NOT send Transfer-Encoding to a client older than 1.1: the close ends the body."""
    (answer,) = answers(finished(server.port, get(b"/stream", version=b"1.0", extra=extra)))
    assert (answer.body, answer.chunked, answer.fields(b"content-length")) == (b"one two", False, [])
    assert b"keep-alive" not in (answer.field(b"connection") or b"").lower()


def test_a_1_0_client_keeps_its_connection_where_the_length_is_known(server: Live) -> None:
    """RFC 9112 §9.3: HTTP/1.0 with keep-alive."""
    answer = one(server.port, get(b"/length/4", version=b"1.0", extra=b"Connection: keep-alive\r\n"))
    assert answer.body == b"xxxx"


# --- expectations -----------------------------------------------------------------------------------


def post(path: bytes, expect: bytes, version: bytes = b"1.1") -> bytes:
    """Return the head of a POST with five bytes of body and this expectation."""
    return get(path, b"POST", version, b"Content-Length: 5\r\nExpect: %b\r\n" % expect)


@pytest.mark.parametrize("expect", [b"100-continue", b"100-Continue"])
def test_100_is_sent_when_the_application_reads(server: Live, expect: bytes) -> None:
    """§10.1.1: a server MUST send 100 or a final status; the expectation is compared without regard to case."""
    with Wire(server.port) as wire:
        wire.send(post(b"/reads", expect))
        assert wire.answer().status == 100
        wire.send(b"hello")
        assert wire.answer().body == b"5"
        wire.send(BYE)
        assert wire.answer().status == 200


def test_100_is_not_sent_when_the_application_answers_first(server: Live) -> None:
    """§10.1.1: a final status instead of 100 is the point of the expectation."""
    with Wire(server.port) as wire:
        wire.send(post(b"/unread", b"100-continue"))
        answer = wire.answer()
        assert (answer.status, answer.body) == (200, b"early")
        wire.send(b"hello" + BYE)
        found = answers(wire.rest())
        assert [a.status for a in found] == ([] if answer.closes else [200])


def test_100_may_be_left_out_when_the_body_is_there(server: Live) -> None:
    """§10.1.1: a server MAY omit 100 when it has already received content; there is one final answer either way."""
    found = answers(finished(server.port, post(b"/reads", b"100-continue") + b"hello" + BYE))
    assert [answer.status for answer in found if answer.status >= 200] == [200, 200]
    assert [answer.body for answer in found if answer.status >= 200] == [b"5", b"ok"]


def test_100_is_never_sent_to_a_1_0_client(server: Live) -> None:
    """§10.1.1: a server MUST ignore the expectation in an HTTP/1.0 request; §15.2: and MUST NOT send it a 1xx."""
    with Wire(server.port) as wire:
        wire.send(post(b"/reads", b"100-continue", b"1.0"))
        wire.send(b"hello")
        assert [answer.status for answer in answers(wire.rest())] == [200]


@pytest.mark.parametrize("expect", [b"x", b"200-ok", b"100-continue, x", b"100-continue=1"])
def test_an_unknown_expectation_is_417(server: Live, expect: bytes) -> None:
    """§10.1.1: a server MAY answer 417 to an unknown expectation; an unread body must not be taken for a request."""
    found = answers(finished(server.port, post(b"/reads", expect) + b"hello" + BYE))
    assert found[0].status == 417
    assert [answer.status for answer in found[1:]] == ([] if found[0].closes else [200])


def test_100_is_not_sent_without_a_body(server: Live) -> None:
    """§10.1.1: a request without content has nothing to continue."""
    found = answers(finished(server.port, get(b"/reads", extra=b"Expect: 100-continue\r\n") + BYE))
    assert [answer.status for answer in found if answer.status >= 200] == [200, 200]


# --- early answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 70_000, 4_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_an_unread_body_never_becomes_a_request(server: Live, size: int, chunked: bool) -> None:
    """§9.3.2 of RFC 9112: after an early answer the body is read to its end or the connection is closed."""
    body = (BYE.replace(b"/bye", b"/404") * (size // 20 + 1))[:size]
    if chunked:
        data = get(b"/unread", b"POST", extra=b"Transfer-Encoding: chunked\r\n") + b"%x\r\n%b\r\n0\r\n\r\n" % (
            size,
            body,
        )
    else:
        data = get(b"/unread", b"POST", extra=b"Content-Length: %d\r\n" % size) + body
    found = answers(raw(server.port, data + BYE))
    assert found[0].body == b"early"
    assert [answer.status for answer in found[1:]] in ([], [200])
    if not chunked:  # the size was known: a close is announced (RFC 9112 §9.6)
        assert found[0].closes or len(found) == 2


def test_an_answer_before_the_body_arrives(server: Live) -> None:
    """An early answer does not wait for the rest of the request."""
    with Wire(server.port) as wire:
        wire.send(get(b"/unread", b"POST", extra=b"Content-Length: 10\r\n") + b"12345")
        answer = wire.answer()
        assert answer.body == b"early"
        wire.send(b"67890" + BYE)
        assert [a.status for a in answers(wire.rest())] == ([] if answer.closes else [200])


def test_content_encoding_is_left_alone(echo: Live) -> None:
    """§8.4: a content coding belongs to the representation; only transfer codings are the server's."""
    data = get(b"/", b"POST", extra=b"Content-Encoding: gzip\r\nContent-Length: 4\r\n") + b"\x1f\x8b\x08\x00"
    view: dict[str, Any] = seen(one(echo.port, data, "POST"))
    assert view["body"] == b"\x1f\x8b\x08\x00"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_an_upgrade_that_is_not_taken_is_an_ordinary_request(echo: Live, version: bytes) -> None:
    """§7.8: Upgrade MAY be ignored, and MUST be in an HTTP/1.0 request; the body still ends where it ends."""
    fields = b"Connection: upgrade, keep-alive\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"
    assert seen(one(echo.port, get(b"/", b"POST", version, fields) + b"hello", "POST"))["body"] == b"hello"
