"""Certificates for tests, made at run time: an authority, and what it issues.

`authority().issue("localhost")` writes a certificate with its key; `trusting()` is a client's context that knows the
authority. Elliptic keys are made in no time.
"""

import atexit
import ipaddress
import shutil
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL = ("localhost", "127.0.0.1", "::1")
DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Issued:
    """A certificate with those that issued it, and its key: names of files."""

    certfile: str
    keyfile: str
    certificate: x509.Certificate

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a server that shows it."""
        return {"ssl_certfile": self.certfile, "ssl_keyfile": self.keyfile}


class Authority:
    """Issues certificates into a directory."""

    def __init__(self, directory: Path, name: str = "Portico's tests") -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.certificate = (
            self._begin(self.name, self.key, -DAY, 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.file = str(directory / "authority.pem")
        Path(self.file).write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        *names: str,
        subject: x509.Name | None = None,
        key: Key | None = None,
        password: str | None = None,
        begins: timedelta = -DAY,
        ends: timedelta = 20 * DAY,
        file: str = "",
    ) -> Issued:
        """Return a new certificate for names of the DNS and addresses, valid between two times from now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = subject or x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = (
            self._begin(subject, key, begins, ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        stem = file or f"{names[0].replace('*', '_').replace(':', '_')}-{certificate.serial_number:x}"
        certfile, keyfile = self.directory / f"{stem}.pem", self.directory / f"{stem}.key"
        pem = certificate.public_bytes(Encoding.PEM)
        certfile.write_bytes(pem + self.certificate.public_bytes(Encoding.PEM))
        locked: KeySerializationEncryption = NoEncryption()
        if password is not None:
            locked = BestAvailableEncryption(password.encode())
        keyfile.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
        return Issued(str(certfile), str(keyfile), certificate)

    def revoke(self, *issued: Issued, ends: timedelta = 20 * DAY) -> str:
        """Return the name of a file that lists these as revoked."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now - 2 * DAY).next_update(now + ends)
        for each in issued:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(each.certificate.serial_number)
                .revocation_date(now - DAY)
                .build()
            )
        file = self.directory / f"revoked-{x509.random_serial_number():x}.pem"
        file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return str(file)

    def _begin(self, subject: x509.Name, key: Key, begins: timedelta, ends: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        public = key.public_key()
        return (
            x509.CertificateBuilder(self.name, subject, public, x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )


@cache
def authority() -> Authority:
    """Return one authority for all tests of this process."""
    directory = mkdtemp(prefix="portico-tests-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Authority(Path(directory))


@cache
def local() -> Issued:
    """Return a certificate for this machine."""
    return authority().issue(*LOCAL)


def trusting(
    issuer: Authority | None = None, *, client: Issued | None = None, alpn: Iterable[str] = ()
) -> ssl.SSLContext:
    """Return a client's context that trusts the authority, and shows a certificate of its own where it has one."""
    context = ssl.create_default_context(cafile=(issuer or authority()).file)
    if client is not None:
        context.load_cert_chain(client.certfile, client.keyfile)
    if protocols := list(alpn):
        context.set_alpn_protocols(protocols)
    return context


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found
