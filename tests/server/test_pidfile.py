import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.children import environment

from portico.server.processes.pidfile import PidFile, PidFileError

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of files")

WRITER = """
import sys
from portico.server.processes.pidfile import PidFile, PidFileError
file = PidFile(sys.argv[1])
sys.stdin.readline()
try:
    file.write()
except PidFileError as error:
    print(error, flush=True)
else:
    print("written", flush=True)
    sys.stdin.readline()
    file.remove()
"""


@contextmanager
def writer(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run a process that writes the file at the first line it reads, and removes it at the next."""
    command = [sys.executable, "-c", WRITER, str(path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe, text=True, bufsize=1)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def tell(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_the_file_holds_the_number_for_everybody_to_read(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = PidFile(str(path))
    file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 == 0o644
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = PidFile(str(path))
    file.write()
    before = path.stat()
    file.write()
    assert os.path.samestat(before, path.stat())
    file.remove()


def test_a_file_that_was_deleted_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = PidFile(str(path))
    file.write()
    path.unlink()
    file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()
    assert not path.exists()


def test_a_relative_path_is_that_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = PidFile("pid")
    monkeypatch.chdir("/")
    file.write()
    assert (tmp_path / "pid").exists()
    file.remove()
    assert not (tmp_path / "pid").exists()


def test_the_file_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    first, second = PidFile(str(path)), PidFile(str(path))
    first.write()
    second.write(replacing=os.getpid())
    first.remove()
    assert path.exists()
    second.remove()
    assert not path.exists()


def test_a_file_that_another_has_put_there_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = PidFile(str(path))
    file.write()
    path.unlink()
    path.write_text("1\n")
    file.remove()
    assert path.read_text() == "1\n"


@pytest.mark.process
def test_a_living_writer_keeps_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with writer(path) as other:
        tell(other)
        assert said(other) == "written"
        with pytest.raises(PidFileError, match=rf"{path}: process {other.pid} has it and is running"):
            PidFile(str(path)).write()
        with pytest.raises(PidFileError, match="has it"):
            PidFile(str(path)).write(replacing=other.pid + 1)
        assert path.read_text() == f"{other.pid}\n"


@pytest.mark.process
def test_a_living_writer_hands_the_file_over_and_may_have_it_back(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = PidFile(str(path))
    file.write()
    with writer(path) as other:
        path_of_other = PidFile(str(path))
        tell(other)
        assert "has it" in said(other)
        path_of_other.write(replacing=os.getpid())
        path_of_other.remove()
        file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()


@pytest.mark.process
def test_a_writer_that_was_killed_leaves_a_stale_file(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with writer(path) as other:
        tell(other)
        assert said(other) == "written"
        other.send_signal(signal.SIGKILL)
        other.wait()
        file = PidFile(str(path))
        file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()


@pytest.mark.process
def test_the_file_of_another_programs_living_process_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with writer(tmp_path / "other") as other:
        path.write_text(f"{other.pid}\n")
        with pytest.raises(PidFileError, match=f"process {other.pid} has it"):
            PidFile(str(path)).write()


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="when a process began is read in /proc")
def test_a_number_that_another_process_has_got_since_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    with writer(tmp_path / "other") as other:
        path.write_text(f"{other.pid}\n")
        hour_ago = time.time() - 3600
        os.utime(path, (hour_ago, hour_ago))
        file = PidFile(str(path))
        file.write()
    file.remove()


@pytest.mark.parametrize("content", ["", "\n", "0\n", "99999999\n", "9" * 60, f"{os.getpid()}\n"])
def test_what_nobody_has_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pid"
    path.write_text(content)
    file = PidFile(str(path))
    file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    file.remove()


def a_document(path: Path) -> None:
    path.write_text("root:x:0:0:\n")


def a_directory(path: Path) -> None:
    path.mkdir()


def a_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "problem"),
    [(a_document, "no pid file"), (a_directory, "no pid file"), (a_link, "symbolic link"), (a_pipe, "no pid file")],
)
def test_what_is_no_pid_file_is_left_alone(tmp_path: Path, make: Callable[[Path], None], problem: str) -> None:
    path = tmp_path / "pid"
    make(path)
    with pytest.raises(PidFileError, match=problem):
        PidFile(str(path)).write()
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there_is_a_short_message(tmp_path: Path) -> None:
    with pytest.raises(PidFileError, match=r"pid file .*/nowhere/pid: No such file or directory"):
        PidFile(str(tmp_path / "nowhere" / "pid")).write()


@pytest.mark.process
@pytest.mark.parametrize("stale", [False, True])
def test_of_several_that_start_at_once_one_gets_the_file(tmp_path: Path, stale: bool) -> None:
    path = tmp_path / "pid"
    if stale:
        path.write_text("99999999\n")
    with writer(path) as one, writer(path) as two, writer(path) as three:
        processes = (one, two, three)
        for process in processes:
            tell(process)
        outcomes = [said(process) for process in processes]
        [winner] = [process for process, outcome in zip(processes, outcomes, strict=True) if outcome == "written"]
        assert path.read_text() == f"{winner.pid}\n"
        assert [outcome for outcome in outcomes if "has it and is running" in outcome] != []
        tell(winner)
        winner.wait(10)
    assert list(tmp_path.iterdir()) == []
