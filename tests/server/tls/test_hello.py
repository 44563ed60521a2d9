"""The server name of a ClientHello, as OpenSSL's client writes it and as nobody should."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.tls.handshakes import client_hello

from portico.server.tls.hello import read_server_name


def context() -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.check_hostname = False
    return found


HELLO = client_hello(context(), "shop.example")


def records(handshake: bytes, *sizes: int) -> bytes:
    """Return the handshake message in records of so many bytes, and the rest in one."""
    found, at = b"", 0
    for size in (*sizes, len(handshake)):
        part = handshake[at : at + size]
        if part:
            found += b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
        at += size
    return found


def hello(extensions: bytes | None, session: bytes = b"") -> bytes:
    """Return a ClientHello with these extensions, or without the field."""
    body = b"\x03\x03" + bytes(32) + bytes([len(session)]) + session + b"\x00\x02\x13\x01" + b"\x01\x00"
    if extensions is not None:
        body += len(extensions).to_bytes(2, "big") + extensions
    return records(b"\x01" + len(body).to_bytes(3, "big") + body)


def server_name(names: bytes) -> bytes:
    inner = len(names).to_bytes(2, "big") + names
    return b"\x00\x00" + len(inner).to_bytes(2, "big") + inner


def host(name: bytes) -> bytes:
    return b"\x00" + len(name).to_bytes(2, "big") + name


@pytest.mark.parametrize("name", ["localhost", "a.example", "x" * 63 + ".example"])
def test_the_name_is_found(name: str) -> None:
    assert read_server_name(client_hello(context(), name)) == name
    assert read_server_name(bytearray(client_hello(context(), name))) == name


def test_without_a_name_it_is_empty() -> None:
    assert read_server_name(client_hello(context(), None)) == ""
    assert read_server_name(hello(None)) == ""
    assert read_server_name(hello(b"")) == ""


def test_more_bytes_are_waited_for_until_the_hello_is_there() -> None:
    assert [read_server_name(HELLO[:count]) for count in range(len(HELLO))] == [None] * len(HELLO)


@pytest.mark.parametrize("sizes", [(1,), (4,), (5, 1), (100, 100), (1,) * 15])
def test_the_hello_may_come_in_several_records(sizes: tuple[int, ...]) -> None:
    handshake = HELLO[5:]
    data = records(handshake, *sizes)
    assert read_server_name(data) == "shop.example"
    assert {read_server_name(data[:count]) for count in range(len(data))} == {None}


def test_what_follows_the_hello_does_not_matter() -> None:
    assert read_server_name(HELLO + b"\x17\x03\x03") == "shop.example"


def test_names_are_compared_in_lower_case_and_without_the_last_dot() -> None:
    assert read_server_name(hello(server_name(host(b"Shop.Example.")))) == "shop.example"


def test_a_name_after_other_extensions_is_found() -> None:
    assert read_server_name(hello(b"\x00\x17\x00\x00\x00\x0b\x00\x01\x00" + server_name(host(b"a")), bytes(32))) == "a"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x80\x2e\x01\x00\x02",  # SSL 2.0
        b"\x15\x03\x01\x00\x02\x02\x28",  # an alert
        b"\x16\x02\x01\x00\x05",  # no version of TLS
        b"\x16\x03\x01\x00\x00",  # an empty record
        b"\x16\x03\x01\xff\xff",  # a record that is too long
        records(b"\x02\x00\x00\x01\x00"),  # a ServerHello
        records(b"\x01\xff\xff\xff"),  # far too long
        records(b"\x01\x00\x00\x03\x03\x03\x00"),  # far too short
        hello(server_name(host(b"a"))[:-1]),
        hello(server_name(b"\x01" + host(b"a")[1:])),  # no host_name
        hello(server_name(host(b"\xff.example"))),
        hello(server_name(host(b"a" * 254))),
        hello(b"\x00\x00\x00\x00"),
        hello(b"\x00\x17\xff\xff" + server_name(host(b"a"))),
    ],
)
def test_what_is_wrong_has_no_name(data: bytes) -> None:
    assert read_server_name(data) == ""


@given(st.binary(max_size=200), st.booleans())
def test_whatever_comes_is_no_error(data: bytes, begins_well: bool) -> None:
    found = read_server_name((HELLO[:60] if begins_well else b"") + data)
    assert found is None or isinstance(found, str)


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255))
def test_a_byte_that_is_wrong_is_no_error(at: int, value: int) -> None:
    data = bytearray(HELLO)
    data[at] = value
    found = read_server_name(data)
    assert found is None or isinstance(found, str)


def test_a_hello_in_more_records_than_anybody_sends_is_not_waited_for() -> None:
    """Bytes that come one by one must not cost more and more."""
    data = records(HELLO[5:], *(1,) * 100)
    assert read_server_name(data[: 6 * 15]) is None
    assert read_server_name(data[: 6 * 16]) == ""
    assert read_server_name(data) == ""
