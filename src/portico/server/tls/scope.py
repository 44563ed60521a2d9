"""ASGI's extension `tls` (version 0.2): what the application is told of the handshake."""

import ssl
from functools import lru_cache
from typing import Any

from portico.server.tls.x509 import read_certificate

KEPT = 256  # certificates of clients: many come again
VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}


def tls_scope(ssl_object: ssl.SSLObject) -> dict[str, Any]:
    """Return the extension for a connection whose handshake is done."""
    context = ssl_object.context
    cipher = ssl_object.cipher()
    ciphers = getattr(context, "cipher_numbers", None)
    if ciphers is None:
        ciphers = cipher_numbers(context)
    return {
        "server_cert": getattr(context, "certificate", None),
        "tls_version": VERSIONS.get(ssl_object.version() or ""),
        "cipher_suite": None if cipher is None else ciphers.get(cipher[0]),
        **_client(ssl_object),
    }


def cipher_numbers(context: ssl.SSLContext) -> dict[str, int]:
    """Return the numbers of the cipher suites that the context knows, as IANA has them."""
    return {str(cipher["name"]): int(cipher["id"]) & 0xFFFF for cipher in context.get_ciphers()}


def _client(ssl_object: ssl.SSLObject) -> dict[str, Any]:
    der = ssl_object.getpeercert(binary_form=True)
    if der is None:
        return {"client_cert_chain": (), "client_cert_name": None, "client_cert_error": None}
    chain = tuple(_pem(each) for each in _issuers(ssl_object) or [der])
    return {"client_cert_chain": chain, "client_cert_name": _subject(der), "client_cert_error": None}


@lru_cache(KEPT)
def _subject(der: bytes) -> str:
    try:
        return read_certificate(der).subject
    except ValueError:  # OpenSSL has understood it, and found it right
        return ""


@lru_cache(KEPT)
def _pem(der: bytes) -> str:
    return ssl.DER_cert_to_PEM_cert(der)


def _issuers(ssl_object: ssl.SSLObject) -> list[bytes]:
    """Return the certificates that led to a trusted one; none where the session goes on, which has only the first."""
    verified = getattr(ssl_object, "get_verified_chain", None)  # CPython 3.13
    return list(verified()) if verified is not None else []
