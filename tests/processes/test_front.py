"""What real workers serve with TLS, without it, and as a redirect: alone, after a reload and after an upgrade."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from tests.certificates import local, trusting
from tests.supervised import Supervised, gone, started, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]
OPTIONS = ("--insecure-bind", "127.0.0.1:0", "--redirect-http", "127.0.0.1:0", "--ssl-certfile", local().certfile,
           "--ssl-keyfile", local().keyfile)  # fmt: skip


class Front:
    """A running server and its three addresses."""

    def __init__(self, server: Supervised, unix: Path) -> None:
        self.server = server
        self.secure = server.wait_for(r"Portico running on (https://\S+)")[1]
        server.wait_for(rf"Portico running on unix:{unix} ")
        self.insecure = server.wait_for(r"Portico running on (http://\S+)")[1]
        self.redirect = server.wait_for(r"Redirecting to HTTPS from (http://\S+)")[1]
        self.unix = unix
        server.client.base_url = self.insecure

    def check(self) -> None:
        """See that each serves what it is there for."""
        port = self.secure.rpartition(":")[2]
        with httpx.Client(verify=trusting(), timeout=30, headers={"connection": "close"}) as client:
            assert client.get(self.secure).text.startswith("one ")
            assert client.get(self.insecure).text.startswith("one ")
            answer = client.get(f"{self.redirect}/a?b")
            assert (answer.status_code, answer.headers["location"]) == (301, f"https://127.0.0.1:{port}/a?b")
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.unix)), timeout=30) as client:
            assert client.get("http://a/").text.startswith("one ")


@contextmanager
def front(folder: Path, *options: str) -> Iterator[Front]:
    unix = folder / "s"
    with started(folder, *OPTIONS, "--bind", "127.0.0.1:0", "--bind", f"unix:{unix}", *options) as server:
        yield Front(server, unix)


@contextmanager
def upgraded(server: Supervised) -> Iterator[None]:
    """Have another supervisor take over, and end it with all that it has started."""
    server.send(signal.SIGUSR2)
    fresh = psutil.Process(int(server.wait_for(r"Started the new supervisor \[(\d+)\]")[1]))
    try:
        server.wait_for(rf"The new supervisor \[{fresh.pid}\] serves: this one ends")
        assert server.exit_status() == 0
        yield
        fresh.terminate()
        wait_until(lambda: gone(fresh.pid), "the end of the new supervisor")
    finally:
        if not gone(fresh.pid):
            for child in (*fresh.children(recursive=True), fresh):
                child.kill()


@pytest.mark.parametrize("options", [(), ("--preload",), ("--no-supervise",)], ids=["spawned", "forked", "alone"])
def test_each_address_serves_what_it_is_there_for(tmp_path: Path, options: tuple[str, ...]) -> None:
    with front(tmp_path, *options) as found:
        found.check()
        found.server.send(signal.SIGTERM)
        assert found.server.exit_status() == 0
        assert "Traceback" not in found.server.read_all()
        assert not found.unix.exists()


def test_a_reload_keeps_what_each_address_is_there_for(tmp_path: Path) -> None:
    with front(tmp_path) as found:
        before = found.server.worker()
        found.server.send(signal.SIGHUP)
        found.server.wait_for("Reloaded")
        assert found.server.another_than(before)
        found.check()
        found.server.send(signal.SIGTERM)
        assert found.server.exit_status() == 0


def test_a_new_supervisor_takes_over_each_address_with_what_it_is_there_for(tmp_path: Path) -> None:
    with front(tmp_path) as found:
        before = found.server.worker()
        with upgraded(found.server):
            found.server.another_than(before)
            found.check()
        assert not found.unix.exists()


def test_a_new_supervisor_serves_on_a_socket_what_its_own_settings_say(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        server.client.base_url = server.wait_for(r"Portico running on (http://\S+)")[1]
        before = server.worker()
        lines = [f"{name} = '{value}'" for name, value in local().settings.items()]
        (tmp_path / "portico.toml").write_text("\n".join(lines))
        server.send(signal.SIGHUP)
        server.wait_for("Changed, but not before the next start: ssl_certfile, ssl_keyfile")
        server.wait_for("Reloaded")
        assert server.another_than(before)
        with upgraded(server):
            address = str(server.client.base_url).replace("http://", "https://")
            with httpx.Client(verify=trusting(), timeout=30) as client:
                assert client.get(address).text.startswith("one ")
