"""From the settings and what is in the files to contexts of OpenSSL, one for each certificate; or all the problems."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from portico.server.config import Config
from portico.server.logs import logger
from portico.server.settling import ConfigError
from portico.server.tls.files import Files, Pair, named, pairs, read_files
from portico.server.tls.scope import cipher_numbers
from portico.server.tls.x509 import Certificate, read_certificate

# With forward secrecy and authenticated encryption. Those of TLS 1.3 all are, and always there.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# OpenSSL's SSL_OP_PRIORITIZE_CHACHA: a client that has it first has no instructions for AES in its processor.
PRIORITIZE_CHACHA = 1 << 21
GROUPS = "X25519:prime256v1:secp384r1"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
CLIENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
BEGIN, END, KEY = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", b"PRIVATE KEY-----"
REASONS = {
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "KEY_TYPE_MISMATCH": "the key does not belong to the certificate",
    "NO_CERTIFICATE_ASSIGNED": "the key does not belong to the certificate",
    "EE_KEY_TOO_SMALL": "the key is too short: make one of 2048 bits or more, or an elliptic one",
    "CA_MD_TOO_WEAK": "it is signed in a way that is no longer safe",
    "NO_CERTIFICATE_OR_CRL_FOUND": "there is no certificate in it",
}


class Context(ssl.SSLContext):
    """A context that knows the certificate it shows, PEM, and the numbers of its cipher suites."""

    certificate: str | None = None
    cipher_numbers: dict[str, int]


@dataclass
class Contexts:
    """A context for each certificate: the default, and by the names for which they are."""

    default: ssl.SSLContext
    exact: dict[str, ssl.SSLContext] = field(default_factory=dict)
    wildcards: dict[str, ssl.SSLContext] = field(default_factory=dict)  # by what follows the `*.`
    warnings: list[str] = field(default_factory=list)

    def warn(self) -> None:
        """Say in the log what is right as it is, and yet will not do."""
        for warning in self.warnings:
            logger.warning("%s", warning)

    def add(self, context: ssl.SSLContext, names: tuple[str, ...]) -> bool:
        """Have the context chosen for the names that no other one has; tell whether there are any."""
        chosen = False
        for name in names:
            if name.startswith("*."):
                chosen |= self.wildcards.setdefault(name[2:], context) is context
            else:
                chosen |= self.exact.setdefault(name, context) is context
        return chosen


def check_files(config: Config) -> None:
    """See whether the files can be used; raises ConfigError."""
    files = read_files(config)
    if config.ssl_certfile is not None:
        make_contexts(config, files)


def make_contexts(config: Config, files: Files) -> Contexts:
    """Return the contexts that the settings ask for, made of what the files have.

    Raises:
        ConfigError: with every problem of the files and of the settings that only OpenSSL can judge.
    """
    problems: list[str] = []
    made: list[tuple[Pair, Context, Certificate]] = []
    warnings = _idle(config)
    for pair in pairs(config):
        context = _plain(config, files, problems)
        with _collected(problems):
            certificate = _load(context, pair, files, config.ssl_keyfile_password)
            made.append((pair, context, certificate))
            warnings += _untimely(pair, certificate)
    if problems or not made:
        raise ConfigError(list(dict.fromkeys(problems)) or ["ssl_certfile: there is no certificate"])
    contexts = Contexts(made[0][1], warnings=warnings)
    for pair, context, certificate in made:
        if not contexts.add(context, certificate.names) and context is not contexts.default:
            warnings.append(f"{pair.setting}: {pair.certificate} is never shown: others before it have its names")
    return contexts


class _Problem(ValueError):
    """What is wrong with a setting."""


def _plain(config: Config, files: Files, problems: list[str]) -> Context:
    """Return a context that has everything but its certificate."""
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = VERSIONS[config.ssl_minimum_version]
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # a response cut short must be seen to be
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | PRIORITIZE_CHACHA
    if hasattr(context, "set_groups"):  # CPython 3.15
        context.set_groups(GROUPS)
    with _collected(problems), _explained("ssl_ciphers", "none of these ciphers is known"):
        context.set_ciphers(config.ssl_ciphers or CIPHERS)
    context.set_alpn_protocols(["h2", "http/1.1"] if config.http2 else ["http/1.1"])
    context.cipher_numbers = cipher_numbers(context)
    context.verify_mode = CLIENTS[config.ssl_cert_reqs]
    if context.verify_mode != ssl.CERT_NONE:
        _trust(context, config, files, problems)
    return context


def _trust(context: Context, config: Config, files: Files, problems: list[str]) -> None:
    """Let the context know which certificates of clients are right."""
    if config.ssl_ca_certs is not None:
        where, content = f"ssl_ca_certs: {config.ssl_ca_certs}", files[config.ssl_ca_certs]
        with _collected(problems), _explained(where), named(content) as name:
            context.load_verify_locations(name)
    if config.ssl_crl is not None:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        where, content = f"ssl_crl: {config.ssl_crl}", files[config.ssl_crl]
        with _collected(problems), _explained(where), named(content) as name:
            context.load_verify_locations(name)
            if not context.cert_store_stats()["crl"]:
                raise _Problem(f"{where}: there is no list of revoked certificates in it")


def _load(context: Context, pair: Pair, files: Files, password: str | None) -> Certificate:
    """Give the context its certificate and key; return what the certificate says."""
    where = f"{pair.setting}: {pair.certificate}"
    certificate = _first(files[pair.certificate], where)
    key = files[pair.key]
    if KEY not in key:
        raise _Problem(f"{where}: there is no private key in {'it' if pair.key == pair.certificate else pair.key}")
    unknown = ""
    if _is_encrypted(key):
        if password is None:
            raise _Problem(f"{where}: the key in {pair.key} is encrypted: give ssl_keyfile_password")
        unknown = f"the password does not open the key in {pair.key}"
    with _explained(where, unknown), named(files[pair.certificate]) as chain_name, named(key) as key_name:
        context.load_cert_chain(chain_name, key_name, password or "")
    context.certificate = certificate
    try:
        return read_certificate(ssl.PEM_cert_to_DER_cert(certificate))
    except ValueError as error:
        raise _Problem(f"{where}: {error}") from None


def _first(content: bytes, where: str) -> str:
    """Return the first certificate of a PEM file: the server's own."""
    text = content.decode("latin-1")
    begin = text.find(BEGIN)
    end = text.find(END, begin)
    if begin < 0 or end < 0:
        raise _Problem(f"{where}: there is no certificate in it, in the form PEM")
    return text[begin : end + len(END)].replace("\r\n", "\n") + "\n"


def _is_encrypted(key: bytes) -> bool:
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in key or b"Proc-Type: 4,ENCRYPTED" in key


def _idle(config: Config) -> list[str]:
    if config.ssl_cert_reqs != "none":
        return []
    names = [name for name in ("ssl_ca_certs", "ssl_crl") if getattr(config, name) is not None]
    text = "has no effect, since clients are not asked for certificates: say ssl_cert_reqs optional or required"
    return [f"{name}: {text}" for name in names]


def _untimely(pair: Pair, certificate: Certificate) -> list[str]:
    now = datetime.now(UTC)
    if now > certificate.ends:
        return [f"The certificate {pair.certificate} has expired, on {certificate.ends:%Y-%m-%d}"]
    if now < certificate.begins:
        return [f"The certificate {pair.certificate} is not valid before {certificate.begins:%Y-%m-%d %H:%M} UTC"]
    return []


@contextmanager
def _collected(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except _Problem as problem:
        problems.append(str(problem))


@contextmanager
def _explained(where: str, unknown: str = "") -> Iterator[None]:
    """Say where it is that OpenSSL finds something wrong; it does not always know what."""
    try:
        yield
    except ssl.SSLError as error:
        reason = getattr(error, "reason", None) or ""
        words = REASONS.get(reason) or unknown or reason.replace("_", " ").lower() or str(error.args[-1])
        raise _Problem(f"{where}: {words}") from None
    except OSError as error:
        raise _Problem(f"{where}: {error.strerror or error}") from None
