"""Where processes are started, and what they import from where."""

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import psutil
import pytest
from tests.children import ROOT, environment
from tests.supervised import APP, gone, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]
NEW = APP.replace('"one"', '"two"')


def test_an_upgrade_finds_a_relative_directory_again(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "inside.py").write_text(APP)
    with supervised(tmp_path, "--chdir", "site", target="inside:app") as server:
        server.send(signal.SIGUSR2)
        fresh = psutil.Process(int(server.wait_for(r"Started the new supervisor \[(\d+)\]")[1]))
        try:
            server.wait_for("this one ends")
            assert server.exit_status() == 0
            assert server.version() == "one"
            fresh.terminate()
            wait_until(lambda: gone(fresh.pid), "the end of the new supervisor")
        finally:
            if not gone(fresh.pid):
                fresh.kill()


def test_settings_that_cannot_be_read_leave_the_directory_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "inside.py").write_text(APP)
    settings = tmp_path / "portico.toml"
    settings.write_text('chdir = "site"\n')
    source = "raise SystemExit('the wrong directory')\n"
    with supervised(tmp_path, source=source, target="inside:app") as server:
        before = server.worker()
        settings.write_text("chdir = \n")
        server.send(signal.SIGHUP)
        server.wait_for("The reload has failed")
        os.kill(before, signal.SIGKILL)
        server.another_than(before)


def test_a_reload_follows_a_link_that_names_the_directory(tmp_path: Path) -> None:
    for name, source in (("first", APP), ("second", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "inside.py").write_text(source)
    (tmp_path / "current").symlink_to("first")
    with supervised(tmp_path, "--chdir", "current", target="inside:app") as server:
        assert server.version() == "one"
        (tmp_path / "current").unlink()
        (tmp_path / "current").symlink_to("second")
        server.send(signal.SIGHUP)
        server.wait_for("Reloaded")
        wait_until(lambda: server.version() == "two", "the new release")
    assert "not before the next start" not in server.log


def test_a_directory_that_is_gone_is_an_error_of_the_reload(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    folder.mkdir()
    with supervised(folder) as server:
        before = server.worker()
        (folder / "app.py").unlink()
        folder.rmdir()
        server.send(signal.SIGHUP)
        server.wait_for("The reload has failed")
        assert server.worker() == before
        assert "Traceback" not in server.log
        folder.mkdir()


PROGRAM = """
import sys
sys.path[:0] = {path!r}
import signal
import portico
print("as", __name__, flush=True)
if __name__ == "__main__":
    status = portico.run("inside:app", port=0)
    print("ended with", status, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
"""


def test_a_program_that_found_portico_by_itself_has_workers_that_find_it_too(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(path=[str(ROOT / "src"), sysconfig.get_path("platlib")]))
    (tmp_path / "inside.py").write_text(APP)
    process = subprocess.Popen(
        [sys.executable, "-S", "-u", "program.py"],
        cwd=tmp_path,
        env={name: value for name, value in environment().items() if name != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Portico running" in line:
                process.send_signal(signal.SIGTERM)
            if "ended with" in line:
                assert line == "ended with 0 True\n"
                break
        else:
            raise AssertionError("the program did not get there")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_program_that_serves_while_it_is_imported_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "inside.py").write_text(f"{APP}\nimport portico\nportico.run('inside:app', port=0)\n")
    ran = subprocess.run(
        [sys.executable, "inside.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "if __name__ == '__main__':" in ran.stderr
    assert "Portico running" not in ran.stderr


def test_settings_that_no_other_process_can_be_told_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "inside.py").write_text(APP)
    (tmp_path / "program.py").write_text(
        "import logging, sys, portico\n"
        "handler = {'()': lambda: logging.StreamHandler()}\n"
        "log = {'handlers': {'one': handler}, 'root': {'handlers': ['one']}}\n"
        "sys.exit(portico.run('inside:app', port=0, log_config=log))\n"
    )
    ran = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1
    assert "log_config" in ran.stderr
    assert "Traceback" not in ran.stderr
