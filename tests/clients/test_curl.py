"""curl over HTTP/2 and TLS, against a server as a user starts it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import authority
from tests.clients.secured import SITE, secured
from tests.served import Served, served

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl"),
]

ANSWER_S = 20
CURL = ("curl", "--silent", "--show-error", "--noproxy", "*", "--cacert", authority().file, "--max-time", str(ANSWER_S))
OVER = pytest.mark.parametrize("over", ["--http2", "--http1.1"])


@pytest.fixture(scope="module")
def secure() -> Iterator[Served]:
    with secured(supervised=True) as server:
        yield server
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    with served(SITE, "--http2-upgrade") as server:
        yield server
    assert "Traceback" not in server.log


@pytest.fixture
def ask(secure: Served) -> Any:
    """Return what runs curl against the TLS server."""

    def run(path: str, *options: str, **more: Any) -> bytes:
        return curl(secure.url + path, *options, **more)

    return run


def curl(url: str, *options: str, **more: Any) -> bytes:
    """Run curl, which checks the certificate, and return what it has written to its standard output."""
    done = run_curl(*options, url, **more)
    assert done.returncode == 0, done.stderr.decode()
    return bytes(done.stdout)


def run_curl(*words: str, **more: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*CURL, *words], capture_output=True, check=False, timeout=2 * ANSWER_S, **more)


def seen(output: bytes) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(output)
    return said


@pytest.mark.parametrize(("option", "version"), [("--http2", "2"), ("--http1.1", "1.1"), ("--no-alpn", "1.1")])
def test_curl_gets_the_version_that_it_offers(ask: Any, option: str, version: str) -> None:
    said = seen(ask("/a%20path?q=1", option))
    assert (said["http_version"], said["scheme"]) == (version, "https")
    assert (said["path"], said["raw_path"], said["query"]) == ("/a path", "/a%20path", "q=1")


@pytest.mark.parametrize(("options", "version"), [(["--tls-max", "1.2"], 0x0303), (["--tlsv1.3"], 0x0304)])
def test_the_application_is_told_what_was_agreed_on(ask: Any, options: list[str], version: int) -> None:
    said = seen(ask("/", *options))
    assert said["tls"]["tls_version"] == version
    assert said["tls"]["cipher_suite"] > 0x1300
    assert said["http_version"] == "2"


def test_the_name_that_curl_asked_for_is_the_host(ask: Any, secure: Served) -> None:
    host = secure.url.removeprefix("https://")
    assert ["host", host] in seen(ask("/"))["headers"]


@OVER
@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 5_000_000])
def test_a_body_goes_up_whole(ask: Any, tmp_path: Path, over: str, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "body").write_bytes(content)
    said = seen(ask("/", over, "--data-binary", f"@{tmp_path}/body"))
    assert (said["method"], said["size"]) == ("POST", size)
    assert said["sha256"] == hashlib.sha256(content).hexdigest()


@OVER
def test_a_body_without_a_length_comes_back_as_it_was(ask: Any, over: str) -> None:
    content = os.urandom(1_000_000)
    assert ask("/echo", over, "--upload-file", "-", input=content) == content


@OVER
@pytest.mark.parametrize("size", [0, 1, 16_384, 65_535, 65_536, 20_000_000])
def test_a_body_comes_down_whole(ask: Any, over: str, size: int) -> None:
    assert len(ask(f"/bytes?{size}", over)) == size


def test_a_client_that_reads_slowly_gets_everything(ask: Any) -> None:
    assert len(ask("/bytes?600000", "--http2", "--limit-rate", "400k")) == 600_000


def test_pieces_arrive_in_order(ask: Any) -> None:
    assert ask("/pieces?500", "--http2") == b"".join(b"piece %d\n" % number for number in range(500))


def test_head_has_the_fields_and_no_body(ask: Any) -> None:
    output = ask("/bytes?1000", "--http2", "--head").decode().lower()
    assert output.startswith("http/2 200")
    assert "content-length: 1000" in output
    assert "server: portico" in output


def test_early_hints_come_before_the_answer(ask: Any) -> None:
    output = ask("/hints", "--http2", "--include").decode()
    assert [line.split()[1] for line in output.splitlines() if line.startswith("HTTP/2")] == ["103", "200"]
    assert "link: </style.css>; rel=preload; as=style" in output
    assert output.endswith("after the hints")


def test_trailers_come_after_the_body(ask: Any, tmp_path: Path) -> None:
    # Over HTTP/1.1 they are sent to clients that say `TE: trailers`.
    for over in ("--http2", "--http1.1"):
        fields = tmp_path / f"fields{over}"
        assert ask("/trailers", over, "--header", "TE: trailers", "--dump-header", str(fields)) == b"with trailers"
        assert fields.read_text().rstrip().endswith("x-checksum: 1234")


def test_many_fields_come_back(ask: Any) -> None:
    output = ask("/fields?300", "--http2", "--head").decode()
    assert len(re.findall(r"^x-field-\d+: v{100}\r$", output, re.MULTILINE)) == 300


def test_many_requests_share_one_connection(secure: Served) -> None:
    urls = [f"{secure.url}/bytes?{1000 + number}" for number in range(100)]
    told = "%{num_connects} %{size_download}\n"
    more = ["--http2", "--parallel", "--parallel-max", "50", "--write-out", told]
    outputs = [word for url in urls for word in (url, "--output", os.devnull)]
    done = run_curl(*more, *outputs)
    assert done.returncode == 0, done.stderr.decode()
    lines = [tuple(map(int, line.split())) for line in done.stdout.decode().splitlines()]
    assert sorted(size for _, size in lines) == list(range(1000, 1100))
    assert sum(connects for connects, _ in lines) == 1


def test_an_answer_that_does_not_wait_for_the_body(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"x" * 1_000_000)
    for over in ("--http2", "--http1.1"):
        assert ask("/unread", over, "--data-binary", f"@{tmp_path}/body") == b"not read"


def test_a_client_that_leaves_ends_its_answer(secure: Served) -> None:
    with subprocess.Popen([*CURL, f"{secure.url}/endless"], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.read(100_000)
        client.kill()
    secure.wait_for("the endless answer has ended")


def test_too_many_bytes_of_fields_are_refused(ask: Any) -> None:
    fields = [word for number in range(5) for word in ("--header", f"x-{number}: {'v' * 8000}")]
    assert ask("/", "--http2", *fields, "--output", os.devnull, "--write-out", "%{http_code}") == b"431"


def test_a_connection_goes_on_after_a_failure_of_the_application() -> None:
    with secured() as server:
        more = ["--http2", "--write-out", "%{http_code} %{num_connects}\n", "--output", os.devnull]
        output = curl(f"{server.url}/crash", *more, "--output", os.devnull, f"{server.url}/bytes?5")
        assert output.split() == [b"200", b"1", b"500", b"0"]


def test_plain_http_on_the_tls_port_is_told_so(secure: Served) -> None:
    url = secure.url.replace("https", "http")
    output = curl(url, "--include")
    assert output.startswith(b"HTTP/1.1 400 ")


# --- without TLS ----------------------------------------------------------------------------------


def test_prior_knowledge_is_enough(plain: Served) -> None:
    said = seen(curl(plain.url + "/", "--http2-prior-knowledge"))
    assert (said["http_version"], said["scheme"]) == ("2", "http")


def test_an_upgrade_is_taken_where_it_is_set(plain: Served) -> None:
    output = curl(plain.url + "/", "--http2", "--include")
    assert output.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nHTTP/2 200" in output
    said = seen(output.rpartition(b"\r\n\r\n")[2])
    assert said["http_version"] == "2"
    assert not {"upgrade", "connection", "http2-settings"} & {name for name, _ in said["headers"]}


def test_a_connection_goes_on_after_its_upgrade(plain: Served) -> None:
    url = f"{plain.url}/bytes?100"
    more = ["--http2", "--write-out", "%{http_version} %{num_connects}\n", "--output", os.devnull, url]
    output = curl(url, *more, "--output", os.devnull)
    assert output.split() == [b"2", b"1", b"2", b"0"]


def test_without_the_setting_an_upgrade_is_not_taken() -> None:
    with served(SITE) as server:
        assert seen(curl(server.url + "/", "--http2"))["http_version"] == "1.1"


def test_without_the_setting_prior_knowledge_is_refused() -> None:
    with served(SITE, "--no-http2-cleartext") as server:
        assert run_curl("--http2-prior-knowledge", server.url).returncode != 0


def test_tls_without_http2_is_http_1_1() -> None:
    with secured(SITE, "--no-http2") as server:
        assert seen(curl(server.url + "/", "--http2"))["http_version"] == "1.1"
