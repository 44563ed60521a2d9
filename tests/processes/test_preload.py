"""--preload: the application is imported once, and the workers are forks."""

import os
import signal
from pathlib import Path

import pytest
from tests.supervised import APP, gone, started, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]
TWO = ("--preload", "--workers", "2")


def test_the_workers_share_one_import(tmp_path: Path) -> None:
    with supervised(tmp_path, *TWO) as server:
        workers = server.workers(2)
        template = server.imported_by()
        assert template not in workers
        assert template != server.process.pid
    assert server.log.count("closed by") == 2
    assert gone(template)


def test_a_killed_worker_is_replaced_without_another_import(tmp_path: Path) -> None:
    with supervised(tmp_path, *TWO) as server:
        before, template = server.workers(2), server.imported_by()
        killed = before.pop()
        os.kill(killed, signal.SIGKILL)
        server.wait_for(rf"\[{killed}\] has died: it was ended by SIGKILL")
        assert server.workers(2) > before
        assert server.imported_by() == template


def test_a_reload_imports_anew(tmp_path: Path) -> None:
    with supervised(tmp_path, *TWO) as server:
        before, template = server.workers(2), server.imported_by()
        server.write(APP.replace('"one"', '"two"'))
        server.send(signal.SIGHUP)
        server.wait_for(r"Reloaded")
        wait_until(lambda: all(map(gone, before)), "the end of the old workers")
        assert server.version() == "two"
        assert server.imported_by() != template
        wait_until(lambda: gone(template), "the end of the old template")


def test_broken_code_keeps_the_old_template(tmp_path: Path) -> None:
    with supervised(tmp_path, *TWO) as server:
        before, template = server.workers(2), server.imported_by()
        server.write("import nowhere_at_all\n")
        server.send(signal.SIGHUP)
        server.wait_for(r"The reload has failed")
        assert "No module named 'nowhere_at_all'" in server.log
        assert server.workers(2) == before
        os.kill(before.pop(), signal.SIGKILL)
        assert server.workers(2) > before
        assert server.imported_by() == template


def test_a_template_that_is_killed_is_made_anew(tmp_path: Path) -> None:
    with supervised(tmp_path, *TWO) as server:
        before, template = server.workers(2), server.imported_by()
        os.kill(template, signal.SIGKILL)
        wait_until(lambda: gone(template), "the end of the template")
        os.kill(before.pop(), signal.SIGKILL)
        fresh = server.another_than(*before)
        assert fresh
        wait_until(lambda: server.imported_by() != template, "another template")


def test_what_cannot_be_imported_ends_the_start(tmp_path: Path) -> None:
    with started(tmp_path, *TWO, source="import nowhere_at_all\n") as server:
        assert server.exit_status() == 1
        log = server.read_all()
    assert "No module named 'nowhere_at_all'" in log
    assert "No worker has started. Exiting." in log


def test_the_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, *TWO) as server:
        server.client.base_url = server.wait_for(r"Portico running on (http://\S+)")[1]
        workers, template = server.workers(2), server.imported_by()
        server.process.kill()
        server.process.wait()
        server.read_all()  # nobody holds the pipe any more
    wait_until(lambda: all(map(gone, (*workers, template))), "the end of all processes")
