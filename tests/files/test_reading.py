"""Reading at offsets, on the loop and in threads."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from portico.files import reading
from portico.files.reading import open_file


def test_both_ways_give_the_bytes_at_the_offset(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(range(256)) * 1024)

    async def read() -> None:
        reader = open_file(str(tmp_path / "a"))
        try:
            assert await reader.read(3, 4) == bytes((3, 4, 5, 6))
            assert await reader.read(262_140, 10) == bytes((252, 253, 254, 255))
            assert await reader.read(262_144, 10) == b""
            if reader.nowait:
                assert reader.read_cached(3, 4) == bytes((3, 4, 5, 6))
                assert len(reader.read_cached(0, 10**9)) <= reading.PIECE
                assert reader.read_cached(262_144, 10) == b""
        finally:
            reader.close()

    asyncio.run(read())


def test_a_kernel_without_the_flag_makes_threads_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    reader = open_file(str(tmp_path / "a"))
    if not reader.nowait:
        pytest.skip("this platform never reads on the loop")
    monkeypatch.setattr(reading, "NOWAIT", 1 << 30)
    assert reader.read_cached(0, 3) == b""
    assert not reader.nowait
    assert asyncio.run(reader.read(0, 3)) == b"abc"
    reader.close()


def test_a_file_is_closed_only_after_the_thread_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    going, done, file_seen = threading.Event(), threading.Event(), []

    def slow(file: int, count: int, offset: int) -> bytes:
        going.set()
        assert done.wait(10)
        file_seen.append(os.fstat(file).st_size)
        return b""

    monkeypatch.setattr(reading, "read_at", slow)

    async def cancel() -> None:
        reader = open_file(str(tmp_path / "a"))
        task = asyncio.create_task(reader.read(0, 3))
        await asyncio.to_thread(going.wait, 10)
        pending = reader.pending
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        reader.close()
        done.set()
        assert pending is not None
        await asyncio.to_thread(pending.result, 10)
        assert file_seen == [3]

    asyncio.run(cancel())


def test_a_pipe_that_took_the_files_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    open_file(str(tmp_path / "pipe")).close()
