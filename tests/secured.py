"""A blunt TLS client: the records that go over the socket are in the test's hands.

`Secured` is a handshake by OpenSSL over a plain socket; what is encrypted may then be cut, damaged or held back.
`Sealed` makes records of TLS 1.3 by itself, from the secrets of the handshake: also those that OpenSSL would not send.
"""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from tests.certificates import trusting

HANDSHAKE, ALERT, DATA = 22, 21, 23
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it went over the wire."""

    kind: int
    body: bytes


class Secured:
    """One client connection."""

    def __init__(
        self,
        port: int,
        *,
        context: ssl.SSLContext | None = None,
        version: ssl.TLSVersion = TLS_1_3,
        receive_buffer: int | None = None,
        handshake: bool = True,
        timeout: float = 5,
    ) -> None:
        context = context or trusting()
        context.minimum_version = context.maximum_version = version
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.wire = bytearray()  # what has come, as it came
        self.held = b""
        if handshake:
            self.handshake()

    def __enter__(self) -> "Secured":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def hello(self) -> bytes:
        """Return the first message of the handshake."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def handshake(self) -> None:
        """Do the handshake, or what is left of it."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.push(self.outgoing.read())
                assert self.fill(), "closed in the handshake"
        self.push(self.outgoing.read())

    def seal(self, data: bytes) -> bytes:
        """Return the records that hold the data, to be sent or not."""
        self.tls.write(data)
        return self.outgoing.read()

    def push(self, records: bytes) -> None:
        """Send bytes as they are; a peer that has closed is not an error: what it said is still to be read."""
        try:
            self.socket.sendall(records)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send(self, data: bytes) -> None:
        """Send the data, encrypted."""
        self.push(self.seal(data))

    def fill(self) -> bool:
        """Block for more bytes from the socket; False at its end. Raises TimeoutError."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.wire += data
        self.incoming.write(data)
        return bool(data)

    def read(self) -> bytes | None:
        """Return the next data, empty at a close_notify, None where the socket ends without one.

        Raises SSLError for an alert that is not a close_notify.
        """
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLZeroReturnError:  # the same where our side is closed already
                return b""
            except ssl.SSLWantReadError:
                if not self.fill():
                    return None

    def until(self, mark: bytes) -> bytes:
        """Return everything up to and including the mark."""
        while mark not in self.held:
            data = self.read()
            assert data, f"closed before {mark!r}; got {self.held[-200:]!r}"
            self.held += data
        head, _, self.held = self.held.partition(mark)
        return head + mark

    def rest(self) -> tuple[bytes, bool]:
        """Return all data that is still to come, and whether a close_notify has ended it."""
        data, self.held = self.held, b""
        pieces = [data]
        while piece := self.read():
            pieces.append(piece)
        return b"".join(pieces), piece is not None

    def close_notify(self) -> bytes:
        """Return the record that closes our side."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        return self.outgoing.read()

    def taken(self) -> list[Record]:
        """Return the records that have come since the last call, all of which must be whole."""
        found = []
        data, self.wire = bytes(self.wire), bytearray()
        at = 0
        while at < len(data):
            end = at + 5 + int.from_bytes(data[at + 3 : at + 5], "big")
            assert len(data) >= end, "a record that is not whole"
            found.append(Record(data[at], data[at + 5 : end]))
            at = end
        return found


def keeping_secrets(file: Path) -> ssl.SSLContext:
    """Return a client's context that writes the secrets of its handshakes to the file."""
    context = trusting()
    context.keylog_filename = str(file)
    return context


class Sealed:
    """Makes the records of a client of TLS 1.3 whose handshake is done and which has sent nothing since."""

    def __init__(self, client: Secured, secrets: Path) -> None:
        cipher = client.tls.cipher()
        assert cipher is not None
        self.hash = hashes.SHA384() if cipher[0].endswith("SHA384") else hashes.SHA256()
        self.length = 32 if "AES_256" in cipher[0] else 16
        lines = [line.split() for line in secrets.read_text().splitlines()]
        (secret,) = [bytes.fromhex(line[2]) for line in lines if line[0] == "CLIENT_TRAFFIC_SECRET_0"]
        self._take(secret)

    def record(self, kind: int, body: bytes) -> bytes:
        """Return a record (RFC 8446 §5.2)."""
        inner = body + bytes([kind])
        head = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        nonce = bytes(a ^ b for a, b in zip(self.iv, self.number.to_bytes(12, "big"), strict=True))
        self.number += 1
        return head + AESGCM(self.key).encrypt(nonce, inner, head)

    def update(self, requested: bool = False) -> bytes:
        """Return a KeyUpdate (RFC 8446 §4.6.3); what follows has the new key."""
        record = self.record(HANDSHAKE, b"\x18\x00\x00\x01" + bytes([requested]))
        self._take(self._expand(self.secret, b"traffic upd", self.hash.digest_size))
        return record

    def _take(self, secret: bytes) -> None:
        self.secret = secret
        self.key = self._expand(secret, b"key", self.length)
        self.iv = self._expand(secret, b"iv", 12)
        self.number = 0

    def _expand(self, secret: bytes, label: bytes, length: int) -> bytes:
        label = b"tls13 " + label
        info = length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00"
        return HKDFExpand(self.hash, length, info).derive(secret)
