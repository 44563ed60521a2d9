"""ASGI's extension `tls`, as applications get it from a real server."""

import ssl
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.certificates import Issued, authority, local, trusting
from tests.live import live
from websockets.sync.client import connect

from portico.asgi import Receive, Scope, Send

CLIENT = authority().issue(
    "client",
    subject=x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, "Ann"),
        ]
    ),
)


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def told(client: Issued | None = None, version: ssl.TLSVersion | None = None, **settings: Any) -> dict[str, Any]:
    """Return the extension of one request, and the scheme."""
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scopes.append(scope)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    context = trusting(client=client)
    if version is not None:
        context.maximum_version = version
    settings = dict(local().settings) | settings
    with live(app, lifespan="off", **settings) as server:
        url = server.server.url
        with httpx.Client(trust_env=False, verify=context) as http:
            assert http.get(url).status_code == 200
    assert url.startswith("https://")
    (scope,) = scopes
    assert scope["scheme"] == "https"
    found: dict[str, Any] = scope["extensions"]["tls"]
    return found


@pytest.mark.parametrize(
    ("version", "number", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1_2, 0x0303, {0xC02B, 0xC02C, 0xCCA9}),
        (ssl.TLSVersion.TLSv1_3, 0x0304, {0x1301, 0x1302, 0x1303}),
    ],
)
def test_version_and_cipher_are_their_numbers(version: ssl.TLSVersion, number: int, ciphers: set[int]) -> None:
    found = told(version=version)
    assert found["tls_version"] == number
    assert found["cipher_suite"] in ciphers


def test_the_certificate_of_the_server_is_there() -> None:
    assert told()["server_cert"] == pem(local().certificate)


def test_without_a_certificate_of_the_client_there_is_no_name() -> None:
    found = told()
    assert (found["client_cert_name"], list(found["client_cert_chain"]), found["client_cert_error"]) == (None, [], None)


def test_the_client_is_known_by_its_certificate() -> None:
    found = told(CLIENT, ssl_cert_reqs="required", ssl_ca_certs=authority().file)
    assert found["client_cert_name"] == "CN=Ann,O=Acme\\, Inc."
    assert found["client_cert_chain"][0] == pem(CLIENT.certificate)
    assert found["client_cert_error"] is None


def test_a_certificate_that_nobody_has_checked_is_not_told_of() -> None:
    assert told(CLIENT)["client_cert_name"] is None


def test_a_context_of_a_factorys_own_has_no_certificate_to_tell_of() -> None:
    factory = "tests.server.tls.handshakes:bare_context"
    found = told(ssl_context_factory=factory, ssl_certfile=None, ssl_keyfile=None)
    assert found["server_cert"] is None
    assert found["cipher_suite"] in {0x1301, 0x1302, 0x1303}


def test_without_tls_there_is_no_extension() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with live(app, lifespan="off") as server:
        httpx.get(server.server.url, trust_env=False)
    assert "tls" not in scopes[0]["extensions"]


def test_websockets_are_told_as_well() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    with live(app, lifespan="off", **local().settings) as server:
        url = server.server.url.replace("https://127.0.0.1", "wss://localhost")
        with connect(url, ssl=trusting(), proxy=None) as socket:
            assert list(socket) == []
    (scope,) = scopes
    assert scope["scheme"] == "wss"
    assert scope["extensions"]["tls"]["tls_version"] == 0x0304
    assert "websocket.http.response" in scope["extensions"]


def test_what_an_application_does_to_its_scope_is_not_seen_by_others() -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        extensions = scope["extensions"]
        seen.append("mine" in extensions or "mine" in extensions["tls"])
        extensions["mine"] = extensions["tls"]["mine"] = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    client = httpx.Client(trust_env=False, verify=trusting())
    with live(app, lifespan="off", **local().settings) as server, client:
        for _ in range(2):
            client.get(server.server.url)
    assert seen == [False, False]
