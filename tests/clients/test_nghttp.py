"""nghttp and h2load, the clients of nghttp2: every frame that HTTP/2 has, in the shapes that their options give it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.clients.secured import SITE, secured
from tests.served import Served, served

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        shutil.which("nghttp") is None, reason="nghttp is not installed: apt-get install nghttp2-client"
    ),
]

ANSWER_S = 20
OPTIONS = [[], ["--padding=100"], ["--no-content-length"], ["--expect-continue"]]
OVER = pytest.mark.parametrize("over", ["tls", "cleartext"])


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Served]]:
    with secured() as tls, served(SITE, "--http2-upgrade") as cleartext:
        yield {"tls": tls, "cleartext": cleartext}
    for server in (tls, cleartext):
        assert "Traceback" not in server.log


def run(program: str, *words: str, url: str, **more: Any) -> str:
    """Run a client and return what it prints."""
    command = [program, *words, url]
    done = subprocess.run(command, capture_output=True, check=False, timeout=2 * ANSWER_S, **more)
    printed = done.stdout.decode("latin-1")
    assert done.returncode == 0, printed + done.stderr.decode()
    return printed


def nghttp(url: str, *words: str, **more: Any) -> str:
    """Return what nghttp prints: with `-v` the frames, else the body."""
    return run("nghttp", "--no-verify-peer", f"--timeout={ANSWER_S}", *words, url=url, **more)


@OVER
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--padding=255"],
        ["--continuation"],
        ["--no-dep"],
        ["--no-rfc7540-pri", "--header=priority: u=0, i"],
        ["--weight=256"],
        ["--window-bits=1"],
        ["--window-bits=30", "--connection-window-bits=30"],
        ["--header-table-size=0"],
        ["--header-table-size=0", "--header-table-size=4096"],
        ["--header-table-size=1M"],
        ["--encoder-header-table-size=0"],
        ["--encoder-header-table-size=1M"],
    ],
    ids=" ".join,
)
def test_nghttp_gets_its_answer(servers: dict[str, Served], over: str, options: list[str]) -> None:
    url = f"{servers[over].url}/pieces?20"
    assert nghttp(url, *options) == "".join(f"piece {number}\n" for number in range(20))


@OVER
def test_a_small_window_holds_up_nothing_else(servers: dict[str, Served], over: str) -> None:
    assert len(nghttp(f"{servers[over].url}/bytes?100000", "--window-bits=10")) == 100_000


@OVER
@pytest.mark.parametrize(
    "options", [[], ["--padding=100"], ["--no-content-length"], ["--expect-continue"]], ids=" ".join
)
def test_a_body_goes_up_whole(servers: dict[str, Served], over: str, options: list[str], tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"0123456789" * 50_000)
    said = json.loads(nghttp(f"{servers[over].url}/", f"--data={tmp_path}/body", *options))
    assert (said["method"], said["size"], said["http_version"]) == ("POST", 500_000, "2")


@OVER
def test_the_trailers_of_a_request_disturb_nobody(servers: dict[str, Served], over: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 100)
    said = json.loads(nghttp(f"{servers[over].url}/", f"--data={tmp_path}/body", "--trailer=x-checksum: 1234"))
    assert said["size"] == 100
    assert "x-checksum" not in dict(said["headers"])


@OVER
def test_a_hundred_requests_share_a_connection(servers: dict[str, Served], over: str) -> None:
    assert len(nghttp(f"{servers[over].url}/bytes?1000", "--multiply=100")) == 100_000


@OVER
def test_requests_beyond_what_the_server_takes_at_a_time_wait(servers: dict[str, Served], over: str) -> None:
    url = f"{servers[over].url}/bytes?1000"
    assert len(nghttp(url, "--multiply=300", "--peer-max-concurrent-streams=100")) == 300_000


@OVER
def test_trailers_are_the_last_fields(servers: dict[str, Served], over: str) -> None:
    frames = nghttp(f"{servers[over].url}/trailers", "--verbose", "--header=te: trailers")
    assert re.search(r"recv DATA frame <length=13.*\n.*recv \(stream_id=13\) x-checksum: 1234\n", frames, re.DOTALL)


@OVER
def test_early_hints_are_interim(servers: dict[str, Served], over: str) -> None:
    frames = nghttp(f"{servers[over].url}/hints", "--verbose")
    assert re.findall(r":status: (\d+)", frames) == ["103", "200"]


@OVER
def test_the_links_of_a_page_are_fetched(servers: dict[str, Served], over: str) -> None:
    table = nghttp(f"{servers[over].url}/page", "--get-assets", "--stat", "--null-out")
    assert re.search(r" 200 +\d+ /page$", table, re.MULTILINE)
    assert re.search(r" 200 +9 /bytes\?9$", table, re.MULTILINE)


def test_an_upgrade_becomes_stream_one(servers: dict[str, Served]) -> None:
    frames = nghttp(f"{servers['cleartext'].url}/", "--upgrade", "--verbose")
    assert "HTTP Upgrade success" in frames
    assert re.search(r"recv \(stream_id=1\) :status: 200", frames)


def test_an_upgrade_may_be_followed_by_a_body(servers: dict[str, Served], tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 300_000)
    said = json.loads(nghttp(f"{servers['cleartext'].url}/", "--upgrade", f"--data={tmp_path}/body"))
    assert (said["method"], said["size"]) == ("POST", 300_000)


@OVER
def test_a_stop_lets_the_requests_of_a_connection_end(over: str) -> None:
    with secured() if over == "tls" else served(SITE) as server:
        command = ["nghttp", "--no-verify-peer", "--multiply=10", f"{server.url}/slow"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
            for _ in range(10):
                server.wait_for("slowly")
            assert server.stop() == 0
            assert client.communicate(timeout=ANSWER_S)[0] == b"slow" * 10


# --- h2load -------------------------------------------------------------------------------------------


def h2load(url: str, *words: str) -> tuple[int, int]:
    """Return how many requests were answered with a 2xx, and how many bytes came in bodies."""
    printed = run("h2load", "--clients=4", *words, url=url)
    counts = re.search(r"(\d+) succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: (\d+) 2xx", printed)
    assert counts is not None, printed
    assert counts[1] == counts[2], printed
    data = re.search(r"\((\d+)\) data", printed)
    assert data is not None, printed
    return int(counts[2]), int(data[1])


@OVER
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--window-bits=12", "--connection-window-bits=16"],
        ["--header-table-size=0"],
        ["--header-table-size=1M", "--encoder-header-table-size=1M"],
        ["--max-frame-size=1M"],
        ["--header=cookie: a=b; c=d", "--header=x-long: " + "v" * 5_000],
    ],
    ids=lambda options: " ".join(options)[:60],
)
def test_h2load_has_no_failure(servers: dict[str, Served], over: str, options: list[str]) -> None:
    url = f"{servers[over].url}/bytes?3000"
    assert h2load(url, "--requests=2000", "--max-concurrent-streams=50", *options) == (2_000, 6_000_000)


@OVER
def test_h2load_uploads(servers: dict[str, Served], over: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 200_000)
    words = ["--requests=200", "--max-concurrent-streams=10", f"--data={tmp_path}/body"]
    assert h2load(f"{servers[over].url}/echo", *words) == (200, 40_000_000)


@OVER
def test_h2load_opens_many_connections(servers: dict[str, Served], over: str) -> None:
    words = ["--clients=100", "--requests=1000", "--max-concurrent-streams=10"]
    assert h2load(f"{servers[over].url}/bytes?100", *words) == (1_000, 100_000)


@OVER
def test_h2load_over_http_1_1(servers: dict[str, Served], over: str) -> None:
    assert h2load(f"{servers[over].url}/bytes?100", "--h1", "--requests=1000") == (1_000, 100_000)
