"""The ASGI extensions a plain HTTP/1.1 connection offers, and those it does not."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.live import Answer, Wire, answers, finished, live, reply

from portico.asgi import ASGIApp, Receive, Scope, Send

START = {"type": "http.response.start", "status": 200}


def request(*fields: bytes, version: bytes = b"1.1", method: bytes = b"GET", close: bool = True) -> bytes:
    """Return a request with these field lines."""
    lines = [b"%b / HTTP/%b" % (method, version), b"Host: a", *([b"Connection: close"] if close else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def found(app: ASGIApp, data: bytes, method: str = "GET") -> list[Answer]:
    """Return all answers of `app` to `data`."""

    async def http_only(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await app(scope, receive, send)

    with live(http_only) as server:
        return answers(finished(server.port, data), method)


def offered(data: bytes) -> dict[str, Any]:
    """Return the extensions that the server offers for this request."""
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await reply(send)

    found(app, data)
    extensions: dict[str, Any] = scopes[0]["extensions"]
    return extensions


# --- what is offered --------------------------------------------------------------------------------


def test_what_is_offered() -> None:
    """Each extension is a key with a dict; `http.response.debug` belongs to test clients, `tls` to TLS connections."""
    extensions = offered(request(b"TE: trailers"))
    names = {
        "http.response.trailers",
        "http.response.early_hint",
        "http.response.pathsend",
        "http.response.zerocopysend",
    }
    assert names <= extensions.keys()
    assert all(extensions[name] == {} for name in names)
    assert not {"http.response.debug", "tls", "http.response.push", "websocket.http.response"} & extensions.keys()


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([], False),
        ([b"TE: gzip"], False),
        ([b"TE: trailers"], True),
        ([b"te: Trailers"], True),
        ([b"TE: gzip;q=0.5, trailers"], True),
        ([b"TE: gzip", b"TE: trailers"], True),
        ([b"TE: nottrailers"], False),
    ],
)
def test_trailers_are_offered_to_clients_that_want_them(fields: list[bytes], wanted: bool) -> None:
    """http.response.trailers: only with `TE: trailers`."""
    assert ("http.response.trailers" in offered(request(*fields))) is wanted


def test_nothing_interim_or_chunked_is_offered_to_a_1_0_client() -> None:
    """A 1.0 client understands neither 1xx nor chunks."""
    extensions = offered(request(b"TE: trailers", version=b"1.0"))
    assert not {"http.response.trailers", "http.response.early_hint"} & extensions.keys()


# --- trailers of a response ---------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2])
def test_trailers_follow_the_body(parts: int) -> None:
    """http.response.trailers: announced by `trailers: True`, sent after the last chunk, in one message or several."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": [(b"trailer", b"x-sum")], "trailers": True})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})
        for part in range(parts):
            message = {"type": "http.response.trailers", "headers": [(b"x-sum", b"%d" % part)]}
            await send(message | ({"more_trailers": True} if part < parts - 1 else {}))

    (answer,) = found(app, request(b"TE: trailers"))
    assert (answer.body, answer.complete) == (b"one two", True)
    assert answer.trailers == tuple((b"x-sum", b"%d" % part) for part in range(parts))
    assert answer.fields(b"x-sum") == []


def test_trailers_work_with_a_body_of_one_message() -> None:
    """`trailers: True` means chunks, even where the length is known."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"trailers": True})
        await send({"type": "http.response.body", "body": b"ok"})
        await send({"type": "http.response.trailers", "headers": [(b"a", b"b")]})

    first, second = found(app, request(b"TE: trailers", close=False) + request(b"TE: trailers"))
    assert (first.body, first.trailers) == (second.body, second.trailers) == (b"ok", ((b"a", b"b"),))


def test_trailers_nobody_asked_for_are_dropped() -> None:
    """Without `TE: trailers` they are left out and the response is whole."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"trailers": True})
        await send({"type": "http.response.body", "body": b"ok"})
        await send({"type": "http.response.trailers", "headers": [(b"a", b"b")]})

    for data in (request(), request(version=b"1.0")):
        (answer,) = found(app, data)
        assert (answer.body, answer.trailers, answer.complete) == (b"ok", (), True)


@pytest.mark.parametrize(
    "pair", [(b"a", b"b\r\nc: d"), (b"a\n", b"b"), (b"a", b"\x00"), ("a", "b"), (b"content-length", b"5")]
)
def test_bad_trailers_are_refused(pair: Any) -> None:
    """CR, LF and NUL are refused here as in headers; so are the names that frame a message (RFC 9110 §6.5.1)."""
    errors: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"trailers": True})
        await send({"type": "http.response.body", "body": b"ok"})
        try:
            await send({"type": "http.response.trailers", "headers": [pair]})
        except RuntimeError as error:
            errors.append(str(error))
            await send({"type": "http.response.trailers", "headers": []})

    (answer,) = found(app, request(b"TE: trailers"))
    assert (answer.trailers, answer.complete, len(errors)) == ((), True, 1)


# --- early hints --------------------------------------------------------------------------------------


def test_early_hints_come_before_the_response() -> None:
    """http.response.early_hint: a 103 with one Link per link."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": [b"</a>; rel=preload", b"</b>; rel=preload"]})
        await send({"type": "http.response.early_hint", "links": (b"</c>",)})
        await reply(send)

    first, second, last = found(app, request())
    assert (first.status, second.status, last.status) == (103, 103, 200)
    links = b", ".join(first.fields(b"link"))
    assert links == b"</a>; rel=preload, </b>; rel=preload"
    assert second.field(b"link") == b"</c>"
    assert last.fields(b"link") == []


def test_early_hints_leave_at_once() -> None:
    """A hint that waits for the response is none."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.early_hint", "links": [b"</a>"]})
        while (await receive()).get("more_body"):
            pass
        await reply(send)

    with live(app) as server, Wire(server.port) as wire:
        wire.send(request(b"Content-Length: 1", method=b"POST"))
        assert wire.answer().status == 103
        wire.send(b"x")
        assert wire.answer().status == 200


def test_early_hints_after_start() -> None:
    """Also between start and the first body message, while the headers are unsent: the 103 still comes first."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.early_hint", "links": [b"</a>"]})
        await send({"type": "http.response.body", "body": b"ok"})

    assert [answer.status for answer in found(app, request())] == [103, 200]


@pytest.mark.parametrize("links", [[b"</a>\r\nX: y"], [b"\x00"], [b"</a>\n"], ["</a>"], b"</a>", None])
def test_bad_links_are_refused(links: Any) -> None:
    """Response splitting through a hint is refused like anywhere else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.early_hint", "links": links})
        except RuntimeError:
            await reply(send, status=418)

    assert [answer.status for answer in found(app, request())] == [418]


def test_a_1_0_client_gets_no_hints() -> None:
    """RFC 9110 §15.2: a server MUST NOT send a 1xx to an HTTP/1.0 client."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.early_hint", "links": [b"</a>"]})
        except RuntimeError:
            pass
        await reply(send)

    assert [answer.status for answer in found(app, request(version=b"1.0"))] == [200]


# --- files --------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4096)  # 1 MiB
    return path


@pytest.mark.parametrize("with_length", [False, True])
def test_pathsend(file: Path, with_length: bool) -> None:
    """http.response.pathsend: the server sends the file at an absolute path, framed either way."""
    data = file.read_bytes()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": [(b"content-length", b"%d" % len(data))] if with_length else []})
        await send({"type": "http.response.pathsend", "path": str(file)})

    first, second = found(app, request(close=False) + request())
    assert (first.body == data, second.body == data) == (True, True)
    assert first.chunked is second.chunked
    assert not (with_length and first.chunked)


def test_pathsend_to_head_sends_no_content(file: Path) -> None:
    """RFC 9110 §9.3.2: nothing of the file is sent in answer to HEAD."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": [(b"content-length", b"1048576")]})
        await send({"type": "http.response.pathsend", "path": str(file)})

    first, second = found(app, request(method=b"HEAD", close=False) + request(method=b"HEAD"), "HEAD")
    assert (first.body, second.body) == (b"", b"")


def test_pathsend_of_an_empty_file(tmp_path: Path) -> None:
    """sendfile of nothing is still a response."""
    (tmp_path / "empty").touch()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.pathsend", "path": str(tmp_path / "empty")})

    assert [answer.body for answer in found(app, request(close=False) + request())] == [b"", b""]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_pathsend_of_a_pipe_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    """A pipe that nobody writes to has no bytes to send: it is not waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": str(pipe)})

    (answer,) = found(app, request())
    assert answer.body == b""


@pytest.mark.parametrize("path", ["relative", "/no/such/file", b"/bytes", None, "/"])
def test_pathsend_of_nothing(path: Any) -> None:
    """A path that cannot be sent raises in the application; the client gets a 500."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.pathsend", "path": path})

    (answer,) = found(app, request())
    assert (answer.status, answer.complete) in ((500, True), (200, False))


@pytest.mark.parametrize("declared", [1048575, 1048577])
def test_a_file_that_is_not_its_length_is_visible(file: Path, declared: int) -> None:
    """A file that grew or shrank since it was measured: truncation visible, no bytes behind the announced end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START | {"headers": [(b"content-length", b"%d" % declared)]})
        await send({"type": "http.response.pathsend", "path": str(file)})

    (answer,) = found(app, request(close=False) + request())
    assert (answer.status == 500) or len(answer.body) <= declared


def test_zerocopysend(file: Path) -> None:
    """http.response.zerocopysend: offset and count, repeatable, mixed with bodies; the application closes the file."""
    data = file.read_bytes()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with file.open("rb") as opened:
            await send(START | {"headers": [(b"content-length", b"%d" % (3 + 1000 + len(data) - 5 + 4))]})
            await send({"type": "http.response.body", "body": b"one", "more_body": True})
            await send(
                {"type": "http.response.zerocopysend", "file": opened, "offset": 7, "count": 1000, "more_body": True}
            )
            await send({"type": "http.response.zerocopysend", "file": opened, "offset": 5, "more_body": True})
            await send({"type": "http.response.body", "body": b"four"})
            assert not opened.closed

    for answer in found(app, request(close=False) + request()):
        assert answer.body == b"one" + data[7:1007] + data[5:] + b"four"


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_zerocopysend_without_a_length(file: Path, version: bytes) -> None:
    """Chunks to a 1.1 client, the close to a 1.0 client."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with file.open("rb") as opened:
            await send(START)
            await send({"type": "http.response.zerocopysend", "file": opened, "more_body": True})
            await send({"type": "http.response.zerocopysend", "file": opened, "offset": 0, "count": 10})

    (answer,) = found(app, request(version=version))
    data = file.read_bytes()
    assert answer.body == data + data[:10]
    assert (answer.chunked, answer.complete) == (version == b"1.1", True)


def test_zerocopysend_keeps_and_uses_the_position(file: Path) -> None:
    """offset: absent, the file is read from its current position."""
    data = file.read_bytes()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with file.open("rb", buffering=0) as opened:
            opened.seek(100)
            await send(START)
            await send({"type": "http.response.zerocopysend", "file": opened, "count": 5})

    assert found(app, request())[0].body == data[100:105]


def test_zerocopysend_to_a_client_that_leaves(file: Path) -> None:
    """The wait inside sendfile ends with an OSError when the client goes."""
    import queue

    notes: queue.Queue[str] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        with file.open("rb") as opened:
            await send(START)
            try:
                for _ in range(200):
                    await send({"type": "http.response.zerocopysend", "file": opened, "offset": 0, "more_body": True})
            except OSError:
                notes.put("gone")

    with live(app) as server, Wire(server.port, receive_buffer=4096) as wire:
        wire.send(request())
        wire.fill()
        wire.abort()
        assert notes.get(timeout=10) == "gone"


# --- trailers of a request ------------------------------------------------------------------------------


async def messages(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the offer and the last message of the body."""
    message = await receive()
    while message.get("more_body"):
        assert "trailers" not in message
        message = await receive()
    offer = scope["extensions"].get("portico.http.request.trailers")
    await reply(send, repr((offer, message.get("trailers"))).encode())


def test_request_trailers_come_with_the_last_message() -> None:
    """portico.http.request.trailers: the fields behind a chunked body, apart from the headers."""
    data = request(b"Transfer-Encoding: chunked", method=b"POST") + b"2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum:\t2 \r\n\r\n"
    (answer,) = found(messages, data)
    assert eval(answer.body) == ({}, [(b"x-sum", b"1"), (b"x-sum", b"2")])


def test_a_body_without_trailers_has_none() -> None:
    """The key is absent where nothing came."""
    for data in (request(), request(b"Transfer-Encoding: chunked", method=b"POST") + b"2\r\nok\r\n0\r\n\r\n"):
        assert eval(found(messages, data)[0].body)[1] in (None, [])
