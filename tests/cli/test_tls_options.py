"""The options of TLS on the command line and elsewhere, under the names and with the values that uvicorn gives them."""

import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from tests.certificates import authority, local

from portico.cli import portico
from portico.cli.run import read_settings, run
from portico.server.config import Config
from portico.server.settling import ConfigError

CERTIFICATE = ("--ssl-certfile", local().certfile, "--ssl-keyfile", local().keyfile)


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, with no settings around."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTICO_") or name == "FORWARDED_ALLOW_IPS"]:
        monkeypatch.delenv(name)
    return tmp_path


def read(*args: str) -> tuple[Config, list[str]]:
    """Return the settings and the warnings of a command line."""
    with click.Context(run) as context:
        run.parse_args(context, ["main:app", *args])
    return read_settings(dict(context.params))


def refused(*args: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(*args)
    return caught.value.problems


def invoke(*args: str) -> Any:
    return CliRunner().invoke(portico, [*args])


def test_uvicorns_command_line_is_taken() -> None:
    config, warnings = read(
        *CERTIFICATE,
        *("--ssl-keyfile-password", "secret", "--ssl-version", "17", "--ssl-cert-reqs", "2"),
        *("--ssl-ca-certs", authority().file, "--ssl-ciphers", "ECDHE+AESGCM"),
    )
    assert not warnings
    assert config == Config(
        "main:app",
        **local().settings,
        ssl_keyfile_password="secret",
        ssl_cert_reqs="required",
        ssl_ca_certs=authority().file,
        ssl_ciphers="ECDHE+AESGCM",
    )
    assert config.tls


def test_gunicorns_names_are_taken() -> None:
    files = ("--certfile", local().certfile, "--keyfile", local().keyfile, "--ca-certs", authority().file)
    config, _ = read(*files, "--cert-reqs", "1", "--ciphers", "ECDHE+AESGCM")
    assert config == Config(
        "main:app",
        **local().settings,
        ssl_ca_certs=authority().file,
        ssl_cert_reqs="optional",
        ssl_ciphers="ECDHE+AESGCM",
    )


def test_a_version_of_openssls_is_warned_of() -> None:
    _, (warning,) = read(*CERTIFICATE, "--ssl-version", "2")
    assert warning == "--ssl-version: use --ssl-minimum-version"


@pytest.mark.parametrize(
    ("text", "value"), [("0", "none"), ("1", "optional"), ("2", "required"), ("Required", "required")]
)
def test_client_certificates_by_word_or_number(text: str, value: str) -> None:
    options = ("--ssl-ca-certs", authority().file)
    assert read(*CERTIFICATE, *options, "--ssl-cert-reqs", text)[0].ssl_cert_reqs == value
    assert Config("a:b", **local().settings, ssl_ca_certs=authority().file, ssl_cert_reqs=text).ssl_cert_reqs == value


@pytest.mark.parametrize("text", ["3", "-1", "00", "yes", "true"])
def test_other_words_for_client_certificates_are_refused(text: str) -> None:
    (problem,) = refused(*CERTIFICATE, "--ssl-cert-reqs", text)
    assert problem == f"--ssl-cert-reqs: expected one of none, optional, required, got {text!r}"


def test_certificates_for_names_come_with_their_keys(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    one, two = f"{local().certfile},{local().keyfile}", local().certfile
    pairs = (one, two)
    assert read(*CERTIFICATE, "--ssl-sni", one, "--ssl-sni", two)[0].ssl_sni == pairs
    assert Config("a:b", **local().settings, ssl_sni=[(local().certfile, local().keyfile), two]).ssl_sni == pairs
    (nowhere / "portico.toml").write_text(f'ssl_sni = ["{one}", ["{two}"]]\n')
    assert read(*CERTIFICATE)[0].ssl_sni == pairs
    monkeypatch.setenv("PORTICO_SSL_SNI", f"{one} {two}")
    assert read(*CERTIFICATE)[0].ssl_sni == pairs


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "there is no file ''"), ("a,b,c", "expected CERTFILE or CERTFILE,KEYFILE"), ("a", "there is no file 'a'")],
)
def test_pairs_that_are_none_are_refused(text: str, words: str) -> None:
    (problem,) = refused(*CERTIFICATE, "--ssl-sni", text)
    assert problem.startswith(f"--ssl-sni: {words}")


def test_files_that_are_not_there_are_all_named() -> None:
    options = ("--ssl-certfile", "a", "--ssl-keyfile", "b", "--ssl-ca-certs", "c", "--ssl-cert-reqs", "1")
    assert refused(*options, "--ssl-crl", "d", "--hsts", "60") == [
        "--ssl-certfile: there is no file 'a'",
        "--ssl-keyfile: there is no file 'b'",
        "--ssl-ca-certs: there is no file 'c'",
        "--ssl-crl: there is no file 'd'",
    ]


@pytest.mark.parametrize(
    "option",
    [
        ("--ssl-keyfile", local().keyfile),
        ("--ssl-sni", local().certfile),
        ("--ssl-ca-certs", authority().file),
        ("--ssl-cert-reqs", "required"),
        ("--ssl-ciphers", "ALL"),
    ],
)
def test_what_needs_a_certificate_is_refused_without(option: tuple[str, str]) -> None:
    assert refused(*option) == [f"{option[0]}: there is no TLS; give a certificate with ssl_certfile"]


def test_what_is_no_different_without_tls_needs_no_certificate() -> None:
    assert not read("--ssl-cert-reqs", "0", "--ssl-minimum-version", "1.3", "--no-ssl-watch")[0].tls


def test_who_asks_for_client_certificates_says_which_are_right() -> None:
    (problem,) = refused(*CERTIFICATE, "--ssl-cert-reqs", "required")
    assert problem == "--ssl-cert-reqs: nothing tells which client certificates are right; give ssl_ca_certs"


def test_a_factory_is_named_or_given() -> None:
    assert read("--ssl-context-factory", "main:make")[0].tls
    assert Config("a:b", ssl_context_factory=print).ssl_context_factory is print
    (problem,) = refused("--ssl-context-factory", "make")
    assert problem == "--ssl-context-factory: expected a function or module:attribute, got 'make'"
    (problem,) = refused("--ssl-context-factory", "main:make", "--ssl-sni", local().certfile)
    assert problem.startswith("--ssl-sni: ssl_context_factory decides on all certificates")


def test_files_are_found_after_the_directory_has_changed(nowhere: Path) -> None:
    for name in ("certificate", "other"):
        (nowhere / name).touch()
    config, _ = read("--ssl-certfile", "certificate", "--ssl-sni", "other,certificate")
    assert config.ssl_certfile == str(nowhere / "certificate")
    assert config.ssl_sni == (f"{nowhere}/other,{nowhere}/certificate",)


def test_the_password_is_shown_nowhere(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "main.py").write_text("async def app(scope, receive, send): ...\n")
    issued = authority().issue("localhost", password="open sesame")
    files = ("--ssl-certfile", issued.certfile, "--ssl-keyfile", issued.keyfile)
    monkeypatch.setenv("PORTICO_SSL_KEYFILE_PASSWORD", "open sesame")
    shown = invoke("run", "main:app", *files, "--print-config")
    assert shown.exit_code == 0
    assert "sesame" not in shown.output
    assert "PORTICO_SSL_KEYFILE_PASSWORD" in shown.output
    monkeypatch.setenv("PORTICO_SSL_KEYFILE_PASSWORD", "open\x01sesame")
    wrong = invoke("check", "main:app", *files)
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        "Error: PORTICO_SSL_KEYFILE_PASSWORD: expected a line of text\n",
    )


def test_a_check_looks_into_the_files(nowhere: Path) -> None:
    (nowhere / "main.py").write_text("async def app(scope, receive, send): ...\n")
    assert invoke("check", "main:app", *CERTIFICATE).exit_code == 0
    other = authority().issue("other").keyfile
    result = invoke("check", "main:app", "--ssl-certfile", local().certfile, "--ssl-keyfile", other)
    assert result.exit_code == 2
    problem = f"ssl_certfile: {local().certfile}: the key does not belong to the certificate"
    assert result.stderr == f"Error: {problem}\n"
