"""Signals that come at the wrong moment, and a supervisor that is asked for several things at once."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.supervised import APP, gone, processes, started, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]
RUNNING = r"Portico running on (http://\S+)"
SLOW = "import time\nprint('importing', flush=True)\ntime.sleep(1)\n" + APP


def test_what_is_asked_for_while_the_first_workers_start_is_done_after_it(tmp_path: Path) -> None:
    with started(tmp_path, source=SLOW) as server:
        server.wait_for("importing")
        server.send(signal.SIGTTIN)
        server.send(signal.SIGHUP)
        server.client.base_url = server.wait_for(RUNNING)[1]
        server.wait_for("Reloaded")
        server.workers(2)
        server.send(signal.SIGTERM)
        assert server.exit_status() == 0
        assert "Traceback" not in server.read_all()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], ids=lambda number: number.name)
def test_a_worker_that_is_just_starting_survives_what_is_not_meant_for_it(tmp_path: Path, number: int) -> None:
    with started(tmp_path, source=SLOW) as server:
        server.wait_for("Started supervisor")
        wait_until(lambda: len(processes(server.process.pid)) == 1, "the worker's process")
        (worker,) = processes(server.process.pid)
        worker.send_signal(number)
        server.client.base_url = server.wait_for(RUNNING)[1]
        assert server.worker() == worker.pid
        server.send(signal.SIGTERM)
        assert server.exit_status() == 0
        assert "Traceback" not in server.read_all()


def test_files_that_are_rotated_while_a_worker_starts_are_opened_anew_by_it(tmp_path: Path) -> None:
    log, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    source = SLOW.replace("        await receive()\n", "        await receive()\n        await asyncio.sleep(0)\n", 1)
    with started(tmp_path, "--access-log-file", str(log), source=source) as server:
        log.touch()
        server.wait_for("importing")
        log.rename(moved)
        server.send(signal.SIGUSR1)
        server.client.base_url = server.wait_for(RUNNING)[1]
        server.client.get("/after")
        wait_until(lambda: log.exists() and "/after" in log.read_text(), "the line in the new file")
        server.send(signal.SIGTERM)
        assert server.exit_status() == 0


def test_many_reloads_that_are_asked_for_at_once_are_one_more(tmp_path: Path) -> None:
    with supervised(tmp_path, source=SLOW) as server:
        for _ in range(5):
            server.send(signal.SIGHUP)
            server.wait_for("Reloading") if server.log.count("Reloading") == 0 else None
        server.wait_for("Reloaded")
        server.wait_for("Reloaded")
    assert server.log.count("Reloaded") == 2


def test_a_stop_while_the_template_imports_leaves_nobody(tmp_path: Path) -> None:
    source = "import time\nprint('importing', flush=True)\ntime.sleep(3600)\n"
    with started(tmp_path, "--preload", source=source) as server:
        server.wait_for("importing")
        (template,) = processes(server.process.pid)
        server.send(signal.SIGINT)
        assert server.exit_status() == 0
        wait_until(lambda: gone(template.pid), "the end of the template")
        assert "Traceback" not in server.read_all()


def test_a_fork_that_fails_is_tried_again(tmp_path: Path) -> None:
    source = """
import os

fork = os.fork


def failing():
    os.fork = fork
    raise BlockingIOError(11, "Resource temporarily unavailable")


os.fork = failing
"""
    with supervised(tmp_path, "--preload", "--workers", "2", source=source + APP) as server:
        server.workers(2)
        template = server.imported_by()
        assert not gone(template)
    assert "Worker 1 cannot be started: no process can be forked: " in server.log


def test_a_template_of_before_ends_with_its_last_worker_after_a_reload_that_stopped_half_way(tmp_path: Path) -> None:
    once = APP.replace(
        'await send({"type": "lifespan.startup.complete"})',
        'os.link("app.py", "second" if os.path.exists("first") else "first")\n'
        '        await send({"type": "lifespan.startup.complete"})',
    )
    (tmp_path / "second").touch()
    with supervised(tmp_path, "--preload", "--workers", "2", "--lifespan", "on") as server:
        before, template = server.workers(2), server.imported_by()
        server.write(once)
        server.send(signal.SIGHUP)
        server.wait_for("The reload has failed: some workers still run the old code")
        assert not gone(template)
        (tmp_path / "second").unlink()
        for left in before:
            if not gone(left):
                os.kill(left, signal.SIGKILL)
        wait_until(lambda: gone(template), "the end of the old template")
        server.workers(2)


def test_descriptors_and_processes_are_the_same_after_reloads_and_deaths(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        supervisor = psutil.Process(server.process.pid)

        def count() -> tuple[int, int, int]:
            return supervisor.num_fds(), len(supervisor.children(recursive=True)), supervisor.num_threads()

        server.send(signal.SIGHUP)
        server.wait_for("Reloaded")
        wait_until(lambda: count()[1] == 1, "the end of the old worker")
        before = count()
        for _ in range(5):
            worker = server.worker()
            server.send(signal.SIGHUP)
            server.wait_for("Reloaded")
            worker = server.another_than(worker)
            os.kill(worker, signal.SIGKILL)
            server.another_than(worker)
        wait_until(lambda: count() == before, "what there was before")


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["spawned", "forked"])
def test_an_import_that_never_ends_ends_with_the_supervisor(tmp_path: Path, options: tuple[str, ...]) -> None:
    source = "import time\nprint('importing', flush=True)\ntime.sleep(3600)\n"
    with started(tmp_path, *options, source=source) as server:
        server.wait_for("importing")
        (child,) = processes(server.process.pid)
        server.process.kill()
        server.process.wait()
        try:
            wait_until(lambda: gone(child.pid), "the end of what imports")
        finally:
            if not gone(child.pid):
                child.kill()
