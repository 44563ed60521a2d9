"""Which certificate is shown to whom, what clients have to show, and what is wrong with files."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.certificates import Authority, Issued, authority, local, trusting
from tests.server.tls.handshakes import Handshake, bare_context, shake_hands

from portico.server.config import Config
from portico.server.settling import ConfigError
from portico.server.tls.certificates import Certificates
from portico.server.tls.files import named, read_files
from portico.server.tls.hello import read_server_name

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = [TLS_1_2, TLS_1_3]


def configured(**settings: Any) -> Config:
    return Config("main:app", **(dict(local().settings) | settings))


def certificates(**settings: Any) -> Certificates:
    return Certificates(configured(**settings))


def chosen(found: Certificates) -> Callable[[bytes], ssl.SSLContext]:
    """Return what chooses the context as the transport does."""
    return lambda hello: found.context_for(read_server_name(hello) or "")


def problems(**settings: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        certificates(**settings)
    return caught.value.problems


def shown(handshake: Handshake) -> list[str]:
    """Return the names of the certificate that the server has shown."""
    certificate: Any = handshake.client.getpeercert()
    return [name for kind, name in certificate["subjectAltName"] if kind == "DNS"]


def pair(issued: Issued) -> str:
    return f"{issued.certfile},{issued.keyfile}"


# --- the certificate and its key ----------------------------------------------------------------


def test_a_client_that_trusts_the_issuer_is_content() -> None:
    assert shown(shake_hands(trusting(), chosen(certificates()))) == ["localhost"]


def test_certificate_and_key_may_be_in_one_file(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(Path(local().keyfile).read_bytes() + Path(local().certfile).read_bytes())
    found = certificates(ssl_certfile=str(both), ssl_keyfile=None)
    assert shown(shake_hands(trusting(), chosen(found))) == ["localhost"]


def test_keys_of_rsa_are_taken() -> None:
    issued = authority().issue("localhost", key=rsa.generate_private_key(65537, 2048))
    found = certificates(**issued.settings)
    for version in VERSIONS:
        context = trusting()
        context.maximum_version = version
        assert shown(shake_hands(context, chosen(found))) == ["localhost"]


def test_an_encrypted_key_is_opened_by_its_password() -> None:
    issued = authority().issue("localhost", password="open sesame")
    found = certificates(**issued.settings, ssl_keyfile_password="open sesame")
    assert shown(shake_hands(trusting(), chosen(found))) == ["localhost"]


def test_a_password_is_of_no_harm_to_a_key_that_needs_none() -> None:
    certificates(ssl_keyfile_password="open sesame")


def test_the_password_is_in_no_text(tmp_path: Path) -> None:
    issued = authority().issue("localhost", password="open sesame")
    settings = issued.settings | {"ssl_keyfile_password": "open says me"}
    assert "open" not in repr(configured(**settings)).replace("openssl", "")
    (problem,) = problems(**settings)
    assert problem == f"ssl_certfile: {issued.certfile}: the password does not open the key in {issued.keyfile}"


def test_without_its_password_a_key_is_an_error_and_nobody_is_asked() -> None:
    issued = authority().issue("localhost", password="open sesame")
    (problem,) = problems(**issued.settings)
    assert problem.endswith(f"the key in {issued.keyfile} is encrypted: give ssl_keyfile_password")


def test_a_key_of_another_certificate_is_an_error() -> None:
    (problem,) = problems(ssl_keyfile=authority().issue("other").keyfile)
    assert problem == f"ssl_certfile: {local().certfile}: the key does not belong to the certificate"


def test_a_key_of_another_kind_is_an_error() -> None:
    other = authority().issue("other", key=rsa.generate_private_key(65537, 2048))
    (problem,) = problems(ssl_keyfile=other.keyfile)
    assert problem.endswith("the key does not belong to the certificate")


def test_a_short_key_is_an_error() -> None:
    issued = authority().issue("localhost", key=rsa.generate_private_key(65537, 1024))
    (problem,) = problems(**issued.settings)
    assert "the key is too short" in problem


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x82\x01\x00"])
def test_what_is_no_certificate_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "certificate.pem"
    file.write_bytes(content)
    (problem,) = problems(ssl_certfile=str(file))
    assert problem == f"ssl_certfile: {file}: there is no certificate in it, in the form PEM"


def test_a_certificate_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert problems(ssl_certfile=str(file))[0].startswith(f"ssl_certfile: {file}: ")


def test_a_file_without_a_key_is_an_error() -> None:
    assert problems(ssl_keyfile=authority().file)[0].endswith(f"there is no private key in {authority().file}")
    assert problems(ssl_keyfile=None)[0].endswith("there is no private key in it")


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    found = problems(
        ssl_keyfile=authority().issue("other").keyfile, ssl_sni=[str(empty), pair(local()), authority().file]
    )
    assert [problem.split(": ")[:2] for problem in found] == [
        ["ssl_certfile", local().certfile],
        ["ssl_sni", str(empty)],
        ["ssl_sni", authority().file],
    ]


def test_problems_of_authorities_and_ciphers_hide_no_others() -> None:
    other = authority().issue("other").keyfile
    settings: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_ca_certs": other, "ssl_crl": other}
    found = problems(**settings, ssl_ciphers="none such", ssl_keyfile=other, ssl_sni=[pair(local())])
    assert [problem.split(": ")[0] for problem in found] == ["ssl_ciphers", "ssl_ca_certs", "ssl_crl", "ssl_certfile"]


def test_files_that_cannot_be_read_are_all_named(tmp_path: Path) -> None:
    config = configured(ssl_sni=[authority().issue("gone").certfile])
    config = Config.settled({**vars(config), "ssl_certfile": str(tmp_path / "a"), "ssl_sni": (str(tmp_path),)})
    with pytest.raises(ConfigError) as caught:
        read_files(config)
    assert caught.value.problems == [f"{tmp_path}/a: No such file or directory", f"{tmp_path}: Is a directory"]


@pytest.mark.parametrize(
    ("times", "words"),
    [({"ends": -timedelta(hours=1)}, "has expired"), ({"begins": timedelta(hours=1)}, "is not valid before")],
)
def test_a_certificate_out_of_its_time_is_warned_of(
    times: dict[str, timedelta], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    issued = authority().issue("localhost", **times)
    certificates(**issued.settings)
    assert f"The certificate {issued.certfile} {words}" in caplog.text


# --- several certificates -----------------------------------------------------------------------


SHOP, STAR = authority().issue("shop.example"), authority().issue("*.shop.example", "*.blog.example")


def with_names() -> Certificates:
    return certificates(ssl_sni=[pair(SHOP), pair(STAR)])


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("localhost", ["localhost"]),
        ("shop.example", ["shop.example"]),
        ("www.shop.example", ["*.shop.example", "*.blog.example"]),
        ("my.blog.example", ["*.shop.example", "*.blog.example"]),
        ("SHOP.example", ["shop.example"]),
    ],
)
def test_the_certificate_is_that_of_the_name(asked: str, names: list[str]) -> None:
    assert shown(shake_hands(trusting(), chosen(with_names()), asked)) == names


@pytest.mark.parametrize("asked", ["other.test", "a.b.shop.example.test", "a.b.shop.example", "example", None])
def test_other_names_get_the_default(asked: str | None) -> None:
    context = trusting()
    context.check_hostname = False
    assert shown(shake_hands(context, chosen(with_names()), asked)) == ["localhost"]


def test_a_name_of_the_default_is_not_anothers() -> None:
    wildcard = authority().issue("*.localhost", "localhost")
    found = certificates(ssl_sni=[pair(wildcard)])
    assert shown(shake_hands(trusting(), chosen(found), "localhost")) == ["localhost"]


def test_a_certificate_without_a_name_of_its_own_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    second = authority().issue("localhost")
    certificates(ssl_sni=[pair(SHOP), pair(second)])
    assert caplog.messages == [f"ssl_sni: {second.certfile} is never shown: others before it have its names"]


def test_only_where_there_are_several_it_matters_which_name_is_asked_for() -> None:
    assert not certificates().has_names
    assert with_names().has_names


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_goes_on_under_its_name_and_under_no_other(version: ssl.TLSVersion) -> None:
    """A ticket of one name must not spare a client what the other name asks of it."""
    found = with_names()
    context = trusting()
    context.maximum_version = version
    session = shake_hands(context, chosen(found), "localhost").client.session
    assert shake_hands(context, chosen(found), "localhost", session).client.session_reused
    assert not shake_hands(context, chosen(found), "shop.example", session).client.session_reused


# --- certificates of clients --------------------------------------------------------------------


def asking(reqs: object, **settings: Any) -> Certificates:
    return certificates(ssl_cert_reqs=reqs, ssl_ca_certs=authority().file, **settings)


CLIENT = authority().issue("client")


@pytest.mark.parametrize("reqs", ["required", 2, "2", ssl.CERT_REQUIRED])
def test_a_required_certificate_is_required(reqs: object) -> None:
    found = asking(reqs)
    assert shake_hands(trusting(client=CLIENT), chosen(found)).server.getpeercert()
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        shake_hands(trusting(), chosen(found))


@pytest.mark.parametrize("reqs", ["optional", 1])
def test_an_optional_certificate_may_be_left_out_but_not_be_wrong(reqs: object, tmp_path: Path) -> None:
    found = asking(reqs)
    assert shake_hands(trusting(client=CLIENT), chosen(found)).server.getpeercert()
    assert not shake_hands(trusting(), chosen(found)).server.getpeercert()
    stranger = Authority(tmp_path, "Nobody").issue("client")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(trusting(client=stranger), chosen(found))


def test_without_the_setting_clients_are_not_asked() -> None:
    assert shake_hands(trusting(client=CLIENT), chosen(certificates())).server.getpeercert() is None


def test_an_expired_certificate_of_a_client_is_refused() -> None:
    expired = authority().issue("client", ends=-timedelta(hours=1))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(trusting(client=expired), chosen(asking("optional")))


def test_a_revoked_certificate_of_a_client_is_refused() -> None:
    revoked = authority().issue("client")
    found = asking("required", ssl_crl=authority().revoke(revoked))
    assert shake_hands(trusting(client=CLIENT), chosen(found)).server.getpeercert()
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        shake_hands(trusting(client=revoked), chosen(found))


def test_every_name_asks_for_the_same() -> None:
    found = asking("required", ssl_sni=[pair(SHOP)])
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        shake_hands(trusting(), chosen(found), "shop.example")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_keeps_the_certificate_of_its_client(version: ssl.TLSVersion) -> None:
    found = asking("required")
    context = trusting(client=CLIENT)
    context.maximum_version = version
    first = shake_hands(context, chosen(found))
    second = shake_hands(context, chosen(found), session=first.client.session)
    assert second.server.session_reused
    assert second.server.getpeercert(True) == first.server.getpeercert(True)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_session_goes_on_after_a_certificate_was_revoked(version: ssl.TLSVersion) -> None:
    """What is loaded again makes tickets of its own."""
    revoked = authority().issue("client")
    crl = Path(authority().revoke())
    config = configured(ssl_cert_reqs="required", ssl_ca_certs=authority().file, ssl_crl=str(crl))
    found = Certificates(config)
    context = trusting(client=revoked)
    context.maximum_version = version
    session = shake_hands(context, chosen(found)).client.session
    crl.write_bytes(Path(authority().revoke(revoked)).read_bytes())
    found.load(read_files(config))
    with pytest.raises(ssl.SSLCertVerificationError, match="revoked"):
        shake_hands(context, chosen(found), session=session)


def test_files_of_authorities_without_any_are_errors() -> None:
    settings: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_ca_certs": local().keyfile}
    assert problems(**settings) == [f"ssl_ca_certs: {local().keyfile}: there is no certificate in it"]


def test_a_list_of_revoked_certificates_without_any_is_an_error() -> None:
    settings: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_ca_certs": authority().file}
    (problem,) = problems(**settings, ssl_crl=authority().file)
    assert problem == f"ssl_crl: {authority().file}: there is no list of revoked certificates in it"


def test_authorities_that_nobody_is_checked_against_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    certificates(ssl_ca_certs=authority().file)
    assert "ssl_ca_certs: has no effect" in caplog.text


# --- versions, ciphers, protocols ---------------------------------------------------------------


def speaking(low: ssl.TLSVersion, high: ssl.TLSVersion) -> ssl.SSLContext:
    context = trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = low, high
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError):
        shake_hands(speaking(version, version), chosen(certificates()))


@pytest.mark.parametrize("least", ["1.3", 1.3])
def test_the_lowest_version_can_be_raised(least: object) -> None:
    found = certificates(ssl_minimum_version=least)
    assert shake_hands(trusting(), chosen(found)).server.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        shake_hands(speaking(TLS_1_2, TLS_1_2), chosen(found))


def test_every_cipher_has_forward_secrecy_and_authenticated_encryption() -> None:
    """RFC 9325 §4.2; RFC 9113 §9.2.2 forbids all others to HTTP/2."""
    for cipher in certificates().context.get_ciphers():
        assert cipher["aead"]
        assert cipher["protocol"] == "TLSv1.3" or "ECDHE" in str(cipher["name"])


def test_ciphers_without_forward_secrecy_are_refused() -> None:
    context = speaking(TLS_1_2, TLS_1_2)
    context.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake_hands(context, chosen(certificates()))


def test_ciphers_can_be_chosen() -> None:
    found = certificates(ssl_ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    handshake = shake_hands(speaking(TLS_1_2, TLS_1_2), chosen(found))
    assert (handshake.server.cipher() or ("",))[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert problems(ssl_ciphers="none such") == ["ssl_ciphers: none of these ciphers is known"]


def test_a_client_without_instructions_for_aes_gets_chacha() -> None:
    context = speaking(TLS_1_2, TLS_1_2)
    for first, second in (("CHACHA20", "AESGCM"), ("AESGCM", "CHACHA20")):
        context.set_ciphers(f"ECDHE+{first}:ECDHE+{second}:@SECLEVEL=2")
        cipher = (shake_hands(context, chosen(certificates())).server.cipher() or ("",))[0]
        assert ("CHACHA20" in cipher) == (first == "CHACHA20")


@pytest.mark.parametrize(
    ("http2", "offered", "taken"),
    [
        (True, ["h2", "http/1.1"], "h2"),
        (True, ["http/1.1", "h2"], "h2"),
        (True, ["http/1.1"], "http/1.1"),
        (False, ["h2", "http/1.1"], "http/1.1"),
        (True, ["spdy/3"], None),
        (True, [], None),
    ],
)
def test_the_protocol_is_agreed_on(http2: bool, offered: list[str], taken: str | None) -> None:
    """RFC 7301."""
    found = certificates(http2=http2)
    assert shake_hands(trusting(alpn=offered), chosen(found)).server.selected_alpn_protocol() == taken


# --- a factory ----------------------------------------------------------------------------------


def test_a_factory_makes_the_context_out_of_the_usual_one() -> None:
    seen = []

    def factory(config: Config, usual: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        seen.append(config.ssl_certfile)
        context = usual()
        context.minimum_version = TLS_1_3
        return context

    found = certificates(ssl_context_factory=factory)
    assert seen == [local().certfile]
    assert shake_hands(trusting(), chosen(found)).server.version() == "TLSv1.3"


@pytest.mark.parametrize("factory", [bare_context, "tests.server.tls.handshakes:bare_context"])
def test_a_factory_needs_no_certificate_of_the_settings(factory: object) -> None:
    found = certificates(ssl_context_factory=factory, ssl_certfile=None, ssl_keyfile=None)
    assert shown(shake_hands(trusting(), chosen(found))) == ["localhost"]


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (lambda config, usual: None, "expected an SSLContext, got None"),
        (lambda: None, "TypeError"),
        ("portico:no_such", "AttributeError"),
        ("no_such_module:a", "ModuleNotFoundError"),
    ],
)
def test_a_factory_that_fails_is_an_error_of_the_settings(factory: object, words: str) -> None:
    (problem,) = problems(ssl_context_factory=factory)
    assert problem.startswith("ssl_context_factory: ")
    assert words in problem


def test_without_a_certificate_the_usual_context_is_an_error_of_the_settings() -> None:
    settings = {"ssl_certfile": None, "ssl_keyfile": None}
    assert problems(ssl_context_factory=lambda config, usual: usual(), **settings) == [
        "ssl_certfile: there is no certificate"
    ]


# --- files for OpenSSL --------------------------------------------------------------------------


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_content_has_a_name_for_as_long_as_it_is_needed(in_memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_memory:
        monkeypatch.delattr("os.memfd_create", raising=False)
    with named(b"content") as name:
        assert Path(name).read_bytes() == b"content"
    assert not Path(name).exists()
