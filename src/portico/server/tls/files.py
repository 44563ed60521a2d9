"""The files that the settings of TLS name, and what is in them: read once, and handed to OpenSSL as they were then."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from portico.server.config import Config
from portico.server.settling import ConfigError

Files = Mapping[str, bytes]  # what is in them, by their names


@dataclass(frozen=True)
class Pair:
    """A certificate and its key: names of files, and the setting that has them."""

    certificate: str
    key: str
    setting: str


def pairs(config: Config) -> list[Pair]:
    """Return the certificates of the settings, the default first."""
    found = []
    if config.ssl_certfile is not None:
        found.append(Pair(config.ssl_certfile, config.ssl_keyfile or config.ssl_certfile, "ssl_certfile"))
    for text in config.ssl_sni:
        certificate, _, key = text.partition(",")
        found.append(Pair(certificate, key or certificate, "ssl_sni"))
    return found


def paths(config: Config) -> list[str]:
    """Return the names of all files that the contexts are made of."""
    files = [file for pair in pairs(config) for file in (pair.certificate, pair.key)]
    if config.ssl_cert_reqs != "none":
        files += [file for file in (config.ssl_ca_certs, config.ssl_crl) if file is not None]
    return list(dict.fromkeys(files))


def read_files(config: Config) -> dict[str, bytes]:
    """Return what is in the files, by their names; raises ConfigError with all that cannot be read."""
    files: dict[str, bytes] = {}
    problems: list[str] = []
    for path in paths(config):
        try:
            with open(path, "rb") as file:
                files[path] = file.read()
        except OSError as error:
            problems.append(f"{path}: {error.strerror or error}")
    if problems:
        raise ConfigError(problems)
    return files


@contextmanager
def named(content: bytes) -> Iterator[str]:
    """Yield the name of a file with the content, for as long as the block lasts: OpenSSL takes keys only from files."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        fd = os.memfd_create("portico-tls", os.MFD_CLOEXEC)
        try:
            os.write(fd, content)
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="portico-") as directory:  # only we can look into it
        name = os.path.join(directory, "file.pem")
        with open(name, "wb") as file:
            file.write(content)
        yield name
