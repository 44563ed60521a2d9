"""Log files that are opened anew after they have been moved, as logrotate does, and whom they belong to."""

import logging
import logging.handlers
import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live import reply
from tests.served import served

from portico.asgi import Receive, Scope, Send
from portico.server.access import AccessLog, open_sink
from portico.server.config import Config
from portico.server.logs import give_files, reopen
from portico.server.processes.accounts import Identity

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be moved")
by_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
DEADLINE_S = 20


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[logging.Logger]:
    """A logger of an application."""
    found = logging.getLogger("reopening.application")
    found.propagate = False
    yield found
    for handler in found.handlers[:]:
        found.removeHandler(handler)
        target = getattr(handler, "target", None)  # which closing the handler forgets
        handler.close()
        if target is not None:
            target.close()


def direct(path: Path) -> logging.Handler:
    return logging.FileHandler(path)


def rotating(path: Path) -> logging.Handler:
    return logging.handlers.RotatingFileHandler(path)


def watched(path: Path) -> logging.Handler:
    return logging.handlers.WatchedFileHandler(path)


def in_memory(path: Path) -> logging.Handler:
    return logging.handlers.MemoryHandler(1, target=logging.FileHandler(path))


@pytest.mark.parametrize("make", [direct, rotating, watched, in_memory])
def test_a_handler_goes_on_under_the_old_name(
    logger: logging.Logger, tmp_path: Path, make: Callable[[Path], logging.Handler]
) -> None:
    path, moved = tmp_path / "app.log", tmp_path / "app.log.1"
    logger.addHandler(make(path))
    logger.error("before")
    path.rename(moved)
    reopen()
    logger.error("after")
    assert (moved.read_text(), path.read_text()) == ("before\n", "after\n")


def test_the_file_behind_a_queue_is_opened_anew(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    handler = logging.handlers.QueueHandler(queue.Queue())
    file = logging.FileHandler(path)
    handler.listener = logging.handlers.QueueListener(handler.queue, file)
    logger.addHandler(handler)
    path.rename(tmp_path / "app.log.1")
    reopen()
    file.emit(logging.makeLogRecord({"msg": "after"}))
    file.close()
    assert path.read_text() == "after\n"


def test_a_file_that_was_not_moved_loses_nothing(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    logger.addHandler(logging.FileHandler(path, mode="w"))
    logger.error("before")
    reopen()
    logger.error("after")
    assert path.read_text() == "before\nafter\n"


def test_a_file_that_is_not_open_yet_stays_so(logger: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    logger.addHandler(logging.FileHandler(path, delay=True))
    reopen()
    assert not path.exists()


def test_the_old_file_is_kept_where_the_new_one_cannot_be_opened(
    logger: logging.Logger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "logs" / "app.log"
    path.parent.mkdir()
    logger.addHandler(logging.FileHandler(path))
    path.parent.rename(tmp_path / "moved")
    with caplog.at_level(logging.WARNING, "portico"):
        reopen()
    assert caplog.messages == [f"Cannot reopen {path}: No such file or directory; the old file is kept"]
    logger.error("still here")
    assert (tmp_path / "moved" / "app.log").read_text() == "still here\n"


def record(log: AccessLog, target: bytes) -> None:
    log.record(None, "GET", target, "1.1", 200, 0, 0.0, [], [])


def test_the_access_log_writes_what_is_pending_to_the_old_file(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    sink = open_sink(str(path))
    log = AccessLog("%(U)s", sink)
    record(log, b"/before")
    path.rename(moved)
    log.reopen()
    record(log, b"/after")
    log.flush()
    assert (moved.read_text(), path.read_text()) == ("/before\n", "/after\n")
    sink.close()


def test_the_access_log_keeps_the_old_file_where_the_new_one_cannot_be_opened(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    sink = open_sink(str(path))
    log = AccessLog("%(U)s", sink)
    path.rename(moved)
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        log.reopen()
    record(log, b"/after")
    log.flush()
    assert moved.read_text() == "/after\n"
    sink.close()


@pytest.mark.parametrize("make", [lambda: AccessLog("%(U)s", open_sink(None)), lambda: AccessLog("%(U)s", print)])
def test_an_access_log_without_a_file_has_nothing_to_open(make: Callable[[], AccessLog]) -> None:
    make().reopen()


def test_a_relative_path_is_that_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sink = open_sink("access.log")
    monkeypatch.chdir("/")
    (tmp_path / "access.log").unlink()
    sink.reopen()
    assert (tmp_path / "access.log").exists()
    sink.close()


def test_a_pipe_that_nobody_reads_is_an_error_and_no_endless_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        open_sink(str(tmp_path / "pipe"))


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await reply(send)


@by_root
def test_files_of_logs_are_made_for_the_user_that_writes_them(logger: logging.Logger, tmp_path: Path) -> None:
    logger.addHandler(logging.FileHandler(tmp_path / "app.log"))
    config = Config(app, access_log_file=str(tmp_path / "access.log"))
    give_files(config, Identity(65534, 65533, ()))
    for name in ("app.log", "access.log"):
        found = (tmp_path / name).stat()
        assert (found.st_uid, found.st_gid) == (65534, 65533)


@by_root
def test_what_a_link_points_at_and_devices_are_not_given_away(logger: logging.Logger, tmp_path: Path) -> None:
    for name, link in (("shadow", Path.symlink_to), ("passwd", Path.hardlink_to)):
        (tmp_path / name).touch()
        link(tmp_path / f"{name}.log", tmp_path / name)
        logger.addHandler(logging.FileHandler(tmp_path / f"{name}.log"))
    give_files(Config(app, access_log_file="/dev/null"), Identity(65534, 65533, ()))
    assert (tmp_path / "shadow").stat().st_uid == (tmp_path / "passwd").stat().st_uid == 0
    assert os.stat("/dev/null").st_uid == 0


@by_root
def test_a_file_that_is_somebody_elses_already_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.touch()
    os.chown(path, 1, 1)
    give_files(Config(app, access_log_file=str(path)), Identity(65534, 65533, ()))
    assert path.stat().st_uid == 1


@by_root
@pytest.mark.parametrize("settings", [{}, {"access_log_file": "-"}, {"access_log": False, "access_log_file": "a"}])
def test_without_a_file_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    give_files(Config(app, **settings), Identity(65534, 65533, ()))
    assert list(tmp_path.iterdir()) == []


def holds(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text()


@pytest.mark.process
@pytest.mark.parametrize("workers", [0, 2])
def test_sigusr1_opens_the_log_files_of_a_running_server_anew(tmp_path: Path, workers: int) -> None:
    (tmp_path / "main.py").write_text(
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body'})\n"
    )
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    options = ["--workers", str(workers)] if workers else []
    with served("main:app", *options, "--access-log-file", str(path), supervised=workers > 0, cwd=tmp_path) as server:
        server.client.get("/before")
        path.rename(moved)
        server.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + DEADLINE_S
        while not holds(path, "/after"):
            assert time.monotonic() < deadline, server.log
            server.client.get("/after")
        # Each worker has opened the new file, so nothing more comes to the old one.
        while True:
            size = moved.stat().st_size
            for _ in range(20):
                server.client.get("/late", headers={"connection": "close"})
            if moved.stat().st_size == size:
                break
            assert time.monotonic() < deadline, server.log
    assert holds(moved, "/before")
