"""Requests: what they know of their scope, and a body that several handlers can have, in any order, without loss."""

import asyncio
import functools
import gc
import json
import pickle
import random
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import anyio
import pytest

from portico.asgi import ClientDisconnected, Message, Receive, Scope
from portico.web.datastructures import FormData
from portico.web.exceptions import HTTPException
from portico.web.incoming import look
from portico.web.jsonbody import parse_json
from portico.web.requests import (
    ClientDisconnect,
    HTTPConnection,
    InvalidJSON,
    MissingMiddleware,
    Request,
    cookie_parser,
)

T = TypeVar("T")
GONE = {"type": "http.disconnect"}


def part(body: bytes = b"", more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


class Source:
    """A `receive` that gives messages and then waits for ever, as a server does while the client stays."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.cancelled = 0

    async def __call__(self) -> Message:
        if self.messages:
            return self.messages.pop(0)
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError


class Around:
    """A `receive` around another one, which passes everything on."""

    def __init__(self, receive: Receive) -> None:
        self.__wrapped__ = receive
        self.told: list[int] = []

    async def __call__(self) -> Message:
        return await self.__wrapped__()

    def replayed(self, size_bytes: int) -> None:
        self.told.append(size_bytes)


def http(**more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [], **more}


def run(main: Coroutine[Any, Any, T]) -> T:
    async def bounded() -> T:
        async with asyncio.timeout(5):
            return await main

    return asyncio.run(bounded())


async def streamed(request: Request) -> list[bytes]:
    return [chunk async for chunk in request.stream()]


# --- the scope ----------------------------------------------------------------------------------


def test_a_request_is_a_mapping_of_its_scope() -> None:
    scope = http()
    request = Request(scope)
    assert (request["path"], dict(request), len(request), request.method) == ("/", scope, 5, "POST")
    assert request == request
    assert request != Request(scope)
    assert request in {request}


def test_a_request_knows_its_scope_by_names() -> None:
    scope = http(
        path="/a", query_string=b"b=c", headers=[(b"host", b"h"), (b"cookie", b"d=e")], client=["1.2.3.4", 5],
        path_params={"f": 1}, app="app", state={"g": 2},
    )  # fmt: skip
    request = Request(scope)
    assert (str(request.url), str(request.base_url)) == ("http://h/a?b=c", "http://h/")
    assert (request.headers["Host"], request.query_params["b"], request.cookies) == ("h", "c", {"d": "e"})
    assert (request.client, request.path_params, request.app, request.state.g) == (
        ("1.2.3.4", 5), {"f": 1}, "app", 2,
    )  # fmt: skip
    for name in ("url", "base_url", "headers", "query_params", "cookies", "state"):
        assert getattr(request, name) is getattr(request, name)


def test_what_a_scope_may_lack_is_empty() -> None:
    request = Request(http())
    assert (request.client, request.path_params, request.cookies) == (None, {}, {})
    request.state.a = 1
    assert request.scope["state"] == {"a": 1}


@pytest.mark.parametrize(
    ("roots", "base"),
    [
        ({}, "http://h/"),
        ({"root_path": "/a"}, "http://h/a/"),
        ({"root_path": "/a/b", "app_root_path": "/a"}, "http://h/a/"),
        ({"root_path": "//evil.example"}, "http://h//evil.example/"),
    ],
)
def test_the_base_url_is_the_root_of_the_outermost_application(roots: dict[str, str], base: str) -> None:
    scope = http(path="/x", query_string=b"y=z", headers=[(b"host", b"h")], **roots)
    assert HTTPConnection(scope).base_url == base
    assert scope["path"] == "/x"


@pytest.mark.parametrize(
    ("name", "middleware"),
    [("session", "SessionMiddleware"), ("auth", "AuthenticationMiddleware"), ("user", "AuthenticationMiddleware")],
)
def test_an_attribute_of_a_middleware_that_is_missing_says_which(name: str, middleware: str) -> None:
    with pytest.raises(MissingMiddleware, match=f"{middleware} must be installed to access request.{name}"):
        getattr(Request(http()), name)
    assert issubclass(MissingMiddleware, AssertionError)
    assert getattr(Request(http(**{name: "there"})), name) == "there"


def test_a_session_is_told_that_it_was_looked_at() -> None:
    class Session(dict[str, Any]):
        accessed = False

        def mark_accessed(self) -> None:
            self.accessed = True

    session = Session()
    assert Request(http(session=session)).session is session
    assert session.accessed


def test_a_connection_has_a_scope_that_is_one() -> None:
    with pytest.raises(ValueError, match="'http' or 'websocket', got 'lifespan'"):
        HTTPConnection({"type": "lifespan"})


def test_a_url_for_a_route_needs_a_router() -> None:
    with pytest.raises(RuntimeError, match="url_for"):
        Request(http()).url_for("index")


# --- cookies ------------------------------------------------------------------------------------


def test_quotes_around_a_cookie_go_away_with_their_escapes() -> None:
    assert cookie_parser(r'a="b\054\"c\\"; d=""; e="; f=\054') == {"a": 'b,"c\\', "d": "", "e": '"', "f": r"\054"}


@pytest.mark.parametrize("space", ["\xa0", "\x85", "\x0b", "\x1c"])
def test_a_cookie_does_not_gain_a_prefix_by_strange_space(space: str) -> None:
    """Browsers let such a name be set without what `__Host-` demands."""
    assert "__Host-a" not in cookie_parser(f"{space}__Host-a=b; c=d")


@pytest.mark.parametrize("unit", [";", "=", "a=b;", '"', "\\", 'a="\\0";', " ", "a=\\\\", "\xa0;", "\t"])
def test_reading_cookies_takes_linear_time(unit: str) -> None:
    hostile = unit * (1024 * 1024 // len(unit))
    begun = time.process_time()
    cookie_parser(hostile)
    cookie_parser(f'a="{hostile}"')
    assert time.process_time() - begun < 5


# --- the body -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [[part(b"abc")], [part(b"a", True), part(b"bc")], [part(b"", True), part(b"abc", True), part()],
     [{"type": "http.request", "body": b"ab", "more_body": True}, part(b"c", True), {"type": "http.request"}]],
)  # fmt: skip
def test_a_body_is_read_to_its_end_and_again(messages: list[Message]) -> None:
    async def main() -> None:
        request = Request(http(), Source(*messages))
        assert await request.body() == b"abc"
        assert await request.body() == b"abc"
        assert await streamed(request) == [b"abc", b""]

    run(main())


def test_a_stream_gives_the_parts_and_then_an_empty_one() -> None:
    request = Request(http(), Source(part(b"a", True), part(b"", True), part(b"b")))
    assert run(streamed(request)) == [b"a", b"b", b""]


def test_a_stream_is_given_once() -> None:
    async def main() -> None:
        request = Request(http(), Source(part(b"a")))
        await streamed(request)
        for read in (streamed(request), request.body(), request.json()):
            with pytest.raises(RuntimeError, match="Stream consumed"):
                await read

    run(main())


def test_a_body_after_a_part_of_the_stream_is_the_rest() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"a", True), part(b"b"))
        request = Request(scope, source)
        stream = request.stream()
        assert await anext(stream) == b"a"
        assert await request.body() == b"b"
        await stream.aclose()
        with pytest.raises(RuntimeError, match="Stream consumed"):  # for the others it is not the body
            await Request(scope, source).body()

    run(main())


def test_a_client_that_goes_away_ends_the_reading() -> None:
    async def main() -> None:
        request = Request(http(), Source(part(b"a", True), GONE))
        with pytest.raises(ClientDisconnect):
            await request.body()
        assert await request.is_disconnected()
        request = Request(http(), Source(part(b"a", True), GONE))
        with pytest.raises(ClientDisconnect):
            await streamed(request)

    run(main())
    assert issubclass(ClientDisconnect, ClientDisconnected)


def test_a_message_of_another_kind_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"not 'websocket\.receive'"):
        run(Request(http(), Source({"type": "websocket.receive"})).body())


def test_a_request_of_a_scope_alone_has_no_body() -> None:
    async def main() -> None:
        request = Request(http())
        for use in (request.body(), request.is_disconnected()):
            with pytest.raises(RuntimeError, match="Receive channel has not been made available"):
                await use

    run(main())


def test_a_subclass_may_read_in_a_way_of_its_own() -> None:
    class Shouting(Request):
        async def stream(self) -> AsyncIterator[bytes]:  # type: ignore[override]
            async for chunk in super().stream():
                yield chunk.upper()

    async def main() -> None:
        scope, source = http(), Source(part(b"a", True), part(b"b"))
        assert await Shouting(scope, source).body() == b"AB"
        with pytest.raises(RuntimeError, match="Stream consumed"):  # what it read is not the body
            await Request(scope, source).body()

    run(main())


def test_a_body_that_a_middleware_read_is_there_for_the_endpoint() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b'{"a":', True), part(b"1}"))
        assert await Request(scope, source).body() == b'{"a":1}'
        assert await Request(scope, source).body() == b'{"a":1}'
        assert await Request(scope, source).json() == {"a": 1}
        assert await streamed(Request(dict(scope), source)) == [b'{"a":1}', b""]

    run(main())


def test_a_body_is_there_through_a_receive_around_that_which_it_was_read_from() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"a"))
        await Request(scope, source).body()
        for receive in (Around(source), Around(Around(source)), source):
            assert await Request(scope, receive).body() == b"a"

    run(main())


def test_what_passes_a_receive_on_is_told_how_much_it_missed() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"a", True), part(b"b"))
        await Request(scope, source).body()
        inner = Around(source)
        await Request(scope, Around(inner)).body()
        assert inner.told == [2]

    run(main())


def test_it_may_refuse_a_body_of_that_size() -> None:
    class Limit(Around):
        def replayed(self, size_bytes: int) -> None:
            if size_bytes > 1:
                raise HTTPException(413)

    async def main() -> None:
        scope, source = http(), Source(part(b"a", True), part(b"b"))
        await Request(scope, source).body()
        with pytest.raises(HTTPException, match="413"):
            await Request(scope, Limit(source)).body()

    run(main())


def test_a_body_that_the_endpoint_read_is_there_for_the_middleware() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"a"))
        assert await Request(scope, Around(Around(source))).body() == b"a"
        assert await Request(scope, source).body() == b"a"

    run(main())


def test_a_receive_of_another_kind_has_a_body_of_its_own() -> None:
    """A middleware that changes the body, as by unpacking it, gives out a `receive` that wraps nothing."""

    async def main() -> None:
        scope, source = http(), Source(part(b"packed"))
        assert await Request(scope, source).body() == b"packed"
        assert await Request(scope, Source(part(b"unpacked"))).body() == b"unpacked"

    run(main())


def test_a_body_goes_with_its_scope_though_the_source_knows_the_scope() -> None:
    """Without waiting for the garbage collector, as a server's `receive` is a method of what has the scope."""

    class Exchange:
        def __init__(self) -> None:
            self.scope = http()

        async def receive(self) -> Message:
            return part(b"a")

    async def main() -> "weakref.ref[Exchange]":
        exchange = Exchange()
        receive = exchange.receive
        await Request(exchange.scope, Around(receive)).body()
        assert await Request(exchange.scope, receive).body() == b"a"
        return weakref.ref(exchange)

    gc.disable()
    try:
        assert run(main())() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("slots", [(), ("__weakref__",)])
def test_a_method_is_one_source_however_often_it_is_looked_up(slots: tuple[str, ...]) -> None:
    class Slotted:
        __slots__ = slots

        async def receive(self) -> Message:
            return part(b"a")

    async def main() -> None:
        scope, one, other = http(), Slotted(), Slotted()
        receive = one.receive
        await streamed(Request(scope, receive))
        again = one.receive if slots else receive
        with pytest.raises(RuntimeError, match="Stream consumed"):
            await Request(scope, again).body()
        assert await Request(scope, other.receive).body() == b"a"

    run(main())


def test_a_function_that_wraps_in_name_has_a_body_of_its_own() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"packed"))

        @functools.wraps(source)
        async def receive() -> Message:
            return part(b"unpacked")

        assert await Request(scope, source).body() == b"packed"
        assert await Request(scope, receive).body() == b"unpacked"

    run(main())


def test_a_stream_that_a_middleware_consumed_is_an_error_and_no_endless_wait() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"a"))
        await streamed(Request(scope, source))
        for read in (Request(scope, source).body(), streamed(Request(scope, Around(source)))):
            with pytest.raises(RuntimeError, match="Stream consumed"):
                await read

    run(main())


# --- forms --------------------------------------------------------------------------------------

FORM = [(b"content-type", b"application/x-www-form-urlencoded")]
MULTIPART = [(b"content-type", b"multipart/form-data; boundary=x")]
UPLOAD = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n'


def test_a_form_is_awaited_or_entered() -> None:
    async def main() -> None:
        request = Request(http(headers=FORM), Source(part(b"a=1&b=", True), part(b"2")))
        assert dict(await request.form()) == {"a": "1", "b": "2"}
        async with request.form() as form:
            assert form["a"] == "1"

    run(main())


def test_files_are_closed_when_the_form_is_left() -> None:
    async def main() -> None:
        async with Request(http(headers=MULTIPART), Source(part(UPLOAD))).form() as form:
            file = form["a"].file  # type: ignore[union-attr]
            assert file.read() == b"c"
        assert file.closed

    run(main())


def test_a_form_that_a_middleware_read_is_there_for_the_endpoint() -> None:
    async def main() -> None:
        scope, source = http(headers=MULTIPART), Source(part(UPLOAD))
        form = await Request(scope, source).form()
        request = Request(scope, Around(source))
        assert await request.form() is form
        with pytest.raises(RuntimeError, match="Stream consumed"):
            await request.body()
        await request.close()

    run(main())


def test_a_form_is_read_from_a_body_that_was_read() -> None:
    async def main() -> None:
        scope, source = http(headers=FORM), Source(part(b"a=1"))
        await Request(scope, source).body()
        assert (await Request(scope, source).form())["a"] == "1"

    run(main())


@pytest.mark.parametrize("kind", [b"", b"text/plain", b"application/json", b"multipart/mixed; boundary=x"])
def test_a_body_of_another_kind_is_an_empty_form(kind: bytes) -> None:
    async def main() -> None:
        request = Request(http(headers=[(b"content-type", kind)]), Source(part(b"a=1")))
        assert await request.form() == FormData()
        assert await request.body() == b"a=1"

    run(main())


def test_a_form_past_its_limits_is_a_bad_request() -> None:
    with pytest.raises(HTTPException) as caught:
        run(_form(http(headers=FORM, app=None), b"a=1&b=2", max_fields=1))
    assert 400 <= caught.value.status_code < 500


async def _form(scope: Scope, body: bytes, **limits: int) -> FormData:
    return await Request(scope, Source(part(body))).form(**limits)


# --- JSON ---------------------------------------------------------------------------------------


def test_json_is_read_once() -> None:
    async def main() -> None:
        request = Request(http(), Source(part(b'{"a": null}')))
        assert await request.json() is await request.json()
        assert await Request(http(), Source(part(b"null"))).json() is None

    run(main())


ODD = [
    b"NaN", b"-Infinity", b"1e400", b"-0", b"-0.0", b"1" * 100, b"18446744073709551616", b'"\\ud800"',
    b'"\\ud83d\\ude00"',
    b"\xef\xbb\xbf[1]", "[1]".encode("utf-16"), "[1]".encode("utf-32-be"), b'{"a":1,"a":2}', b'{"":0}', b' \t\r\n1 ',
    b'"\\u0000"', b"[" * 200 + b"]" * 200, b"9007199254740993.0", b"5e-324", b'"\xed\xa0\x80"', b'"\x7f\xc2\x85"',
]  # fmt: skip
INVALID = [
    b"", b" ", b"{", b"[1,]", b"01", b"1.", b"-", b"'a'", b'{"a":1}x', b'"a\nb"', b'"\x01"', b"nul", b"{a:1}", b'"\\x"',
    b"\x0c1",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_json_is_read_as_the_standard_library_reads_it(text: bytes) -> None:
    assert repr(parse_json(text)) == repr(json.loads(text))


def test_random_json_is_read_as_the_standard_library_reads_it() -> None:
    choice = random.Random(1).choice
    pieces = [
        '"',
        "\\",
        "u",
        "d8",
        "00",
        "1",
        "0",
        "-",
        ".",
        "e",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "true",
        "null",
        " ",
        "é",
        "\x1f",
    ]
    for length in range(5_000):
        text = "".join(choice(pieces) for _ in range(length % 12)).encode()
        try:
            expected = repr(json.loads(text))
        except json.JSONDecodeError as error:
            expected = repr((error.msg, error.pos))
        try:
            found = repr(parse_json(text))
        except InvalidJSON as error:
            found = repr((error.msg, error.pos))
        assert found == expected, text


@pytest.mark.parametrize("text", INVALID)
def test_the_error_of_what_is_no_json_is_that_of_the_standard_library(text: bytes) -> None:
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with pytest.raises(json.JSONDecodeError) as found:
        parse_json(text)
    for name in ("msg", "doc", "pos", "lineno", "colno"):
        assert getattr(found.value, name) == getattr(expected.value, name)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("text", [b"{", b'"\xff"', b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_a_bad_request(text: bytes) -> None:
    with pytest.raises(HTTPException) as caught:
        parse_json(text)
    assert isinstance(caught.value, json.JSONDecodeError)
    assert caught.value.status_code == 400
    assert caught.value.detail.startswith("The body of the request is not JSON.")
    assert len(caught.value.detail) < 300
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# --- is_disconnected ----------------------------------------------------------------------------


def test_a_client_that_is_there_is_not_disconnected_and_its_body_not_lost() -> None:
    async def main() -> None:
        source = Source(part(b"a", True), part(b"b"))
        request = Request(http(), source)
        for _ in range(3):
            assert not await request.is_disconnected()
        assert source.messages == []
        assert await request.body() == b"ab"
        assert not await request.is_disconnected()

    run(main())


def test_a_disconnect_behind_a_body_that_nobody_has_read_is_seen() -> None:
    async def main() -> None:
        request = Request(http(), Source(part(b"a"), GONE))
        assert await request.is_disconnected()
        assert await request.is_disconnected()
        assert await request.body() == b"a"

    run(main())


def test_what_came_before_a_disconnect_is_streamed_before_the_error() -> None:
    async def main() -> None:
        request = Request(http(), Source(part(b"a", True), GONE))
        assert await request.is_disconnected()
        stream = request.stream()
        assert await anext(stream) == b"a"
        with pytest.raises(ClientDisconnect):
            await anext(stream)

    run(main())


def test_a_disconnect_that_a_middleware_saw_is_seen_by_the_endpoint() -> None:
    async def main() -> None:
        scope, source = http(), Source(GONE)
        assert await Request(scope, source).is_disconnected()
        assert await Request(scope, Around(source)).is_disconnected()

    run(main())


def test_what_a_middleware_came_by_is_there_for_the_endpoint() -> None:
    async def main() -> None:
        scope, source = http(), Source(part(b"a", True), part(b"b"))
        await Request(scope, source).is_disconnected()
        inner = Around(source)
        assert await streamed(Request(scope, inner)) == [b"a", b"b", b""]
        assert max(inner.told) == 2

    run(main())


def test_what_was_come_by_is_there_for_an_application_that_gets_the_channel() -> None:
    async def main() -> None:
        source = Source(part(b"a", True), part(b"b", True))
        request = Request(http(), source)
        assert request.receive is source
        await request.is_disconnected()
        receive = request.receive
        source.messages = [part(b"c")]
        assert [await receive() for _ in range(3)] == [part(b"a", True), part(b"b", True), part(b"c")]

    run(main())


def test_a_body_that_nobody_reads_is_held_up_to_a_bound() -> None:
    async def main() -> None:
        source = Source(*(part(bytes(16 * 1024), True) for _ in range(100)), part(), GONE)
        request = Request(http(), source)
        for _ in range(10):
            assert not await request.is_disconnected()
        assert len(source.messages) == 102 - 4
        assert len(await request.body()) == 1600 * 1024
        assert await request.is_disconnected()

    run(main())


def test_many_small_messages_are_held_up_to_a_bound() -> None:
    async def main() -> None:
        source = Source(*(part(b"a", True) for _ in range(1000)), part())
        request = Request(http(), source)
        assert not await request.is_disconnected()
        assert len(source.messages) > 700
        assert await request.body() == b"a" * 1000

    run(main())


def test_looking_takes_nothing_from_who_is_reading_meanwhile() -> None:
    async def main() -> None:
        queue: asyncio.Queue[Message] = asyncio.Queue()
        scope = http()
        reader = asyncio.create_task(Request(scope, queue.get).body())
        looker = Request(scope, queue.get)
        for message in (part(b"a", True), part(b"b", True), part(b"c")):
            await asyncio.sleep(0)
            queue.put_nowait(message)
            assert not await looker.is_disconnected()
        assert await reader == b"abc"
        queue.put_nowait(GONE)
        assert await looker.is_disconnected()

    run(main())


def test_a_receive_that_repeats_an_empty_body_is_asked_no_further() -> None:
    async def receive() -> Message:
        return part()

    async def main() -> None:
        request = Request(http(), receive)
        assert not await request.is_disconnected()
        assert await request.body() == b""

    run(main())


def test_what_waits_is_cancelled_each_time_and_no_task_is_made() -> None:
    async def main() -> None:
        source = Source()
        request = Request(http(), source)
        for _ in range(3):
            assert not await request.is_disconnected()
        assert source.cancelled == 3
        assert len(asyncio.all_tasks()) == 1
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(main())


def test_a_queue_that_waits_loses_nothing() -> None:
    async def main() -> None:
        queue: asyncio.Queue[Message] = asyncio.Queue()
        request = Request(http(), queue.get)
        assert not await request.is_disconnected()
        queue.put_nowait(part(b"a", True))
        assert not await request.is_disconnected()
        queue.put_nowait(part(b"b"))
        assert await request.body() == b"ab"
        queue.put_nowait(GONE)
        assert await request.is_disconnected()

    run(main())


def test_a_receive_that_lets_others_run_first_is_waited_for() -> None:
    async def receive() -> Message:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return GONE

    assert run(Request(http(), receive).is_disconnected())


def test_a_receive_that_lets_others_run_for_ever_is_not() -> None:
    async def receive() -> Message:
        while True:
            await asyncio.sleep(0)

    assert not run(Request(http(), receive).is_disconnected())


@pytest.mark.parametrize("kind", [asyncio.Lock, asyncio.Event])
def test_a_receive_may_clean_up_when_it_is_cancelled(kind: type) -> None:
    cleaned = []

    async def receive() -> Message:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            await asyncio.wait_for(asyncio.sleep(0.001), 1)
            cleaned.append(kind)
        raise AssertionError

    assert not run(Request(http(), receive).is_disconnected())
    assert cleaned == [kind]


def test_a_receive_that_gives_a_message_though_cancelled_is_heard() -> None:
    async def receive() -> Message:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return GONE

    assert run(Request(http(), receive).is_disconnected())


def test_a_receive_with_a_task_group_is_cancelled_in_order() -> None:
    """So wrap `receive` the middlewares of other frameworks, which race it against the end of the response."""

    ended = []

    async def child() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    async def receive() -> Message:
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            await asyncio.sleep(0)
            await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        request = Request(http(), receive)
        for _ in range(2):
            assert not await request.is_disconnected()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        assert len(asyncio.all_tasks()) == 1
        await asyncio.sleep(0)  # which no late cancellation interrupts

    run(main())
    assert ended == [1, 1]


def test_a_cancellation_during_the_clean_up_arrives() -> None:
    async def receive() -> Message:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(Request(http(), receive).is_disconnected())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_what_a_shielded_task_does_goes_on() -> None:
    async def main() -> None:
        work = asyncio.create_task(asyncio.sleep(0.001, GONE))
        await asyncio.sleep(0)
        receive: Callable[[], Awaitable[Any]] = lambda: asyncio.shield(work)  # noqa: E731
        request = Request(http(), receive)
        assert not await request.is_disconnected()
        await work
        assert await request.is_disconnected()

    run(main())


def test_an_awaitable_that_is_only_an_iterator_can_be_looked_at() -> None:
    class Never:
        def __await__(self) -> Any:
            return iter([asyncio.get_running_loop().create_future()])

    class Now:
        def __await__(self) -> Any:
            return iter(())

    async def main() -> tuple[Any, Any]:
        return await look(Never()), await look(Now())

    assert run(main()) == (None, None)


def test_an_error_of_receive_is_raised() -> None:
    async def receive() -> Message:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(Request(http(), receive).is_disconnected())


# --- what goes back early -----------------------------------------------------------------------


def sent(use: Callable[[Request], Awaitable[None]], **scope: Any) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def main() -> None:
        await use(Request(http(**scope), Source(), send))

    run(main())
    return messages


def test_early_hints_are_sent_where_the_server_can() -> None:
    def use(request: Request) -> Awaitable[None]:
        return request.send_early_hints("</a>", "</b>")

    assert sent(use) == []
    assert sent(use, extensions={"http.response.early_hint": {}}) == [
        {"type": "http.response.early_hint", "links": [b"</a>", b"</b>"]}
    ]


@pytest.mark.parametrize("link", ["</a>\r\nset-cookie: b=c", "</a>\n", "\0"])
def test_an_early_hint_has_no_line_break(link: str) -> None:
    with pytest.raises(ValueError, match="no line break"):
        sent(lambda request: request.send_early_hints(link), extensions={"http.response.early_hint": {}})


def test_a_push_promise_has_the_fields_of_the_request() -> None:
    headers = [(b"accept", b"a"), (b"accept", b"b"), (b"cookie", b"c=d")]
    assert sent(lambda request: request.send_push_promise("/a"), headers=headers) == []
    assert sent(
        lambda request: request.send_push_promise("/a"), headers=headers, extensions={"http.response.push": {}}
    ) == [{"type": "http.response.push", "path": "/a", "headers": headers[:2]}]


def test_without_send_nothing_can_be_sent() -> None:
    with pytest.raises(RuntimeError, match="Send channel has not been made available"):
        run(Request(http(extensions={"http.response.early_hint": {}})).send_early_hints("</a>"))
