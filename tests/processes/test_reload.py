"""SIGHUP: other code and other settings, and the old ones where the new do not work."""

import signal
from pathlib import Path

import pytest
from tests.supervised import APP, gone, supervised, wait_until

pytestmark = pytest.mark.process
NEW = APP.replace('"one"', '"two"')


def test_a_reload_brings_new_code(tmp_path: Path) -> None:
    with supervised(tmp_path, "--workers", "2") as server:
        before = server.workers(2)
        server.write(NEW)
        server.send(signal.SIGHUP)
        server.wait_for(r"Reloading: SIGHUP")
        server.wait_for(r"Reloaded")
        wait_until(lambda: all(map(gone, before)), "the end of the old workers")
        assert server.version() == "two"
        assert not before & server.workers(2)
    assert server.log.count("closed by") == 4


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (NEW + "\n)", "SyntaxError: unmatched ')'"),
        (NEW + "\nimport nowhere_at_all", "No module named 'nowhere_at_all'"),
        (NEW.replace("startup.complete", "startup.failed"), "startup"),
        (NEW + "\nos._exit(5)", "ended with exit status 5"),
    ],
    ids=["syntax", "import", "startup", "exit"],
)
def test_the_old_workers_keep_serving_where_the_new_code_does_not_start(tmp_path: Path, source: str, says: str) -> None:
    with supervised(tmp_path, "--workers", "2") as server:
        before = server.workers(2)
        server.write(source)
        server.send(signal.SIGHUP)
        server.wait_for(r"The reload has failed: the old workers keep serving")
        assert says in server.log
        assert server.workers(2) == before
        server.write(NEW)
        server.send(signal.SIGHUP)
        server.wait_for(r"Reloaded")
        wait_until(lambda: server.version() == "two", "the new code")


def test_a_reload_reads_the_settings_again(tmp_path: Path) -> None:
    settings = tmp_path / "portico.toml"
    settings.write_text('headers = ["x-settings: old"]\n')
    with supervised(tmp_path) as server:
        assert server.client.get("/").headers["x-settings"] == "old"
        settings.write_text('headers = ["x-settings: new"]\nworkers = 2\nbacklog = 7\n')
        server.send(signal.SIGHUP)
        server.wait_for(r"Changed, but not before the next start: backlog")
        server.wait_for(r"Reloaded")
        server.workers(2)
        wait_until(lambda: server.client.get("/").headers["x-settings"] == "new", "the new settings")


def test_wrong_settings_are_named_and_change_nothing(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = server.worker()
        (tmp_path / "portico.toml").write_text("workers = 0\n")
        server.send(signal.SIGHUP)
        server.wait_for(r"ERROR: .*workers: expected at least 1, got 0")
        server.wait_for(r"The reload has failed: the old workers keep serving")
        assert server.worker() == before


def test_reloads_that_are_asked_for_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = server.worker()
        server.send(signal.SIGHUP)
        server.wait_for(r"Reloading")
        server.write(NEW)
        server.send(signal.SIGHUP)
        server.wait_for(r"Reloaded")
        server.wait_for(r"Reloaded")
        assert server.version() == "two"
        assert server.worker() != before
