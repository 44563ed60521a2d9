import errno
import json
import logging
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.server.access import ATOMS, AccessLog, FileSink, logger_sink, open_sink, validate_format

CLIENT = ("127.0.0.1", 54321)
REQUEST = [
    (b"host", b"a"),
    (b"user-agent", b"curl/8"),
    (b"referer", b"http://a/"),
    (b"authorization", b"Basic dXNlcjpwdw=="),
]
RESPONSE = [(b"Content-Type", b"text/plain"), (b"x-id", b"7"), (b"x-id", b"8")]
LINE = re.compile(r'[^ ]+ - - \[[^\]]+\] "[^"]*" \d+ \d+ \d+\.\d{3}')


def render(format: str, **changes: Any) -> str:
    batches: list[bytes] = []
    log = AccessLog(format, batches.append)
    exchange = {"client": CLIENT, "method": "GET", "target": b"/a?b=c", "version": "1.1", "status": 200, "size": 13}
    exchange |= {"started": time.perf_counter(), "request_headers": REQUEST, "response_headers": RESPONSE, **changes}
    log.record(*exchange.values())
    log.flush()
    [batch] = batches
    return batch.decode("ascii")


def test_common_has_client_time_request_status_size_and_milliseconds() -> None:
    stamp = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    pattern = rf'127\.0\.0\.1:54321 - - {stamp} "GET /a\?b=c HTTP/1\.1" 200 13 \d+\.\d{{3}}\n'
    assert re.fullmatch(pattern, render("common"))


def test_combined_adds_referer_and_user_agent() -> None:
    line = render("combined")
    assert re.fullmatch(r'127.*"GET /a\?b=c HTTP/1\.1" 200 13 "http://a/" "curl/8" \d+\.\d{3}\n', line)
    assert '"-" "-"' in render("combined", request_headers=[])


def test_json_is_one_object_per_line() -> None:
    entry = json.loads(render("json"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", entry.pop("time"))
    assert 0 <= entry.pop("duration_ms") < 1000
    assert entry == {
        "client": "127.0.0.1:54321",
        "method": "GET",
        "target": "/a?b=c",
        "http_version": "1.1",
        "status": 200,
        "size": 13,
        "referer": "http://a/",
        "user_agent": "curl/8",
    }


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("%(h)s %(l)s %(u)s", "127.0.0.1 - user"),
        ("%(r)s|%(m)s|%(U)s|%(q)s|%(H)s", "GET /a?b=c HTTP/1.1|GET|/a|b=c|HTTP/1.1"),
        ("%(s)s %(b)s %(B)s", "200 13 13"),
        ("%(f)s %(a)s", "http://a/ curl/8"),
        ("%({User-Agent}i)s %({none}i)s", "curl/8 -"),
        ("%({content-type}o)s %({X-Id}o)s", "text/plain 7, 8"),
        ("100%% %(s)s.", "100% 200."),
        ("%(p)s", f"<{os.getpid()}>"),
        ("%(client)s", "127.0.0.1:54321"),
        ("\u00e9 %(s)s", None),
    ],
)
def test_templates_use_gunicorns_atoms(template: str, line: str | None) -> None:
    if line is None:
        batches: list[bytes] = []
        log = AccessLog(template, batches.append)
        log.record(CLIENT, "GET", b"/", "1.1", 200, 1, time.perf_counter(), [], [])
        log.flush()
        assert batches == ["\u00e9 200\n".encode()]
    else:
        assert render(template) == line + "\n"


def test_durations_are_in_the_units_of_their_atoms() -> None:
    line = render("%(T)s %(D)s %(M)s %(L)s %(ms)s", started=time.perf_counter() - 2.5)
    seconds, micros, millis, decimal, exact = line.split()
    assert seconds == "2"
    assert decimal == f"2.{int(micros) % 1_000_000:06d}"
    assert int(millis) == int(micros) // 1000 == int(float(exact))


def test_an_empty_body_is_a_dash_in_b() -> None:
    assert render("%(b)s %(B)s", size=0) == "- 0\n"


@pytest.mark.parametrize(
    ("client", "text"),
    [(None, "unix"), (("::1", 80), "[::1]:80"), (("192.0.2.1", 0), "192.0.2.1"), (('a"\n', 1), r"a\x22\x0a:1")],
)
def test_every_kind_of_client_is_written(client: Any, text: str) -> None:
    assert render("common", client=client).startswith(text + " - - [")


@pytest.mark.parametrize(("status", "size"), [(101, 0), (599, 999), (999, 1000), (1000, 2**40)])
def test_large_numbers_are_written_in_full(status: int, size: int) -> None:
    assert f'" {status} {size} ' in render("common", status=status, size=size)


def test_a_slow_exchange_and_a_clock_that_ran_back() -> None:
    assert re.search(r" 12345\.\d{3}\n", render("common", started=time.perf_counter() - 12.3451))
    assert render("common", started=time.perf_counter() + 9).endswith(" 0.000\n")


@pytest.mark.parametrize("value", [b"Basic", b"Basic !", b"Basic a", b"Bearer x", b"Basic Ong="])
def test_a_user_that_cannot_be_read_is_a_dash(value: bytes) -> None:
    assert render("%(u)s", request_headers=[(b"authorization", value)]) == "-\n"


def test_unknown_atoms_are_listed_together() -> None:
    with pytest.raises(ValueError, match="unknown atoms 'x', 'yy'"):
        AccessLog("%(x)s %(h)s %(yy)s", bytes)


@pytest.mark.parametrize("format", ["", "combind", "%h", "%(h) %(s)s", "%({x}e)s", "%(s)s\n"])
def test_bad_formats_have_problems(format: str) -> None:
    assert validate_format(format)


@pytest.mark.parametrize("format", ["common", "combined", "json", " ".join(f"%({name})s" for name in ATOMS)])
def test_good_formats_have_none(format: str) -> None:
    assert validate_format(format) == []


def test_control_bytes_quotes_and_backslashes_are_escaped() -> None:
    line = render("common", target=b'/\n\x1b[31m"\\\xff\x7f%0a')
    assert r'"GET /\x0a\x1b[31m\x22\x5c\xff\x7f%0a HTTP/1.1" 200' in line
    line = render("combined", request_headers=[(b"user-agent", b'x" 200\r\nfake')])
    assert r'"x\x22 200\x0d\x0afake"' in line


@given(st.text(max_size=20), st.binary(max_size=200), st.text(max_size=5), st.binary(max_size=50))
def test_nothing_a_client_sends_breaks_a_line(method: str, target: bytes, version: str, value: bytes) -> None:
    headers = [(b"user-agent", value), (b"referer", value), (b"authorization", b"Basic " + value)]
    sent = {"method": method, "target": target, "version": version, "request_headers": headers}
    for format in ("common", "combined", '"%(r)s" "%(u)s" "%(U)s" "%(q)s" "%(m)s" "%(H)s" "%({referer}i)s"'):
        line = render(format, **sent)
        assert re.fullmatch(r"[ -~]*\n", line)
        assert "\\" not in re.sub(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4,5}", "", line)
        assert line.count('"') == {"common": 2, "combined": 6}.get(format, 14)
    assert LINE.fullmatch(render("common", **sent).removesuffix("\n"))
    line = render("json", **sent)
    assert re.fullmatch(r"[ -~]*\n", line)
    entry = json.loads(line)
    assert entry["target"] == target.decode("latin-1")
    assert entry["user_agent"] == value.decode("latin-1")


def test_lines_are_written_in_order_and_in_one_call() -> None:
    batches: list[bytes] = []
    log = AccessLog("%(U)s", batches.append)
    for number in range(3):
        log.record(CLIENT, "GET", b"/%d" % number, "1.1", 200, 0, 0.0, [], [])
    assert batches == []
    assert log.pending == 9
    log.flush()
    log.flush()
    assert batches == [b"/0\n/1\n/2\n"]
    assert log.pending == 0


def test_tick_renews_the_time() -> None:
    batches: list[bytes] = []
    log = AccessLog("common", batches.append)
    for now in (0.0, 86400.0 * 365):
        log.tick(now)
        log.record(CLIENT, "GET", b"/", "1.1", 200, 0, 0.0, [], [])
    log.flush()
    first, second = batches[0].decode().splitlines()
    for line, now in ((first, 0.0), (second, 86400.0 * 365)):
        stamp = time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(now))
        assert f"[{stamp}]" in line


def test_many_clients_and_targets_keep_the_caches_bounded_and_the_lines_right() -> None:
    batches: list[bytes] = []
    log = AccessLog("common", batches.append)
    for number in range(10_000):
        log.record(("192.0.2.1", number + 1), "GET", b"/%d" % number, "1.1", 200, 0, 0.0, [], [])
    log.flush()
    lines = batches[0].decode().splitlines()
    assert all(f"192.0.2.1:{n + 1} " in line and f'"GET /{n} HTTP' in line for n, line in enumerate(lines))


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    for line in (b"one\n", b"two\n"):
        sink = open_sink(str(path))
        sink(line)
        sink.close()
        sink.close()
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("name", [None, "-"])
def test_standard_output_is_the_default(name: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    sink = open_sink(name)
    sink(b"line\n")
    sink.close()
    assert capfd.readouterr().out == "line\n"


def test_a_full_pipe_is_neither_waited_for_nor_loses_lines_within_the_bound() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink = FileSink(writer, owned=True)
    lines = [b"%07d\n" % number for number in range(40_000)]
    for start in range(0, len(lines), 1000):
        sink(b"".join(lines[start : start + 1000]))
    read = b""
    while len(read) < 320_000:
        read += os.read(reader, 65536)
        sink(b"")
    assert read == b"".join(lines)
    sink.close()
    os.close(reader)


def test_beyond_the_bound_whole_batches_are_dropped() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink = FileSink(writer, owned=True)
    for _ in range(100):
        sink(b"0123456\n" * 8192)
    sink.close()
    read = b""
    while chunk := os.read(reader, 1 << 20):
        read += chunk
    assert read.startswith(b"0123456\n")
    os.close(reader)


def test_a_closed_reader_raises_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = FileSink(writer, owned=True)
    sink(b"line\n")
    sink.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(writer)


def test_a_logger_gets_one_record_per_line(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test.access")
    with caplog.at_level(logging.INFO, "test.access"):
        logger_sink(logger)(b"one %s\ntwo\n")
    assert [record.getMessage() for record in caplog.records] == ["one %s", "two"]
    caplog.clear()
    with caplog.at_level(logging.WARNING, "test.access"):
        logger_sink(logger)(b"three\n")
    assert caplog.records == []
