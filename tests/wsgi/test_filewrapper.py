"""`wsgi.file_wrapper`: real files go to the socket unread, others in blocks, and all are closed."""

import gzip
import io
import queue
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.live import Wire, live
from tests.wsgi.asked import PLAIN, ask, request

from portico.web.testclient import TestClient
from portico.wsgi import Gateway
from portico.wsgi.filewrapper import FileWrapper, find_part

CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "content.bin"
    file.write_bytes(CONTENT)
    return file


class Watched:
    """A file that tells when it is closed, and how far it was read."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.position = -1
        self.closed: queue.Queue[str] = queue.Queue()

    @property
    def read(self) -> Any:  # as Django's files have it
        return self.file.read

    def close(self) -> None:
        self.position = self.file.tell()
        self.file.close()
        self.closed.put(threading.current_thread().name)


def sending(file: Any, headers: Any = PLAIN) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(headers))
        return environ["wsgi.file_wrapper"](file, 4096)

    return app


def test_a_real_file_is_sent_unread_with_its_length_and_closed_in_a_thread(path: Path) -> None:
    file = Watched(path.open("rb"))
    answer = ask(sending(file))
    assert (answer.field(b"content-length"), answer.body) == (b"%d" % len(CONTENT), CONTENT)
    assert file.closed.get(timeout=5).startswith("portico-wsgi")
    assert file.position == 0


def test_it_is_sent_from_its_position_and_as_far_as_declared(path: Path) -> None:
    for length, expected in ((None, CONTENT[1000:]), (5, CONTENT[1000:1005])):
        file = path.open("rb")
        assert file.read(1000) == CONTENT[:1000]  # of which the file has read more ahead
        headers = [] if length is None else [("Content-Length", str(length))]
        assert ask(sending(file, headers)).body == expected
        assert file.closed


def test_other_files_are_sent_in_blocks() -> None:
    for body in (b"", CONTENT):
        file = io.BytesIO(body)
        assert ask(sending(file)).body == body
        assert file.closed


def test_a_compressed_file_is_sent_as_it_reads(path: Path) -> None:
    with gzip.open(path, "wb") as packed:
        packed.write(b"unpacked")
    with gzip.open(path) as packed:
        assert ask(sending(packed)).body == b"unpacked"


def test_a_file_that_hides_its_size_is_read() -> None:
    hidden = Path("/proc/self/cmdline")
    if not hidden.exists():
        pytest.skip("no /proc here")
    with hidden.open("rb") as file:
        assert ask(sending(file)).body == hidden.read_bytes() != b""


def test_without_the_extension_it_is_sent_in_blocks(path: Path) -> None:
    with path.open("rb") as file:
        assert TestClient(Gateway(sending(file))).get("/").content == CONTENT
        assert file.closed


def test_a_file_without_close_is_fine() -> None:
    class Reading:
        parts = [b"b", b"a"]

        def read(self, size: int) -> bytes:
            return self.parts.pop() if self.parts else b""

    assert ask(sending(Reading())).body == b"ab"


def test_it_is_closed_after_head(path: Path) -> None:
    file = Watched(path.open("rb"))
    answer = ask(sending(file, [("Content-Length", "7")]), method="HEAD")
    assert (answer.field(b"content-length"), answer.body) == (b"7", b"")
    assert file.closed.get(timeout=5)


def test_it_is_closed_when_it_is_shorter_than_declared(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = Watched(path.open("rb"))
    assert ask(sending(file, [("Content-Length", str(len(CONTENT) + 1))])).status == 500
    assert file.closed.get(timeout=5)
    assert "shorter than its Content-Length" in caplog.text


def test_it_is_closed_when_start_response_was_not_called(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = Watched(path.open("rb"))
    assert ask(lambda environ, start_response: environ["wsgi.file_wrapper"](file)).status == 500
    assert file.closed.get(timeout=5)


def test_what_closing_raises_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Watched):
        def close(self) -> None:
            super().close()
            raise ValueError("not closed")

    assert ask(sending(Failing(path.open("rb")))).body == CONTENT
    assert "ValueError: not closed" in caplog.text


@pytest.mark.parametrize("settings", [{}, {"timeout_graceful_shutdown": 0.1}])
def test_a_download_keeps_no_thread_and_is_closed_when_the_client_goes(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as large:
        large.truncate(64 << 20)
    files: queue.Queue[Watched] = queue.Queue()

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        if environ["PATH_INFO"] == "/other":
            return [b"other"]
        file = Watched(path.open("rb"))
        files.put(file)
        return environ["wsgi.file_wrapper"](file)

    with live(app, interface="wsgi", threads=1, **settings) as server, Wire(server.port) as wire:
        wire.send(request())
        wire.until(b"\r\n\r\n")
        with Wire(server.port) as other:
            other.send(request(target="/other"))
            assert other.answer().body == b"other"
        file = files.get(timeout=5)
        assert file.closed.empty()
        if not settings:
            wire.abort()
            assert file.closed.get(timeout=5)
    assert settings == {} or file.closed.get(timeout=5)


def test_real_files_are_told_from_others(path: Path) -> None:
    class Decoding(io.BufferedReader):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size)[::-1]

    with tempfile.NamedTemporaryFile() as named:
        named.write(b"named")
        named.seek(0)
        part = find_part(FileWrapper(named), -1)
        assert part is not None
        assert part.count == 5
    with path.open("rb", buffering=0) as unbuffered:
        assert find_part(FileWrapper(unbuffered), -1) is not None
    with Decoding(io.FileIO(path)) as decoding, tempfile.SpooledTemporaryFile() as spooled, path.open() as text:
        for file in (decoding, spooled, text, object()):
            assert find_part(FileWrapper(file), -1) is None
    assert find_part(FileWrapper(unbuffered), -1) is None  # it is closed
