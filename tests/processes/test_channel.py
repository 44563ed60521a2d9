"""What a worker says to its supervisor, who may be root: whatever it is, it does no harm."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from portico.server.metrics.board import Board
from portico.server.processes.channel import MAX_LINE, Channel
from portico.server.processes.forking import Forked, LaunchError


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = map(Channel, socket.socketpair())
    for each in (ours, theirs):
        each.socket.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_what_is_said_is_heard(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    theirs.say(ready=True)
    theirs.say(failed="é\n")
    assert ours.take() == [{"ready": True}, {"failed": "é\n"}]
    assert ours.take() == []
    assert not ours.ended
    theirs.close()
    assert ours.take() == []
    assert ours.ended


def test_the_last_words_are_heard_with_the_end(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    theirs.say(failed="no database")
    theirs.close()
    assert ours.take() == [{"failed": "no database"}]
    assert ours.ended


@pytest.mark.parametrize(
    "garbage",
    [b"garbage", b"", b"\xff\xfe", b"[1]", b"null", b"7" * 5000, b"[" * 100_000, b'{"ready": ', b"\0"],
    ids=["word", "nothing", "bytes", "list", "null", "number", "nested", "cut", "zero"],
)
def test_what_is_no_message_is_passed_over(ends: tuple[Channel, Channel], garbage: bytes) -> None:
    ours, theirs = ends
    theirs.socket.sendall(b"%s\n" % garbage)
    theirs.say(ready=True)
    assert ours.take() == [{"ready": True}]
    assert not ours.ended


def test_a_line_without_an_end_is_the_end(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    sent = 0
    while sent <= MAX_LINE:
        try:
            sent += theirs.socket.send(b"x" * 65536)
        except BlockingIOError:
            assert ours.take() == []
    assert ours.take() == []
    assert ours.ended


@pytest.mark.parametrize("text", ["x" * (1 << 20) + "last", "\u20ac" * (1 << 20) + "last"], ids=["ascii", "others"])
def test_of_a_long_text_the_end_is_heard_whole(ends: tuple[Channel, Channel], text: str) -> None:
    ours, theirs = ends
    theirs.say(failed=text)
    (message,) = ours.take()
    assert message["failed"].endswith("last")
    assert len(json.dumps(message)) < MAX_LINE


@pytest.mark.parametrize("pid", [-1, 0, 1, os.getpid(), os.getppid()])
def test_the_number_of_another_process_is_not_taken_from_a_template(ends: tuple[Channel, Channel], pid: int) -> None:
    ours, theirs = ends
    with pytest.raises(LaunchError, match="not its own"):
        Forked(theirs, ours.socket).identify(pid, os.getpid())


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open")
def test_a_process_that_has_gone_gets_no_signal(ends: tuple[Channel, Channel]) -> None:
    ours, theirs = ends
    process = subprocess.Popen([sys.executable, "-I", "-c", ""])
    forked = Forked(theirs, ours.socket)
    forked.identify(process.pid, os.getpid())
    process.wait()
    with pytest.raises(ProcessLookupError):  # for which the supervisor is prepared
        forked.send_signal(15)
    forked.status = 0
    assert forked.poll() == 0


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="the board is sealed on Linux only")
def test_the_board_cannot_be_made_shorter() -> None:
    board = Board.create()
    with pytest.raises(PermissionError):
        os.ftruncate(board.fd, 0)
