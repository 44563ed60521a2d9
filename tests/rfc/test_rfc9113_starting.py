"""RFC 9113 §3 and §9.2, starting HTTP/2: by ALPN over TLS, by prior knowledge, and by the upgrade of RFC 7540 §3.2."""

import ssl
from base64 import urlsafe_b64encode
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.certificates import LOCAL, authority, local, trusting
from tests.frames import (
    ENABLE_PUSH,
    INITIAL_WINDOW_SIZE,
    PREFACE,
    PROTOCOL_ERROR,
    data,
    get,
    headers,
    settings,
)
from tests.http2 import Client
from tests.live import Echo, Live, Wire, live, parse
from tests.live import seen as seen_in_answer
from tests.peer import Site, seen

NOTHING = urlsafe_b64encode(b"").rstrip(b"=")
GET = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def secure() -> Iterator[Live]:
    with live(Site(), **local().settings) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[Live]:
    with live(Site()) as server:
        yield server


@pytest.fixture(scope="module")
def upgrading() -> Iterator[Live]:
    with live(Site(), http2_upgrade=True) as server:
        yield server


def taken(context: ssl.SSLContext, port: int) -> Wire:
    """Return a connection over TLS."""
    wire = Wire(port)
    wire.socket = context.wrap_socket(wire.socket, server_hostname="localhost")
    return wire


# --- 3.2 over TLS -------------------------------------------------------------------------------------


def test_h2_is_chosen_by_alpn(secure: Live) -> None:
    """§3.2: implementations that support HTTP/2 over TLS MUST use ALPN, with "h2"."""
    with Client(secure.port, tls=trusting(alpn=["http/1.1", "h2"])) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() == "h2"
        assert client.answer_of().status == 200


@pytest.mark.parametrize("offered", [["http/1.1"], [], ["h2c"], ["spdy/3.1", "http/1.1"]])
def test_without_h2_it_is_http_1(secure: Live, offered: list[str]) -> None:
    """§3.1, §3.2: "h2c" MUST NOT be taken in ALPN; who does not offer "h2" is spoken to in HTTP/1.1."""
    with taken(trusting(alpn=offered), secure.port) as wire:
        wire.send(GET)
        assert seen_in_answer(wire.answer())["http_version"] == "1.1"


def test_what_was_agreed_on_is_what_is_spoken(secure: Live) -> None:
    """§3.2: once TLS negotiation is complete both MUST send a connection preface; HTTP/1.1 is no preface."""
    with Client(secure.port, tls=trusting(alpn=["h2"]), start=False) as client:
        client.send(GET)
        assert client.goodbye().code == PROTOCOL_ERROR


def test_http2_can_be_left_out() -> None:
    """§3.2: a server that does not offer "h2" is not asked for it."""
    with (
        live(Site(), http2=False, **local().settings) as server,
        taken(trusting(alpn=["h2", "http/1.1"]), server.port) as wire,
    ):
        wire.send(GET)
        assert seen_in_answer(wire.answer())["http_version"] == "1.1"


# --- 9.2 TLS --------------------------------------------------------------------------------------------


def test_tls_does_not_compress(secure: Live) -> None:
    """§9.2.1: a deployment MUST disable compression."""
    context = trusting(alpn=["h2"])
    context.options &= ~ssl.OP_NO_COMPRESSION
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Client(secure.port, tls=context) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.compression() is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_1_2_or_later(secure: Live, version: ssl.TLSVersion) -> None:
    """§9.2: implementations MUST use TLS 1.2 or higher."""
    context = trusting(alpn=["h2"])
    context.minimum_version = context.maximum_version = version
    with Client(secure.port, tls=context) as client:
        assert client.answer_of().status == 200


def test_the_suite_that_everybody_has_is_taken() -> None:
    """§9.2.2: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 with P-256 MUST be supported under TLS 1.2."""
    key = rsa.generate_private_key(65537, 2048)
    context = trusting(alpn=["h2"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    context.set_ecdh_curve("prime256v1")
    with (
        live(Site(), **authority().issue(*LOCAL, key=key).settings) as server,
        Client(server.port, tls=context) as client,
    ):
        assert isinstance(client.socket, ssl.SSLSocket)
        cipher = client.socket.cipher()
        assert cipher is not None
        assert cipher[0] == "ECDHE-RSA-AES128-GCM-SHA256"
        assert client.answer_of().status == 200


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256", "DHE-RSA-AES128-SHA256"])
def test_suites_of_the_black_list_are_refused(cipher: str) -> None:
    """§9.2.2, appendix A: HTTP/2 may be refused over such a suite; here none is agreed on."""
    key = rsa.generate_private_key(65537, 2048)
    context = trusting(alpn=["h2"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(cipher)
    with live(Site(), **authority().issue(*LOCAL, key=key).settings) as server, pytest.raises(ssl.SSLError):
        taken(context, server.port).socket.close()


# --- 3.3 with prior knowledge ---------------------------------------------------------------------------


def test_who_knows_begins_with_the_preface(plain: Live) -> None:
    """§3.3: a client with prior knowledge sends the preface at once, and both go on with HTTP/2."""
    with Client(plain.port) as client:
        assert seen(client.answer_of())["http_version"] == "2"


def test_who_does_not_know_is_spoken_to_in_http_1(plain: Live) -> None:
    """§3.3: the port may speak HTTP/1.1, too."""
    with Wire(plain.port) as wire:
        wire.send(GET)
        assert seen_in_answer(wire.answer())["http_version"] == "1.1"


def test_the_preface_does_not_come_later(plain: Live) -> None:
    """§3.4: it begins the connection; behind a request it is a request of HTTP/1.1 that nobody knows."""
    with Wire(plain.port) as wire:
        wire.send(GET)
        assert wire.answer().status == 200
        wire.send(PREFACE + settings() + get(1))
        assert wire.answer().status >= 400
        wire.rest()


def test_clear_text_can_be_left_out() -> None:
    """§3.3: without the setting the preface is a request like others, which is refused."""
    app = Echo()
    with live(app, http2_cleartext=False) as server, Wire(server.port) as wire:
        wire.send(PREFACE + settings() + get(1))
        assert wire.answer().status in (400, 405, 501, 505)
        wire.rest()
    assert app.calls == []


# --- RFC 7540 3.2: the upgrade ------------------------------------------------------------------------------


def asking(
    path: bytes = b"/first", *, protocol: bytes = b"h2c", values: bytes | None = NOTHING, extra: bytes = b""
) -> bytes:
    """Return a request of HTTP/1.1 that asks for HTTP/2, with these settings."""
    request = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
    request += b"Upgrade: " + protocol + b"\r\n"
    if values is not None:
        request += b"HTTP2-Settings: " + values + b"\r\n"
    return request + extra + b"\r\n"


def upgraded(client: Client) -> None:
    """Read the 101 and send the client's preface."""
    parsed = parse(client.until(b"\r\n\r\n"), "GET", at_end=False)
    assert parsed is not None
    answer, _ = parsed
    assert answer.status == 101
    assert answer.field(b"upgrade") == b"h2c"
    assert (answer.field(b"connection") or b"").lower() == b"upgrade"
    client.next_stream = 3
    client.pending.append({})
    client.send(PREFACE + settings())


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket2, h2c"])
def test_the_upgrade_is_taken_where_it_is_wanted(upgrading: Live, protocol: bytes) -> None:
    """RFC 7540 §3.2: the request becomes stream 1, and is answered in HTTP/2."""
    with Client(upgrading.port, start=False) as client:
        client.expect(1)
        client.send(asking(protocol=protocol))
        upgraded(client)
        view = seen(client.response(1))
        assert view["path"] == "/first"
        assert view["method"] == "GET"
        assert seen(client.answer_of(b"/next"))["http_version"] == "2"


def test_the_settings_of_the_upgrade_count_at_once(upgrading: Live) -> None:
    """RFC 7540 §3.2.1: they apply as those of a SETTINGS frame, and are not acknowledged."""
    values = settings({INITIAL_WINDOW_SIZE: 5, ENABLE_PUSH: 0})[9:]
    with Client(upgrading.port, start=False, refill=False) as client:
        client.expect(1).window = client.initial_window = 5
        client.send(asking(b"/bytes/6", values=urlsafe_b64encode(values).rstrip(b"=")))
        upgraded(client)
        client.until_true(lambda: len(client.streams[1].body) == 5)
        assert client.is_alive()
        client.give(1, 1)
        assert client.response(1).body == bytes(6)


def test_stream_1_of_an_upgrade_is_half_closed(upgrading: Live) -> None:
    """RFC 7540 §3.2: the request was whole; its stream takes nothing more, and new ones begin at 3."""
    with Client(upgrading.port, start=False) as client:
        client.expect(1)
        client.send(asking())
        upgraded(client)
        assert client.response(1).status == 200
        client.send(headers(1, b"", end=True) + data(1, b"a"))
        assert client.goodbye().code != 0


@pytest.mark.parametrize(
    "request_",
    [
        asking(values=None),
        asking(values=b"AAMAAABkAAQAAP__", extra=b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        asking(values=b"!!!"),
        asking(values=b"AAMAAAA"),
        asking(protocol=b"h2"),
        asking().replace(b"Upgrade, ", b""),
        asking().replace(b", HTTP2-Settings", b""),
    ],
    ids=["no settings", "settings twice", "no base64", "half a setting", "h2", "not asked for", "settings not named"],
)
def test_an_upgrade_that_is_not_right_is_no_upgrade(upgrading: Live, request_: bytes) -> None:
    """RFC 7540 §3.2, §3.2.1: a server MUST NOT upgrade then; it answers in HTTP/1.1."""
    with Wire(upgrading.port) as wire:
        wire.send(request_)
        answer = wire.answer()
        assert answer.status in (200, 400)


def test_settings_of_the_upgrade_are_checked(upgrading: Live) -> None:
    """RFC 7540 §3.2.1: the payload is that of a SETTINGS frame, with its errors."""
    bad = urlsafe_b64encode(settings({ENABLE_PUSH: 2})[9:]).rstrip(b"=")
    with Client(upgrading.port, start=False) as client:
        client.expect(1)
        client.send(asking(values=bad))
        upgraded(client)
        assert client.goodbye().code == PROTOCOL_ERROR


def test_the_upgrade_is_ignored_where_it_is_not_wanted(plain: Live) -> None:
    """§3.1: RFC 9113 has left the upgrade out; a server may ignore Upgrade."""
    with Wire(plain.port) as wire:
        wire.send(asking())
        answer = wire.answer()
        assert answer.status == 200
        assert seen_in_answer(answer)["http_version"] == "1.1"


def test_there_is_no_upgrade_within_tls() -> None:
    """RFC 7540 §3.2, §3.3: "h2c" is of clear text; a server MUST ignore it over TLS."""
    with (
        live(Site(), http2_upgrade=True, **local().settings) as server,
        taken(trusting(alpn=["http/1.1"]), server.port) as wire,
    ):
        wire.send(asking())
        assert seen_in_answer(wire.answer())["http_version"] == "1.1"


def test_there_is_no_prior_knowledge_within_tls() -> None:
    """§3.2: over TLS it is ALPN that says so."""
    with live(Site(), **local().settings) as server, taken(trusting(alpn=["http/1.1"]), server.port) as wire:
        wire.send(PREFACE + settings() + get(1))
        assert b"HTTP/1.1 200" not in wire.rest()
