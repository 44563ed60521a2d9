"""A file as a response: validators, conditions, ranges, and files that change while they are sent."""

import asyncio
import os
import re
import time
from collections.abc import Awaitable
from pathlib import Path

import pytest
from tests.asking import PATHSEND, Answer, ask, scope_for

from portico.asgi import Message
from portico.files import sending
from portico.files.facts import MAX_CONTENT
from portico.web.background import BackgroundTask
from portico.web.responses import FileResponse

BIG = bytes(range(256)) * 1024


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.bin"
    path.write_bytes(BIG)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.txt"
    path.write_bytes(b"0123456789")
    os.utime(path, (1_600_000_000, 1_600_000_000))
    return path


def test_the_whole_file_comes_with_its_fields(big: Path) -> None:
    answer = ask(FileResponse(big))
    assert answer.status == 200
    assert answer.body == BIG
    assert answer.fields["content-length"] == str(len(BIG))
    assert answer.fields["content-type"] == "application/octet-stream"
    assert answer.fields["accept-ranges"] == "bytes"
    assert answer.fields["last-modified"] == "Sun, 13 Sep 2020 12:26:40 GMT"
    assert re.fullmatch('"[0-9a-f]+-[0-9a-f]+"', answer.fields["etag"])


def test_the_second_time_is_as_the_first(big: Path, small: Path) -> None:
    for path in (big, small):
        app = FileResponse(path)
        first, second = ask(app), ask(app)
        assert (first.fields, first.body) == (second.fields, second.body)


def test_an_empty_file_is_a_response_without_body(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    answer = ask(FileResponse(tmp_path / "empty"))
    assert (answer.status, answer.fields["content-length"], answer.body) == (200, "0", b"")


def test_head_has_the_fields_of_get_and_no_body(big: Path) -> None:
    get, head = ask(FileResponse(big)), ask(FileResponse(big), method="HEAD")
    assert head.fields == get.fields
    assert head.body == b""


def test_a_whole_file_goes_by_path_where_the_server_can(big: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = ask(FileResponse(big), extensions=PATHSEND)
    assert answer.messages[1] == {"type": "http.response.pathsend", "path": str(big)}
    monkeypatch.chdir(big.parent)
    assert ask(FileResponse("big.bin"), extensions=PATHSEND).messages[1]["path"] == str(big)


def test_a_part_and_a_head_never_go_by_path(big: Path) -> None:
    part = ask(FileResponse(big), headers={"range": "bytes=1-3"}, extensions=PATHSEND)
    assert (part.status, part.body) == (206, BIG[1:4])
    head = ask(FileResponse(big), method="HEAD", extensions=PATHSEND)
    assert "http.response.pathsend" not in head.kinds


def test_a_websocket_is_refused_with_a_file(big: Path) -> None:
    answer = ask(FileResponse(big), type="websocket", extensions={"websocket.http.response": {}, **PATHSEND})
    assert set(answer.kinds) == {"websocket.http.response.start", "websocket.http.response.body"}
    assert answer.body == BIG


@pytest.mark.parametrize(("name", "value"), [("if-none-match", "etag"), ("if-modified-since", "last-modified")])
def test_a_client_that_has_it_gets_304(big: Path, name: str, value: str) -> None:
    whole = ask(FileResponse(big))
    app = FileResponse(big, headers={"set-cookie": "a=b", "cache-control": "no-cache", "vary": "origin"})
    for method in ("GET", "HEAD"):
        answer = ask(app, method=method, headers={name: whole.fields[value]}, extensions=PATHSEND)
        assert answer.status == 304
        assert answer.body == b""
        assert set(answer.fields) == {"set-cookie", "cache-control", "vary", "etag"}


def test_conditions_in_several_lines_are_one_list(big: Path) -> None:
    etag = ask(FileResponse(big)).fields["etag"].encode()
    headers = [(b"if-none-match", b'"x"'), (b"if-none-match", b"W/" + etag)]

    async def run() -> list[Message]:
        messages: list[Message] = []

        async def send(message: Message) -> None:
            messages.append(message)

        await FileResponse(big)({**scope_for(), "headers": headers}, asyncio.Queue[Message]().get, send)
        return messages

    assert asyncio.run(run())[0]["status"] == 304


def test_an_unmet_precondition_gets_412(big: Path) -> None:
    for headers in ({"if-match": '"x"'}, {"if-unmodified-since": "Sun, 13 Sep 2020 12:26:39 GMT"}):
        answer = ask(FileResponse(big), headers=headers)
        assert (answer.status, answer.body) == (412, b"Precondition Failed")


def test_conditions_and_ranges_are_for_get_and_for_200(big: Path) -> None:
    headers = {"if-none-match": "*", "range": "bytes=0-1"}
    assert ask(FileResponse(big), method="POST", headers=headers).status == 200
    assert ask(FileResponse(big, status_code=404), headers=headers).status == 404


def test_validators_that_are_given_count(big: Path) -> None:
    app = FileResponse(big, headers={"ETag": '"mine"'})
    assert ask(app, headers={"if-none-match": '"mine"'}).status == 304
    assert ask(app).fields["etag"] == '"mine"'
    assert ask(app, headers={"range": "bytes=0-1", "if-range": '"mine"'}).status == 206


@pytest.mark.parametrize("path", ["big", "small"])
def test_a_range_gets_206(path: str, request: pytest.FixtureRequest) -> None:
    file: Path = request.getfixturevalue(path)
    content = file.read_bytes()
    for span, start, end in (("0-0", 0, 1), ("3-", 3, None), ("-2", -2, None), ("2-4", 2, 5)):
        answer = ask(FileResponse(file), headers={"range": f"bytes={span}"})
        assert (answer.status, answer.body) == (206, content[start:end])
        assert answer.fields["content-length"] == str(len(answer.body))
        assert answer.fields["content-range"].endswith(f"/{len(content)}")


@pytest.mark.parametrize("path", ["big", "small"])
def test_several_ranges_are_multipart_of_the_length_that_is_said(path: str, request: pytest.FixtureRequest) -> None:
    file: Path = request.getfixturevalue(path)
    content = file.read_bytes()
    answer = ask(FileResponse(file), headers={"range": "bytes=0-1,4-5,-1"})
    assert answer.status == 206
    assert int(answer.fields["content-length"]) == len(answer.body)
    boundary = answer.fields["content-type"].partition("boundary=")[2].encode()
    parts = answer.body.split(b"--" + boundary)
    assert [part.partition(b"\r\n\r\n")[2] for part in parts[1:-1]] == [
        content[0:2] + b"\r\n",
        content[4:6] + b"\r\n",
        content[-1:] + b"\r\n",
    ]
    head = ask(FileResponse(file), method="HEAD", headers={"range": "bytes=0-1,4-5,-1"})
    assert head.fields["content-length"] == answer.fields["content-length"]


def test_a_weak_or_another_if_range_gives_the_whole(big: Path) -> None:
    fields = ask(FileResponse(big)).fields
    for condition in ('"x"', "W/" + fields["etag"], "Sun, 13 Sep 2020 12:26:39 GMT", "x"):
        assert ask(FileResponse(big), headers={"range": "bytes=0-1", "if-range": condition}).status == 200
    for condition in (fields["etag"], fields["last-modified"]):
        assert ask(FileResponse(big), headers={"range": "bytes=0-1", "if-range": condition}).status == 206


def test_a_range_past_the_end_gets_416_with_the_size(small: Path) -> None:
    answer = ask(FileResponse(small), headers={"range": "bytes=10-"})
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */10")


def test_a_hundred_thousand_ranges_take_no_time(big: Path) -> None:
    value = "bytes=" + ",".join(f"{number}-{number}" for number in range(0, 200_000, 2))
    started = time.process_time()
    assert ask(FileResponse(big), headers={"range": value}).status == 200
    assert time.process_time() - started < 5


class Chunked(FileResponse):
    chunk_size = 1000


def changing(path: Path, content: bytes | None, response: FileResponse) -> Answer:
    """Ask, and change the file once its first bytes have come."""
    answer = Answer()

    async def run() -> None:
        changed = False

        async def send(message: Message) -> None:
            nonlocal changed
            answer.messages.append(message)
            if message.get("body") and not changed:
                changed = True
                if content is None:
                    os.replace(path.parent / "other", path)
                else:
                    path.write_bytes(content)

        await response(scope_for(), asyncio.Queue[Message]().get, send)

    asyncio.run(asyncio.wait_for(run(), 10))
    return answer


def test_a_file_that_shrinks_ends_in_an_error_and_not_in_a_loop(big: Path) -> None:
    with pytest.raises(RuntimeError, match=r"big\.bin is shorter than expected"):
        changing(big, b"short", Chunked(big))


def test_a_file_that_grows_is_sent_as_long_as_it_was(big: Path) -> None:
    answer = changing(big, BIG * 2, Chunked(big))
    assert len(answer.body) == len(BIG)
    assert answer.messages[-1]["more_body"] is False


def test_a_file_that_is_replaced_is_sent_as_it_was(big: Path) -> None:
    (big.parent / "other").write_bytes(b"other" * 100_000)
    assert changing(big, None, Chunked(big)).body == BIG


def test_a_file_that_is_replaced_before_it_is_opened_has_the_new_ones_fields(
    big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = sending.open_file

    def replace_and_open(path: str) -> object:
        big.write_bytes(b"new" * 100_000)
        return opened(path)

    monkeypatch.setattr(sending, "open_file", replace_and_open)
    answer = ask(FileResponse(big))
    assert answer.body == b"new" * 100_000
    assert answer.fields["content-length"] == "300000"


def test_a_small_file_is_one_message(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.stat().st_size < MAX_CONTENT
    monkeypatch.setattr("portico.files.facts.SETTLED_NS", 0)
    os.utime(small, (1_500_000_000, 1_500_000_000))
    for _ in range(2):
        answer = ask(FileResponse(small), extensions=PATHSEND)
        assert answer.kinds == ["http.response.start", "http.response.body"]
        assert answer.body == b"0123456789"
    small.write_bytes(b"9876543210")
    assert ask(FileResponse(small)).body == b"9876543210"


def test_a_missing_file_and_a_directory_are_the_authors_errors(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        ask(FileResponse(tmp_path / "absent"))
    with pytest.raises(RuntimeError, match="is not a file"):
        ask(FileResponse(tmp_path))


@pytest.mark.parametrize(
    ("filename", "expected"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ('a"b\r\nX: y.txt', "attachment; filename*=utf-8''a%22b%0D%0AX%3A%20y.txt"),
        ("ä.txt", "attachment; filename*=utf-8''%C3%A4.txt"),
    ],
)
def test_a_filename_cannot_break_its_field(small: Path, filename: str, expected: str) -> None:
    assert FileResponse(small, filename=filename).headers["content-disposition"] == expected


def test_the_media_type_is_the_filenames_or_the_paths(small: Path) -> None:
    assert FileResponse(small).headers["content-type"] == "text/plain; charset=utf-8"
    assert FileResponse(small, filename="a.mjs").headers["content-type"] == "text/javascript; charset=utf-8"
    assert FileResponse(small, media_type="image/x").headers["content-type"] == "image/x"


def watched(response: FileResponse, spec: str, range_: str | None) -> list[str]:
    """Let the client go away after the first piece; return what happened, with the open descriptors counted."""
    events: list[str] = []

    async def run() -> None:
        gone = asyncio.Event()

        async def receive() -> Message:
            await gone.wait()
            return {"type": "http.disconnect"}

        def send(message: Message) -> Awaitable[None]:
            return stop() if message.get("body") else done()

        async def done() -> None:
            pass

        async def stop() -> None:
            gone.set()
            await asyncio.Event().wait()

        before = len(os.listdir("/proc/self/fd"))
        headers = {} if range_ is None else {"range": range_}
        await response({**scope_for(spec=spec, headers=headers)}, receive, send)
        events.append(f"{len(os.listdir('/proc/self/fd')) - before} left open")

    def ran() -> None:
        events.append("background")

    response.background = BackgroundTask(ran)
    asyncio.run(asyncio.wait_for(run(), 10))
    return events


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors as Linux lists them")
@pytest.mark.parametrize("range_", [None, "bytes=0-100", "bytes=0-100,500-600"])
def test_a_client_that_goes_away_ends_the_sending(big: Path, range_: str | None) -> None:
    assert watched(Chunked(big), "2.3", range_) == ["background", "0 left open"]


@pytest.mark.parametrize("spec", ["2.3", "2.4"])
def test_the_servers_error_reaches_the_caller_and_the_file_is_closed(big: Path, spec: str) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    error = OSError("gone")

    async def send(message: Message) -> None:
        if message.get("body"):
            raise error

    async def run() -> None:
        await Chunked(big)(scope_for(spec=spec), asyncio.Queue[Message]().get, send)

    with pytest.raises(OSError, match="gone") as caught:
        asyncio.run(asyncio.wait_for(run(), 10))
    assert caught.value is error
    assert before == 0 or len(os.listdir("/proc/self/fd")) <= before
