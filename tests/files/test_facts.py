"""What is kept of files, and for how long."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from portico.files.facts import MAX_CONTENT, Facts, FactsCache, NotRegularError, read_small


def write(path: Path, content: bytes, mtime: int = 1_600_000_000) -> str:
    path.write_bytes(content)
    os.utime(path, (mtime, mtime))
    return str(path)


def settled(result: os.stat_result) -> int:
    return max(result.st_mtime_ns, result.st_ctime_ns) + 10**10


def facts_with(path: str, content: bytes) -> Facts:
    return Facts(path, os.stat(path), content)


def test_a_known_file_is_found_again_until_it_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"one")
    cache = FactsCache()

    async def find() -> Facts:
        return await cache.find(path)

    first = asyncio.run(find())
    assert asyncio.run(find()) is first
    write(tmp_path / "a", b"more")
    second = asyncio.run(find())
    assert (first.size, second.size) == (3, 4)
    assert first.etag != second.etag


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_another(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"one")
    cache = FactsCache()
    cache.keep(facts_with(path, b"one"))
    assert cache.fresh(path) is not None
    os.replace(write(tmp_path / "b", b"two"), path)
    assert cache.fresh(path) is None


def test_what_is_gone_is_not_known(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"one")
    cache = FactsCache()
    cache.keep(facts_with(path, b"one"))
    os.unlink(path)
    assert cache.fresh(path) is None


def test_directories_and_pipes_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(NotRegularError):
            asyncio.run(FactsCache().find(str(path)))


def test_a_small_file_that_has_settled_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"small")
    result = os.stat(path)
    assert read_small(path, result, lambda: settled(result)) == b"small"


def test_a_file_that_was_just_written_is_not_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"small")
    result = os.stat(path)
    assert read_small(path, result, lambda: result.st_ctime_ns + 1) is None


def test_a_large_file_and_one_that_changes_meanwhile_are_not_kept(tmp_path: Path) -> None:
    large = write(tmp_path / "a", b"x" * (MAX_CONTENT + 1))
    result = os.stat(large)
    assert read_small(large, result, lambda: settled(result)) is None
    path = write(tmp_path / "b", b"small")
    result = os.stat(path)
    write(tmp_path / "b", b"smaller")
    assert read_small(path, result, lambda: settled(result)) is None


def test_contents_and_files_are_bounded(tmp_path: Path) -> None:
    cache = FactsCache(max_files=10, max_contents=100)
    for number in range(30):
        cache.keep(facts_with(write(tmp_path / str(number), b"x" * 20), b"x" * 20))
        assert cache.contents <= 100
        assert cache.contents == sum(len(facts.content or b"") for facts in cache.files.values())
    assert len(cache.files) == 5
    for number in range(30):
        cache.keep(Facts(str(tmp_path / str(number)), os.stat(tmp_path / str(number))))
    assert len(cache.files) == 10
    assert cache.contents == 0


def test_what_is_in_use_stays_when_others_come(tmp_path: Path) -> None:
    cache = FactsCache(max_files=4)
    hot = write(tmp_path / "hot", b"x")
    cache.keep(facts_with(hot, b"x"))
    for number in range(20):
        cache.keep(facts_with(write(tmp_path / str(number), b"x"), b"x"))
        assert cache.fresh(hot) is not None


def test_permissions_of_a_file_that_is_kept_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"x")
    cache = FactsCache()
    cache.keep(facts_with(path, b"x"))
    os.chmod(path, stat.S_IRUSR)
    assert cache.fresh(path) is None
