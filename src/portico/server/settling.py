"""How what the sources say of settings becomes values: one by one, and whether they fit each other."""

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from portico.asgi import PorticoError
from portico.server.values import Kind

# Settings that are of no use without a certificate.
NEED_CERTIFICATE = (
    "ssl_keyfile", "ssl_sni", "ssl_ca_certs", "ssl_cert_reqs", "ssl_crl", "ssl_ciphers", "insecure_bind",
    "redirect_http", "hsts",
)  # fmt: skip


class ConfigError(PorticoError):
    """The settings have problems; `problems` lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Setting:
    """What is known of one setting."""

    kind: Kind
    group: str
    help: str
    default: Any
    optional: bool  # None is a value too
    flags: tuple[str, ...]  # on the command line; `--its-name` where there is none
    variable: str  # of the environment, which has a say in the default

    @property
    def choices(self) -> tuple[str, ...]:
        """The words among which to choose, if there are such."""
        return self.kind.choices


@dataclass(frozen=True, slots=True)
class Given:
    """A value and the name under which its source knows it; a text has still to be read."""

    value: Any
    label: str
    is_text: bool = False


def convert(entry: Setting, one: Given) -> object:
    """Return the value in its final form; raises ValueError with what was expected and what came."""
    value = one.value
    if entry.optional and (value is None or (one.is_text and value.lower() in ("", "none"))):
        return None
    return entry.kind.check(entry.kind.read(value) if one.is_text else value)


def contradictions(values: Mapping[str, Any], labels: Mapping[str, str], wrong: Set[str] = frozenset()) -> list[str]:
    """Return what is wrong with settings that are right one by one; those that are `wrong` were meant to be there."""

    def label(name: str) -> str:
        return labels.get(name, name)

    problems = []
    if values["uds"] is not None and values["fd"] is not None:
        problems.append(f"{label('uds')} and {label('fd')}: choose one, or give several addresses with bind")
    for name in ("uds", "fd"):
        if values["bind"] and values[name] is not None:
            written = "unix:/PATH" if name == "uds" else "fd://N"
            problems.append(f"{label('bind')} and {label(name)}: give the second as a bind too, {written}")
    binds = ["unix:"] * (values["uds"] is not None) + list(values["bind"])
    addresses = [*binds, *values["insecure_bind"], values["redirect_http"] or ""]
    if values["uds_permissions"] is not None and not any(text.startswith("unix:") for text in addresses):
        problems.append(f"{label('uds_permissions')}: there is no unix socket; give one with uds or bind")
    problems += [f"{label(name)}: {text}" for name, text in _of_tls(values, binds, wrong)]
    if values["preload"] and values["reload"]:
        problems.append(f"{label('preload')} and {label('reload')}: what is imported once cannot change; leave out one")
    if not values["supervise"]:
        switch = label("supervise").replace("--", "--no-", 1)
        for name in ("preload", "reload", "user", "group"):
            if values[name]:
                problems.append(f"{label(name)}: this is what the supervisor does; leave out {switch}")
        if values["workers"] != 1:
            problems.append(f"{label('workers')}: several need the supervisor; leave out {switch}")
    return problems


def _of_tls(values: Mapping[str, Any], binds: Collection[str], wrong: Set[str]) -> Iterator[tuple[str, str]]:
    """Yield the settings of TLS that have nothing to work on, and what is missing."""
    has_factory = values["ssl_context_factory"] is not None
    if values["ssl_certfile"] is None and not has_factory and not wrong & {"ssl_certfile", "ssl_context_factory"}:
        for name in NEED_CERTIFICATE:
            if values[name] not in (None, (), "none"):
                yield name, "there is no TLS; give a certificate with ssl_certfile"
    elif binds and all(text.startswith("unix:") for text in binds):
        yield "ssl_certfile", "unix sockets are served without TLS; give another address with bind"
    elif has_factory and values["ssl_sni"]:
        yield "ssl_sni", "ssl_context_factory decides on all certificates; leave out one of the two"
    elif not has_factory and values["ssl_cert_reqs"] != "none" and not values["ssl_ca_certs"] and not wrong:
        yield "ssl_cert_reqs", "nothing tells which client certificates are right; give ssl_ca_certs"
    if values["acme_webroot"] is not None and values["redirect_http"] is None and not wrong:
        yield "acme_webroot", "it is served where HTTP is redirected; give that with redirect_http"
