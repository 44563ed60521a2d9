"""`portico dev --https`: which settings it means, what it says, and a real process that a client trusts."""

import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from tests.certificates import local
from tests.children import PORTICO, environment
from tests.served import RUNNING, launched

from portico.cli import portico as command
from portico.cli.run import read_settings
from portico.server.config import Config

PROGRAM = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['scheme']} {scope['http_version']}".encode()})
"""


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the user's data is, and be in a project."""
    for name in [name for name in os.environ if name.startswith("PORTICO_") and name != "PORTICO_PURE"]:
        monkeypatch.delenv(name)
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.py").write_text(PROGRAM)
    monkeypatch.chdir(project)
    for name in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("CAROOT", raising=False)
    return tmp_path


def invoke(*args: str) -> Result:
    return CliRunner().invoke(command, ["dev", *args], prog_name="portico")


def settings(monkeypatch: pytest.MonkeyPatch, *args: str) -> Config:
    """Return the settings that would be served with."""
    served: list[Config] = []

    def serve(said: Any, beneath: Any) -> int:
        served.append(read_settings(said, beneath)[0])
        return 0

    monkeypatch.setattr("portico.cli.dev.serve", serve)
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return served[0]


def test_it_is_a_certificate_of_the_developers_own(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    config = settings(monkeypatch, "--https")
    assert config.tls
    assert config.ssl_certfile == config.ssl_keyfile
    assert str(config.ssl_certfile).startswith(str(data))


def test_without_it_there_is_none(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    assert not settings(monkeypatch).tls
    assert [path.name for path in data.iterdir()] == ["project"]


def test_it_takes_the_place_of_the_certificate_of_the_file(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    lines = [f"{name} = '{value}'" for name, value in local().settings.items()]
    Path("portico.toml").write_text("\n".join(lines))
    assert str(settings(monkeypatch, "--https").ssl_keyfile).startswith(str(data))


@pytest.mark.parametrize(("args", "kept"), [((), None), (("--hsts", "60"), "max-age=60")])
def test_hsts_of_the_file_does_not_count(
    monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], kept: str | None
) -> None:
    # Browsers would refuse to talk to whatever else is served at localhost, for as long as the file says.
    Path("portico.toml").write_text("hsts = 31536000")
    assert settings(monkeypatch, "--https", *args).hsts == kept


def test_a_second_certificate_is_refused() -> None:
    result = invoke("--https", "--ssl-certfile", local().certfile)
    assert result.exit_code == 2
    assert "--https makes a certificate: leave out --ssl-certfile, or leave out --https" in result.output


def test_the_authority_is_named_and_how_to_trust_it_the_first_time() -> None:
    first, second = (invoke("--https", "--check-config").output for _ in range(2))
    for output in (first, second):
        assert "The certificate is from your own authority, " in output
    assert "Browsers warn of it until they trust that" in first
    assert "Browsers warn" not in second


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="for root every directory is writable")
def test_a_directory_that_cannot_be_written_is_no_traceback(data: Path) -> None:
    data.chmod(0o500)
    result = invoke("--https", "--check-config")
    data.chmod(0o700)
    assert result.exit_code == 2
    assert "Error: --https: " in result.output


def test_a_data_directory_that_is_a_file_is_no_traceback(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "file").touch()
    for name in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(data / "file"))
    result = invoke("--https", "--check-config")
    assert (result.exit_code, "Error: --https: " in result.output) == (2, True)


@pytest.mark.process
def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    folder = tmp_path / "hides"
    folder.mkdir()
    (folder / "cryptography.py").write_text("raise ImportError")
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from portico.cli import portico; portico()"
    line = [sys.executable, "-c", code, str(folder), "dev", "--https"]
    result = subprocess.run(line, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "cryptography is not installed: pip install 'portico[https]'" in result.stderr


@pytest.mark.process
def test_a_client_that_trusts_the_authority_is_served(tmp_path: Path) -> None:
    data = {name: str(tmp_path) for name in ("XDG_DATA_HOME", "HOME", "LOCALAPPDATA")}
    with launched([*PORTICO, "dev", "--https", "--port", "0"], RUNNING, env=data, cwd=Path.cwd()) as server:
        (file,) = tmp_path.rglob("authority.pem")
        trusts = ssl.create_default_context(cafile=file)
        with httpx.Client(verify=trusts, http2=True, timeout=30) as client:
            assert client.get(server.url).text == "https 2"
        assert server.stop() == 0
