"""Handshakes without a network: a client and a server whose bytes are carried from one to the other."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from tests.certificates import local


@dataclass(frozen=True)
class Handshake:
    """A client and a server that have found together."""

    client: ssl.SSLObject
    server: ssl.SSLObject


def client_hello(context: ssl.SSLContext, name: str | None) -> bytes:
    """Return what a client sends first."""
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("nobody has answered")


def shake_hands(
    client_context: ssl.SSLContext,
    choose: Callable[[bytes], ssl.SSLContext],
    name: str | None = "localhost",
    session: ssl.SSLSession | None = None,
) -> Handshake:
    """Return both ends after the handshake and a byte to the client, with which its ticket has come.

    Args:
        client_context: The client's.
        choose: Returns the server's context for a ClientHello.
        name: The server name that the client asks for.
        session: What the client would go on with.

    Raises:
        ssl.SSLError: one of the two does not want to.
    """
    to_client, to_server, from_client, from_server = (ssl.MemoryBIO() for _ in range(4))
    client = client_context.wrap_bio(to_client, from_client, server_hostname=name, session=session)
    assert not _steps(client)
    hello = from_client.read()
    server = choose(hello).wrap_bio(to_server, from_server, server_side=True)
    to_server.write(hello)
    done = False
    while not done:
        done = _steps(server)
        to_client.write(from_server.read())
        _steps(client)
        to_server.write(from_client.read())
    server.write(b"!")
    to_client.write(from_server.read())
    assert client.read(1) == b"!"
    return Handshake(client, server)


def bare_context(config: object, usual: object) -> ssl.SSLContext:
    """Return a context as a program makes it for itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(local().certfile, local().keyfile)
    return context


def _steps(tls: ssl.SSLObject) -> bool:
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
