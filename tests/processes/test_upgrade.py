"""SIGUSR2: another supervisor takes over the sockets, or the old one stays."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tests.supervised import APP, Supervised, gone, started, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]
NEW = APP.replace('"one"', '"two"')


@contextmanager
def upgraded(server: Supervised) -> Iterator[psutil.Process]:
    """Have the server upgraded; yields the new supervisor, and ends it with all that it has started."""
    server.send(signal.SIGUSR2)
    fresh = psutil.Process(int(server.wait_for(r"Started the new supervisor \[(\d+)\]")[1]))
    try:
        yield fresh
        fresh.terminate()
        wait_until(lambda: gone(fresh.pid), "the end of the new supervisor")
    finally:
        if not gone(fresh.pid):
            for child in (*fresh.children(recursive=True), fresh):
                child.kill()


def test_an_upgrade_hands_over_the_sockets_and_the_pid_file(tmp_path: Path) -> None:
    pid_file = tmp_path / "portico.pid"
    with started(tmp_path, "--workers", "2", "--pid", str(pid_file)) as server:
        server.client.base_url = server.wait_for(r"Portico running on (http://\S+)")[1]
        before = server.workers(2)
        assert pid_file.read_text().strip() == str(server.process.pid)
        server.write(NEW)
        with upgraded(server) as fresh:
            server.wait_for(rf"The new supervisor \[{fresh.pid}\] serves: this one ends")
            assert server.exit_status() == 0
            assert all(map(gone, before))
            assert server.version() == "two"
            assert not before & server.workers(2)
            assert pid_file.read_text().strip() == str(fresh.pid)
        assert not pid_file.exists()


def test_an_upgrade_that_does_not_come_up_changes_nothing(tmp_path: Path) -> None:
    pid_file = tmp_path / "portico.pid"
    with supervised(tmp_path, "--pid", str(pid_file)) as server:
        before = server.worker()
        server.write("import nowhere_at_all\n")
        server.send(signal.SIGUSR2)
        server.wait_for(r"The new supervisor \[\d+\] has ended: this one serves on")
        assert server.worker() == before
        assert pid_file.read_text().strip() == str(server.process.pid)
        server.write(APP)
        server.send(signal.SIGHUP)  # the old one still does whatever it is asked
        server.wait_for(r"Reloaded")
        server.another_than(before)
    assert not pid_file.exists()
