"""A peer that has done the handshake and then breaks TLS, or plays with it."""

import logging
from collections.abc import Iterator
from pathlib import Path
from shutil import which
from subprocess import PIPE, STDOUT, Popen

import pytest
from tests.certificates import authority, local
from tests.live import FASTEST, LOOPS, Echo, Live, live
from tests.secured import ALERT, DATA, HANDSHAKE, TLS_1_2, TLS_1_3, Sealed, Secured, keeping_secrets

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
BYE = b"GET /bye HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])


@pytest.fixture(scope="module", params=LOOPS)
def server(request: pytest.FixtureRequest) -> Iterator[Live]:
    with live(Echo(), on=request.param, **local().settings) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever the peer does, it is nothing that the operator has to know."""
    with caplog.at_level(logging.INFO):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.fixture
def sealed(server: Live, tmp_path: Path) -> Iterator[tuple[Secured, Sealed]]:
    """A client whose handshake is done, and who makes its further records itself."""
    secrets = tmp_path / "secrets"
    with Secured(server.port, context=keeping_secrets(secrets)) as client:
        yield client, Sealed(client, secrets)


def still_serves(server: Live) -> bool:
    with Secured(server.port) as client:
        client.send(BYE)
        return client.rest()[1]


def ending(client: Secured) -> str:
    """Return how the connection ends: by which alert, by a close_notify or without."""
    try:
        return "close_notify" if client.rest()[1] else "none"
    except OSError as error:
        return str(getattr(error, "reason", error))


@VERSIONS
def test_a_damaged_record_ends_the_connection_with_an_alert(server: Live, version: object) -> None:
    """RFC 8446 §5.2: a receiver MUST terminate the connection with bad_record_mac."""
    with Secured(server.port, version=version) as client:  # type: ignore[arg-type]
        record = bytearray(client.seal(GET))
        record[-1] ^= 1
        client.push(bytes(record) + client.seal(GET))
        assert ending(client) in ("SSLV3_ALERT_BAD_RECORD_MAC", "SSL/TLS_ALERT_BAD_RECORD_MAC")
    assert still_serves(server)


@VERSIONS
@pytest.mark.parametrize(
    "head", [b"\x17\x03\x03\xff\xff", b"\x17\x03\x03\x48\x01", b"\x63\x03\x03\x00\x20", b"GET / HTTP"]
)
def test_what_is_no_record_ends_the_connection(server: Live, version: object, head: bytes) -> None:
    with Secured(server.port, version=version) as client:  # type: ignore[arg-type]
        client.push(head + bytes(40_000))
        assert ending(client) != "close_notify"
    assert still_serves(server)


def test_a_fatal_alert_ends_the_connection(server: Live, sealed: tuple[Secured, Sealed]) -> None:
    client, records = sealed
    client.push(records.record(ALERT, b"\x02\x50"))  # internal_error
    assert ending(client) != "close_notify"
    assert still_serves(server)


def test_a_request_is_answered_with_new_keys(sealed: tuple[Secured, Sealed]) -> None:
    """RFC 8446 §4.6.3: who is asked to MUST update its own keys before its next data."""
    client, records = sealed
    client.push(records.record(DATA, GET) + records.update(requested=True) + records.record(DATA, GET))
    client.push(records.update() + records.record(DATA, BYE))
    data, ended = client.rest()
    assert data.count(b"HTTP/1.1 200") == 3
    assert ended


def test_a_request_may_be_split_by_an_update(sealed: tuple[Secured, Sealed]) -> None:
    client, records = sealed
    client.push(records.record(DATA, BYE[:9]) + records.update() + records.record(DATA, BYE[9:]))
    assert client.rest()[1]


def test_a_record_that_is_cut_may_follow_an_update(sealed: tuple[Secured, Sealed]) -> None:
    client, records = sealed
    client.push(records.record(DATA, GET))
    client.until(b"}")
    update, request = records.update(), records.record(DATA, BYE)
    client.push(update + request[:7])
    client.push(request[7:])
    assert client.rest()[1]


@pytest.mark.parametrize("together", [True, False])
def test_endless_updates_end_the_connection(server: Live, sealed: tuple[Secured, Sealed], together: bool) -> None:
    client, records = sealed
    updates = [records.update(requested=True) for _ in range(2000)]
    for piece in [b"".join(updates)] if together else updates:
        client.push(piece)
    client.push(records.record(DATA, BYE))
    assert client.rest() == (b"", False)
    assert still_serves(server)


def test_endless_empty_records_end_the_connection(server: Live, sealed: tuple[Secured, Sealed]) -> None:
    client, records = sealed
    client.push(b"".join(records.record(DATA, b"") for _ in range(2000)))
    assert ending(client) != "close_notify"
    assert still_serves(server)


def test_a_handshake_message_out_of_place_ends_the_connection(server: Live, sealed: tuple[Secured, Sealed]) -> None:
    client, records = sealed
    client.push(records.record(HANDSHAKE, b"\x01\x00\x00\x04abcd"))  # a ClientHello
    assert ending(client) != "close_notify"
    assert still_serves(server)


def test_a_kind_of_record_that_does_not_exist_ends_the_connection(server: Live, sealed: tuple[Secured, Sealed]) -> None:
    client, records = sealed
    client.push(records.record(99, b"abc"))
    assert ending(client) != "close_notify"
    assert still_serves(server)


def test_records_with_padding_are_read(sealed: tuple[Secured, Sealed]) -> None:
    """RFC 8446 §5.4: zeros may follow the kind."""
    client, records = sealed
    client.push(records.record(0, BYE + bytes([DATA]) + bytes(16384 - len(BYE) - 1)))
    assert client.rest()[1]


@pytest.mark.process
@pytest.mark.skipif(which("openssl") is None, reason="openssl is not installed")
def test_renegotiation_is_refused() -> None:
    """Neither is there one, nor does asking for it harm the server."""
    with live(Echo(), on=FASTEST, **local().settings) as server:
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{server.port}",
            "-tls1_2",
            "-CAfile",
            authority().file,
        ]
        process = Popen(command, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            verified = False
            for line in process.stdout:
                verified = verified or b"Verify return code: 0" in line
                if verified and line == b"---\n":
                    break
            process.stdin.write(b"R\n")
            process.stdin.flush()
            output, _ = process.communicate(timeout=10)
        finally:
            process.kill()
        assert b"RENEGOTIATING" in output
        assert b"no renegotiation" in output
        assert still_serves(server)
