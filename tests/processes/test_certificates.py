"""Certificates of supervised workers: the supervisor reads the files, watches them, and hands them over."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.certificates import LOCAL, Issued, authority, trusting
from tests.children import PORTICO, environment
from tests.supervised import APP, Supervised, started, supervised, wait_until

from portico.server.processes.accounts import Identity

pytestmark = [pytest.mark.process, pytest.mark.once]

FIRST, SECOND = authority().issue(*LOCAL), authority().issue(*LOCAL)
KEPT = "The reload has failed: the old workers keep serving"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    replace(tmp_path, FIRST)
    return tmp_path


def replace(folder: Path, issued: Issued, *, key: bool = True) -> None:
    shutil.copy(issued.certfile, folder / "server.pem")
    if key:
        shutil.copy(issued.keyfile, folder / "server.key")


OPTIONS = ("--ssl-certfile", "server.pem", "--ssl-keyfile", "server.key")


def shown(server: Supervised) -> bytes | None:
    """Return the certificate that a worker shows to a new client."""
    url = urlsplit(server.url)
    sock = socket.create_connection((url.hostname or "", url.port or 0), 10)
    with closing(sock), trusting().wrap_socket(sock, server_hostname="localhost") as tls:
        return tls.getpeercert(True)


def der(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(Encoding.DER)


def all_show(server: Supervised, issued: Issued) -> None:
    """Wait until nobody shows anything else: so many times in a row it is no worker's chance."""
    wait_until(lambda: all(shown(server) == der(issued) for _ in range(8)), "the certificate")


@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_all_workers_take_a_new_certificate_and_go_on(folder: Path, options: tuple[str, ...]) -> None:
    with supervised(folder, "-w", "2", *OPTIONS, *options) as server:
        before = server.workers(2)
        all_show(server, FIRST)
        replace(folder, SECOND)
        server.wait_for("The certificates have been loaded again")
        all_show(server, SECOND)
        assert server.workers(2) == before


def test_a_pair_that_does_not_fit_changes_nothing_not_for_new_workers_either(folder: Path) -> None:
    with supervised(folder, *OPTIONS) as server:
        replace(folder, SECOND, key=False)
        server.wait_for("the key does not belong to the certificate")
        server.wait_for("the old ones stay")
        all_show(server, FIRST)
        worker = server.worker()
        os.kill(worker, signal.SIGKILL)
        server.wait_for("has died")
        server.client.close()
        server.wait_for("Started worker 1")
        wait_until(lambda: _shows(server, FIRST), "the next worker")


def _shows(server: Supervised, issued: Issued) -> bool:
    try:
        return shown(server) == der(issued)
    except OSError:
        return False


def test_a_reload_with_a_broken_pair_fails_and_the_workers_serve_on(folder: Path) -> None:
    with supervised(folder, *OPTIONS, "--no-ssl-watch") as server:
        before = server.worker()
        (folder / "server.pem").write_text("nothing")
        server.send(signal.SIGHUP)
        server.wait_for("there is no certificate in it")
        server.wait_for(KEPT)
        assert server.worker() == before
        replace(folder, SECOND)
        server.send(signal.SIGHUP)
        server.wait_for("Reloaded")
        all_show(server, SECOND)


def test_a_reload_may_name_other_files(folder: Path) -> None:
    (folder / "portico.toml").write_text('ssl_certfile = "server.pem"\nssl_keyfile = "server.key"\n')
    with supervised(folder) as server:
        settings = f'ssl_certfile = "{SECOND.certfile}"\nssl_keyfile = "{SECOND.keyfile}"\n'
        (folder / "portico.toml").write_text(settings)
        server.send(signal.SIGHUP)
        server.wait_for("Reloaded")
        all_show(server, SECOND)


def test_a_reload_that_fails_for_another_reason_keeps_the_certificates_of_before(folder: Path) -> None:
    (folder / "portico.toml").write_text('ssl_certfile = "server.pem"\nssl_keyfile = "server.key"\n')
    with supervised(folder) as server:
        settings = f'ssl_certfile = "{SECOND.certfile}"\nssl_keyfile = "{SECOND.keyfile}"\n'
        (folder / "portico.toml").write_text(settings)
        server.write("raise RuntimeError('not yet')\n")
        server.send(signal.SIGHUP)
        server.wait_for(KEPT)
        server.write(APP)
        os.kill(server.worker(), signal.SIGKILL)
        server.wait_for("Started worker 1")
        wait_until(lambda: _shows(server, FIRST), "the next worker")
        third = authority().issue(*LOCAL)
        replace(folder, third)
        all_show(server, third)


def test_tls_is_turned_on_by_another_start_only(folder: Path) -> None:
    with supervised(folder) as server:
        (folder / "portico.toml").write_text('ssl_certfile = "server.pem"\nssl_keyfile = "server.key"\n')
        server.send(signal.SIGHUP)
        server.wait_for("Changed, but not before the next start: .*ssl_certfile")
        server.wait_for("Reloaded")
        assert server.version() == "one"


@pytest.mark.parametrize("mode", [(), ("--no-supervise",)])
def test_all_problems_of_certificates_are_errors_before_anything_is_opened(folder: Path, mode: tuple[str, ...]) -> None:
    replace(folder, SECOND, key=False)
    (folder / "other.pem").write_text("nothing")
    command = [*PORTICO, "run", "app:app", "--port", "1", *OPTIONS, "--ssl-sni", "other.pem", *mode]
    (folder / "app.py").write_text(APP)
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"Error: ssl_certfile: {folder}/server.pem: the key does not belong to the certificate",
        f"Error: ssl_sni: {folder}/other.pem: there is no certificate in it, in the form PEM",
    ]


def test_one_process_loads_certificates_again_on_sighup(folder: Path) -> None:
    with supervised(folder, *OPTIONS, "--no-supervise", "--no-ssl-watch") as server:
        replace(folder, SECOND)
        server.send(signal.SIGHUP)
        server.wait_for("The certificates have been loaded again")
        assert shown(server) == der(SECOND)


def may_run_here() -> bool:
    """Tell whether this is root, and nobody may run this interpreter and read the sources."""
    try:
        command = [sys.executable, "-c", "import portico.cli"]
        who = Identity(65534, 65534, (65534,)).popen()
        subprocess.run(command, env=environment(), cwd="/", check=True, capture_output=True, timeout=60, **who)
    except (OSError, subprocess.CalledProcessError):
        return False
    return os.geteuid() == 0


@pytest.mark.skipif(sys.platform == "win32" or not may_run_here(), reason="not root, or nobody cannot run this")
@pytest.mark.parametrize("options", [(), ("--preload",)])
def test_workers_need_not_be_able_to_read_the_key(options: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)  # pytest's own are closed to others
        folder.chmod(0o755)
        secret = folder / "secret"
        secret.mkdir(0o700)
        replace(secret, FIRST)
        files = ("--ssl-certfile", "secret/server.pem", "--ssl-keyfile", "secret/server.key")
        with supervised(folder, "--user", "nobody", *files, *options) as server:
            assert os.stat(f"/proc/{server.worker()}").st_uid == pwd.getpwnam("nobody").pw_uid
            assert shown(server) == der(FIRST)
            replace(secret, SECOND)
            all_show(server, SECOND)


def test_programs_that_the_application_starts_do_not_inherit_keys(folder: Path) -> None:
    source = APP.replace(
        '    text = f"{VERSION} {os.getpid()} {IMPORTED_BY}"\n',
        "    import subprocess\n"
        "    command = ['ls', '-l', '/proc/self/fd']\n"
        "    text = subprocess.run(command, capture_output=True, text=True, close_fds=False).stdout\n",
    )
    assert source != APP
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("there is no /proc")
    with started(folder, *OPTIONS, source=source) as server:
        server.client.base_url = server.wait_for(r"Portico running on (https://\S+)")[1]
        text = server.client.get("/").text
        assert "/proc" in text
        assert "portico" not in text.replace(str(folder), "")
