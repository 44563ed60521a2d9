"""The certificate of `portico dev --https`, and the authority of the developer's own that issues it.

Browsers are told of the authority once, so it is kept with the user's data, for all projects. Where they trust it its
key is worth stealing: so it can vouch for nothing but this machine and its network (RFC 5280 §4.2.1.10). Where mkcert
has made an authority already, that one issues.
"""

import getpass
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from portico.asgi import PorticoError

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    raise PorticoError("cryptography is not installed: pip install 'portico[https]'") from None

# What files are that cannot be used: missing, no certificate, with a password, of another authority.
UNFIT = (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ALWAYS = ("localhost", "127.0.0.1", "::1")
EVERY_INTERFACE = ("", "0.0.0.0", "::")
DOMAINS = ("localhost", "local", "test")  # and what is below them: RFC 6761, RFC 6762
NETWORKS = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7")
ELSEWHERE = ("192.0.2.1", 9)  # RFC 5737: nobody's
MAX_NAME = 64  # characters of a common name (RFC 5280, appendix A.1)
AUTHORITY_LIFE, AUTHORITY_RENEWAL = timedelta(days=3650), timedelta(days=366)
LIFE, RENEWAL = timedelta(days=365), timedelta(days=30)  # Apple's devices take no more than 825 days
SLOW = timedelta(days=1)  # clocks may be
TRUST = {
    "darwin": "security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {}",
    "win32": "certutil -user -addstore Root {}",
    "linux": 'certutil -d sql:"$HOME/.pki/nssdb" -A -t C,, -n portico -i {}',
}


class Authority(NamedTuple):
    """Who issues certificates; `file` is what browsers have to trust."""

    file: Path
    certificate: x509.Certificate
    key: Key
    is_new: bool = False


def data_directory() -> Path:
    """Return where programs keep what is the user's, by the custom of the platform."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")


def find_authority(folder: Path) -> Authority:
    """Return mkcert's authority, or the one in the folder, which is made where there is none that lasts.

    Raises:
        OSError: the folder cannot be written.
    """
    theirs = Path(os.environ.get("CAROOT") or data_directory() / "mkcert")
    with suppress(*UNFIT):
        file = theirs / "rootCA.pem"
        return Authority(file, *_load(file, theirs / "rootCA-key.pem", AUTHORITY_RENEWAL))
    ours, key = folder / "authority.pem", folder / "authority-key.pem"  # the latter has both: they change together
    try:
        found = Authority(ours, *_load(key, key, AUTHORITY_RENEWAL))
    except UNFIT:
        found = Authority(ours, *_make_authority(key), is_new=True)
    shown = _pem(found.certificate)
    with suppress(OSError):
        if ours.read_bytes() == shown:
            return found
    _write(ours, shown, mode=0o644)
    return found._replace(is_new=True)


def issue(authority: Authority, hosts: Iterable[str], folder: Path) -> Path:
    """Return the file with a certificate for this machine and those hosts, and with its key.

    One that was issued before is kept while it lasts: a browser that was told to go on all the same remembers it. For
    that reason a newer one has its names too.

    Raises:
        OSError: the folder cannot be written.
    """
    file = folder / "localhost.pem"
    wanted = {*ALWAYS, *hosts}
    with suppress(*UNFIT):
        before, _ = _load(file, file, RENEWAL)
        had = _names(before)
        wanted |= had
        before.verify_directly_issued_by(authority.certificate)
        if not any(may_issue(authority.certificate, name) for name in wanted - had):
            return file
    names = [name for name in sorted(wanted) if may_issue(authority.certificate, name)]
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    builder = _builder(_name("localhost"), issuer.subject, key, LIFE)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    for extension, critical in (
        (x509.SubjectAlternativeName(map(_general_name, names)), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (issuer_key, False),
    ):
        builder = builder.add_extension(extension, critical)
    _write(file, _pem_of_key(key) + _pem(builder.sign(authority.key, hashes.SHA256())), mode=0o600)
    return file


def reachable_names(hosts: Sequence[str]) -> list[str]:
    """Return the names under which others find the hosts: this machine's own where one is every interface."""
    names = [host.lower() for host in hosts if host not in EVERY_INTERFACE]
    if len(names) < len(hosts):
        names.append(socket.gethostname().partition(".")[0].lower() + ".local")
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(ELSEWHERE)  # sends nothing
            names.append(probe.getsockname()[0])
    return names


def may_issue(authority: x509.Certificate, name: str) -> bool:
    """Tell whether clients would believe the authority a certificate for that name or address."""
    constraints = [each for each in authority.extensions if isinstance(each.value, x509.NameConstraints)]
    if not constraints or not name.isascii():
        return name.isascii()
    with suppress(ValueError):
        address = ip_address(name)
        return any(address in ip_network(network) for network in NETWORKS)
    return any(name == domain or name.endswith(f".{domain}") for domain in DOMAINS)


def how_to_trust(file: Path) -> str:
    """Return the command by which the user's browsers trust the authority."""
    quoted = f'"{file}"' if sys.platform == "win32" else shlex.quote(str(file))
    return TRUST.get(sys.platform, TRUST["linux"]).format(quoted)


def _make_authority(file: Path) -> tuple[x509.Certificate, Key]:
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # one that has no name
        user = "somebody"
    name = _name(f"Portico development: {user}@{socket.gethostname()}")
    builder = _builder(name, name, key, AUTHORITY_LIFE)
    permitted = [*map(x509.DNSName, DOMAINS), *(x509.IPAddress(ip_network(network)) for network in NETWORKS)]
    for extension, critical in (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_key_usage(signs_certificates=True), True),
        (x509.NameConstraints(permitted, None), True),
    ):
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(key, hashes.SHA256())
    _write(file, _pem_of_key(key) + _pem(certificate), mode=0o600)
    return certificate, key


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, life: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLOW)
        .not_valid_after(now - SLOW + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load(file: Path, key_file: Path, reserve: timedelta) -> tuple[x509.Certificate, Key]:
    """Return a certificate that lasts for longer than the reserve, and its key; raises one of UNFIT."""
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    if not isinstance(key, Key) or certificate.public_key() != key.public_key():
        raise ValueError("the key is another one's")
    if not certificate.not_valid_before_utc <= datetime.now(UTC) < certificate.not_valid_after_utc - reserve:
        raise ValueError("the time is another one")
    return certificate, key


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:MAX_NAME])])


def _names(certificate: x509.Certificate) -> set[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(file: Path, data: bytes, mode: int) -> None:
    """Write a file that another process may be reading, or writing as well."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, path = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(number, "wb") as new:
            new.write(data)
        os.chmod(path, mode)
        os.replace(path, file)
    except BaseException:
        os.unlink(path)
        raise
