"""The developer's own authority and the certificate it issues: who trusts it, for what, and how long."""

import ssl
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.certificates import authority as others

from portico.cli import authority as module
from portico.cli.authority import Authority, find_authority, how_to_trust, issue, may_issue, reachable_names

LOCAL = ["localhost", "127.0.0.1", "::1"]


@pytest.fixture(autouse=True)
def without_mkcert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAROOT", str(tmp_path / "mkcert"))


@pytest.fixture
def found(tmp_path: Path) -> Authority:
    return find_authority(tmp_path)


def shake_hands(served: Path, name: str, trusted: Path) -> None:
    """Have a client connect that trusts that authority; raises SSLError."""
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context(cafile=trusted)
    server.load_cert_chain(served)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)
    waiting = list(ends)
    for _ in range(4):
        for end in tuple(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    assert not waiting


def names(file: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


def later(monkeypatch: pytest.MonkeyPatch, **by: Any) -> None:
    """Let the time be another one."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(**by)

    monkeypatch.setattr(module, "datetime", Later)


@pytest.mark.parametrize("name", [*LOCAL, "a.localhost", "192.168.1.7", "shop.test"])
def test_a_client_that_trusts_the_authority_trusts_the_certificate(found: Authority, tmp_path: Path, name: str) -> None:
    shake_hands(issue(found, [name], tmp_path), name, found.file)


def test_a_client_that_does_not_trust_it_does_not(found: Authority, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match="unable to get local issuer"):
        shake_hands(issue(found, [], tmp_path), "localhost", Path(others().file))


@pytest.mark.parametrize("name", ["example.org", "localhost.example.org", "8.8.8.8", "2001:db8::1"])
def test_the_authority_cannot_vouch_for_what_is_not_near(found: Authority, tmp_path: Path, name: str) -> None:
    """Whoever steals its key makes what the authority itself would not issue: no client believes it."""
    assert not may_issue(found.certificate, name)
    assert names(issue(found, [name], tmp_path)) == set(LOCAL)
    forged = tmp_path / "forged"
    forged.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(module, "may_issue", lambda *_: True)
        file = issue(found, [name], forged)
    assert name in names(file)
    with pytest.raises(ssl.SSLError, match="permitted subtree violation"):
        shake_hands(file, name, found.file)


def test_the_second_time_everything_is_there(found: Authority, tmp_path: Path) -> None:
    file = issue(found, [], tmp_path)
    before = file.read_bytes()
    again = find_authority(tmp_path)
    assert (found.is_new, again.is_new) == (True, False)
    assert again.certificate == found.certificate
    assert issue(again, ["127.0.0.1"], tmp_path).read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_only_the_user_can_read_the_keys(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "portico"
    issue(find_authority(folder), [], folder)
    modes = {file.name: f"{file.stat().st_mode & 0o777:o}" for file in folder.iterdir()}
    assert modes == {"authority.pem": "644", "authority-key.pem": "600", "localhost.pem": "600"}
    assert f"{folder.stat().st_mode & 0o777:o}" == "700"


def test_a_new_certificate_has_the_names_of_the_one_before(found: Authority, tmp_path: Path) -> None:
    issue(found, ["one.test"], tmp_path)
    assert names(issue(found, ["two.test"], tmp_path)) == {*LOCAL, "one.test", "two.test"}


@pytest.mark.parametrize(("days", "renewed"), [(300, False), (340, True), (400, True)])
def test_a_certificate_that_is_about_to_end_is_replaced(
    found: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, renewed: bool
) -> None:
    before = issue(found, [], tmp_path).read_bytes()
    later(monkeypatch, days=days)
    assert (issue(found, [], tmp_path).read_bytes() != before) == renewed


def test_an_authority_that_is_about_to_end_is_replaced(
    found: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, days=3400)
    new = find_authority(tmp_path)
    assert new.is_new
    assert new.certificate != found.certificate


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:200], lambda data: data[-200:]])
@pytest.mark.parametrize("name", ["authority-key.pem", "localhost.pem"])
def test_a_file_that_is_spoilt_is_made_anew(
    found: Authority, tmp_path: Path, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    issue(found, [], tmp_path)
    file = tmp_path / name
    file.write_bytes(spoil(file.read_bytes()))
    new = find_authority(tmp_path)
    shake_hands(issue(new, [], tmp_path), "localhost", new.file)


def test_what_browsers_are_to_trust_is_written_again_where_it_is_lost(found: Authority, tmp_path: Path) -> None:
    shown = found.file.read_bytes()
    found.file.unlink()
    again = find_authority(tmp_path)
    assert again.is_new
    assert again.file.read_bytes() == shown


def test_a_certificate_of_another_authority_is_replaced(found: Authority, tmp_path: Path) -> None:
    before = issue(found, [], tmp_path)
    (tmp_path / "authority-key.pem").unlink()
    new = find_authority(tmp_path)
    shake_hands(issue(new, [], tmp_path), "localhost", new.file)
    assert before.exists()


# --- mkcert --------------------------------------------------------------------------------------


def make_mkcert(folder: Path) -> Path:
    """Write what mkcert has in its directory."""
    folder.mkdir()
    root = folder / "rootCA.pem"
    root.write_bytes(others().certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "rootCA-key.pem").write_bytes(others().key.private_bytes(serialization.Encoding.PEM, *private))
    return root


@pytest.fixture
def long_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AUTHORITY_RENEWAL", timedelta(days=1))


@pytest.mark.usefixtures("long_lived")
def test_an_authority_of_mkcert_issues_for_any_name(tmp_path: Path) -> None:
    root = make_mkcert(tmp_path / "mkcert")
    theirs = find_authority(tmp_path / "ours")
    assert (theirs.file, theirs.is_new) == (root, False)
    shake_hands(issue(theirs, ["dev.example.org"], tmp_path), "dev.example.org", root)
    assert not (tmp_path / "ours").exists()


@pytest.mark.usefixtures("long_lived")
def test_an_authority_of_mkcert_with_another_key_is_passed_over(tmp_path: Path) -> None:
    root = make_mkcert(tmp_path / "mkcert")
    other = ec.generate_private_key(ec.SECP256R1())
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (root.parent / "rootCA-key.pem").write_bytes(other.private_bytes(serialization.Encoding.PEM, *private))
    assert find_authority(tmp_path).file == tmp_path / "authority.pem"


# --- what is around it ---------------------------------------------------------------------------


def test_every_interface_is_reached_by_names_of_this_machine() -> None:
    assert reachable_names(["127.0.0.1", "A.test"]) == ["127.0.0.1", "a.test"]
    assert reachable_names(["", "a.test"])[1].endswith(".local")


def test_the_command_that_makes_browsers_trust_it_can_be_pasted(tmp_path: Path) -> None:
    command = how_to_trust(tmp_path / "a b" / "authority.pem")
    assert f"'{tmp_path}/a b/authority.pem'" in command or f'"{tmp_path}' in command


def test_the_certificate_is_signed_as_browsers_want_it(found: Authority, tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(issue(found, [], tmp_path).read_bytes())
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    # Apple's devices take no more from authorities that the user has added.
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=825)
