"""What the supervisor hands to workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.certificates import authority, local

from portico.server.config import Config
from portico.server.metrics.board import anonymous_file
from portico.server.settling import ConfigError
from portico.server.tls.files import read_files
from portico.server.tls.handover import WORD, HandedCertificates, SharedCertificates, read, write


@pytest.fixture
def fd() -> Iterator[int]:
    found = anonymous_file("test")
    os.ftruncate(found, WORD)
    yield found
    os.close(found)


def test_the_last_state_is_found(fd: int) -> None:
    for files in ({"a": b"1" * 5000, "b": b""}, {"a": b"2"}, {}):
        write(fd, files)
        assert read(fd) == files


def test_a_state_that_is_being_written_is_not_found(fd: int) -> None:
    write(fd, {"a": b"1"})
    os.pwrite(fd, b"\xff" * 100, os.fstat(fd).st_size)
    assert read(fd) == {"a": b"1"}
    write(fd, {"a": b"2"})
    assert read(fd) == {"a": b"2"}


def test_settings_that_cannot_be_followed_change_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    config = Config("a:b", **local().settings)
    shared = SharedCertificates(config, lambda: None)
    other = Config("a:b", **(dict(local().settings) | {"ssl_certfile": str(empty)}))
    with pytest.raises(ConfigError):
        shared.follow(other)
    assert shared.state == (config, read_files(config))
    assert read(shared.fd) == read_files(config)
    os.close(shared.fd)


def test_what_was_followed_is_taken_back() -> None:
    config, other = (Config("a:b", **authority().issue("localhost").settings) for _ in range(2))
    shared = SharedCertificates(config, lambda: None)
    before = shared.state
    shared.follow(other)
    assert HandedCertificates(other, shared.fd).context
    shared.restore(before)
    assert HandedCertificates(config, shared.fd).context
    assert read(shared.fd) == read_files(config)
    os.close(shared.fd)
