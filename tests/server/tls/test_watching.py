"""Certificates that are replaced while the server runs."""

import os
import shutil
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import LOCAL, Issued, authority, trusting
from tests.live import Live, live

from portico.asgi import Receive, Scope, Send

DEADLINE_S = 15.0


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Files:
    """A certificate and its key under names that stay."""

    def __init__(self, directory: Path) -> None:
        self.certfile, self.keyfile = directory / "server.pem", directory / "server.key"

    @property
    def settings(self) -> dict[str, Any]:
        return {"ssl_certfile": str(self.certfile), "ssl_keyfile": str(self.keyfile), "lifespan": "off"}

    def replace(self, issued: Issued) -> None:
        for new, name in ((issued.certfile, self.certfile), (issued.keyfile, self.keyfile)):
            shutil.copy(new, f"{name}.new")
            os.replace(f"{name}.new", name)

    def replace_certificate(self, issued: Issued) -> None:
        shutil.copy(issued.certfile, self.certfile)

    def replace_key(self, issued: Issued) -> None:
        shutil.copy(issued.keyfile, self.keyfile)


def shown(server: Live) -> bytes | None:
    """Return the certificate that the server shows to a new client."""
    sock = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)
    with trusting().wrap_socket(sock, server_hostname="localhost") as tls:
        return tls.getpeercert(True)


def der(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(Encoding.DER)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"no {what} in {DEADLINE_S} s"
        time.sleep(0.05)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.replace(FIRST)
    return found


FIRST, SECOND = authority().issue(*LOCAL), authority().issue(*LOCAL)


def test_a_new_certificate_is_shown_to_new_clients(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "portico")
    with live(app, **files.settings) as server:
        assert shown(server) == der(FIRST)
        files.replace(SECOND)
        until(lambda: shown(server) == der(SECOND), "new certificate")
    assert caplog.messages.count("The certificates have been loaded again") == 1


def test_links_that_lead_elsewhere_are_followed(tmp_path: Path) -> None:
    link = tmp_path / "live"
    for number, issued in enumerate((FIRST, SECOND)):
        (tmp_path / str(number)).mkdir()
        Files(tmp_path / str(number)).replace(issued)
    link.symlink_to("0")
    with live(app, **Files(link).settings) as server:
        assert shown(server) == der(FIRST)
        (tmp_path / "next").symlink_to("1")
        os.replace(tmp_path / "next", link)
        until(lambda: shown(server) == der(SECOND), "new certificate")


def test_connections_keep_what_they_have(files: Files) -> None:
    with live(app, **files.settings) as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.settimeout(DEADLINE_S)
        with trusting().wrap_socket(sock, server_hostname="localhost") as old:
            files.replace(SECOND)
            until(lambda: shown(server) == der(SECOND), "new certificate")
            old.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert old.recv(12) == b"HTTP/1.1 200"


def test_a_certificate_without_its_key_is_refused_until_the_key_is_there(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    with live(app, **files.settings) as server:
        files.replace_certificate(SECOND)
        until(lambda: "the old ones stay" in caplog.text, "line of the log")
        assert "the key does not belong to the certificate" in caplog.text
        assert shown(server) == der(FIRST)
        files.replace_key(SECOND)
        until(lambda: shown(server) == der(SECOND), "new certificate")


@pytest.mark.parametrize("content", [b"", b"no certificate", None])
def test_what_is_broken_is_refused(files: Files, content: bytes | None, caplog: pytest.LogCaptureFixture) -> None:
    with live(app, **files.settings) as server:
        if content is None:
            files.certfile.unlink()
        else:
            files.certfile.write_bytes(content)
        until(lambda: "the old ones stay" in caplog.text, "line of the log")
        assert shown(server) == der(FIRST)
        files.replace(SECOND)
        until(lambda: shown(server) == der(SECOND), "new certificate")


def test_a_file_that_was_only_touched_is_not_news(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "portico")
    with live(app, **files.settings) as server:
        os.utime(files.certfile, (1, 1))
        os.utime(files.keyfile, (1, 1))
        files.replace(SECOND)
        until(lambda: shown(server) == der(SECOND), "new certificate")
    assert caplog.text.count("loaded again") == 1


def test_without_watching_they_are_loaded_when_asked_for(files: Files) -> None:
    with live(app, ssl_watch=False, **files.settings) as server:
        files.replace(SECOND)
        assert shown(server) == der(FIRST)
        server.loop.call_soon_threadsafe(server.server.reload_certificates)
        until(lambda: shown(server) == der(SECOND), "new certificate")


def test_a_factory_is_asked_again(files: Files) -> None:
    calls = []

    def factory(config: Any, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        calls.append(1)
        return usual()

    with live(app, ssl_context_factory=factory, **files.settings) as server:
        files.replace(SECOND)
        until(lambda: shown(server) == der(SECOND), "new certificate")
    assert len(calls) == 2


def test_files_that_are_wrong_at_the_start_are_an_error_before_anything_is_opened(files: Files) -> None:
    from portico.server.settling import ConfigError

    files.replace_key(SECOND)
    with pytest.raises(ConfigError, match="does not belong"), live(app, port=1, **files.settings):
        raise AssertionError
