"""Applications that do what they please: with signals, processes, descriptors and threads."""

import os
import signal
import threading
from pathlib import Path

import pytest
from tests.supervised import APP, gone, processes, started, supervised, wait_until

pytestmark = [pytest.mark.process, pytest.mark.once]
SHOWS = """
    if scope["path"] == "/show":
        import subprocess, sys
        code = (
            "import os, signal, stat\\n"
            "sockets = [fd for fd in range(3, 64) if os.path.exists(f'/dev/fd/{fd}')]\\n"
            "ignored = [n for n in ('SIGINT', 'SIGHUP', 'SIGTERM', 'SIGUSR1') "
            "if signal.getsignal(getattr(signal, n)) is signal.SIG_IGN]\\n"
            "print(sockets, ignored)"
        )
        text = subprocess.run(
            [sys.executable, "-I", "-c", code], close_fds=False, capture_output=True, text=True, check=True
        ).stdout
"""
AFTER = '    text = f"{VERSION} {os.getpid()} {IMPORTED_BY}"\n'


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["spawned", "forked"])
def test_programs_that_it_starts_get_no_descriptors_and_no_ignored_signals(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with supervised(tmp_path, *options, source=APP.replace(AFTER, AFTER + SHOWS)) as server:
        descriptors, _, ignored = server.client.get("/show").text.strip().rpartition(" ")
    assert ignored == "[]"
    assert descriptors == "[]"


def test_a_process_that_it_forks_and_that_outlives_it_changes_nothing(tmp_path: Path) -> None:
    forks = """
    if scope["path"] == "/fork":
        if os.fork() == 0:
            while not os.path.exists("enough"):
                time.sleep(0.05)
            os._exit(0)
"""
    try:
        with supervised(tmp_path, source=APP.replace(AFTER, AFTER + forks)) as server:
            for _ in range(2):
                before = server.worker()
                server.client.get("/fork")
                os.kill(before, signal.SIGKILL)
                server.wait_for(rf"\[{before}\] has died")
                server.another_than(before)
            (tmp_path / "enough").touch()
    finally:
        (tmp_path / "enough").touch()


@pytest.mark.parametrize(
    "handler",
    [
        "signal.signal(signal.SIGTERM, lambda number, frame: None)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print, 'told')",
    ],
    ids=["handled", "ignored", "in the loop"],
)
def test_a_handler_of_its_own_does_not_keep_it_from_stopping(tmp_path: Path, handler: str) -> None:
    source = "import signal\n" + APP.replace(
        "        await receive()\n", f"        await receive()\n        {handler}\n", 1
    )
    with supervised(tmp_path, source=source) as server:
        assert server.version() == "one"
    assert "closed by" in server.log
    assert "is killed" not in server.log


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["spawned", "forked"])
def test_a_signal_for_the_whole_group_is_one_wish_to_stop(tmp_path: Path, options: tuple[str, ...]) -> None:
    answers: list[int] = []
    with started(tmp_path, *options, start_new_session=True) as server:
        server.client.base_url = server.wait_for(r"Portico running on (http://\S+)")[1]
        workers = [each.pid for each in processes(server.process.pid)]
        asking = threading.Thread(target=lambda: answers.append(server.client.get("/slow").status_code))
        asking.start()
        server.wait_for("slowly")
        os.killpg(server.process.pid, signal.SIGTERM)
        assert server.exit_status() == 0
        asking.join()
    assert answers == [200]
    wait_until(lambda: all(map(gone, workers)), "the end of the workers")


def test_threads_that_the_import_starts_are_warned_of(tmp_path: Path) -> None:
    source = "import threading\nthreading.Thread(target=threading.Event().wait, name='poller', daemon=True).start()\n"
    with supervised(tmp_path, "--preload", source=source + APP) as server:
        server.version()
    assert "has started threads, which its workers do not have: poller" in server.log
    with supervised(tmp_path, source=source + APP) as server:
        server.version()
    assert "poller" not in server.log
